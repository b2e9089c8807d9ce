// The proof of the checker: bugs that it must catch and name,
// and hard functions that it must let pass.
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/hard.h>
#include <gradus/gradcheck/planted.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "in_order.h"
#include "interrupt.h"
#include "self_test.h"
#include "stopwatch.h"

namespace gradus::app {
namespace {

// ---- Bugs to catch ----

GradcheckReport check(int order, const DifferentiableFunction& function, const Variables& inputs,
                      GradcheckOptions options) {
  options.sweep = false;  // nobody looks at it
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
      for (std::size_t input = 0; input < most_inputs() && !interrupted(); ++input) {
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
    for (const Pattern pattern : expected_patterns(bug, input, sample.inputs[place.input].value()))
      row.expected.emplace_back(to_string(pattern));
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

void check_good(SelfTestRecord& test, int order, const DifferentiableFunction& function,
                const Variables& inputs, const GradcheckOptions& options) {
  ++test.good;
  const GradcheckReport report = check(order, function, inputs, options);
  if (report.verdict == Verdict::inconclusive) ++test.undecided;
  if (report.verdict == Verdict::fail) test.false_alarms.push_back(report.to_string());
}

/// Does a layer do little beside the op that it wraps? In one of many ops a bug is a bug of one of
/// these, where it is planted anyway, at a hundredth of the cost.
bool is_planted(const Subject& subject) {
  if (subject.kind != "layer") return true;
  constexpr std::ptrdiff_t few = 4;
  for (const LayerSample& sample : subject.samples()) {
    const Variable output = sample.function(sample.inputs);  // the nodes live as long as it does
    const std::vector<Node*> nodes = nodes_of(output);
    const auto is_op = [](const Node* node) { return node->op != nullptr; };
    if (std::count_if(nodes.begin(), nodes.end(), is_op) > few) return false;
  }
  return true;
}

/// The bugs planted into a subject, and its samples as they are.
SelfTestRecord test_on(const Subject& subject) {
  SelfTestRecord test;
  if (interrupted()) return test;
  if (is_planted(subject)) test.planted = Planter(subject).run();
  for (const LayerSample& sample : subject.samples()) {
    if (interrupted()) break;
    const auto options = [&](const Sample& laid_out) {
      return GradcheckOptions{.subject = subject.name + " (" + laid_out.description + ")",
                              .names = sample.names};
    };
    for (const Sample& each : in_every_layout({sample}))
      check_good(test, 1, each.function, each.inputs, options(each));
    check_good(test, 2, sample.function, sample.inputs, options(sample));
  }
  return test;
}

SelfTestRecord test_on(const HardFunction& hard) {
  SelfTestRecord test;
  for (int order = 1; order <= hard.orders; ++order)
    check_good(test, order, hard.function, hard.inputs, {.subject = hard.name});
  return test;
}

template <class T> void append(std::vector<T>& all, std::vector<T>& more) {
  std::move(more.begin(), more.end(), std::back_inserter(all));
}

}  // namespace

SelfTestRecord run_self_test(const std::vector<Subject>& subjects) {
  const Clock::time_point start = Clock::now();
  SelfTestRecord test;
  const auto add = [&](SelfTestRecord part) {
    append(test.planted, part.planted);
    append(test.false_alarms, part.false_alarms);
    test.good += part.good;
    test.undecided += part.undecided;
    return true;
  };
  in_order(
      subjects.size(), [&](std::size_t i) { return test_on(subjects[i]); }, add);
  const std::vector<HardFunction> hard = hard_functions();
  in_order(
      hard.size(), [&](std::size_t i) { return test_on(hard[i]); }, add);
  test.seconds = seconds_since(start);
  return test;
}

void print_self_test(const SelfTestRecord& test) {
  fmt::print("{:20}{:>9}{:>9}{:>11}\n", "bug", "planted", "caught", "diagnosed");
  int caught = 0;
  int nameable = 0;
  int named = 0;
  int misnamed = 0;
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
      misnamed += row.misnamed() ? 1 : 0;
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
      "{} of {} planted bugs caught, {} of {} that have a name named, {} by another name; {} false "
      "alarms and {} inconclusive on {} right functions; {:.1f} s\n",
      caught, test.planted.size(), named, nameable, misnamed, test.false_alarms.size(),
      test.undecided, test.good, test.seconds);
}

}  // namespace gradus::app
