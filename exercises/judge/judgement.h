// What a judge says of a learner's function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gradus {

/// Passed or not, and why in a few plain lines.
struct Judgement {
  bool passed = false;
  std::vector<std::string> lines{};
};

}  // namespace gradus
