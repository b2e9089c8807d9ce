// Right functions that are hard to check: at kinks, periodic, badly scaled, near the edge of their
// domain, stairs. A checker that fails one of them cries wolf.
#pragma once

#include <gradus/gradcheck/gradcheck.h>

#include <string>
#include <vector>

namespace gradus {

/// A function whose gradient is right, where that is hard to see.
struct HardFunction {
  std::string name;
  DifferentiableFunction function;
  Variables inputs;
  int orders = 1;  ///< 2: its second derivative is right as well
};

std::vector<HardFunction> hard_functions();

}  // namespace gradus
