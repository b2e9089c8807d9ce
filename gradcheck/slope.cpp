// Ridders' tableau, row by row: each row halves the step, each column eliminates one more power
// of it.
#include <gradus/gradcheck/slope.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>

namespace gradus {
namespace {

constexpr double unbounded = std::numeric_limits<double>::infinity();

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
        best_row_ = rows_;
      }
    }
    ++rows_;
  }

  double value() const { return value_; }  ///< the entry with the smallest bound
  double bound() const { return bound_; }
  std::size_t best_row() const { return best_row_; }

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
  std::size_t best_row_ = 0;
  double value_ = 0;
  double bound_ = unbounded;
};

double gap_of(const SlopeStep& step) { return std::fabs(step.right - step.left); }

struct Tableaus {
  Tableau central{2, 2};
  Tableau gap{1, 2};

  void add(const SlopeStep& step) {
    central.add(step.central, step.rounding);
    gap.add(step.right - step.left, 2 * step.rounding);
  }
};

/// The sweep of one function.
struct Sweep : Tableaus {
  std::vector<SlopeStep> steps;
  std::vector<SlopeStep> trials;  // much smaller steps, to put a settled slope to the test
  bool doubted = false;           // did it fail one?

  void add(const SlopeStep& step) {
    steps.push_back(step);
    steps.back().rounding += hidden_noise / step.h;
    Tableaus::add(steps.back());
  }

  double last_gap() const { return gap_of(steps.back()); }

  /// A settled slope v holds for smaller steps too, but for the announced rounding. Where it does
  /// not, the function is noisier than announced, and two entries of the tableau agreed by chance
  /// (not seldom: a function that rounds to float32 inside takes few values): then that noise is
  /// added to all steps. Gives whether the slope stood the test.
  bool face_smaller_steps(const SlopeOptions& options) {
    double noise = 0;
    const double v = central.value();
    const double allowed = options.tolerance(v);
    const SlopeStep& found = steps[central.best_row()];
    const auto face = [&](const SlopeStep& step) {
      // The truncation of D(h), and that of the gap, fall with h: how fast, is left to the former.
      const double ratio = step.h / found.h;
      const double truncation = 4 * std::fabs(found.central - v) * ratio * ratio;
      const double off = std::fabs(step.central - v) - truncation;
      const double apart = (gap_of(step) - gap_of(found)) / 2;
      const double unexplained = std::max(off, apart) - step.rounding;
      if (unexplained > allowed) noise = std::max(noise, unexplained * step.h);
    };
    for (std::size_t i = central.best_row() + 1; i < steps.size(); ++i) face(steps[i]);
    for (const SlopeStep& trial : trials) face(trial);
    noise = std::max(noise, noise_of_stairs(central.best_row(), allowed));
    if (noise == 0) return true;
    doubted = true;
    constexpr double safety = 4;  // few steps tell of the noise, and not its worst
    announce(safety * noise);
    return false;
  }

  /// A function that rounds to float32 inside is a staircase: below the width of a stair it is
  /// level, and says 0 without a doubt. What gives it away: two larger steps in a row agreed on a
  /// slope, from left and right alike. (Before a kink they do not: there left and right differ.)
  /// Gives the noise, or 0.
  double noise_of_stairs(std::size_t found, double allowed) const {
    if (steps[found].central != 0 || gap_of(steps[found]) != 0) return 0;
    double slope = 0;
    double noise = 0;
    for (std::size_t i = 1; i <= found; ++i) {
      const double here = steps[i].central;
      const double unrest = std::max(std::fabs(here - steps[i - 1].central), gap_of(steps[i]));
      if (std::fabs(here) > allowed && unrest <= std::fabs(here) / 4) slope = here;
      noise = std::max(noise, std::fabs(here - slope) * steps[i].h);
    }
    return slope == 0 ? 0 : noise;
  }

  bool settled(const SlopeOptions& options) const {
    const double tolerance = options.tolerance(central.value());
    return central.bound() <= 0.1 * tolerance && closed(tolerance);
  }

  /// Is the slope known to the tolerance, and no kink?
  bool known(const SlopeOptions& options) const {
    const double tolerance = options.tolerance(central.value());
    return central.bound() <= tolerance && closed(tolerance);
  }

  /// Do the slopes from left and right meet as h falls?
  bool closed(double tolerance) const { return gap.bound() <= 4 * tolerance && !open(tolerance); }

  /// Do they certainly not meet?
  bool open(double tolerance) const {
    return std::fabs(gap.value()) > 2 * tolerance + 4 * gap.bound();
  }

  /// Is what the last step said drowned in rounding?
  bool exhausted(const SlopeOptions& options) const {
    constexpr std::size_t enough = 6;  // for a bound, however noisy
    if (steps.size() < enough) return false;
    const SlopeStep& last = steps.back();
    return last.rounding > std::max(options.tolerance(last.central), last_gap() / 20);
  }

