// The rule of verdicts: one element, or one direction, analytic against numeric.
#pragma once

#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/gradcheck.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace gradus {

class ElementJudge {
 public:
  /// `gradients` by weighting and input. `blind` outputs are not finite. Borrows probe and options.
  ElementJudge(const Probe& probe, const GradcheckOptions& options,
               const std::vector<std::vector<Tensor>>& gradients, std::int64_t blind);

  /// Measures along the line and judges every weighting k, whose analytic slope is slope_of(k); `entry`
  /// becomes the worst of them. Gives the numeric slope of weighting 0.
  double compare(const Probe::Line& line, const std::function<double(std::size_t)>& slope_of,
                 GradcheckEntry& entry);

  double tolerance(double size) const { return options_.atol + options_.rtol * std::fabs(size); }
  /// Was this element's gradient right only as that of points close by, where numbers do not tie?
  bool is_among_ties(std::size_t input, std::int64_t flat) const {
    return among_ties_.contains({input, flat});
  }
  /// Of the first measurement along a line, with steps `factor` times as long.
  SlopeOptions slope_options(const Probe::Line& line, double factor) const;

 private:
  std::function<double(double)> tolerance_of(const Probe::Line& line) const;
  std::vector<Slope> measure(const Probe::Line& line, double factor) const;
  bool allow_for_hidden_noise(const Probe::Line& line, double factor,
                              std::vector<Slope>& slopes) const;
  bool drowned(const std::vector<Slope>& slopes) const;
  bool is_tied(const Probe::Line& line) const;
  bool fails_again(const Probe::Line& line, const std::vector<Slope>& slopes,
                   const std::vector<Slope>& shorter,
                   const std::function<double(std::size_t)>& slope_of,
                   const GradcheckEntry& first) const;
  void hear_again(const Probe::Line& line, std::vector<Slope>& slopes,
                  const std::vector<Slope>& much_shorter_ones,
                  const std::function<double(std::size_t)>& slope_of, Verdict first,
                  double factor_of_first) const;
  /// Of each weighting.
  using Ranges = std::vector<std::pair<double, double>>;
  std::optional<Ranges> slopes_nearby(const Probe::Line& line, double reach,
                                      double step_factor) const;
  void compare_with_neighbours(const Probe::Line& line,
                               const std::function<double(std::size_t)>& slope_of,
                               GradcheckEntry& entry);
  void judge_all(const Probe::Line& line, const std::vector<Slope>& slopes,
                 const std::function<double(std::size_t)>& slope_of, GradcheckEntry& entry) const;
  void judge(const Probe::Line& line, const Slope& slope, std::size_t k,
             GradcheckEntry& entry) const;
  std::pair<double, double> subgradients(const Probe::Line& line, const Slope& slope,
                                         std::size_t k) const;

  const Probe& probe_;
  const GradcheckOptions& options_;
  std::int64_t blind_;
  std::set<std::pair<std::size_t, double>> repeated_;  // input, and a number that it has twice
  std::vector<double> size_;  // the largest slope of each input, by backward
  std::set<std::pair<std::size_t, std::int64_t>> among_ties_;  // input and element
  std::vector<int> no_choice_;  // how often an input's element was asked for one, in vain
};

}  // namespace gradus
