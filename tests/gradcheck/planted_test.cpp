// Planted bugs: each changes a gradient where it applies and only there, is caught, and leaves
// nothing behind.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/planted.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace gradus;

namespace {

Variable random(const Shape& shape, std::uint64_t seed = 1) {
  Generator generator(seed);
  return {randn(shape, generator, float64), true};
}

struct Ground {
  DifferentiableFunction function;
  Variables inputs;
  std::size_t input = 0;
  std::string_view op = {};
};

/// Where each bug has an effect.
Ground ground_for(Bug bug) {
  const auto product = [](const Variables& v) { return v[0] * v[1]; };
  const auto pointwise = [](const Variables& v) { return v[0] * v[0] * 0.5 + exp(v[0]); };
  switch (bug) {
    case Bug::mean_for_sum:
    case Bug::sum_dropped:
      return {product, {random({4, 3}), random({3}, 2)}, 1, "mul"};
    case Bug::transposed:
      return {product, {random({3, 3}), random({3, 3}, 2)}, 0, "mul"};
    case Bug::flipped:
    case Bug::shifted:
    case Bug::slice_dropped:
    case Bug::border_dropped:
      return {product, {random({4, 5}), random({4, 5}, 2)}, 0, "mul"};
    case Bug::diagonal_kept:
      return {[](const Variables& v) { return softmax(v[0], 1); }, {random({2, 3})}, 0, "softmax"};
    case Bug::mean_dropped:
    case Bug::variance_dropped:
      return {[](const Variables& v) { return exp(v[0]) * 2.0; }, {random({3, 5})}, 0, "exp"};
    case Bug::negative_dropped:
      return {[](const Variables& v) { return exp(v[0]) * 2.0; }, {random({4, 5})}, 0, "exp"};
    case Bug::saved_overwritten:
    case Bug::neighbour_needed:
      return {product, {random({2, 3}), random({2, 3}, 2)}, 0, "mul"};
    case Bug::swapped:
      return {product, {random({2, 3}), random({2, 3}, 2)}, 0, "mul"};
    case Bug::use_dropped:
    case Bug::use_overwritten:
      return {pointwise, {random({3})}};
    default:
      return {[](const Variables& v) { return exp(v[0]) * 2.0; }, {random({2, 3})}, 0, "exp"};
  }
}

DifferentiableFunction planted_in(const Ground& ground, Bug bug) {
  return plant(ground.function, bug, {.input = ground.input, .op = ground.op});
}

GradcheckReport check(int order, const DifferentiableFunction& f, const Variables& inputs) {
  return order == 1 ? gradcheck(f, inputs) : gradgradcheck(f, inputs);
}

bool effective(Bug bug, const Ground& ground) {
  return is_effective(ground.function, planted_in(ground, bug), ground.inputs, bug);
}

}  // namespace

TEST_CASE("every bug has an effect somewhere, is caught there, and named if it has a name") {
  for (const Bug bug : all_bugs()) {
    const std::string name(to_string(bug));
    CAPTURE(name);
    const Ground ground = ground_for(bug);
    CHECK(check(order_of(bug), ground.function, ground.inputs).passed());
    CHECK(effective(bug, ground));
    const GradcheckReport report = check(order_of(bug), planted_in(ground, bug), ground.inputs);
    CHECK_MESSAGE(report.verdict == Verdict::fail, report.to_string());
    const std::vector<Pattern> expected =
        expected_patterns(bug, "input 0", ground.inputs[ground.input].value());
    if (!expected.empty()) {
      REQUIRE_MESSAGE(!report.diagnoses.empty(), report.to_string());
      CHECK(to_string(report.diagnoses.front().pattern) == to_string(expected.front()));
    }
  }
}

TEST_CASE("bugs of the second order leave the first as it was") {
  for (const Bug bug : all_bugs()) {
    if (order_of(bug) == 1) continue;
    CAPTURE(to_string(bug));
    const Ground ground = ground_for(bug);
    CHECK(gradcheck(planted_in(ground, bug), ground.inputs).passed());
  }
}

TEST_CASE("every bug has a name and an order of its own") {
  std::set<std::string_view> names;
  for (const Bug bug : all_bugs()) {
    CHECK(!to_string(bug).empty());
    CHECK(names.insert(to_string(bug)).second);
    CHECK((order_of(bug) == 1 || order_of(bug) == 2));
  }
  CHECK(all_bugs().size() >= 20);
  CHECK(to_string(all_bugs().back()) == "history_flipped");
}