  /// The least and greatest |gap(h/2)| / |gap(h)| of a few steps in a row that stand clear of
  /// rounding: about 1/2 where the function is smooth, 1 at a kink, 2 at a jump.
  struct Ratios {
    double least = unbounded;
    double greatest = 0;
    std::size_t last = 0;  ///< the smallest of these steps
  };

  /// Of every such row of steps, the smallest first.
  std::vector<Ratios> gap_ratios() const {
    constexpr std::size_t wanted = 5;
    std::vector<std::size_t> clear;
    for (std::size_t i = steps.size(); i-- > 0;) {
      if (gap_of(steps[i]) > 20 * steps[i].rounding) clear.push_back(i);
    }
    std::vector<Ratios> all;
    for (std::size_t first = 0; first + wanted <= clear.size(); ++first) {
      Ratios ratios{.last = clear[first]};
      for (std::size_t i = first; i + 1 < first + wanted; ++i) {
        const double ratio = gap_of(steps[clear[i]]) / gap_of(steps[clear[i + 1]]);
        ratios.least = std::min(ratios.least, ratio);
        ratios.greatest = std::max(ratios.greatest, ratio);
      }
      all.push_back(ratios);
    }
    return all;
  }

  Slope judge(const SlopeOptions& options) {
    // Before more noise is announced, which would hide it.
    const std::vector<Ratios> ratios = gap_ratios();
    const bool jump = !ratios.empty() && ratios.front().least > 1.6;
    // Not always with the smallest steps: a kink beside the point is behind them.
    const auto kink = std::find_if(ratios.begin(), ratios.end(), [](const Ratios& r) {
      return r.least > 0.8 && r.greatest < 1.25;
    });
    const bool kink_here = !ratios.empty() && kink == ratios.begin();
    if (!steps.empty() && ((!jump && !kink_here) || known(options))) {
      constexpr int most = 8;  // each time the noise is at least doubled
      for (int i = 0; i < most && std::isfinite(central.bound()); ++i) {
        if (face_smaller_steps(options)) break;
      }
    }
    Slope slope{.steps = steps};
    if (steps.empty()) {
      slope.kind = SlopeKind::undefined;
      slope.value = slope.left = slope.right = std::nan("");
      slope.bound = unbounded;
      return slope;
    }
    slope.doubted = doubted;
    slope.value = slope.left = slope.right = central.value();
    slope.bound = central.bound();
    const double tolerance = options.tolerance(slope.value);
    if (known(options)) return slope;

    if (jump) {
      slope.kind = SlopeKind::jump;
      slope.bound = unbounded;
    } else if (kink_here || (kink != ratios.end() && open(tolerance))) {
      Tableau before{1, 1};
      Tableau after{1, 1};
      for (std::size_t i = 0; i <= kink->last; ++i) {
        before.add(steps[i].left, 2 * steps[i].rounding);
        after.add(steps[i].right, 2 * steps[i].rounding);
      }
      slope.kind = SlopeKind::kink;
      slope.left = before.value();
      slope.right = after.value();
      slope.value = (slope.left + slope.right) / 2;
      slope.bound = std::max(before.bound(), after.bound());
    } else if (open(tolerance)) {
      // A kink about as far away as the smallest step: the slope may be that of either side.
      slope.kind = SlopeKind::rough;
      slope.bound = 8 * slope.bound + std::fabs(gap.value()) + gap.bound();
    } else if (slope.bound > tolerance) {
      // The agreement of two neighbours may be chance: trust it less.
      slope.kind = SlopeKind::rough;
      slope.bound *= 8;
    }
    return slope;
  }

 private:
  /// More noise than was known of.
  void announce(double noise) {
    hidden_noise += noise;
    for (SlopeStep& trial : trials) trial.rounding += noise / trial.h;
    static_cast<Tableaus&>(*this) = {};
    for (SlopeStep& step : steps) {
      step.rounding += noise / step.h;
      Tableaus::add(step);
    }
  }

  double hidden_noise = 0;
};

bool finite(const Change& change) {
  return std::all_of(change.value.begin(), change.value.end(),
                     [](double v) { return std::isfinite(v); });
}

/// One step size for all functions; nothing when one of them is not finite there.
std::optional<std::vector<SlopeStep>> take_step(const std::function<Change(double)>& change,
                                                double h, std::size_t* count) {
  const Change up = change(h);
  const Change down = change(-h);
  *count = up.value.size();
  if (!finite(up) || !finite(down)) return std::nullopt;
  std::vector<SlopeStep> steps;
  for (std::size_t k = 0; k < up.value.size(); ++k) {
    const double right = up.value[k] / h;
    const double left = -down.value[k] / h;
    steps.push_back({.h = h,
                     .left = left,
                     .right = right,
                     .central = (left + right) / 2,
                     .rounding = (up.noise[k] + down.noise[k]) / (2 * h)});
  }
  return steps;
}

