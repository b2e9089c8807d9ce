// Evidence: what the diagnosis may look at, and the one question it may still ask.
#pragma once

#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/gradcheck.h>

namespace gradus {

struct Evidence {
  const Probe& probe;
  const std::vector<GradcheckInput>& inputs;  ///< one for each input that wants a gradient
  const std::vector<std::size_t>& positions;  ///< and its place among all inputs
  const GradcheckOptions& options;
  bool repeats = true;           ///< does a second backward pass give the same?
  bool survives_forward = true;  ///< does it give the same after another forward?
};

/// The patterns of the inputs that fail, the likeliest first. At most one for each input.
std::vector<Diagnosis> diagnose(const Evidence& evidence);

}  // namespace gradus
