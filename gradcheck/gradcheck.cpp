// The check: which elements are compared, what else is asked, and what is counted. The rule by which
// an element is judged is verdict.cpp, what measures it slope.cpp, how the function is called
// detail/probe.cpp, what is said of a failure diagnosis.cpp.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/log.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/contracts.h>
#include <gradus/gradcheck/detail/distance.h>
#include <gradus/gradcheck/detail/evidence.h>
#include <gradus/gradcheck/detail/exercise.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/detail/verdict.h>
#include <gradus/gradcheck/gradcheck.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>
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

/// Tells how far a long check has come, and asks whether to go on.
class Pace {
 public:
  Pace(const GradcheckOptions& options, std::int64_t total)
      : options_(options), total_(total), next_(options.progress ? 0.1 : 5) {}

  /// Another comparison lies ahead. False: stop.
  bool go_on() {
    if (stopped_) return false;
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const GradcheckProgress progress{options_.subject, done_++, total_, seconds};
    if (seconds < next_) return true;
    if (options_.progress) {
      next_ = seconds + 0.1;
      stopped_ = !options_.progress(progress);
    } else {
      if (done_ > 1) warn(progress);
      next_ = seconds + 10;
    }
    return !stopped_;
  }

  bool stopped() const { return stopped_; }
  std::int64_t total() const { return total_; }

 private:
  using Clock = std::chrono::steady_clock;

  static void warn(const GradcheckProgress& progress) {
    PlainText text;
    text.precision(2);
    text << "gradcheck of " << progress.subject << ": " << progress.done << " of " << progress.total
         << " elements after " << progress.seconds
         << " s; fast_gradcheck() or .elements compares fewer";
    log_warn(text.str());
  }