bool is_still(const Sweep& sweep) {
  return std::all_of(sweep.steps.begin(), sweep.steps.end(),
                     [](const SlopeStep& step) { return step.left == 0 && step.right == 0; });
}

/// About the smallest step, for all functions, whose announced rounding is still within the
/// tolerance: there noise that was not announced shows best. No power of two times another step.
double trial_step(const std::vector<Sweep>& sweeps, const SlopeOptions& options) {
  const double last = sweeps.front().steps.back().h;
  double h = std::ldexp(options.first_step, -options.max_steps);
  for (const Sweep& sweep : sweeps) {
    const double tolerance = options.tolerance(sweep.central.value());
    if (tolerance > 0) h = std::max(h, last * sweep.steps.back().rounding / tolerance);
  }
  constexpr double incommensurable = 0.7071;
  return std::min(2 * h, last / 2) * incommensurable;
}

}  // namespace

std::vector<Slope> measure_slopes(const std::function<Change(double)>& change,
                                  const SlopeOptions& options) {
  std::vector<Sweep> sweeps;
  std::size_t count = 0;
  double h = options.first_step;
  for (int i = 0; i < options.max_steps; ++i, h /= 2) {
    const std::optional<std::vector<SlopeStep>> steps = take_step(change, h, &count);
    if (!steps) {  // out of the function's domain: begin again, nearer
      sweeps.assign(count, {});
      continue;
    }
    sweeps.resize(count);
    for (std::size_t k = 0; k < count; ++k) sweeps[k].add((*steps)[k]);
    if (options.whole) continue;
    const auto all = [&](auto&& is) { return std::all_of(sweeps.begin(), sweeps.end(), is); };
    // Where three steps moved nothing, shorter ones will not, but for the trial.
    const auto settled = [&](const Sweep& sweep) {
      return sweep.settled(options) || (sweep.steps.size() >= 3 && is_still(sweep));
    };
    if (all([&](const Sweep& sweep) { return sweep.exhausted(options); })) break;
    if (!all(settled)) continue;
    if (++i == options.max_steps) break;
    const std::optional<std::vector<SlopeStep>> trial =
        take_step(change, trial_step(sweeps, options), &count);
    bool stood = true;
    for (std::size_t k = 0; k < count && trial; ++k) {
      sweeps[k].trials.push_back((*trial)[k]);
      stood = sweeps[k].face_smaller_steps(options) && stood;
    }
    if (stood || all(settled)) break;
  }
  std::vector<Slope> slopes;
  for (Sweep& sweep : sweeps) slopes.push_back(sweep.judge(options));
  return slopes;
}

namespace {

/// Can both be right? A measurement that knows little contradicts nobody.
bool agree(const Slope& a, const Slope& b, const std::function<double(double)>& tolerance) {
  if (a.kind == SlopeKind::kink && b.kind == SlopeKind::kink) return true;
  const double slack = tolerance(std::max(std::fabs(a.value), std::fabs(b.value)));
  if (a.kind == SlopeKind::kink || b.kind == SlopeKind::kink) {
    const Slope& kink = a.kind == SlopeKind::kink ? a : b;
    const Slope& other = a.kind == SlopeKind::kink ? b : a;
    return other.bound > slack && std::fabs(other.value - kink.value) <=
                                      std::fabs(kink.right - kink.left) + other.bound + slack;
  }
  return std::fabs(a.value - b.value) <= slack + a.bound + b.bound;
}

bool says_something(const Slope& slope) {
  return slope.kind != SlopeKind::undefined && slope.kind != SlopeKind::jump &&
         std::isfinite(slope.bound);
}

}  // namespace

Conference confer(const Slope& first, const std::vector<Slope>& shorter,
                  const std::function<double(double)>& tolerance) {
  Conference result{.slope = first};
  Slope& best = result.slope;
  std::optional<Slope> rival;
  const auto join = [](Slope& one, const Slope& other) {
    if (other.bound < one.bound && one.kind != SlopeKind::kink) one = other;
  };
  for (const Slope& next : shorter) {
    if (!says_something(next)) continue;
    const bool fits = agree(best, next, tolerance);
    if (rival && agree(*rival, next, tolerance)) {
      if (fits) continue;  // it knows too little to tell the two apart
      best = *rival;
      join(best, next);
      rival.reset();
      result.shorter = true;
    } else if (fits) {
      join(best, next);
      rival.reset();
    } else {
      rival = next;
    }
  }
  result.unresolved = rival.has_value();
  return result;
}

}  // namespace gradus
