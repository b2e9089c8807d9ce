// Ridders' tableau, row by row: each row halves the step, each column eliminates one more power
// of it.
#include <gradus/autograd/check/slope.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace gradus {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Extrapolates d(h) = limit + a·h^p + b·h^(p+s) + ... to h = 0, h halving from row to row.
class Tableau {
 public:
  Tableau(int first_power, int power_step) : first_power_(first_power), power_step_(power_step) {}

  void add(double d, double rounding) {
    const Row above = row_;
    const std::size_t columns = std::min(rows_ + 1, width);
    row_[0] = {d, rounding};
    for (std::size_t j = 1; j < columns; ++j) {
      // d(h/2) weighs 2^p times as much as d(h): their h^p terms cancel.
      const int power = first_power_ + power_step_ * (static_cast<int>(j) - 1);
      const double weight = 1 / (std::ldexp(1, power) - 1);
      const Entry& fine = row_[j - 1];
      const Entry& coarse = above[j - 1];
      row_[j] = {fine.value + (fine.value - coarse.value) * weight,
                 fine.rounding * (1 + weight) + coarse.rounding * weight};
      const double truncation =
          std::max(std::fabs(row_[j].value - fine.value), std::fabs(row_[j].value - coarse.value));
      if (truncation + row_[j].rounding < bound_) {
        bound_ = truncation + row_[j].rounding;
        value_ = row_[j].value;
      }
    }
    ++rows_;
  }

  double value() const { return value_; }  ///< the entry with the smallest bound
  double bound() const { return bound_; }

 private:
  struct Entry {
    double value = 0;
    double rounding = 0;
  };
  static constexpr std::size_t width = 6;
  using Row = std::array<Entry, width>;

  int first_power_;
  int power_step_;
  Row row_{};
  std::size_t rows_ = 0;
  double value_ = 0;
  double bound_ = infinity;
};

/// The sweep of one function.
struct Sweep {
  std::vector<SlopeStep> steps;
  Tableau central{2, 2};
  Tableau gap{1, 2};
  Tableau left{1, 1};
  Tableau right{1, 1};

  void add(const SlopeStep& step) {
    steps.push_back(step);
    central.add(step.central, step.rounding);
    gap.add(step.right - step.left, 2 * step.rounding);
    left.add(step.left, 2 * step.rounding);
    right.add(step.right, 2 * step.rounding);
  }

  double last_gap() const { return std::fabs(steps.back().right - steps.back().left); }

  bool settled(const SlopeOptions& options) const {
    const double tolerance = options.tolerance(central.value());
    return central.bound() <= 0.1 * tolerance && closed(tolerance);
  }

  /// Do the slopes from left and right meet as h falls?
  bool closed(double tolerance) const {
    return gap.bound() <= 4 * tolerance &&
           std::fabs(gap.value()) <= 2 * tolerance + 4 * gap.bound();
  }

  /// Is what the last step said drowned in rounding?
  bool exhausted(const SlopeOptions& options) const {
    const SlopeStep& last = steps.back();
    return last.rounding > std::max(options.tolerance(last.central), last_gap() / 20);
  }

  /// |gap(h/2)| / |gap(h)| over the smallest steps that stand clear of rounding: about 1/2 where
  /// the function is smooth, 1 at a kink, 2 at a jump. NaN where too few steps tell.
  struct Ratio {
    double least = std::nan("");
    double greatest = std::nan("");
  };
  Ratio gap_ratio() const {
    constexpr int wanted = 4;
    Ratio ratio{infinity, 0};
    int seen = 0;
    double smaller = 0;
    for (std::size_t i = steps.size(); i-- > 0 && seen < wanted;) {
      const double here = std::fabs(steps[i].right - steps[i].left);
      if (here <= 20 * steps[i].rounding) continue;
      if (smaller > 0) {
        ratio.least = std::min(ratio.least, smaller / here);
        ratio.greatest = std::max(ratio.greatest, smaller / here);
        ++seen;
      }
      smaller = here;
    }
    return seen == wanted ? ratio : Ratio{};
  }

  Slope judge(const SlopeOptions& options) const {
    Slope slope{.steps = steps};
    if (steps.empty()) {
      slope.kind = SlopeKind::undefined;
      slope.value = slope.left = slope.right = std::nan("");
      slope.bound = infinity;
      return slope;
    }
    slope.value = slope.left = slope.right = central.value();
    slope.bound = central.bound();
    const double tolerance = options.tolerance(slope.value);
    if (slope.bound <= tolerance && closed(tolerance)) return slope;

    const Ratio ratio = gap_ratio();
    if (ratio.least > 1.6) {
      slope.kind = SlopeKind::jump;
      slope.bound = infinity;
    } else if (ratio.least > 0.8 && ratio.greatest < 1.25) {
      slope.kind = SlopeKind::kink;
      slope.left = left.value();
      slope.right = right.value();
      slope.value = (slope.left + slope.right) / 2;
      slope.bound = std::max(left.bound(), right.bound());
    } else if (slope.bound > tolerance) {
      // The agreement of two neighbours may be chance: trust it less.
      slope.kind = SlopeKind::rough;
      slope.bound *= 8;
    }
    return slope;
  }
};

bool finite(const Change& change) {
  return std::all_of(change.value.begin(), change.value.end(),
                     [](double v) { return std::isfinite(v); });
}

}  // namespace

std::vector<Slope> measure_slopes(const std::function<Change(double)>& change,
                                  const SlopeOptions& options) {
  std::vector<Sweep> sweeps;
  double h = options.first_step;
  for (int i = 0; i < options.max_steps; ++i, h /= 2) {
    const Change up = change(h);
    const Change down = change(-h);
    const std::size_t count = up.value.size();
    if (!finite(up) || !finite(down)) {  // out of the function's domain: begin again, nearer
      sweeps.assign(count, {});
      continue;
    }
    sweeps.resize(count);
    bool settled = true;
    bool exhausted = true;
    for (std::size_t k = 0; k < count; ++k) {
      const double right = up.value[k] / h;
      const double left = -down.value[k] / h;
      sweeps[k].add({.h = h,
                     .left = left,
                     .right = right,
                     .central = (left + right) / 2,
                     .rounding = (up.noise[k] + down.noise[k]) / (2 * h)});
      settled = settled && sweeps[k].settled(options);
      exhausted = exhausted && sweeps[k].exhausted(options);
    }
    if ((settled || exhausted) && !options.whole) break;
  }
  std::vector<Slope> slopes;
  for (const Sweep& sweep : sweeps) slopes.push_back(sweep.judge(options));
  return slopes;
}

}  // namespace gradus
