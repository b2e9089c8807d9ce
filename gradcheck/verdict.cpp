// How an element is judged; docs/gradient-checking.md tells the same rule in words.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/verdict.h>

#include <algorithm>
#include <array>
#include <limits>

namespace gradus {

ElementJudge::ElementJudge(const Probe& probe, const GradcheckOptions& options,
                           const std::vector<std::vector<Tensor>>& gradients, std::int64_t blind)
    : probe_(probe),
      options_(options),
      blind_(blind),
      size_(probe.inputs(), 0.0),
      no_choice_(probe.inputs(), 0) {
  for (const std::vector<Tensor>& draw : gradients) {
    for (std::size_t i = 0; i < probe.inputs(); ++i) {
      if (!probe.wants(i) || !draw[i].defined()) continue;
      for (const double slope : draw[i].to_vector<double>())
        if (std::isfinite(slope)) size_[i] = std::max(size_[i], std::fabs(slope));
    }
  }
  for (std::size_t i = 0; i < probe.inputs(); ++i) {
    if (!probe.wants(i)) continue;
    std::vector<double> values = probe.leaf(i).value().to_vector<double>();
    std::sort(values.begin(), values.end());
    for (std::size_t k = 1; k < values.size(); ++k)
      if (values[k] == values[k - 1]) repeated_.emplace(i, values[k]);
  }
}

/// Is that number of its input there twice?
bool ElementJudge::is_tied(const Probe::Line& line) const {
  if (line.direction.defined() || repeated_.empty()) return false;
  return repeated_.contains({line.input, *element_at(probe_.leaf(line.input).value(), line.flat)});
}

/// The least and the greatest slope at points nearby, all numbers apart by up to `reach` of their size; nothing where a
/// slope is not known well. The points of a smaller reach are the same ones, drawn nearer.
std::optional<ElementJudge::Ranges> ElementJudge::slopes_nearby(const Probe::Line& line,
                                                                double reach,
                                                                double step_factor) const {
  constexpr int draws = 24;  // one of three equal ones is missed once in 10,000 times
  Generator generator(options_.seed + 13);
  Ranges ranges(probe_.weights().size(), {INFINITY, -INFINITY});
  const Probe::Back back(probe_);
  for (int draw = 0; draw < draws; ++draw) {
    std::vector<Tensor> values = back.values();
    for (Tensor& x : values) {
      if (!is_floating(x.dtype())) continue;
      const Tensor apart = core::mul(core::sub(rand(x.shape(), generator, float64), 0.5), reach);
      x = core::add(x, core::mul(apart, line.scale));
    }
    try {
      const Probe there(probe_, values);
      const Probe::Line same = there.element(line.input, line.flat);
      const std::vector<Slope> slopes = measure_slopes(
          [&](double t) { return there.change(same, t); }, slope_options(same, step_factor));
      for (std::size_t k = 0; k < slopes.size(); ++k) {
        const double size = std::max(std::fabs(slopes[k].value), size_[line.input]);
        if (slopes[k].bound > 10 * tolerance(size)) return std::nullopt;
        ranges[k].first = std::min(ranges[k].first, slopes[k].value);
        ranges[k].second = std::max(ranges[k].second, slopes[k].value);
      }
    } catch (const Error&) {
      return std::nullopt;
    }
  }
  return ranges;
}

/// Where numbers tie, the slopes of one element alone may all be 0 (the second largest of 3, 3, 3), and
/// backward chooses one of the gradients that there are close by. Each between two of these is right. Those of a curve
/// lie apart as well, but the less, the nearer the points are: that is no choice.
void ElementJudge::compare_with_neighbours(const Probe::Line& line,
                                           const std::function<double(std::size_t)>& slope_of,
                                           GradcheckEntry& entry) {
  // Where a whole gradient is wrong, asking for each element would take most of the time.
  constexpr int enough = 8;
  int& in_vain = no_choice_[line.input];
  if (in_vain >= enough) return;
  ++in_vain;
  constexpr double nearer = 8;
  const std::optional<Ranges> far = slopes_nearby(line, 1e-3, 0x1p-14);
  if (!far) return;
  const std::optional<Ranges> near = slopes_nearby(line, 1e-3 / nearer, 0x1p-14 / nearer);
  if (!near) return;
  for (std::size_t k = 0; k < near->size(); ++k) {
    const auto [low, high] = (*near)[k];
    const double slack = 10 * tolerance(std::max(std::fabs(low), std::fabs(high)));
    const double far_width = (*far)[k].second - (*far)[k].first;
    const bool differ = high - low > 10 * slack && high - low > 2 / nearer * far_width;
    if (!differ || slope_of(k) < low - slack || slope_of(k) > high + slack) return;
  }
  const auto k = static_cast<std::size_t>(entry.draw);
  in_vain = std::numeric_limits<int>::min();  // there are choices here: ask about each
  among_ties_.insert({line.input, line.flat});
  entry.verdict = Verdict::kink;
  entry.excess = 0;
  entry.left = (*near)[k].first;
  entry.right = (*near)[k].second;
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
  // Nothing but a finite slope refutes NaN: where one was found, it stays.
  if (!std::isfinite(entry.analytic) && entry.verdict == Verdict::fail) return false;
  if (entry.verdict == Verdict::fail || entry.verdict == Verdict::kink) return true;
  return std::any_of(slopes.begin(), slopes.end(), [&](const Slope& slope) {
    return slope.doubted || slope.kind == SlopeKind::jump ||
           (entry.verdict == Verdict::inconclusive && slope.bound > well * std::fabs(slope.value));
  });
}

/// Smooth, and nothing about it was ever doubted?
bool is_plain(const std::vector<Slope>& slopes) {
  return std::all_of(slopes.begin(), slopes.end(), [](const Slope& slope) {
    return slope.kind == SlopeKind::smooth && !slope.doubted;
  });
}

bool is_undefined(const std::vector<Slope>& slopes) {
  return std::any_of(slopes.begin(), slopes.end(),
                     [](const Slope& slope) { return slope.kind == SlopeKind::undefined; });
}

/// The steps of the second hearing that may settle it, as a factor of the first ones.
constexpr double much_shorter = 0.59 / 32768;

void keep_better(std::vector<Slope>& slopes, std::vector<Slope> others) {
  for (std::size_t k = 0; k < slopes.size(); ++k) {
    if (others[k].bound < slopes[k].bound) slopes[k] = std::move(others[k]);
  }
}

}  // namespace

