// What a wrong gradient looks like: the classic mistakes, recognised by their pattern.
#pragma once

#include <string>
#include <string_view>

namespace gradus {

enum class Pattern {
  sign_flipped,
  constant_factor,       ///< a mean for a sum, a forgotten 2, a scale applied twice
  transposed,            ///< two axes swapped
  flipped,               ///< an axis, or the kernel, runs backwards
  shifted,               ///< off by one along an axis
  missing_sum,           ///< only one slice of a broadcast axis was counted
  missing_accumulation,  ///< only one use of the input was counted
  stale_accumulation,    ///< a second backward pass gives another gradient
  stale_value,           ///< backward reads what a later forward overwrote
  swapped_inputs,        ///< the gradients of two inputs are exchanged
  ignores_incoming,      ///< does not depend on the incoming gradient
  border_only,           ///< only the elements at the border are wrong
  one_slice,             ///< only one index, or range, of an axis is wrong: a channel, a group
  zero,                  ///< zero where it should not be
  bias_forgotten,        ///< the same, of a bias
  disconnected,          ///< backward never reaches the input
  not_finite,            ///< NaN or infinite where the slope is not
  wrong_branch,          ///< only where some values are negative, or above a number
  diagonal_only,         ///< what an element does to other outputs is not counted
  output_for_input,      ///< a formula in x that reads f(x)
  input_for_output,      ///< a formula in f(x) that reads x
  constant_error,        ///< along an axis: the derivative of a mean is missing
  variance_term,         ///< proportional to the deviation from a mean: that of a variance
  biased_variance,       ///< n for n-1, or the reverse
  norm_term,             ///< proportional to the input: the derivative of a norm is missing
  random_backward,       ///< backward draws numbers of its own
  not_a_subgradient,     ///< each of several equal numbers gets the whole gradient
  // Contracts (detail/contracts.h): what no difference quotient would show.
  wrong_shape,           ///< a gradient that is not as large as its input
  overwrites_incoming,   ///< backward writes into the incoming gradient
  overwrites_saved,      ///< backward writes into what was kept for it
  reuses_memory,         ///< backward, or forward, writes again to what it has given
  not_linear,            ///< in the incoming gradient: clipped, rounded, squared
  reads_layout,          ///< reads memory as if it were row-major
  depends_on_needs,      ///< other gradients when an input is frozen
  depends_on_recording,  ///< other gradients with create_graph
  unnamed_parameter,     ///< a leaf on the tape that is no input
  wrong_in_float32,      ///< right in float64 only
  wrong_elsewhere,       ///< right at the given inputs, wrong at others
  not_deterministic,     ///< the same inputs give other outputs
};

/// "sign_flipped"
std::string_view to_string(Pattern pattern);

/// How sure a diagnosis is.
enum class Certainty {
  possible,  ///< it explains the error, but so few numbers would fit much else
  likely,    ///< it explains the error in so many numbers that chance hardly does
  certain,   ///< an experiment has shown it
};
std::string_view to_string(Certainty certainty);

/// What a wrong gradient looks like, in words and with a name.
struct Diagnosis {
  Pattern pattern;
  std::string input;  ///< the name of the input that shows it
  std::string text;   ///< one sentence with the particulars
  Certainty certainty = Certainty::certain;
};

}  // namespace gradus
