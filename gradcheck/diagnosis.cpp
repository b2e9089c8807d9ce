// What a wrong gradient looks like: the classic mistakes, each a question. They go from the particular
// to the general, and the first that is answered with yes names the mistake: a flipped sign is a
// constant factor too. A wrong name sends its reader the wrong way, so a question says yes only where
// its mistake explains all but a fiftieth of the error.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/contracts.h>
#include <gradus/gradcheck/detail/suspect.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace gradus {

bool any_fails(const GradcheckInput& input) {
  const std::vector<std::uint8_t> verdicts = input.verdicts.to_vector<std::uint8_t>();
  return std::count(verdicts.begin(), verdicts.end(), static_cast<int>(Verdict::fail)) > 0;
}

Suspect::Suspect(const Evidence& evidence, std::size_t which)
    : evidence_(evidence),
      which_(which),
      shape_(input().analytic.shape()),
      analytic_(input().analytic.to_vector<double>()),
      numeric_(input().numeric.to_vector<double>()) {
  const std::vector<std::uint8_t> verdicts = input().verdicts.to_vector<std::uint8_t>();
  for (const Values* slopes : {&analytic_, &numeric_})
    for (const double slope : *slopes)
      if (std::isfinite(slope)) largest_ = std::max(largest_, std::fabs(slope));
  for (std::size_t e = 0; e < size(); ++e) {
    wrong_.push_back(verdicts[e] == static_cast<int>(Verdict::fail));
    measured_.push_back(wrong_[e] || verdicts[e] == static_cast<int>(Verdict::pass));
    telling_.push_back(measured_[e] && (wrong_[e] || !near(numeric_[e], 0)));
    measured_count_ += measured_[e] ? 1 : 0;
    wrong_count_ += wrong_[e] ? 1 : 0;
    telling_count_ += telling_[e] ? 1 : 0;
    const double error = std::fabs(analytic_[e] - numeric_[e]);
    if (wrong_[e] && std::isfinite(error)) worst_error_ = std::max(worst_error_, error);
  }
}

double Suspect::tolerance(double size) const {
  const GradcheckOptions& o = evidence_.options;
  return o.atol * std::min(1.0, largest_) + o.rtol * std::fabs(size);
}

bool Suspect::explains(const Values& guess, const Values& numeric) const {
  for (std::size_t e = 0; e < guess.size(); ++e) {
    if (!measured_[e]) continue;
    if (!near(guess[e], numeric[e]) || std::fabs(guess[e] - numeric[e]) > unexplained())
      return false;
  }
  return true;
}

Suspect::Values Suspect::gradient_for(const Tensor& weights) const {
  const Tensor gradient = probe().gradients(weights)[position()];
  return gradient.defined() ? gradient.to_vector<double>() : Values(size(), 0.0);
}

Diagnosis Suspect::named(Pattern pattern, std::string text, std::size_t numbers) const {
  constexpr std::size_t enough = 4;
  return {pattern, name(), std::move(text),
          numbers >= enough ? Certainty::likely : Certainty::possible};
}

namespace {

constexpr std::array<Question, 20> questions{
    is_not_finite,
    is_missing,
    lacks_one_use_of_several,
    ignores_incoming,
    is_another_inputs,
    reads_output_for_input,
    is_scaled,
    is_rearranged,
    lacks_a_sum,
    is_diagonal_only,
    is_constant_along_axes,
    is_a_variance_term,
    is_wrong_at_the_border,
    is_wrong_in_one_slice,
    is_wrong_in_a_branch,
    is_wrong_in_part_of_the_border,
    is_wrong_in_part_of_a_slice,
    is_zero_in_places,
    is_scaled_in_places,
    may_be_wrong_in_a_branch,
};

}  // namespace

std::vector<Diagnosis> diagnose(const Evidence& evidence) {
  if (!evidence.repeats) {
    const auto pass = [&] { return evidence.probe.gradients(evidence.probe.weights()[0]); };
    const std::vector<Tensor> first = pass();
    const std::vector<Tensor> second = pass();
    return {of_passes_that_differ(first, second, pass())};
  }
  if (!evidence.survives_forward) {
    return {{Pattern::stale_value, "",
             "another forward between forward and backward changes the gradient: backward reads "
             "what that one overwrote"}};
  }
  std::vector<Diagnosis> all;
  for (std::size_t i = 0; i < evidence.inputs.size(); ++i) {
    if (!any_fails(evidence.inputs[i])) continue;
    const Suspect suspect(evidence, i);
    for (const Question question : questions) {
      if (std::optional<Diagnosis> found = question(suspect)) {
        all.push_back(std::move(*found));
        break;
      }
    }
  }
  return all;
}

}  // namespace gradus
