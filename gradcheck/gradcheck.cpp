// The judge: measures, compares, counts. What it measures with is slope.cpp, how the function
// is called detail/probe.cpp, what it says of a failure diagnosis.cpp.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/contracts.h>
#include <gradus/gradcheck/detail/evidence.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/gradcheck.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>
#include <utility>

namespace gradus {
namespace {

const GradcheckOptions& sensible(const GradcheckOptions& o) {
  if (!(o.rtol >= 0 && o.atol >= 0) || !std::isfinite(o.rtol + o.atol)) {
    fail<ValueError>("gradcheck: rtol and atol must be finite and at least 0, got ", o.rtol,
                     " and ", o.atol);
  }
  if (o.draws < 1) fail<ValueError>("gradcheck: draws must be at least 1, got ", o.draws);
  if (o.directions < 0) {
    fail<ValueError>("gradcheck: directions must be at least 0, got ", o.directions);
  }
  if (o.elements == 0 && o.directions == 0) {
    fail<ValueError>("gradcheck: with 0 elements and 0 directions nothing would be compared");
  }
  return o;
}

class Judge {
 public:
  Judge(const Probe& probe, const GradcheckOptions& options)
      : options_(options), probe_(probe), generator_(options.seed + 1) {
    report_.subject = options.subject;
    report_.rtol = options.rtol;
    report_.atol = options.atol;
    report_.notes = probe_.notes();
    const Tensor finite = core::isfinite(probe_.output());
    blind_ = finite.numel() - static_cast<std::int64_t>(core::sum(finite).item());
    if (blind_ > 0) {
      PlainText note;
      note << "the output is not finite in " << blind_ << " of " << finite.numel()
           << " elements: what flows back from there is neither confirmed nor refuted";
      report_.notes.push_back(note.str());
    }
  }

  GradcheckReport run() {
    if (!probe_.deterministic()) {
      report_.verdict = Verdict::fail;
      report_.notes.push_back(
          "not deterministic: two calls with the same inputs gave different outputs");
      return std::move(report_);
    }
    if (!differentiate()) return std::move(report_);
    measure_sizes();
    const bool repeats = same(probe_.gradients(probe_.weights()[0]), analytic_[0]);
    const bool survives =
        same(probe_.gradients_after_another_forward(probe_.weights()[0]), analytic_[0]);
    if (!repeats || !survives) report_.verdict = Verdict::fail;
    expect("the function gives other numbers when it is recorded", probe_.same_when_recorded());
    expect(
        "backward reads the incoming gradient as if it were row-major: laid out otherwise, it "
        "gives another gradient",
        !repeats || near(probe_.gradients(laid_out_backwards(probe_.weights()[0])), analytic_[0]));

    for (std::size_t i = 0; i < probe_.inputs(); ++i) {
      if (probe_.wants(i)) check_input(i);
    }
    if (options_.contracts) check_contracts();
    look_for_emptiness();
    if (report_.inconclusive_count > 0 && !probe_.refusal().empty()) {
      report_.notes.push_back("beside the point the function is not defined: " + probe_.refusal());
    }
    try {
      if (!report_.worst.empty()) sweep_worst();
    } catch (const Error&) {
      // A picture only, and its steps are longer than those of the check: nothing is lost.
    }
    if (report_.verdict == Verdict::fail) {
      std::vector<Diagnosis> broken = std::move(report_.diagnoses);
      report_.diagnoses = diagnose({.probe = probe_,
                                    .inputs = report_.inputs,
                                    .positions = positions_,
                                    .options = options_,
                                    .repeats = repeats,
                                    .survives_forward = survives});
      for (Diagnosis& each : broken) name(std::move(each));
    }
    return std::move(report_);
  }

  const std::vector<Tensor>& gradients() const { return analytic_[0]; }

 private:
  /// The gradients, one for each weighting. False where backward gives none that fit.
  bool differentiate() {
    try {
      for (const Tensor& weights : probe_.weights()) analytic_.push_back(probe_.gradients(weights));
      return true;
    } catch (const GradError&) {
      ContractReport ops;
      if (options_.contracts) ops = check_ops(probe_, options_);
      const auto is_wrong_shape = [](const Diagnosis& each) {
        return each.pattern == Pattern::wrong_shape;
      };
      if (std::none_of(ops.broken.begin(), ops.broken.end(), is_wrong_shape)) throw;
      add(ops);
      return false;
    }
  }

