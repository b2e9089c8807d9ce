// How an element is judged; docs/gradient-checking.md tells the same rule in words.
#include <gradus/gradcheck/detail/verdict.h>

#include <algorithm>
#include <array>
#include <limits>

namespace gradus {

ElementJudge::ElementJudge(const Probe& probe, const GradcheckOptions& options,
                           const std::vector<std::vector<Tensor>>& gradients, std::int64_t blind)
    : probe_(probe), options_(options), blind_(blind), size_(probe.inputs(), 0.0) {
  for (const std::vector<Tensor>& draw : gradients) {
    for (std::size_t i = 0; i < probe.inputs(); ++i) {
      if (!probe.wants(i) || !draw[i].defined()) continue;
      for (const double slope : draw[i].to_vector<double>())
        if (std::isfinite(slope)) size_[i] = std::max(size_[i], std::fabs(slope));
    }
  }
}

/// The tolerance, scaled to the slopes of what is moved: an error as large as the slopes themselves must
/// not hide below atol because all of them are small.
std::function<double(double)> ElementJudge::tolerance_of(const Probe::Line& line) const {
  // Nor is an analytic slope of 0 computed better than to some roundings of the others.
  constexpr double roundings = 4096 * std::numeric_limits<double>::epsilon();
  const double largest = *std::max_element(size_.begin(), size_.end());
  const double floor = std::max(options_.atol * std::min(1.0, size_[line.input]),
                                std::min(options_.atol, roundings * std::min(1.0, largest)));
  return [floor, rtol = options_.rtol](double size) { return floor + rtol * std::fabs(size); };
}

SlopeOptions ElementJudge::slope_options(const Probe::Line& line, double factor) const {
  // A power of two below scale/32, so that the steps are exact.
  const double step = std::exp2(std::floor(std::log2(line.scale / 32)));
  return {.first_step = step * factor, .tolerance = tolerance_of(line)};
}

std::vector<Slope> ElementJudge::measure(const Probe::Line& line, double factor) const {
  return measure_slopes([&](double t) { return probe_.change(line, t); },
                        slope_options(line, factor));
}

namespace {

/// A slope that is only not known well enough would not be known better.
bool wants_second_hearing(const std::vector<Slope>& slopes, const GradcheckEntry& entry) {
  constexpr double well = 1e-3;
  if (!std::isfinite(entry.analytic)) return false;
  if (entry.verdict == Verdict::fail || entry.verdict == Verdict::kink) return true;
  return std::any_of(slopes.begin(), slopes.end(), [&](const Slope& slope) {
    return slope.doubted || slope.kind == SlopeKind::jump ||
           (entry.verdict == Verdict::inconclusive && slope.bound > well * std::fabs(slope.value));
  });
}

void keep_better(std::vector<Slope>& slopes, std::vector<Slope> others) {
  for (std::size_t k = 0; k < slopes.size(); ++k) {
    if (others[k].bound < slopes[k].bound) slopes[k] = std::move(others[k]);
  }
}

}  // namespace

double ElementJudge::compare(const Probe::Line& line,
                             const std::function<double(std::size_t)>& slope_of,
                             GradcheckEntry& entry) const {
  std::vector<Slope> slopes = measure(line, 1);
  // Rounding drowned it: a longer step may rise above.
  for (double factor = 64; factor < 5000 && drowned(slopes); factor *= 64) {
    keep_better(slopes, measure(line, factor));
  }
  judge_all(line, slopes, slope_of, entry);
  if (wants_second_hearing(slopes, entry)) {
    hear_again(line, slopes, entry.verdict);
    entry.verdict = Verdict::pass;
    entry.excess = 0;
    judge_all(line, slopes, slope_of, entry);
  }
  return slopes[0].value;
}

bool ElementJudge::drowned(const std::vector<Slope>& slopes) const {
  return std::any_of(slopes.begin(), slopes.end(), [&](const Slope& slope) {
    return (slope.kind == SlopeKind::smooth || slope.kind == SlopeKind::rough) &&
           slope.bound > tolerance(slope.value) && !slope.steps.empty() &&
           slope.steps.front().rounding > 0.1 * tolerance(slope.value);
  });
}

/// The second hearing: other steps, no power of two times the first ones, and much shorter ones.
/// Long steps may have stepped over a whole period, a narrow hill, or the steps of a staircase.
void ElementJudge::hear_again(const Probe::Line& line, std::vector<Slope>& slopes,
                              Verdict first) const {
  constexpr std::array<double, 4> factors{0.7, 0.63 / 1024, 0.59 / 32768, 0.53 / 1048576};
  std::vector<std::vector<Slope>> measured;
  for (const double factor : factors) measured.push_back(measure(line, factor));
  bool gives_way = false;
  std::vector<Conference> conferences;
  for (std::size_t k = 0; k < slopes.size(); ++k) {
    std::vector<Slope> shorter;
    for (const std::vector<Slope>& each : measured) shorter.push_back(each[k]);
    conferences.push_back(confer(slopes[k], shorter, tolerance_of(line)));
    gives_way = gives_way || conferences.back().shorter;
  }
  // What rounds more coarsely than float64 is level on short steps: that is no slope of 0, and the
  // first measurement, which knows of that noise, stands.
  const double longest = slope_options(line, 1).first_step;
  const bool coarse = gives_way && probe_.rounds_coarsely(line, longest, longest * factors.back());
  for (std::size_t k = 0; k < slopes.size() && !coarse; ++k) {
    if (!conferences[k].unresolved) {
      slopes[k] = conferences[k].slope;
    } else if (first == Verdict::fail) {
      slopes[k].bound = INFINITY;  // contradictions refute nothing
    }
  }
}

void ElementJudge::judge_all(const Probe::Line& line, const std::vector<Slope>& slopes,
                             const std::function<double(std::size_t)>& slope_of,
                             GradcheckEntry& entry) const {
  for (std::size_t k = 0; k < slopes.size(); ++k) {
    GradcheckEntry draw = entry;
    draw.draw = static_cast<int>(k);
    draw.analytic = slope_of(k);
    judge(line, slopes[k], k, draw);
    if (k == 0 || std::pair(draw.verdict, draw.excess) > std::pair(entry.verdict, entry.excess))
      entry = std::move(draw);
  }
}

/// The rule, as the Verdicts tell it.
void ElementJudge::judge(const Probe::Line& line, const Slope& slope, std::size_t k,
                         GradcheckEntry& entry) const {
  entry.numeric = slope.value;
  entry.bound = slope.bound;
  entry.left = slope.left;
  entry.right = slope.right;
  const double size = std::max(std::fabs(entry.analytic), std::fabs(entry.numeric));
  // What cannot be measured any better is not held against the gradient, up to atol.
  const double floor = std::min(options_.atol, 4 * slope.bound);
  const double allowed = std::max(tolerance_of(line)(size), floor + options_.rtol * size);
  double error = std::fabs(entry.analytic - entry.numeric);
  entry.absolute_error = error;
  entry.relative_error = error == 0 ? 0 : error / size;

  if (!std::isfinite(entry.analytic)) {
    // Nothing confirms NaN; a finite slope refutes it.
    const bool refuted =
        blind_ == 0 && (slope.kind == SlopeKind::smooth || slope.kind == SlopeKind::kink);
    entry.verdict = refuted ? Verdict::fail : Verdict::inconclusive;
    entry.excess = INFINITY;
    return;
  }
  if (slope.kind == SlopeKind::kink) {
    const auto [low, high] = subgradients(line, slope, k);
    error = std::max({low - entry.analytic, entry.analytic - high, 0.0});
    entry.left = low;
    entry.right = high;
    const double limit = tolerance(std::max({size, std::fabs(low), std::fabs(high)}));
    entry.excess = error == 0 ? 0 : error / std::max(limit, slope.bound);
    // Along a direction many kinks open a wide interval, in which nearly anything lies.
    const Verdict inside = line.direction.defined() ? Verdict::inconclusive : Verdict::kink;
    entry.verdict = error <= limit         ? inside
                    : error <= slope.bound ? Verdict::inconclusive
                                           : Verdict::fail;
    return;
  }
  entry.excess = error / std::max(allowed, slope.bound);
  if (std::isnan(entry.excess)) entry.excess = 0;
  if (error <= allowed && slope.bound <= allowed) {
    // Two zeros may mean that only outputs that are not finite depend on the element.
    const bool unseen = blind_ > 0 && entry.analytic == 0 && entry.numeric == 0;
    entry.verdict = unseen ? Verdict::inconclusive : Verdict::pass;
  } else if (error > allowed && error > slope.bound) {
    entry.verdict = Verdict::fail;
  } else {
    entry.verdict = Verdict::inconclusive;
  }
}

/// From the least to the greatest subgradient. The middle is that of the left and right slope;
/// the width is measured output by output, at the smallest step that stands clear of rounding.
std::pair<double, double> ElementJudge::subgradients(const Probe::Line& line, const Slope& slope,
                                                     std::size_t k) const {
  double h = slope.steps.front().h;
  for (const SlopeStep& step : slope.steps) {
    if (step.rounding <= 1e-3 * tolerance(step.right - step.left)) h = step.h;
  }
  const double middle = (slope.left + slope.right) / 2;
  const double width = std::max(std::fabs(slope.right - slope.left), probe_.open_width(line, h, k));
  return {middle - width / 2, middle + width / 2};
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::kink:
      return "kink";
    case Verdict::inconclusive:
      return "inconclusive";
    case Verdict::fail:
      return "fail";
  }
  return {};
}

}  // namespace gradus
