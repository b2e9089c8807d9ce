// Beyond one set of inputs: generators of inputs, what no input exercised, inputs that depend on each
// other, declared slopes, and long checks that tell and can be stopped.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/module.h>
#include <gradus/layers/linear.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "support/custom_op.h"
#include "support/error_message.h"

using namespace gradus;

namespace {

Variable random(const Shape& shape, std::uint64_t seed = 1) {
  Generator generator(seed);
  return {randn(shape, generator, float64), true};
}

bool has(const std::vector<std::string>& all, const std::string& words) {
  return std::any_of(all.begin(), all.end(),
                     [&](const std::string& each) { return contains(each, words); });
}

/// |x|, whose backward forgot the sign.
Variable wrong_abs(const Variables& v) {
  return custom(
      v, [](const Variables& in) { return core::abs(in[0].value()); },
      [](const Variables&, const Variable& dy) { return Variables{dy}; });
}

Variables positive_inputs(Generator& generator) {
  return {{core::add(rand({2, 3}, generator, float64), 0.1), true}};
}

}  // namespace

TEST_CASE("a generator of inputs finds what one set of inputs does not meet") {
  Generator generator(1);
  const GradcheckReport lucky = gradcheck(wrong_abs, positive_inputs(generator));
  CHECK(lucky.passed());
  CHECK(has(lucky.not_exercised, "negative values of input 0"));
  const GradcheckReport report = gradcheck(wrong_abs, [](Generator& g) {
    return Variables{{randn({2, 3}, g, float64), true}};
  });
  CHECK(report.verdict == Verdict::fail);
  CHECK(report.elements == 4 * 6);
  CHECK(has(report.notes, "at 4 sets of inputs"));
  CHECK(!has(report.not_exercised, "negative values"));
}

TEST_CASE("sizes may differ from point to point, and what none exercised is told") {
  const GradcheckReport report =
      gradcheck([](const Variables& v) { return relu(v[0]) * 2.0; },
                [n = std::int64_t{0}](Generator& g) mutable {
                  ++n;
                  return Variables{{core::add(rand({1, n}, g, float64), 0.1), true}};
                },
                {.points = 3});
  CHECK(report.passed());
  CHECK(report.elements == 1 + 2 + 3);
  CHECK(has(report.not_exercised, "more than 1 along axis 0 of input 0"));
  CHECK(!has(report.not_exercised, "along axis 1"));
  CHECK(has(report.not_exercised, "the branch of relu where its slope is 0"));
  CHECK(contains(report.to_string(), "\n  not exercised: more than 1 along axis 0 of input 0; "));
  CHECK(contains(report.to_json(), "\"not_exercised\":[\"more than 1 along"));
}

TEST_CASE("a module at several inputs") {
  Linear layer(3, 2);
  const GradcheckReport report = gradcheck(layer,
                                           [](Generator& g) {
                                             return randn({5, 3}, g);
                                           },
                                           {.points = 2});
  CHECK(report.passed());
  CHECK(report.elements == 2 * (15 + 6 + 2));
  CHECK(report.subject == "Linear");
}

TEST_CASE("points must be at least 1") {
  CHECK(
      contains(message_of<ValueError>([] { gradcheck(wrong_abs, positive_inputs, {.points = 0}); }),
               "points must be at least 1, got 0"));
}

TEST_CASE("branches of where and maximum that were never taken are told; taken ones are not") {
  const Tensor always = full({3}, 1, boolean);
  const GradcheckReport never = gradcheck(
      [&](const Variables& v) { return where(always, v[0], v[1]); }, {random({3}), random({3}, 2)});
  CHECK(has(never.not_exercised, "input 1 as the choice of where"));
  CHECK(!has(never.not_exercised, "input 0 as the choice of where"));
  const GradcheckReport both = gradcheck(
      [](const Variables& v) { return maximum(v[0], v[1]) + relu(v[0]) + clamp(v[1], -0.5, 0.5); },
      {random({90}), random({90}, 2)});
  CHECK(both.passed());
  CHECK(both.not_exercised.empty());
}

