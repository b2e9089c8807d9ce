// The proof of the checker: bugs that it must catch and name,
// and hard functions that it must let pass.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/planted.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "self_test.h"
#include "stopwatch.h"

namespace gradus::app {
namespace {

// ---- Bugs to catch ----

GradcheckReport check(int order, const DifferentiableFunction& function, const Variables& inputs,
                      const GradcheckOptions& options) {
  return order == 1 ? gradcheck(function, inputs, options)
                    : gradgradcheck(function, inputs, options);
}

/// An input of a sample: a place for a bug.
struct Place {
  const LayerSample* sample = nullptr;
  std::size_t input = 0;
  std::size_t uses = 0;
};

class Planter {
 public:
  explicit Planter(const Subject& subject) : subject_(subject), samples_(subject.samples()) {
    for (const LayerSample& sample : subject.samples()) {
      // The last layout uses every input twice.
      used_twice_.push_back({in_every_layout({sample}).back(), sample.names});
    }
    // A composition has no op of its own, nor has a layer:
    // there any op that takes the input will do.
    op_ = subject.name;
    if (!plant_somewhere(Bug::sign_flipped, 0) && !plant_somewhere(Bug::sign_flipped, 1)) op_ = {};
  }

  std::vector<PlantedRow> run() const {
    std::vector<PlantedRow> rows;
    for (const Bug bug : all_bugs()) {
      for (std::size_t input = 0; input < most_inputs(); ++input) {
        if (std::optional<PlantedRow> row = plant_somewhere(bug, input))
          rows.push_back(std::move(*row));
      }
    }
    return rows;
  }

 private:
  std::size_t most_inputs() const {
    std::size_t most = 0;
    for (const LayerSample& sample : samples_) most = std::max(most, sample.inputs.size());
    return most;
  }

  /// Plants the bug where it has an effect, and asks the checker. Nothing where it never has one.
  std::optional<PlantedRow> plant_somewhere(Bug bug, std::size_t input) const {
    for (const Place& place : places(bug, input)) {
      const DifferentiableFunction& right = place.sample->function;
      const DifferentiableFunction wrong = plant(right, bug, {place.input, op_});
      const Variables& inputs = place.sample->inputs;
      if (is_effective(right, wrong, inputs, bug)) return ask(bug, place);
    }
    return std::nullopt;
  }

  /// Inputs that are used once before others, large before small: there a pattern shows clearest.
  std::vector<Place> places(Bug bug, std::size_t input) const {
    const bool several = bug == Bug::use_dropped || bug == Bug::use_overwritten;
    std::vector<Place> places;
    for (const LayerSample& sample : several ? used_twice_ : samples_) {
      if (input >= sample.inputs.size() || !sample.inputs[input].requires_grad()) continue;
      places.push_back({&sample, input, use_count(sample.function, sample.inputs, input)});
    }
    std::stable_sort(places.begin(), places.end(), [&](const Place& a, const Place& b) {
      const auto rank = [&](const Place& p) {
        return std::pair(p.uses > 1, -p.sample->inputs[input].numel());
      };
      return rank(a) < rank(b);
    });
    return places;
  }

  PlantedRow ask(Bug bug, const Place& place) const {
    const LayerSample& sample = *place.sample;
    GradcheckOptions options{.subject = subject_.name, .names = sample.names};
    const std::string input = place.input < sample.names.size()
                                  ? sample.names[place.input]
                                  : "input " + std::to_string(place.input);
    PlantedRow row{.kind = subject_.kind,
                   .subject = subject_.name,
                   .sample = sample.description,
                   .input = input,
                   .shape = gradus::to_string(sample.inputs[place.input].shape()),
                   .bug = std::string(to_string(bug)),
                   .order = order_of(bug)};
    if (const std::optional<Pattern> pattern = expected_pattern(bug, input))
      row.expected = to_string(*pattern);
    // Planted anew: what a bug remembers must not come from the test of its effect.
    const DifferentiableFunction wrong = plant(sample.function, bug, {place.input, op_});
    const GradcheckReport report = check(row.order, wrong, sample.inputs, options);
    row.caught = report.verdict == Verdict::fail;
    if (!report.diagnoses.empty()) row.diagnosed = to_string(report.diagnoses.front().pattern);
    return row;
  }

