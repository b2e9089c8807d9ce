// The names of the patterns.
#include <gradus/gradcheck/diagnosis.h>

namespace gradus {

std::string_view to_string(Certainty certainty) {
  switch (certainty) {
    case Certainty::possible:
      return "possible";
    case Certainty::likely:
      return "likely";
    case Certainty::certain:
      return "certain";
  }
  return {};
}

std::string_view to_string(Pattern pattern) {
  switch (pattern) {
    case Pattern::sign_flipped:
      return "sign_flipped";
    case Pattern::constant_factor:
      return "constant_factor";
    case Pattern::transposed:
      return "transposed";
    case Pattern::flipped:
      return "flipped";
    case Pattern::shifted:
      return "shifted";
    case Pattern::missing_sum:
      return "missing_sum";
    case Pattern::missing_accumulation:
      return "missing_accumulation";
    case Pattern::stale_accumulation:
      return "stale_accumulation";
    case Pattern::stale_value:
      return "stale_value";
    case Pattern::swapped_inputs:
      return "swapped_inputs";
    case Pattern::ignores_incoming:
      return "ignores_incoming";
    case Pattern::border_only:
      return "border_only";
    case Pattern::one_slice:
      return "one_slice";
    case Pattern::zero:
      return "zero";
    case Pattern::bias_forgotten:
      return "bias_forgotten";
    case Pattern::disconnected:
      return "disconnected";
    case Pattern::not_finite:
      return "not_finite";
    case Pattern::wrong_branch:
      return "wrong_branch";
    case Pattern::diagonal_only:
      return "diagonal_only";
    case Pattern::output_for_input:
      return "output_for_input";
    case Pattern::input_for_output:
      return "input_for_output";
    case Pattern::constant_error:
      return "constant_error";
    case Pattern::variance_term:
      return "variance_term";
    case Pattern::biased_variance:
      return "biased_variance";
    case Pattern::random_backward:
      return "random_backward";
    case Pattern::wrong_shape:
      return "wrong_shape";
    case Pattern::reuses_memory:
      return "reuses_memory";
    case Pattern::overwrites_incoming:
      return "overwrites_incoming";
    case Pattern::overwrites_saved:
      return "overwrites_saved";
    case Pattern::not_linear:
      return "not_linear";
    case Pattern::reads_layout:
      return "reads_layout";
    case Pattern::depends_on_needs:
      return "depends_on_needs";
    case Pattern::depends_on_recording:
      return "depends_on_recording";
    case Pattern::unnamed_parameter:
      return "unnamed_parameter";
    case Pattern::wrong_in_float32:
      return "wrong_in_float32";
    case Pattern::wrong_elsewhere:
      return "wrong_elsewhere";
    case Pattern::not_deterministic:
      return "not_deterministic";
    case Pattern::norm_term:
      return "norm_term";
    case Pattern::not_a_subgradient:
      return "not_a_subgradient";
  }
  return {};
}

}  // namespace gradus
