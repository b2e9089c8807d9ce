// What a check has not seen.
#pragma once

#include <gradus/gradcheck/detail/probe.h>

#include <string>
#include <vector>

namespace gradus {

/// What the inputs never did: "negative values of input 0", "the branch of relu where its slope is 0".
/// A backward may be wrong there and pass.
std::vector<std::string> not_exercised(const Probe& probe);

}  // namespace gradus