double ElementJudge::compare(const Probe::Line& line,
                             const std::function<double(std::size_t)>& slope_of,
                             GradcheckEntry& entry) {
  std::vector<Slope> slopes = measure(line, 1);
  // Beside larger numbers it may be too small for steps of their size: the logarithm at 1e-30.
  if (is_undefined(slopes) && line.own > 0 && line.own < line.scale) {
    Probe::Line nearer = line;
    nearer.scale = line.own;
    slopes = measure(nearer, 1);
  }
  // Rounding drowned it: a longer step may rise above. Numbers that are tiny may be so beside others
  // around 1, within the function.
  constexpr double longer = 64;
  const double step = slope_options(line, 1).first_step;
  const double longest = std::max(longer * longer * step, 1.0 / 32);
  double factor = 1;
  while (drowned(slopes) && step * factor * longer <= longest) {
    factor *= longer;
    keep_better(slopes, measure(line, factor));
  }
  judge_all(line, slopes, slope_of, entry);
  const double factor_of_first = std::max(1.0, factor / (longer * longer));
  if (wants_second_hearing(slopes, entry)) {
    const std::vector<Slope> shorter = measure(line, factor_of_first * much_shorter);
    if (!fails_again(line, slopes, shorter, slope_of, entry)) {
      hear_again(line, slopes, shorter, slope_of, entry.verdict, factor_of_first);
      entry.verdict = Verdict::pass;
      entry.excess = 0;
      judge_all(line, slopes, slope_of, entry);
    }
  }
  if (entry.verdict == Verdict::fail && allow_for_hidden_noise(line, factor, slopes)) {
    entry.verdict = Verdict::pass;
    entry.excess = 0;
    judge_all(line, slopes, slope_of, entry);
  }
  if (entry.verdict == Verdict::fail && is_tied(line))
    compare_with_neighbours(line, slope_of, entry);
  return slopes[0].value;
}

