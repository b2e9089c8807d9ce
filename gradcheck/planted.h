// Planted bugs: a function whose backward pass is wrong on purpose, to prove that the checker would
// have caught it. Whoever trusts a checker should ask it this first.
#pragma once

#include <gradus/gradcheck/gradcheck.h>

#include <cstddef>
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
  negative_dropped,    ///< 0 where the input is negative
  diagonal_kept,       ///< of the Jacobian, only the diagonal
  mean_dropped,        ///< off by one number along the last axis
  variance_dropped,    ///< off by a multiple of the distance from the mean, along the last axis
  output_read,         ///< computed at f(x) for x
  random,              ///< times random numbers, others in each pass
  // These break what backward promises; the gradient itself is right.
  incoming_overwritten,  ///< dy is halved after use
  saved_overwritten,     ///< what an input was is scaled after use
  clipped,               ///< dy is limited to ±50
  layout_ignored,        ///< dy is read as if it were row-major
  neighbour_needed,      ///< 0 when another input is frozen
  recorded_scaled,       ///< times 1.0009 with create_graph
  float32_scaled,        ///< times 1.5 in float32
  shape_lost,            ///< with an axis more than the input
  wrong_elsewhere,       ///< times 1.1 when the input is another than in the first call
  parameter_hidden,      ///< a parameter takes part that is no input
  history_cut,           ///< right, but constant: the second derivative is 0
  history_scaled,        ///< right, but its derivative is scaled by 1.0009
  history_flipped,       ///< right, but its derivative has the wrong sign
};
std::string_view to_string(Bug bug);
const std::vector<Bug>& all_bugs();
/// 2 for the bugs that only the second derivative shows, else 1.
int order_of(Bug bug);
/// Does it leave the gradient as it is, and break what backward promises?
bool is_a_broken_contract(Bug bug);

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

/// The patterns any of which names the bug rightly. None for those without a name, for second-order
/// bugs, whose pattern depends on what else the op does, and where the input has too few numbers to
/// tell.
std::vector<Pattern> expected_patterns(Bug bug, std::string_view input_name, const Tensor& input);

}  // namespace gradus
