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
};

/// "sign_flipped"
std::string_view to_string(Pattern pattern);

struct Diagnosis {
  Pattern pattern;
  std::string input;  ///< the name of the input that shows it
  std::string text;   ///< one sentence with the particulars
};

}  // namespace gradus