/// A small output may be what is left of numbers around 1, with their roundings: 1 - tanh, the loss of a
/// confident classifier. What a smooth curve of degree 4 through ten uneven steps leaves over is noise,
/// and enters the bound. Asked only where changes are so small that it may matter; false: they are not.
bool ElementJudge::allow_for_hidden_noise(const Probe::Line& line, double factor,
                                          std::vector<Slope>& slopes) const {
  constexpr double small = 1e-9;
  constexpr std::size_t points = 10;
  constexpr std::array<double, points> places{0.23,  0.41,  0.59,  0.77,  0.97,
                                              -0.29, -0.43, -0.61, -0.83, -0.91};
  const double h = slope_options(line, factor).first_step;
  const bool may_matter = std::any_of(slopes.begin(), slopes.end(), [&](const Slope& slope) {
    return std::fabs(slope.value) * h < small;
  });
  if (!may_matter) return false;
  std::vector<Change> changes;
  for (const double place : places) changes.push_back(probe_.change(line, h * place));
  // t, t², t³ and t⁴, each made orthogonal to those before it.
  std::array<std::array<double, points>, 4> powers{};
  const auto dot = [](const auto& a, const auto& b) {
    double sum = 0;
    for (std::size_t i = 0; i < points; ++i) sum += a[i] * b[i];
    return sum;
  };
  const auto remove = [&](auto& from, const auto& what) {
    const double share = dot(from, what) / dot(what, what);
    for (std::size_t i = 0; i < points; ++i) from[i] -= share * what[i];
  };
  for (std::size_t n = 0; n < powers.size(); ++n) {
    for (std::size_t i = 0; i < points; ++i)
      powers[n][i] = std::pow(places[i], static_cast<double>(n + 1));
    for (std::size_t before = 0; before < n; ++before) remove(powers[n], powers[before]);
  }
  bool any = false;
  for (std::size_t k = 0; k < slopes.size(); ++k) {
    std::array<double, points> left{};
    for (std::size_t i = 0; i < points; ++i) left[i] = changes[i].value[k];
    for (const auto& power : powers) remove(left, power);
    double most = 0;
    for (const double each : left) most = std::max(most, std::fabs(each));
    if (!std::isfinite(most)) continue;
    any = any || 4 * most / h > slopes[k].bound;
    slopes[k].bound = std::max(slopes[k].bound, 4 * most / h);
    if (slopes[k].kind == SlopeKind::kink &&
        std::fabs(slopes[k].right - slopes[k].left) < 4 * most / h)
      slopes[k].kind = SlopeKind::rough;
  }
  return any;
}

bool ElementJudge::drowned(const std::vector<Slope>& slopes) const {
  return std::any_of(slopes.begin(), slopes.end(), [&](const Slope& slope) {
    return (slope.kind == SlopeKind::smooth || slope.kind == SlopeKind::rough) &&
           slope.bound > tolerance(slope.value) && !slope.steps.empty() &&
           slope.steps.front().rounding > 0.1 * tolerance(slope.value);
  });
}