TEST_CASE("a bug where it does not apply is no bug") {
  const auto identity = [](const Variables& v) { return v[0] * 2.0; };
  const auto twice = [](const Variables& v) { return v[0] * v[1]; };
  const std::vector<std::pair<Bug, Ground>> idle{
      {Bug::transposed, {identity, {random({2, 3})}}},
      {Bug::transposed, {identity, {random({4})}}},
      {Bug::border_dropped, {identity, {random({2, 2})}}},
      {Bug::slice_dropped, {identity, {random({5})}}},
      {Bug::sum_dropped, {identity, {random({2, 3})}}},
      {Bug::mean_for_sum, {identity, {random({2, 3})}}},
      {Bug::use_dropped, {identity, {random({2, 3})}}},
      {Bug::use_overwritten, {identity, {random({2, 3})}}},
      {Bug::swapped, {identity, {random({2, 3})}}},
      {Bug::swapped, {twice, {random({2, 3}), random({3}, 2)}}},
      {Bug::flipped, {identity, {random({})}}},
      {Bug::shifted, {identity, {random({3, 1})}}},
      {Bug::element_zeroed, {identity, {Variable(zeros({0}, float64), true)}}},
      {Bug::scaled, {[](const Variables& v) { return v[0] * 0.0; }, {random({3})}}},
      {Bug::sign_flipped, {identity, {random({3})}, 0, "conv2d"}},
      {Bug::stale_value, {identity, {random({3})}}}};
  for (const auto& each : idle) {
    CAPTURE(to_string(each.first));
    CHECK(!effective(each.first, each.second));
    CHECK(check(order_of(each.first), planted_in(each.second, each.first), each.second.inputs)
              .passed());
  }
}

TEST_CASE("a planted function computes what it computed before") {
  for (const Bug bug : all_bugs()) {
    CAPTURE(to_string(bug));
    const Ground ground = ground_for(bug);
    CHECK(core::equal(planted_in(ground, bug)(ground.inputs).value(),
                      ground.function(ground.inputs).value()));
  }
}

TEST_CASE("what a bug remembers does not reach the next check") {
  for (const Bug bug : {Bug::stale_accumulation, Bug::stale_value}) {
    CAPTURE(to_string(bug));
    const Ground ground = ground_for(bug);
    const DifferentiableFunction wrong = planted_in(ground, bug);
    const auto caught = [&](const DifferentiableFunction& f) {
      return gradcheck(f, ground.inputs).verdict == Verdict::fail;
    };
    CHECK(caught(wrong));
    CHECK(!caught(ground.function));
    CHECK(caught(wrong));
    CHECK(caught(planted_in(ground, bug)));
    CHECK(!caught(ground.function));
    // Its effect is asked for, and it is checked, in either order.
    CHECK(effective(bug, ground));
    CHECK(is_effective(ground.function, wrong, ground.inputs, bug));
  }
}

TEST_CASE("a bug holds no tape and no tensor once its function is gone") {
  const auto work = [] {
    for (const Bug bug : all_bugs()) {
      const Ground ground = ground_for(bug);
      check(order_of(bug), planted_in(ground, bug), ground.inputs);
    }
  };
  work();  // what is made once stays
  const std::int64_t before = storage_statistics().live_bytes;
  work();
  CHECK(storage_statistics().live_bytes == before);
}

TEST_CASE("a tape may outlive the planted function that recorded it") {
  Variable output;
  const Variable x = random({3});
  {
    const DifferentiableFunction wrong =
        plant([](const Variables& v) { return exp(v[0]); }, Bug::stale_accumulation, {.input = 0});
    output = wrong({x});
  }
  const Variables gradients = grad({sum(output)}, {x});
  CHECK(core::allclose(gradients[0].value(), core::exp(x.value())));
}

TEST_CASE("the uses of an input are counted on the tape, wherever they are") {
  const Variables x{random({3}), random({3}, 2)};
  const auto count = [&](const DifferentiableFunction& f, std::size_t input) {
    return use_count(f, x, input);
  };
  CHECK(count([](const Variables& v) { return exp(v[0]); }, 0) == 1);
  CHECK(count([](const Variables& v) { return exp(v[0]); }, 1) == 0);
  CHECK(count([](const Variables& v) { return v[0] * v[0]; }, 0) == 2);
  CHECK(count([](const Variables& v) { return exp(v[0]) * v[1] + tanh(v[0] * v[1]); }, 0) == 2);
  CHECK(count([](const Variables& v) { return v[0]; }, 0) == 0);
}

TEST_CASE("NaN in the gradient of a step function never passes, and fails where no step is near") {
  using Step = Variable (*)(const Operand&);
  const auto from_integers = [](double x) { return std::fabs(x - std::nearbyint(x)); };
  for (const Step step : {Step(floor), Step(ceil), Step(round), Step(sign)}) {
    int failed = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Generator generator(seed);
      const Variable x(core::mul(randn({3, 4}, generator, float64), 2), true);
      const double at = x.value().at<double>({1, 2});  // where the bug stands
      const double away = step == Step(sign)    ? std::fabs(at)
                          : step == Step(round) ? from_integers(at + 0.5)
                                                : from_integers(at);
      const DifferentiableFunction right = [step](const Variables& v) { return step(v[0]); };
      CAPTURE(seed);
      CAPTURE(away);
      CHECK(gradcheck(right, {x}).verdict != Verdict::fail);
      const Verdict wrong = gradcheck(plant(right, Bug::not_finite, {.input = 0}), {x}).verdict;
      CHECK(wrong != Verdict::pass);
      if (away > 0.1) {
        CHECK(wrong == Verdict::fail);
        ++failed;
      }
    }
    CHECK(failed >= 10);
  }
}
