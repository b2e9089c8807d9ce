// The suspects of find-the-bug, and which mistake a seed plants.
#pragma once

#include <gradus/autograd/derivatives.h>
#include <gradus/gradcheck/planted.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bug_answer.h"

namespace gradus {

/// A function, and its backward pass as one line for each input.
struct BuggyPass {
  std::string formula;
  std::vector<std::string> names;  ///< of the inputs
  std::vector<std::string> lines;  ///< of the backward pass
  DifferentiableFunction right;
  Variables inputs;
  BugAnswer planted;  ///< where, and which

  /// The function with a kind of mistake in the planted line.
  DifferentiableFunction with(Bug kind) const {
    return plant(right, kind, {.input = static_cast<std::size_t>(planted.line - 1)});
  }
};

/// What the seed decides: one of the functions, one of its lines, one of the kinds that change a gradient there.
BuggyPass buggy_pass(std::uint64_t seed);

/// The kinds of mistakes that are planted.
const std::vector<Bug>& planted_kinds();

}  // namespace gradus
