// Suspect: one input whose gradient is wrong, with everything that a diagnosis may ask of it.
#pragma once

#include <gradus/gradcheck/detail/evidence.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gradus {

class Suspect {
 public:
  using Values = std::vector<double>;

  Suspect(const Evidence& evidence, std::size_t which);

  const std::string& name() const { return input().name; }
  const GradcheckInput& input() const { return evidence_.inputs[which_]; }
  const Probe& probe() const { return evidence_.probe; }
  /// Its place among all inputs of the function.
  std::size_t position() const { return evidence_.positions[which_]; }
  std::size_t which() const { return which_; }
  const std::vector<GradcheckInput>& inputs() const { return evidence_.inputs; }
  const Shape& shape() const { return shape_; }

  // One number for each element, row-major; NaN where nothing was measured.
  const Values& analytic() const { return analytic_; }
  const Values& numeric() const { return numeric_; }
  std::size_t size() const { return analytic_.size(); }
  Shape index(std::size_t e) const { return unravel(static_cast<std::int64_t>(e), shape_); }

  /// Compared, and with a slope that is known: neither at a kink nor inconclusive.
  bool measured(std::size_t e) const { return measured_[e]; }
  bool wrong(std::size_t e) const { return wrong_[e]; }
  /// Wrong, or right where a wrong gradient would have shown. An element whose slope is 0 may be right
  /// by accident, and says nothing.
  bool telling(std::size_t e) const { return telling_[e]; }
  std::size_t measured_count() const { return measured_count_; }
  std::size_t wrong_count() const { return wrong_count_; }
  std::size_t telling_count() const { return telling_count_; }
  bool all_measured() const { return measured_count_ == size(); }

  static Values scaled(Values values, double factor) {
    for (double& v : values) v *= factor;
    return values;
  }

  /// That of the check, scaled to the slopes of the input.
  double tolerance(double size) const;
  /// As near as two measurements of one number.
  bool near(double a, double b) const {
    return std::fabs(a - b) <= 10 * tolerance(std::max(std::fabs(a), std::fabs(b)));
  }
  /// What a hypothesis may leave of the largest error and still have explained it.
  double unexplained() const { return worst_error_ / 50; }
  /// Would `guess`, in the place of the analytic gradient, explain every element that was measured?
  bool explains(const Values& guess) const { return explains(guess, numeric_); }
  bool explains(const Values& guess, const Values& numeric) const;

  /// The gradient for other weights of the output.
  Values gradient_for(const Tensor& weights) const;

  /// A diagnosis by so many numbers that each could have contradicted it.
  Diagnosis named(Pattern pattern, std::string text, std::size_t numbers) const;
  /// One that an experiment has shown.
  Diagnosis proved(Pattern pattern, std::string text) const {
    return {pattern, name(), std::move(text), Certainty::certain};
  }

 private:
  const Evidence& evidence_;
  std::size_t which_;
  Shape shape_;
  Values analytic_;
  Values numeric_;
  std::vector<bool> measured_;
  std::vector<bool> wrong_;
  std::vector<bool> telling_;
  std::size_t wrong_count_ = 0;
  std::size_t measured_count_ = 0;
  std::size_t telling_count_ = 0;
  double worst_error_ = 0;
  double largest_ = 0;  // of all slopes
};

/// Has an element of it failed?
bool any_fails(const GradcheckInput& input);

/// A question: is it this mistake?
using Question = std::optional<Diagnosis> (*)(const Suspect& suspect);

// By the two tensors "analytic" and "numeric" alone (diagnosis_by_numbers.cpp), from the particular to
// the general.
std::optional<Diagnosis> is_not_finite(const Suspect& suspect);
std::optional<Diagnosis> is_missing(const Suspect& suspect);
std::optional<Diagnosis> is_another_inputs(const Suspect& suspect);
std::optional<Diagnosis> is_scaled(const Suspect& suspect);
std::optional<Diagnosis> is_rearranged(const Suspect& suspect);
std::optional<Diagnosis> is_constant_along_axes(const Suspect& suspect);
std::optional<Diagnosis> is_a_variance_term(const Suspect& suspect);
std::optional<Diagnosis> is_wrong_at_the_border(const Suspect& suspect);
std::optional<Diagnosis> is_wrong_in_one_slice(const Suspect& suspect);
std::optional<Diagnosis> is_wrong_in_part_of_the_border(const Suspect& suspect);
std::optional<Diagnosis> is_wrong_in_part_of_a_slice(const Suspect& suspect);
std::optional<Diagnosis> is_wrong_in_a_branch(const Suspect& suspect);
std::optional<Diagnosis> may_be_wrong_in_a_branch(const Suspect& suspect);
std::optional<Diagnosis> is_zero_in_places(const Suspect& suspect);
std::optional<Diagnosis> is_scaled_in_places(const Suspect& suspect);

// By asking backward or the function once more (diagnosis_by_experiment.cpp).
std::optional<Diagnosis> lacks_one_use_of_several(const Suspect& suspect);
std::optional<Diagnosis> ignores_incoming(const Suspect& suspect);
std::optional<Diagnosis> lacks_a_sum(const Suspect& suspect);
std::optional<Diagnosis> is_diagonal_only(const Suspect& suspect);
std::optional<Diagnosis> reads_output_for_input(const Suspect& suspect);

}  // namespace gradus