/// A failure that much shorter steps confirm, which find the same slope and refute the gradient by
/// themselves, needs no more of a hearing: where a whole gradient is wrong, hearings are most of the time.
bool ElementJudge::fails_again(const Probe::Line& line, const std::vector<Slope>& slopes,
                               const std::vector<Slope>& shorter,
                               const std::function<double(std::size_t)>& slope_of,
                               const GradcheckEntry& first) const {
  if (first.verdict != Verdict::fail || !is_plain(slopes) || !is_plain(shorter)) return false;
  if (first.analytic == 0) return false;  // it may be a staircase that is finer still
  for (std::size_t k = 0; k < slopes.size(); ++k) {
    const double apart = std::fabs(shorter[k].value - slopes[k].value);
    const double size = std::max(std::fabs(shorter[k].value), std::fabs(slopes[k].value));
    if (apart > tolerance_of(line)(size) + shorter[k].bound + slopes[k].bound) return false;
  }
  GradcheckEntry second = first;
  second.verdict = Verdict::pass;
  second.excess = 0;
  judge_all(line, shorter, slope_of, second);
  return second.verdict == Verdict::fail;
}

/// The second hearing: other steps, no power of two times the first ones, and much shorter ones.
/// Long steps may have stepped over a whole period, a narrow hill, or the steps of a staircase.
void ElementJudge::hear_again(const Probe::Line& line, std::vector<Slope>& slopes,
                              const std::vector<Slope>& much_shorter_ones,
                              const std::function<double(std::size_t)>& slope_of, Verdict first,
                              double factor_of_first) const {
  const double shortest = factor_of_first * 0.53 / 1048576;
  const std::array<std::vector<Slope>, 4> measured{measure(line, factor_of_first * 0.7),
                                                   measure(line, factor_of_first * 0.63 / 1024),
                                                   much_shorter_ones, measure(line, shortest)};
  bool gives_way = false;
  std::vector<Conference> conferences;
  for (std::size_t k = 0; k < slopes.size(); ++k) {
    std::vector<Slope> shorter;
    for (const std::vector<Slope>& each : measured) shorter.push_back(each[k]);
    conferences.push_back(confer(slopes[k], shorter, tolerance_of(line)));
    const Conference& last = conferences.back();
    gives_way = gives_way || last.shorter || last.slope.value != slopes[k].value;
  }
  // What rounds more coarsely than float64 is level on short steps: that is no slope of 0, and the
  // first measurement, which knows of that noise, stands.
  const double step = slope_options(line, 1).first_step;
  const bool coarse =
      gives_way && probe_.rounds_coarsely(line, step * factor_of_first, step * shortest);
  // But where such short steps give the very gradient, nobody can tell a fine staircase, level on purpose, from rounding.
  for (std::size_t k = 0; k < slopes.size() && coarse && first == Verdict::fail; ++k) {
    const double shortest_slope = measured.back()[k].value;
    if (std::fabs(shortest_slope - slope_of(k)) <= tolerance_of(line)(shortest_slope))
      slopes[k].bound = INFINITY;
  }
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
  double size = std::max(std::fabs(entry.analytic), std::fabs(entry.numeric));
  // Of a sum each part has its own tolerance, and parts may cancel.
  if (std::isfinite(line.parts)) size = std::max(size, 2 * line.parts);
  // What cannot be measured any better is not held against the gradient, up to atol.
  const double floor = std::min(options_.atol, 4 * slope.bound);
  const double allowed = std::max(tolerance_of(line)(size), floor + options_.rtol * size);
  double error = std::fabs(entry.analytic - entry.numeric);
  entry.absolute_error = error;
  entry.relative_error =
      error == 0 ? 0 : error / std::max(std::fabs(entry.analytic), std::fabs(entry.numeric));

  if (!std::isfinite(entry.analytic)) {
    // Nothing confirms NaN; a finite slope refutes it.
    // A slope that a zero gradient would pass at is known too, whatever kind of point it is.
    const double enough = std::max(tolerance_of(line)(std::fabs(slope.value)), options_.atol);
    const bool known = slope.kind == SlopeKind::smooth || slope.kind == SlopeKind::kink ||
                       (std::isfinite(slope.value) && slope.bound <= enough);
    const bool refuted = blind_ == 0 && known;
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