  void add(const ContractReport& contracts) {
    for (const Diagnosis& each : contracts.broken) name(each);
    report_.notes.insert(report_.notes.end(), contracts.notes.begin(), contracts.notes.end());
    if (!contracts.broken.empty()) report_.verdict = Verdict::fail;
  }

  /// One name for one mistake.
  void name(Diagnosis diagnosis) {
    for (const Diagnosis& each : report_.diagnoses)
      if (each.pattern == diagnosis.pattern) return;
    report_.diagnoses.push_back(std::move(diagnosis));
  }

  /// What no difference quotient shows.
  void check_contracts() {
    const ContractReport ops = check_ops(probe_, options_);
    add(ops);
    if (!ops.broken.empty()) return;  // what follows would only repeat it
    add(check_function(probe_, analytic_[0], options_));
    if (report_.verdict == Verdict::fail) return;
    add(check_float32(probe_, analytic_[0], options_));
    if (report_.passed()) check_elsewhere();
  }

  /// Other numbers in the same objects: what backward kept of an earlier call does not fit these.
  void check_elsewhere() {
    std::vector<Tensor> values;
    for (std::size_t i = 0; i < probe_.inputs(); ++i)
      values.push_back(probe_.leaf(i).value().clone());
    for (const double share : {0.25, 1.0 / 1024}) {
      try {
        if (judge_at(moved(values, share), values)) return;
      } catch (const Error&) {
        // Not defined there.
      }
    }
  }

  std::vector<Tensor> moved(const std::vector<Tensor>& values, double share) {
    std::vector<Tensor> others;
    for (const Tensor& x : values) {
      if (!is_floating(x.dtype())) {
        others.push_back(x);
        continue;
      }
      const Tensor factor = core::sub(rand(x.shape(), generator_, float64), 0.5);
      others.push_back(core::add(x, core::mul(core::mul(x, factor), share)));
    }
    return others;
  }

  /// False where the function is not finite there.
  bool judge_at(const std::vector<Tensor>& there, const std::vector<Tensor>& here) {
    struct Back {  // puts the leaves back
      const Probe& probe;
      const std::vector<Tensor>& values;
      ~Back() {
        for (std::size_t i = 0; i < values.size(); ++i) probe.leaf(i).value().copy_(values[i]);
      }
    } const back{probe_, here};
    const Probe elsewhere(probe_, there);
    const Tensor finite = core::isfinite(elsewhere.output());
    if (core::sum(finite).item() < static_cast<double>(finite.numel() - blind_)) return false;
    GradcheckOptions options = options_;
    options.contracts = false;
    options.elements = 0;
    options.directions = 2;
    options.draws = 1;
    Judge judge(elsewhere, options);
    const GradcheckReport report = judge.run();
    if (report.verdict != Verdict::fail) return true;
    const bool stale = same(judge.gradients(), analytic_[0]);
    PlainText text;
    text << "right at the given inputs, wrong at others in the same objects";
    if (stale) text << ", where the gradient is still the same";
    if (!report.worst.empty()) {
      const GradcheckEntry& worst = report.worst.front();
      text << ": " << worst.place() << ", analytic " << worst.analytic << ", numeric "
           << worst.numeric;
    }
    add({.broken = {{stale ? Pattern::stale_value : Pattern::wrong_elsewhere, "", text.str()}}});
    return true;
  }

