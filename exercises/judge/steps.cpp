// The judges of what goes step by step: a tape of numbers, and a training with momentum.
#include <gradus/core/error.h>
#include <gradus/core/math.h>

#include <array>
#include <cmath>

#include "hearing.h"
#include "judges.h"

namespace gradus {
namespace {

using Kind = TapeStep::Kind;

/// The tape with the values that its leaves give.
std::vector<TapeStep> played(std::vector<TapeStep> tape, const std::vector<double>& leaves) {
  std::size_t next = 0;
  for (TapeStep& step : tape) {
    const double a = tape[step.a].value;
    const double b = tape[step.b].value;
    switch (step.kind) {
      case Kind::leaf:
        step.value = leaves[next++];
        break;
      case Kind::add:
        step.value = a + b;
        break;
      case Kind::mul:
        step.value = a * b;
        break;
      case Kind::tanh:
        step.value = std::tanh(a);
        break;
    }
  }
  return tape;
}

/// Numbers as a row.
Tensor row_of(const std::vector<double>& numbers) {
  return Tensor::from(numbers.data(), {static_cast<std::int64_t>(numbers.size())});
}

/// `steps` steps behind `leaves` leaves; the last one reads the one before it, so that all of a chain
/// counts.
std::vector<TapeStep> random_tape(Generator& generator, std::size_t leaves, std::size_t steps) {
  std::vector<TapeStep> tape(leaves);
  for (std::size_t i = 0; i < steps; ++i) {
    const Kind kind = std::array{Kind::add, Kind::mul, Kind::tanh}[generator.next() % 3];
    const std::size_t before = tape.size() - 1;
    tape.push_back({kind, before, generator.next() % tape.size(), 0});
  }
  return tape;
}

void hear_tape(Hearing& hearing, const TapeBackward& learner, const std::string& where,
               const std::vector<TapeStep>& tape) {
  std::int64_t leaves = 0;
  for (const TapeStep& step : tape) leaves += step.kind == Kind::leaf ? 1 : 0;
  const Tensor start = hearing.draw({leaves});
  const auto value = [&](const std::vector<Tensor>& in) {
    return Tensor::scalar(played(tape, in[0].to_vector<double>()).back().value, float64);
  };
  const auto rule = [&](const Tensor& dy, const std::vector<Tensor>& in) -> std::vector<Tensor> {
    const std::vector<double> all = learner(played(tape, in[0].to_vector<double>()));
    if (all.empty()) return {Tensor()};
    if (all.size() != tape.size())
      fail<ShapeError>("the tape has ", tape.size(), " steps, there are ", all.size(),
                       " gradients");
    std::vector<double> of_leaves;
    for (std::size_t i = 0; i < tape.size(); ++i)
      if (tape[i].kind == Kind::leaf) of_leaves.push_back(all[i] * dy.item());
    return {row_of(of_leaves)};
  };
  hearing.gradients(where, {"leaves"}, {start}, value, rule);
}

/// One step at a time, for the names of mistakes that the checker cannot know.
void hear_one_step(Hearing& hearing, const TapeBackward& learner) {
  const auto hear = [&](const std::string& where, const std::vector<TapeStep>& tape,
                        const std::vector<double>& leaves, const std::vector<double>& right,
                        std::vector<std::pair<const char*, std::vector<double>>> wrong) {
    Suspects suspects;
    for (const auto& each : wrong)
      suspects.push_back({each.first, [numbers = each.second] { return row_of(numbers); }});
    hearing.value(
        "the gradients", where,
        [&] {
          const std::vector<double> got = learner(played(tape, leaves));
          return got.empty() ? Tensor() : row_of(got);
        },
        row_of(right), suspects);
  };
  hear("y = a·b, a 2, b 5", {{}, {}, {Kind::mul, 0, 1, 0}}, {2, 5}, {5, 2, 1},
       {{"the last step's own gradient is 1: where the walk begins", {0, 0, 0}},
        {"the last step's own gradient is 1: where the walk begins", {5, 2, 0}},
        {"of a product each factor gets the other one, not itself", {2, 5, 1}},
        {"of a product each factor gets the other one, not the result", {10, 10, 1}}});
  hear("y = a + b", {{}, {}, {Kind::add, 0, 1, 0}}, {2, 5}, {1, 1, 1},
       {{"of a sum the second operand gets nothing", {1, 0, 1}},
        {"of a sum each gets the gradient as it is, not times the other", {5, 2, 1}}});
  const double t = std::tanh(0.5);
  const double s = std::tanh(2.0);
  hear("y = tanh(a), a 0.5", {{}, {Kind::tanh, 0, 0, 0}}, {0.5}, {1 - t * t, 1},
       {{"the slope of tanh is 1 - y², with the result and not the operand", {1 - 0.25, 1}},
        {"the slope of tanh is left out", {1, 1}},
        {"the slope of tanh is 1 - y², not 1 - y", {1 - t, 1}}});
  hear("y = a·a, a 3", {{}, {Kind::mul, 0, 0, 0}}, {3}, {6, 1},
       {{"a is used twice, and its gradients add up: += and not =", {3, 1}}});
  hear("y = (tanh(a) + a)·a, a 2",
       {{}, {Kind::tanh, 0, 0, 0}, {Kind::add, 1, 0, 0}, {Kind::mul, 2, 0, 0}}, {2},
       {2 * (1 - s * s) + 2 + (s + 2), 2, 2, 1},
       {{"the walk goes from the first step to the last: it must go backwards", {s + 2, 0, 2, 1}}});
}

}  // namespace

Judgement judge_tape(const TapeBackward& learner, std::uint64_t seed) {
  Hearing hearing("tape", seed);
  hear_one_step(hearing, learner);
  hear_tape(hearing, learner, "a tape of 1 step", {TapeStep{}});
  for (const std::size_t steps : {3U, 8U, 25U})
    hear_tape(hearing, learner, text_of("a tape of ", 3 + steps, " steps"),
              random_tape(hearing.generator(), 3, steps));
  return hearing.verdict();
}

Judgement judge_sgd_momentum(const SgdStep& learner, std::uint64_t seed) {
  Hearing hearing("sgd-momentum", seed);
  const auto scaled = [](const Tensor& x, double by) { return core::mul(x, by); };
  const auto hear = [&](const Shape& shape, double lr, double momentum) {
    const Tensor w = hearing.draw(shape);
    const Tensor g = hearing.draw(shape);
    const Tensor v = hearing.draw(shape);
    const Tensor right_v = core::add(scaled(v, momentum), g);
    const std::string where = text_of("weight ", shape, ", lr ", lr, ", momentum ", momentum);
    const auto moved = [&](const Tensor& by) { return core::sub(w, scaled(by, lr)); };
    const auto answer = [&] { return learner(w.clone(), g.clone(), v.clone(), lr, momentum); };
    const Tensor nesterov = core::add(g, scaled(right_v, momentum));
    hearing.value(
        "the velocity", where, [&] { return answer().velocity; }, right_v,
        {{"the learning rate is inside the velocity: it belongs to the step",
          [&] { return core::add(scaled(v, momentum), scaled(g, lr)); }},
         {"the gradient is damped by 1 - momentum: here it counts in full",
          [&] { return core::add(scaled(v, momentum), scaled(g, 1 - momentum)); }},
         {"the momentum multiplies the gradient: it belongs to the velocity",
          [&] { return core::add(v, scaled(g, momentum)); }},
         {"the velocity is not slowed down", [&] { return core::add(v, g); }},
         {"the velocity is forgotten: it is the gradient alone", [&] { return g; }},
         {"the old velocity is returned", [&] { return v; }},
         {"the sign of the gradient", [&] { return core::sub(scaled(v, momentum), g); }}});
    hearing.value("the weight", where, [&] { return answer().weight; }, moved(right_v),
                  {{"a step up the slope: it goes against the velocity",
                    [&] { return core::add(w, scaled(right_v, lr)); }},
                   {"the learning rate is left out", [&] { return core::sub(w, right_v); }},
                   {"the step uses the old velocity", [&] { return moved(v); }},
                   {"the step uses the gradient and not the velocity", [&] { return moved(g); }},
                   {"that is Nesterov's momentum", [&] { return moved(nesterov); }},
                   {"the weight has not moved", [&] { return w; }}});
  };
  hear({3, 4}, 0.2, 0.9);
  hear({5}, 0.01, 0.5);
  hear({2, 3, 3, 3}, 0.3, 0);
  hear({}, 1, 0.99);
  return hearing.verdict();
}

}  // namespace gradus