TEST_CASE("inputs that depend on each other are taken as independent, and the report says which") {
  const auto f = [](const Variables& v) { return v[0] * v[1]; };
  const Variable x = random({4});
  const GradcheckReport same = gradcheck(f, {x, x});
  CHECK(same.passed());
  CHECK(has(same.notes,
            "input 1 is the same Variable as input 0: each was taken as numbers of its "
            "own, and moved alone"));
  const GradcheckReport computed = gradcheck(f, {x * 2.0, x}, {.names = {"double", "single"}});
  CHECK(computed.passed());
  CHECK(has(computed.notes, "double was computed from single"));
  const GradcheckReport view = gradcheck(f, {x, Variable(x.value().slice(0, 0, 4), true)});
  CHECK(view.passed());
  CHECK(has(view.notes, "input 1 shares memory with input 0"));
  const GradcheckReport apart = gradcheck(f, {x, random({4}, 2)});
  CHECK(apart.notes.empty());
}

TEST_CASE("straight_through gives the value, and the slope of its stand-in") {
  const Variable x(Tensor::from({0.3, -1.2, 2.6}, float64), true);
  const Tensor rounded = Tensor::from({0.0, -1.0, 3.0}, float64);
  const Variable y = straight_through(rounded, x * 2.0);
  CHECK(core::equal(y.value(), rounded));
  CHECK(core::equal(grad({sum(y)}, {x})[0].value(), full({3}, 2, float64)));
  CHECK(contains(message_of<ShapeError>([&] { straight_through(zeros({2}, float64), x); }),
                 "straight_through: value is [2], its stand-in [3]"));
  CHECK(contains(message_of<DTypeError>([&] { straight_through(zeros({3}, float32), x); }),
                 "straight_through: value is float32, its stand-in float64"));
}

TEST_CASE("a declared slope is what is checked, and a wrong one fails") {
  const auto stairs = [](const Tensor& x) {
    return core::mul(core::mul(x, 4).to(int64).to(x.dtype()), 0.25);
  };
  const auto right = [&](const Variables& v) {
    return straight_through(stairs(v[0].value()), clamp(v[0], -1, 1)) * v[1];
  };
  const GradcheckReport report = gradcheck(right, {random({6}), random({6}, 2)});
  CHECK(report.passed());
  CHECK(has(report.notes, "straight_through() was called 1 time: checked is the slope"));
  CHECK(gradgradcheck(right, {random({6}), random({6}, 2)}).passed());
  const auto wrong = [&](const Variables& v) {
    return custom(
        {straight_through(stairs(v[0].value()), v[0])},
        [](const Variables& in) { return core::mul(in[0].value(), 3); },
        [](const Variables&, const Variable& dy) { return Variables{dy * 2.0}; });
  };
  CHECK(gradcheck(wrong, {random({6})}).verdict == Verdict::fail);
  // And without a declaration the same stairs have a slope of 0.
  const auto undeclared = [&](const Variables& v) {
    return custom(
        v, [&](const Variables& in) { return stairs(in[0].value()); },
        [](const Variables&, const Variable& dy) { return Variables{dy}; });
  };
  const GradcheckReport refused = gradcheck(undeclared, {random({6})});
  CHECK(refused.verdict == Verdict::fail);
  CHECK(has(refused.notes, "say so with straight_through(value, stand_in)"));
}

TEST_CASE("a long check tells how far it is, and stops when it is told to") {
  int told = 0;
  const auto slow = [](const Variables& v) {
    Variable y = v[0];
    for (int i = 0; i < 40; ++i) y = tanh(y);
    return y;
  };
  std::int64_t last = -1;
  GradcheckOptions options;
  options.subject = "slow";
  options.progress = [&](const GradcheckProgress& progress) {
    CHECK(progress.subject == "slow");
    CHECK(progress.total == 100'000);
    CHECK(progress.done > last);
    CHECK(progress.seconds > 0);
    last = progress.done;
    return ++told < 2;
  };
  const GradcheckReport report = gradcheck(slow, {random({100'000})}, options);
  CHECK(told == 2);
  CHECK(report.stopped);
  CHECK(report.verdict == Verdict::inconclusive);
  CHECK(report.elements == last);
  CHECK(has(report.notes, "stopped after " + std::to_string(last) + " of 100000 comparisons"));
  CHECK(contains(report.to_json(), "\"stopped\":true"));
}