  static bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i].defined() != b[i].defined()) return false;
      for (std::int64_t e = 0, n = a[i].defined() ? a[i].numel() : 0; e < n; ++e) {
        const double x = a[i].data<double>()[e];
        const double y = b[i].data<double>()[e];
        if (x != y && !(std::isnan(x) && std::isnan(y))) return false;
      }
    }
    return true;
  }

  /// The same but for the order of sums.
  bool near(const std::vector<Tensor>& a, const std::vector<Tensor>& b) const {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i].defined() != b[i].defined()) return false;
      if (!a[i].defined() || a[i].numel() == 0) continue;
      const double apart = core::max(core::abs(core::sub(a[i], b[i]))).item();
      if (apart > tolerance(core::max(core::abs(a[i])).item())) return false;
    }
    return true;
  }

  void expect(const char* otherwise, bool holds) {
    if (holds) return;
    report_.verdict = Verdict::fail;
    report_.notes.push_back(otherwise);
  }

  double tolerance(double size) const { return options_.atol + options_.rtol * std::fabs(size); }

  /// The same, scaled to the slopes of what is moved: an error as large as the slopes themselves must
  /// not hide below atol because all of them are small.
  std::function<double(double)> tolerance_of(const Probe::Line& line) const {
    // Nor is an analytic slope of 0 computed better than to some roundings of the others.
    constexpr double roundings = 4096 * std::numeric_limits<double>::epsilon();
    const double largest = *std::max_element(size_.begin(), size_.end());
    const double floor = std::max(options_.atol * std::min(1.0, size_[line.input]),
                                  std::min(options_.atol, roundings * std::min(1.0, largest)));
    return [floor, rtol = options_.rtol](double size) { return floor + rtol * std::fabs(size); };
  }

  /// The largest slope of each input, by backward.
  void measure_sizes() {
    size_.assign(probe_.inputs(), 0);
    for (std::size_t i = 0; i < probe_.inputs(); ++i) {
      if (!probe_.wants(i) || probe_.leaf(i).numel() == 0) continue;
      double size = 0;
      for (const std::vector<Tensor>& gradients : analytic_) {
        if (!gradients[i].defined()) continue;
        for (const double slope : gradients[i].to_vector<double>())
          if (std::isfinite(slope)) size = std::max(size, std::fabs(slope));
      }
      size_[i] = size;
    }
  }

  void check_input(std::size_t i) {
    const Tensor& x = probe_.leaf(i).value();
    GradcheckInput input{.name = probe_.name(i)};
    input.connected = analytic_[0][i].defined();
    input.analytic = input.connected ? analytic_[0][i] : zeros(x.shape(), float64);
    input.numeric = full(x.shape(), std::nan(""), float64);
    input.verdicts = full(x.shape(), GradcheckInput::unchecked, uint8);
    report_.inputs.push_back(input);
    positions_.push_back(i);

    for (const std::int64_t flat : chosen(x.numel())) check_element(i, flat);
    bool fails = false;
    for (int d = 0; d < options_.directions && x.numel() > 0; ++d) {
      const Tensor direction = random_weights(x.shape(), generator_);
      GradcheckEntry entry = compare_along(i, direction);
      entry.direction = d;
      ++report_.directions;
      // A direction says that something is wrong, not what: look for it, once per input.
      if (entry.verdict == Verdict::fail && !fails) locate(i, direction);
      fails = fails || entry.verdict == Verdict::fail;
      enter(std::move(entry));
    }
  }

  void check_element(std::size_t i, std::int64_t flat) {
    const GradcheckInput& input = report_.inputs.back();
    std::uint8_t& verdict = input.verdicts.data<std::uint8_t>()[flat];
    if (verdict != GradcheckInput::unchecked) return;
    const auto slope_of = [&](std::size_t k) {
      return analytic_[k][i].defined() ? analytic_[k][i].data<double>()[flat] : 0.0;
    };
    GradcheckEntry entry{
        .input = i, .name = input.name, .index = unravel(flat, input.analytic.shape())};
    input.numeric.data<double>()[flat] = compare(probe_.element(i, flat), slope_of, entry);
    verdict = static_cast<std::uint8_t>(entry.verdict);
    ++report_.elements;
    enter(std::move(entry));
  }

  GradcheckEntry compare_along(std::size_t i, const Tensor& direction) const {
    const auto slope_of = [&](std::size_t k) {
      return analytic_[k][i].defined() ? core::sum(core::mul(analytic_[k][i], direction)).item()
                                       : 0.0;
    };
    GradcheckEntry entry{.input = i, .name = probe_.name(i)};
    compare(probe_.along(i, direction), slope_of, entry);
    return entry;
  }

  /// Halves the elements that move until one is left: the half with the larger error has a wrong
  /// one. About log2(n) comparisons, and then the element itself.
  void locate(std::size_t i, const Tensor& direction) {
    std::int64_t first = 0;
    std::int64_t count = direction.numel();
    const auto error_of = [&](std::int64_t from, std::int64_t length) {
      const Tensor part = zeros({direction.numel()}, float64);
      part.narrow(0, from, length).copy_(direction.flatten().narrow(0, from, length));
      const GradcheckEntry entry = compare_along(i, part.reshape(direction.shape()));
      return std::isfinite(entry.analytic) ? entry.absolute_error : INFINITY;
    };
    while (count > 1) {
      const std::int64_t half = count / 2;
      const bool second = error_of(first + half, count - half) > error_of(first, half);
      first += second ? half : 0;
      count = second ? count - half : half;
    }
    check_element(i, first);
  }

  /// Which elements of `count` to check: all, or a random choice in rising order.
  std::vector<std::int64_t> chosen(std::int64_t count) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), std::int64_t{0});
    if (options_.elements < 0 || options_.elements >= count) return all;
    const Tensor order = randperm(count, generator_);
    all.assign(order.data<std::int64_t>(), order.data<std::int64_t>() + options_.elements);
    std::sort(all.begin(), all.end());
    return all;
  }

  SlopeOptions slope_options(const Probe::Line& line, double factor) const {
    // A power of two below scale/32, so that the steps are exact.
    const double step = std::exp2(std::floor(std::log2(line.scale / 32)));
    return {.first_step = step * factor, .tolerance = tolerance_of(line)};
  }

  std::vector<Slope> measure(const Probe::Line& line, double factor) const {
    return measure_slopes([&](double t) { return probe_.change(line, t); },
                          slope_options(line, factor));
  }

  /// Judges every draw; `entry` becomes the worst of them. Gives the numeric slope of draw 0.
  template <class SlopeOf>
  double compare(const Probe::Line& line, const SlopeOf& slope_of, GradcheckEntry& entry) const {
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

  /// A slope that is only not known well enough would not be known better.
  static bool wants_second_hearing(const std::vector<Slope>& slopes, const GradcheckEntry& entry) {
    constexpr double well = 1e-3;
    if (!std::isfinite(entry.analytic)) return false;
    if (entry.verdict == Verdict::fail || entry.verdict == Verdict::kink) return true;
    return std::any_of(slopes.begin(), slopes.end(), [&](const Slope& slope) {
      return slope.doubted || slope.kind == SlopeKind::jump ||
             (entry.verdict == Verdict::inconclusive &&
              slope.bound > well * std::fabs(slope.value));
    });
  }

  bool drowned(const std::vector<Slope>& slopes) const {
    return std::any_of(slopes.begin(), slopes.end(), [&](const Slope& slope) {
      return (slope.kind == SlopeKind::smooth || slope.kind == SlopeKind::rough) &&
             slope.bound > tolerance(slope.value) && !slope.steps.empty() &&
             slope.steps.front().rounding > 0.1 * tolerance(slope.value);
    });
  }

  static void keep_better(std::vector<Slope>& slopes, std::vector<Slope> others) {
    for (std::size_t k = 0; k < slopes.size(); ++k) {
      if (others[k].bound < slopes[k].bound) slopes[k] = std::move(others[k]);
    }
  }

  /// The second hearing: other steps, no power of two times the first ones, and much shorter ones.
  /// Long steps may have stepped over a whole period, a narrow hill, or the steps of a staircase.
  void hear_again(const Probe::Line& line, std::vector<Slope>& slopes, Verdict first) const {
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
    const bool coarse =
        gives_way && probe_.rounds_coarsely(line, longest, longest * factors.back());
    for (std::size_t k = 0; k < slopes.size() && !coarse; ++k) {
      if (!conferences[k].unresolved) {
        slopes[k] = conferences[k].slope;
      } else if (first == Verdict::fail) {
        slopes[k].bound = INFINITY;  // contradictions refute nothing
      }
    }
  }

  template <class SlopeOf>
  void judge_all(const Probe::Line& line, const std::vector<Slope>& slopes, const SlopeOf& slope_of,
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
  void judge(const Probe::Line& line, const Slope& slope, std::size_t k,
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
  std::pair<double, double> subgradients(const Probe::Line& line, const Slope& slope,
                                         std::size_t k) const {
    double h = slope.steps.front().h;
    for (const SlopeStep& step : slope.steps) {
      if (step.rounding <= 1e-3 * tolerance(step.right - step.left)) h = step.h;
    }
    const double middle = (slope.left + slope.right) / 2;
    const double width =
        std::max(std::fabs(slope.right - slope.left), probe_.open_width(line, h, k));
    return {middle - width / 2, middle + width / 2};
  }

  void enter(GradcheckEntry entry) {
    report_.verdict = std::max(report_.verdict, entry.verdict);
    switch (entry.verdict) {
      case Verdict::pass:
        ++report_.passed_count;
        break;
      case Verdict::kink:
        ++report_.kink_count;
        break;
      case Verdict::inconclusive:
        ++report_.inconclusive_count;
        break;
      case Verdict::fail:
        ++report_.fail_count;
        break;
    }
    if (entry.verdict != Verdict::kink) {
      const double size = std::max({1.0, std::fabs(entry.analytic), std::fabs(entry.numeric)});
      const double error =
          std::isfinite(entry.analytic) ? entry.absolute_error / size : double{INFINITY};
      // NaN, where nothing could be measured, is no error.
      if (error > report_.worst_relative_error) report_.worst_relative_error = error;
    }
    const auto worse = [](const GradcheckEntry& a, const GradcheckEntry& b) {
      return std::pair(a.verdict, a.excess) > std::pair(b.verdict, b.excess);
    };
    std::vector<GradcheckEntry>& worst = report_.worst;
    worst.insert(std::upper_bound(worst.begin(), worst.end(), entry, worse), std::move(entry));
    if (worst.size() > options_.worst) worst.pop_back();
  }

  /// A check that compared nothing but zeros may have compared nothing at all: say so.
  void look_for_emptiness() {
    if (report_.elements + report_.directions == 0) {
      report_.notes.push_back("nothing to compare: every input is empty");
      return;
    }
    if (probe_.output().numel() == 0) {
      report_.notes.push_back("the output is empty: there is nothing to confirm");
    }
    bool any_slope = false;
    bool any_connected = false;
    for (const GradcheckInput& input : report_.inputs) {
      bool flat = true;
      for (std::int64_t e = 0, n = input.numeric.numel(); e < n; ++e) {
        const double numeric = input.numeric.data<double>()[e];
        if (input.analytic.data<double>()[e] != 0 || (numeric != 0 && !std::isnan(numeric)))
          flat = false;
      }
      const bool empty = input.numeric.numel() == 0;
      any_slope = any_slope || !flat;
      any_connected = any_connected || input.connected || empty;
      if (empty || !flat || report_.verdict == Verdict::fail) continue;
      report_.notes.push_back(
          input.connected ? "every slope of " + input.name + " is 0, by backward and by differences"
                          : input.name +
                                " is disconnected: backward never reaches it, and its "
                                "slopes are 0 by differences too");
    }
    if (!any_slope && !any_connected && report_.verdict == Verdict::pass) {
      report_.verdict = Verdict::inconclusive;
      report_.notes = {
          "vacuous: the output does not depend on any input, so there is nothing to confirm"};
    }
    if (report_.inconclusive_count == report_.elements + report_.directions &&
        report_.inconclusive_count > 0) {
      const bool any_bound =
          std::any_of(report_.worst.begin(), report_.worst.end(),
                      [](const GradcheckEntry& entry) { return std::isfinite(entry.bound); });
      report_.notes.push_back(
          any_bound ? "finite differences are too noisy here: the function rounds more coarsely "
                      "than float64, or is not differentiable"
                    : "finite differences settle nowhere: the function jumps, is not finite or is "
                      "not differentiable here");
    }
    if (options_.directions > 0) {
      report_.notes.push_back(
          "fast mode: an error of a single element among n shows along a direction only when it "
          "exceeds the tolerance of the whole sum, about √n times the tolerance of one");
    }
  }

  /// Every step size for the worst element, for the picture.
  void sweep_worst() {
    const GradcheckEntry& entry = report_.worst.front();
    if (entry.direction >= 0) return;
    std::int64_t flat = 0;
    for (int d = 0; d < entry.index.rank(); ++d) {
      flat = flat * probe_.leaf(entry.input).shape()[d] + entry.index[d];
    }
    SlopeOptions options = slope_options(probe_.element(entry.input, flat), 16);
    options.max_steps = 44;
    options.whole = true;
    const Probe::Line line = probe_.element(entry.input, flat);
    std::vector<Slope> slopes =
        measure_slopes([&](double t) { return probe_.change(line, t); }, options);
    report_.sweep = std::move(slopes[static_cast<std::size_t>(entry.draw)].steps);
  }

  GradcheckOptions options_;
  Probe probe_;
  Generator generator_;
  std::int64_t blind_ = 0;  // outputs that are not finite
  GradcheckReport report_;
  std::vector<std::size_t> positions_;
  std::vector<std::vector<Tensor>> analytic_;  // [draw][input]
  std::vector<double> size_;                   // of the slopes, by input
};

}  // namespace

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

GradcheckOptions fast_gradcheck(int directions) {
  return {.elements = 0, .directions = directions};
}

GradcheckReport gradcheck(const DifferentiableFunction& function, const Variables& inputs,
                          const GradcheckOptions& options) {
  return Judge(Probe(function, inputs, sensible(options)), options).run();
}

SecondOrder second_order(const DifferentiableFunction& function, const Variables& inputs,
                         const GradcheckOptions& options) {
  SecondOrder second{.inputs = inputs, .options = options};
  const std::size_t count = inputs.size();
  second.function = [function, count](const Variables& all) {
    const GradMode mode(true);  // wanted even where the checker only evaluates
    Variables leaves(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
    Variables wanted;
    for (const Variable& leaf : leaves) {
      if (leaf.requires_grad()) wanted.push_back(leaf);
    }
    const Variable output = function(leaves);
    Variables parts;
    Variables found(wanted.size());
    if (output.requires_grad()) {
      found = grad({output}, wanted, {all.back()}, {.create_graph = true, .allow_unused = true});
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      parts.push_back(reshape(found[i].defined() ? found[i] : zeros_like(wanted[i].value()),
                              {wanted[i].numel()}));
    }
    return cat(parts, 0);
  };
  Generator generator(options.seed + 2);
  const Probe first(function, inputs, options);  // which refuses what cannot be checked
  second.inputs.push_back(Variable(random_weights(first.output().shape(), generator), true));
  std::vector<std::string>& names = second.options.names;
  for (std::size_t i = names.size(); i < count; ++i) names.push_back("input " + std::to_string(i));
  names.resize(count);
  names.push_back("output gradient");
  return second;
}

GradcheckReport gradgradcheck(const DifferentiableFunction& function, const Variables& inputs,
                              const GradcheckOptions& options) {
  SecondOrder second = second_order(function, inputs, options);
  second.options.contracts = false;  // those of the function itself matter
  GradcheckReport report = gradcheck(second.function, second.inputs, second.options);
  report.order = 2;
  if (!options.contracts) return report;
  const ContractReport first = check_ops(Probe(function, inputs, options), options);
  if (!first.broken.empty()) report.verdict = Verdict::fail;
  report.diagnoses.insert(report.diagnoses.end(), first.broken.begin(), first.broken.end());
  return report;
}

std::vector<Sample> in_every_layout(const std::vector<Sample>& samples) {
  const auto laid_out = [](const Sample& sample, const char* how, Tensor (*layout)(const Tensor&)) {
    Sample other{sample.description + ", " + how, {}, sample.function};
    for (const Variable& input : sample.inputs) {
      other.inputs.push_back(input.requires_grad() ? Variable(layout(input.value()), true) : input);
    }
    return other;
  };
  std::vector<Sample> all;
  for (const Sample& sample : samples) {
    all.push_back(sample);
    all.push_back(laid_out(sample, "transposed in memory", laid_out_backwards));
    all.push_back(laid_out(sample, "sliced", [](const Tensor& x) {
      if (x.rank() == 0) return zeros({2}, x.dtype()).select(0, 1).copy_(x);
      Shape wide = x.shape();
      wide[x.rank() - 1] *= 2;
      return zeros(wide, x.dtype()).slice(-1, 0, wide[x.rank() - 1], 2).copy_(x);
    }));
    all.push_back({sample.description + ", used twice", sample.inputs,
                   [f = sample.function](const Variables& v) {
                     const Variable whole = f(v);
                     const Variable half = mul(f(v), 0.5);
                     return add(whole, half);
                   }});
  }
  return all;
}

}  // namespace gradus