  const Subject& subject_;
  std::vector<LayerSample> samples_;
  std::vector<LayerSample> used_twice_;
  std::string_view op_;
};

// ---- Right functions that are hard ----

Variable at(const NestedList& values) { return {Tensor::from(values, float64), true}; }

struct Good {
  const char* name;
  DifferentiableFunction function;
  Variables inputs;
  int order = 1;
};

std::vector<Good> hard_functions() {
  const auto one = [](Variable (*f)(const Operand&)) {
    return [f](const Variables& v) { return f(v[0]); };
  };
  const Variable ties = at({{{{1, 1, 0.5, 2}, {1, 1, 2, 2}, {-1, 3, 3, 0}, {3, 3, 0, 0}}}});
  const auto pool = [](std::int64_t stride) {
    return [stride](const Variables& v) {
      return max_pool2d(v[0], {.kernel_size = 2, .stride = stride});
    };
  };
  return {
      // Kinks.
      {"relu at 0", one(relu), {at({0, 1, -1, 0})}},
      {"abs at 0", one(abs), {at({0, 2, -3})}},
      {"relu a hair from 0", one(relu), {at({1e-9, -1e-9, 1e-6, -1e-6, 1e-4})}},
      {"relu of a sum that is 0",
       [](const Variables& v) { return relu(v[0] + v[1]); },
       {at({1, -2}), at({-1, 2})}},
      {"max with ties",
       [](const Variables& v) { return max(v[0], {-1}); },
       {at({{1, 1, 0}, {2, 2, 2}})}},
      {"maximum of equals",
       [](const Variables& v) { return maximum(v[0], v[1]); },
       {at({1, 2, 3}), at({1, 2, 4})}},
      {"max_pool2d with ties", pool(2), {ties}},
      {"max_pool2d with ties in windows that overlap", pool(1), {ties}},
      {"clamp at its bounds",
       [](const Variables& v) { return clamp(v[0], -1, 1); },
       {at({-1, 1, 0})}},
      {"a kink under a smooth function",
       [](const Variables& v) { return exp(relu(v[0]) * 2.0); },
       {at({0, 0.5})}},
      {"|x|^1.5 at 0", [](const Variables& v) { return pow(abs(v[0]), 1.5); }, {at({0, 1})}},
      {"the slope of relu, at 0", one(relu), {at({0, 1})}, 2},
      // Scales.
      {"x + 1e8", [](const Variables& v) { return v[0] + 1e8; }, {at({0.3, -2})}},
      {"1e12 x", [](const Variables& v) { return v[0] * 1e12; }, {at({0.3, -2})}},
      {"1e-12 x", [](const Variables& v) { return v[0] * 1e-12; }, {at({0.3, -2})}},
      {"x² at 1e-8", [](const Variables& v) { return v[0] * v[0]; }, {at({1e-8, 1})}},
      {"x³ at 1e6", [](const Variables& v) { return pow(v[0], 3); }, {at({1e6, -1})}},
      {"exp(50 x)", [](const Variables& v) { return exp(v[0] * 50.0); }, {at({0.1, 1, -1})}},
      {"tanh(100 x), saturated",
       [](const Variables& v) { return tanh(v[0] * 100.0); },
       {at({2, 0.01, -0.3})}},
      {"sigmoid at ±40", one(sigmoid), {at({40, -40})}},
      {"softmax of logits of 500",
       [](const Variables& v) { return softmax(v[0], 0); },
       {at({500, 499, 0})}},
      {"a sum of large numbers that cancel",
       [](const Variables& v) { return sum(v[0]); },
       {at({1e8, -1e8, 1})}},
      // Edges of the domain.
      {"log at 1e-6", one(log), {at({1e-6, 1e-3, 100})}},
      {"sqrt at 1e-8", one(sqrt), {at({1e-8, 1, 1e8})}},
      {"1/x at 1e-4", [](const Variables& v) { return 1.0 / v[0]; }, {at({1e-4, -1e-4, 3})}},
      {"x^0.3 at 1e-5", [](const Variables& v) { return pow(v[0], 0.3); }, {at({1e-5, 2})}},
      {"log(1 - x²) near 1",
       [](const Variables& v) { return log(1.0 - v[0] * v[0]); },
       {at({0.999, -0.9999})}},
      {"exp(50 x), second order",
       [](const Variables& v) { return exp(v[0] * 50.0); },
       {at({0.1, -1})},
       2},
      {"log at 1e-6, second order", one(log), {at({1e-6, 100})}, 2},
  };
}

void check_good(SelfTestRecord& test, int order, const DifferentiableFunction& function,
                const Variables& inputs, const GradcheckOptions& options) {
  ++test.good;
  const GradcheckReport report = check(order, function, inputs, options);
  if (report.verdict == Verdict::inconclusive) ++test.undecided;
  if (report.verdict == Verdict::fail) test.false_alarms.push_back(report.to_string());
}

}  // namespace

SelfTestRecord run_self_test(const std::vector<Subject>& subjects) {
  const Clock::time_point start = Clock::now();
  SelfTestRecord test;
  for (const Subject& subject : subjects) {
    for (PlantedRow& row : Planter(subject).run()) test.planted.push_back(std::move(row));
    for (const LayerSample& sample : subject.samples()) {
      for (const int order : {1, 2}) {
        check_good(
            test, order, sample.function, sample.inputs,
            {.subject = subject.name + " (" + sample.description + ")", .names = sample.names});
      }
    }
  }
  for (const Good& good : hard_functions()) {
    check_good(test, good.order, good.function, good.inputs, {.subject = good.name});
  }
  test.seconds = seconds_since(start);
  return test;
}

void print_self_test(const SelfTestRecord& test) {
  fmt::print("{:20}{:>9}{:>9}{:>11}\n", "bug", "planted", "caught", "diagnosed");
  int caught = 0;
  int nameable = 0;
  int named = 0;
  for (const Bug bug : all_bugs()) {
    int planted_here = 0;
    int caught_here = 0;
    int nameable_here = 0;
    int named_here = 0;
    for (const PlantedRow& row : test.planted) {
      if (row.bug != to_string(bug)) continue;
      ++planted_here;
      caught_here += row.caught ? 1 : 0;
      nameable_here += row.nameable() ? 1 : 0;
      named_here += row.named() ? 1 : 0;
    }
    fmt::print("{:20}{:>9}{:>9}{:>11}\n", to_string(bug), planted_here, caught_here,
               nameable_here > 0 ? fmt::format("{}", named_here) : "-");
    caught += caught_here;
    nameable += nameable_here;
    named += named_here;
  }
  for (const PlantedRow& row : test.planted) {
    if (!row.caught) {
      fmt::print("escaped: {} in {} ({}), {} {}\n", row.bug, row.subject, row.sample, row.input,
                 row.shape);
    }
  }
  for (const std::string& alarm : test.false_alarms) fmt::print("false alarm: {}\n", alarm);
  fmt::print(
      "{} of {} planted bugs caught, {} of {} that have a name named; {} false alarms and {} "
      "inconclusive on {} right "
      "functions; {:.1f} s\n",
      caught, test.planted.size(), named, nameable, test.false_alarms.size(), test.undecided,
      test.good, test.seconds);
}

}  // namespace gradus::app