  const GradcheckOptions& options_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  double next_;  // seconds: a short check says nothing
  bool stopped_ = false;
  Clock::time_point start_ = Clock::now();
};

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
      report_.notes.push_back(
          "not deterministic: two calls with the same inputs gave different outputs");
      add({.broken = {
               {Pattern::not_deterministic, "",
                "what it draws must come from a generator that is seeded inside, or that the "
                "module names in visit()"}}});
      return std::move(report_);
    }
    if (!differentiate()) return std::move(report_);
    judge_.emplace(probe_, options_, analytic_, blind_);
    const bool repeats = same(probe_.gradients(probe_.weights()[0]), analytic_[0]);
    const bool survives =
        same(probe_.gradients_after_another_forward(probe_.weights()[0]), analytic_[0]);
    if (!repeats || !survives) report_.verdict = Verdict::fail;
    expect("the function gives other numbers when it is recorded", probe_.same_when_recorded());
    if (repeats) look_at_layout();

    Pace pace(options_, comparisons());
    for (std::size_t i = 0; i < probe_.inputs(); ++i) {
      if (probe_.wants(i)) check_input(i, pace);
    }
    if (pace.stopped()) return stopped(pace);
    if (options_.contracts) check_contracts();
    look_for_emptiness();
    report_.not_exercised = not_exercised(probe_);
    if (report_.inconclusive_count > 0 && !probe_.refusal().empty()) {
      report_.notes.push_back("beside the point the function is not defined: " + probe_.refusal());
    }
    try {
      if (options_.sweep && !report_.worst.empty()) sweep_worst();
    } catch (const Error&) {
      // A picture only, and its steps are longer than those of the check: nothing is lost.
    }
    if (report_.verdict == Verdict::fail) look_for_patterns(repeats, survives);
    return std::move(report_);
  }

  const std::vector<Tensor>& gradients() const { return analytic_[0]; }

 private:
  /// The gradients, one for each weighting. False where backward gives none that fit.
  bool differentiate() {
    try {
      for (const Tensor& weights : probe_.weights()) analytic_.push_back(probe_.gradients(weights));
      if (probe_.overwritten().empty()) return true;
      add({.broken = {{Pattern::overwrites_saved, probe_.overwritten(),
                       "backward writes into it: what it keeps must be as it was when backward "
                       "returns; work on a clone()"}}});
      return false;
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

  void look_at_layout() {
    try {
      const Tensor other = laid_out_backwards(probe_.weights()[0]);
      expect(
          "backward reads the incoming gradient as if it were row-major: laid out otherwise, it "
          "gives another gradient",
          near(probe_.gradients(other), analytic_[0]));
    } catch (const Error& error) {
      report_.notes.push_back(text_of(
          "backward takes no incoming gradient that is transposed in memory: ", error.what()));
    }
  }

  void add(const ContractReport& contracts) {
    for (const Diagnosis& each : contracts.broken) name(each);
    report_.notes.insert(report_.notes.end(), contracts.notes.begin(), contracts.notes.end());
    if (!contracts.broken.empty()) report_.verdict = Verdict::fail;
  }

  /// What the wrong gradient looks like, after what has been shown already.
  void look_for_patterns(bool repeats, bool survives) {
    // Such a backward gives other numbers for other incoming gradients: what these numbers look like
    // means nothing.
    const auto explains_all = [](const Diagnosis& each) {
      return each.pattern == Pattern::not_linear || each.pattern == Pattern::random_backward ||
             each.pattern == Pattern::stale_accumulation;
    };
    if (std::any_of(report_.diagnoses.begin(), report_.diagnoses.end(), explains_all)) return;
    const std::vector<Diagnosis> shown = std::move(report_.diagnoses);
    report_.diagnoses = diagnose({.probe = probe_,
                                  .inputs = report_.inputs,
                                  .positions = positions_,
                                  .options = options_,
                                  .repeats = repeats,
                                  .survives_forward = survives});
    for (const Diagnosis& each : shown) name(each);
    if (report_.diagnoses.empty() && is_level_where_wrong()) {
      report_.notes.push_back(
          "the function is level where the gradient is not: if its slope is meant, say so with "
          "straight_through(value, stand_in)");
    }
    std::stable_sort(
        report_.diagnoses.begin(), report_.diagnoses.end(),
        [](const Diagnosis& a, const Diagnosis& b) { return a.certainty > b.certainty; });
  }

  bool is_level_where_wrong() const {
    for (const GradcheckInput& input : report_.inputs) {
      const std::vector<std::uint8_t> verdicts = input.verdicts.to_vector<std::uint8_t>();
      for (std::size_t e = 0; e < verdicts.size(); ++e) {
        if (verdicts[e] == static_cast<int>(Verdict::fail) && input.numeric.data<double>()[e] != 0)
          return false;
      }
    }
    return report_.fail_count > 0 && report_.elements > 0;
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
    if (!probe_.keeps_its_output()) {
      return add(
          {.broken = {{Pattern::reuses_memory, "",
                       "what the function gave changes when it is called again: it hands out "
                       "memory that it writes to again; give a tensor of its own"}}});
    }
    add(check_names());
    if (report_.verdict == Verdict::fail) return;  // first things first
    add(check_function(probe_, analytic_[0]));
    if (report_.verdict == Verdict::fail) return;
    add(check_float32(probe_, analytic_[0], options_));
    if (report_.passed()) check_elsewhere();
  }

  /// No parameter takes part that nobody named.
  ContractReport check_names() const {
    std::set<const Node*> named;
    for (std::size_t i = 0; i < probe_.inputs(); ++i) named.insert(probe_.leaf(i).node().get());
    return {.broken = unnamed_parameters(probe_.record(), named)};
  }

  /// Other numbers in the same objects: what backward kept of an earlier call does not fit these.
  void check_elsewhere() {
    std::vector<Tensor> values;
    for (std::size_t i = 0; i < probe_.inputs(); ++i)
      values.push_back(probe_.leaf(i).value().clone());
    struct Way {
      double share;
      bool mixed, integers;
    };
    // Mixed where that stays in the domain; the integers too, where they may stand in another order.
    constexpr std::array<Way, 5> ways{Way{0.25, true, true}, Way{0.25, true, false},
                                      Way{1.0 / 1024, true, false}, Way{0.25, false, false},
                                      Way{1.0 / 1024, false, false}};
    std::string refusal = "it is not finite there";
    for (const Way& way : ways) {
      try {
        if (judge_at(moved(values, way.share, way.mixed, way.integers))) return;
      } catch (const Error& error) {
        refusal = error.what();
      }
    }
    report_.notes.push_back("no other inputs could be tried in the same objects: " + refusal);
  }

  /// Each number moved by up to a `share` of their usual size; `mixed`, in other places, which keeps to whatever domain
  /// they have; with `integers` those in reverse order.
  std::vector<Tensor> moved(const std::vector<Tensor>& values, double share, bool mixed,
                            bool integers) {
    std::vector<Tensor> others;
    for (const Tensor& x : values) {
      if (!is_floating(x.dtype()) || x.numel() == 0) {
        others.push_back(integers ? core::flip(x.flatten(), {0}).reshape(x.shape()) : x);
        continue;
      }
      const Tensor order = randperm(x.numel(), generator_);
      const Tensor base = mixed ? core::index_select(x.flatten(), 0, order).reshape(x.shape()) : x;
      const Tensor sizes = core::abs(base);
      const double usual = core::mean(sizes).item();
      const Tensor factor = core::sub(rand(x.shape(), generator_, float64), 0.5);
      // What is 0 moves as the others do, or by a share of 1.
      const Tensor reach =
          core::where(core::gt(sizes, 0), sizes,
                      core::mul(ones_like(sizes), std::isfinite(usual) && usual > 0 ? usual : 1));
      others.push_back(core::add(base, core::mul(core::mul(reach, factor), share)));
    }
    return others;
  }

  /// False where the function is not finite there.
  bool judge_at(const std::vector<Tensor>& there) {
    const Probe::Back back(probe_);
    const Probe elsewhere(probe_, there);
    const Tensor finite = core::isfinite(elsewhere.output());
    if (core::sum(finite).item() < static_cast<double>(finite.numel() - blind_)) return false;
    GradcheckOptions options = options_;
    options.contracts = false;
    options.elements = 0;
    options.directions = 2;
    options.draws = 1;
    options.sweep = false;
    options.progress = [](const GradcheckProgress&) { return true; };
    Judge judge(elsewhere, options);
    const GradcheckReport report = judge.run();
    if (report.verdict != Verdict::fail) return true;
    const bool stale = same(judge.gradients(), analytic_[0]);
    PlainText text;
    text << "right at the given inputs, wrong at others in the same objects";
    if (stale)
      text << ", where the gradient is still the same: a table of the first call, or a constant?";
    if (!report.worst.empty()) {
      const GradcheckEntry& worst = report.worst.front();
      text << ": " << worst.place() << ", analytic " << worst.analytic << ", numeric "
           << worst.numeric;
    }
    add({.broken = {{Pattern::wrong_elsewhere, "", text.str()}}});
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
      if (a[i].defined() && distance(a[i], b[i]) > judge_->tolerance(largest(a[i]))) return false;
    }
    return true;
  }

  void expect(const char* otherwise, bool holds) {
    if (holds) return;
    report_.verdict = Verdict::fail;
    report_.notes.push_back(otherwise);
  }

  /// How many lie ahead.
  std::int64_t comparisons() const {
    std::int64_t all = 0;
    for (std::size_t i = 0; i < probe_.inputs(); ++i) {
      const std::int64_t count = probe_.leaf(i).numel();
      if (!probe_.wants(i) || count == 0) continue;
      all += options_.directions +
             (options_.elements < 0 ? count : std::min(count, options_.elements));
    }
    return all;
  }

  /// What is known when somebody stops the check.
  GradcheckReport stopped(const Pace& pace) {
    report_.stopped = true;
    report_.verdict = std::max(report_.verdict, Verdict::inconclusive);
    PlainText note;
    note << "stopped after " << report_.elements + report_.directions << " of " << pace.total()
         << " comparisons: nothing is known of the others";
    report_.notes.push_back(note.str());
    return std::move(report_);
  }

  void check_input(std::size_t i, Pace& pace) {
    const Tensor& x = probe_.leaf(i).value();
    GradcheckInput input{.name = probe_.name(i)};
    input.connected = analytic_[0][i].defined();
    input.analytic = input.connected ? analytic_[0][i] : zeros(x.shape(), float64);
    input.numeric = full(x.shape(), std::nan(""), float64);
    input.verdicts = full(x.shape(), GradcheckInput::unchecked, uint8);
    report_.inputs.push_back(input);
    positions_.push_back(i);

    for (const std::int64_t flat : chosen(x.numel())) {
      if (!pace.go_on()) return;
      check_element(i, flat);
    }
    compare_kinks_together(i);
    bool fails = false;
    for (int d = 0; d < options_.directions && x.numel() > 0; ++d) {
      if (!pace.go_on()) return;
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

  /// At a tie each element may get a share of the gradient, but not each all of it: along all of them
  /// together the slope is another.
  void compare_kinks_together(std::size_t i) {
    const GradcheckInput& input = report_.inputs.back();
    const Tensor direction =
        core::eq(input.verdicts, static_cast<double>(Verdict::kink)).to(float64);
    // One of several equal numbers may move nothing, whichever of them backward chose: all of them do.
    const std::vector<double> x = probe_.leaf(i).value().to_vector<double>();
    std::set<double> tied;
    for (std::size_t e = 0; e < x.size(); ++e)
      if (judge_->is_among_ties(i, static_cast<std::int64_t>(e))) tied.insert(x[e]);
    for (std::size_t e = 0; e < x.size(); ++e)
      if (tied.contains(x[e])) direction.data<double>()[e] = 1;
    if (core::sum(direction).item() < 2) return;
    const GradcheckEntry entry = compare_along(i, direction);
    if (entry.verdict != Verdict::fail) return;
    PlainText text;
    text << "at its kinks each gradient could be right, but not all together: along all of them at "
            "once the slope is "
         << entry.numeric << ", and backward says " << entry.analytic
         << ": does each of several equal numbers get the whole gradient?";
    add({.broken = {{Pattern::not_a_subgradient, input.name, text.str()}}});
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
    input.numeric.data<double>()[flat] = judge_->compare(probe_.element(i, flat), slope_of, entry);
    verdict = static_cast<std::uint8_t>(entry.verdict);
    ++report_.elements;
    enter(std::move(entry));
  }

  GradcheckEntry compare_along(std::size_t i, const Tensor& direction) {
    const auto slope_of = [&](std::size_t k) {
      return analytic_[k][i].defined() ? core::sum(core::mul(analytic_[k][i], direction)).item()
                                       : 0.0;
    };
    GradcheckEntry entry{.input = i, .name = probe_.name(i)};
    Probe::Line line = probe_.along(i, direction);
    if (analytic_[0][i].defined()) {
      const Tensor parts = core::mul(analytic_[0][i], direction);
      line.parts = std::sqrt(core::sum(core::mul(parts, parts)).item());
    }
    judge_->compare(line, slope_of, entry);
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
    const double size = std::max(std::fabs(entry.analytic), std::fabs(entry.numeric));
    if (entry.verdict == Verdict::pass && size > 0 && size <= options_.atol) ++tiny_;
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
    if (tiny_ > 0 && report_.passed()) {
      PlainText note;
      note << "the slopes of " << tiny_ << " elements are below " << options_.atol
           << " and not 0: so small, they are confirmed to no better than that beside larger ones";
      report_.notes.push_back(note.str());
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
    SlopeOptions options = judge_->slope_options(probe_.element(entry.input, flat), 16);
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
  std::int64_t tiny_ = 0;   // elements whose slopes are not 0, but below atol
  GradcheckReport report_;
  std::vector<std::size_t> positions_;
  std::vector<std::vector<Tensor>> analytic_;  // [draw][input]
  std::optional<ElementJudge> judge_;
};

}  // namespace

GradcheckOptions fast_gradcheck(int directions) {
  return {.elements = 0, .directions = directions};
}

GradcheckReport gradcheck(const DifferentiableFunction& function, const Variables& inputs,
                          const GradcheckOptions& options) {
  return Judge(Probe(function, inputs, sensible(options)), options).run();
}

}  // namespace gradus
