// Planted bugs: a function whose backward pass is wrong on purpose, to prove that the checker would
// have caught it. Whoever trusts a checker should ask it this first.
#pragma once

#include <gradus/gradcheck/gradcheck.h>

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace gradus {

/// What is done to the gradient that one op returns for one of its inputs.
enum class Bug {
  scaled,              ///< times 1.0009
  mean_for_sum,        ///< divided by how many outputs there are per input element
  sign_flipped,        ///< times -1
  zeroed,              ///< 0 everywhere
  element_zeroed,      ///< 0 in one element
  element_off,         ///< one element times 1.0009
  not_finite,          ///< NaN in one element
  transposed,          ///< two axes of equal size swapped
  flipped,             ///< the last two axes, or the only one, backwards
  shifted,             ///< off by one along the last axis
  border_dropped,      ///< 0 along the border of the last two axes
  slice_dropped,       ///< 0 for one index of the first axis: an image, a channel, a group
  sum_dropped,         ///< only the first slice of a broadcast axis counted
  use_dropped,         ///< the input is used several times, the last use is not counted
  use_overwritten,     ///< likewise, the first use is not counted
  swapped,             ///< exchanged with the gradient of another input
  incoming_ignored,    ///< computed for an incoming gradient of ones
  disconnected,        ///< not returned
  stale_accumulation,  ///< added to that of the pass before
  stale_value,         ///< computed from what a later forward saved
  history_cut,         ///< right, but constant: the second derivative is 0
  history_scaled,      ///< right, but its derivative is scaled by 1.0009
  history_flipped,     ///< right, but its derivative has the wrong sign
};
std::string_view to_string(Bug bug);
const std::vector<Bug>& all_bugs();
/// 2 for the bugs that only the second derivative shows, else 1.
int order_of(Bug bug);

/// How many times the tape of `function` takes the input.
std::size_t use_count(const DifferentiableFunction& function, const Variables& inputs,
                      std::size_t input);

/// Where a bug is planted: at the op that takes input `input` of the function.
struct Site {
  std::size_t input = 0;
  std::string_view op{};  ///< the op's name; empty: whatever op takes the input first
};

/// `function` with the bug. Where it does not apply (nothing to transpose, nothing broadcast)
/// the function is as right as before: see is_effective().
DifferentiableFunction plant(const DifferentiableFunction& function, Bug bug, const Site& site);

/// Does the bug change a gradient by more than the tolerance? Asked of the gradients themselves,
/// not of the checker: a mutation without effect is no bug.
bool is_effective(const DifferentiableFunction& right, const DifferentiableFunction& wrong,
                  const Variables& inputs, Bug bug, const GradcheckOptions& options = {});

/// The pattern by which the checker should name the bug; none for those without a name, and for
/// second-order bugs, whose pattern depends on what else the op does.
std::optional<Pattern> expected_pattern(Bug bug, std::string_view input_name);

}  // namespace gradus
