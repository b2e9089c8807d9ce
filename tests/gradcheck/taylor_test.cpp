// The Taylor test tells a right gradient from a wrong one by how fast the remainder shrinks.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/taylor.h>

#include <cmath>
#include <sstream>
#include <string>

#include "support/custom_op.h"
#include "support/error_message.h"

using namespace gradus;

namespace {

Variable leaf(const NestedList& values) { return {Tensor::from(values, float64), true}; }

/// tanh, whose gradient is off by a factor.
Variable tanh_times(double factor, const Variable& x) {
  return custom(
      {x}, [](const Variables& in) { return core::tanh(in[0].value()); },
      [factor](const Variables& in, const Variable& dy) {
        const Variable y = tanh(in[0]);
        return Variables{dy * (1.0 - y * y) * factor};
      });
}

// A remainder that shrinks with h² or h is fitted to two digits over steps that halve six times.
constexpr double order_tolerance = 0.1;

}  // namespace

TEST_CASE("the remainder of a right gradient shrinks with order 2") {
  Generator generator(1);
  const TaylorReport report =
      taylor_test([](const Variables& v) { return matmul(tanh(v[0]), v[1]); },
                  {Variable(randn({3, 4}, generator, float64), true),
                   Variable(randn({4, 2}, generator, float64), true)});
  CHECK(report.verdict == Verdict::pass);
  CHECK(report.passed());
  REQUIRE(report.lines.size() == 4);
  for (const TaylorLine& line : report.lines) {
    CHECK(std::fabs(line.order - 2) < order_tolerance);
    for (std::size_t i = 1; i < line.steps.size(); ++i) {
      CHECK(line.steps[i].h == line.steps[i - 1].h / 2);
    }
  }
  CHECK(contains(report.to_string(), "Taylor test: pass, the remainder shrinks with order 2"));
  CHECK(contains(report.to_string(), " along 4 directions (2: right, 1: wrong)"));
  std::ostringstream text;
  text << report;
  CHECK(text.str() == report.to_string());
}

TEST_CASE("the remainder of a wrong gradient shrinks with order 1, by however little it is wrong") {
  Generator generator(2);
  const Variables x{Variable(randn({20}, generator, float64), true)};
  CHECK(taylor_test([](const Variables& v) { return tanh_times(1, v[0]); }, x).passed());
  for (const double factor : {-1.0, 0.0, 0.5, 1.01, 1.0009, 1.00001}) {
    CAPTURE(factor);
    const TaylorReport report =
        taylor_test([&](const Variables& v) { return tanh_times(factor, v[0]); }, x);
    CHECK_MESSAGE(report.verdict == Verdict::fail, report.to_string());
    CHECK(!report.passed());
    for (const TaylorLine& line : report.lines) CHECK(std::fabs(line.order - 1) < order_tolerance);
    CHECK(contains(report.to_string(), "Taylor test: fail, the remainder shrinks with order "));
  }
}

TEST_CASE("one wrong element among many shows along every direction through it") {
  Generator generator(2);
  const auto one_off = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::exp(in[0].value()); },
        [](const Variables& in, const Variable& dy) {
          const Tensor factor = ones_like(in[0].value());
          factor.data<double>()[7] = 1.01;
          return Variables{dy * exp(in[0]) * factor};
        });
  };
  const TaylorReport report =
      taylor_test(one_off, {Variable(randn({200}, generator, float64), true)});
  CHECK_MESSAGE(report.verdict == Verdict::fail, report.to_string());
}

TEST_CASE("a linear function has no remainder") {
  const TaylorReport right =
      taylor_test([](const Variables& v) { return v[0] * 3.0; }, {leaf({1, 2, -5})});
  CHECK(right.verdict == Verdict::pass);
  for (const TaylorLine& line : right.lines) CHECK(std::isinf(line.order));
  CHECK(contains(right.to_string(), "no remainder along 4 directions: the function is linear"));
  const TaylorReport wrong = taylor_test(
      [](const Variables& v) {
        return custom(
            v, [](const Variables& in) { return core::mul(in[0].value(), 3); },
            [](const Variables&, const Variable& dy) { return Variables{dy * 3.001}; });
      },
      {leaf({1, 2, -5})});
  CHECK(wrong.verdict == Verdict::fail);
}

TEST_CASE("kinks beside the point are left behind, near or far, and do no harm") {
  for (double distance = 0.5; distance > 1e-8; distance /= 3) {
    CAPTURE(distance);
    const Variables x{leaf({distance, 1, -distance / 2})};
    const TaylorReport right = taylor_test([](const Variables& v) { return abs(v[0]); }, x);
    CHECK_MESSAGE(right.verdict == Verdict::pass, right.to_string());
    const TaylorReport wrong = taylor_test(
        [](const Variables& v) {
          return custom(
              v, [](const Variables& in) { return core::abs(in[0].value()); },
              [](const Variables& in, const Variable& dy) {
                return Variables{dy * core::mul(core::sign(in[0].value()), 1.01)};
              });
        },
        x);
    CHECK_MESSAGE(wrong.verdict == Verdict::fail, wrong.to_string());
  }
}

TEST_CASE("where rounding hides the remainder the test says so") {
  const TaylorReport report =
      taylor_test([](const Variables& v) { return v[0] * v[0] * 1e-13 + 1.0; }, {leaf({1, 2})});
  CHECK(report.verdict == Verdict::inconclusive);
  CHECK(!report.passed());
  CHECK(contains(report.to_string(), "rounding hides how the remainder shrinks"));
  const TaylorReport constant = taylor_test(
      [](const Variables&) { return Variable(Tensor::from({1.0}, float64)); }, {leaf({1, 2})});
  CHECK(constant.verdict == Verdict::inconclusive);
}

TEST_CASE("the directions are as many as asked for, and others with another seed") {
  const auto f = [](const Variables& v) { return exp(v[0]); };
  const Variables x{leaf({1, 2, 3})};
  const TaylorReport two = taylor_test(f, x, {.directions = 2});
  CHECK(two.lines.size() == 2);
  const auto first = [&](std::uint64_t seed) {
    return taylor_test(f, x, {.directions = 1, .seed = seed}).lines[0].steps[0].difference;
  };
  CHECK(first(1) == first(1));
  CHECK(first(1) != first(2));
}

TEST_CASE("the Taylor test refuses what the gradient check refuses, and leaves all as it was") {
  const Variable x = leaf({1, 2});
  const Tensor before = x.value().clone();
  const auto square = [](const Variables& v) { return v[0] * v[0]; };
  CHECK_THROWS_AS(taylor_test(square, {x.detach()}), GradError);
  CHECK_THROWS_AS(
      taylor_test([](const Variables& v) { return Variable(v[0].value().to(int64)); }, {x}),
      DTypeError);
  CHECK(taylor_test(square, {Variable(Tensor::from({1.5, 2.0}), true)}).passed());
  int calls = 0;
  const auto throws_late = [&](const Variables& v) {
    if (++calls == 5) throw std::out_of_range("no such key");
    return v[0] * v[0];
  };
  CHECK(contains(message_of<Error>([&] { taylor_test(throws_late, {x}); }),
                 "gradcheck: the function threw \"no such key\""));
  CHECK_THROWS_AS(taylor_test(square, {x}, {.directions = 0}), ValueError);
  CHECK(core::equal(x.value(), before));
  CHECK(!x.grad().defined());
  CHECK(grad_enabled());
}

TEST_CASE("a function that is not finite there is inconclusive") {
  const TaylorReport report =
      taylor_test([](const Variables& v) { return sqrt(v[0]); }, {leaf({-1.0, 1.0})});
  CHECK(report.verdict == Verdict::inconclusive);
}

TEST_CASE("at a kink the Taylor test is inconclusive, for a right gradient and a wrong one") {
  const Variable x(Tensor::from({0.0, 1.0, -2.0}, float64), true);
  CHECK(taylor_test([](const Variables& v) { return relu(v[0]); }, {x}).verdict ==
        Verdict::inconclusive);
}
