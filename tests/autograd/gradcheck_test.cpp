// The gradient checker must fail on every kind of wrong gradient, and say where.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/gradcheck.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <functional>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

using Backward = std::function<Variables(const Variable& x, const Variable& y, const Variable& dz)>;

/// z = x²·y for x [2,3] and y [3], with whatever backward is handed to it.
struct Planted final : Op {
  static constexpr std::string_view name = "planted";
  Backward rule;
  Variable x, y;

  explicit Planted(Backward backward) : rule(std::move(backward)) {}

  Tensor forward(const Variable& a, const Variable& b) {
    x = a;
    y = b;
    return core::mul(core::pow(a.value(), 2), b.value());
  }

  Variables backward(const Variable& dz) override { return rule(x, y, dz); }
};

Variable right_dx(const Variable& x, const Variable& y, const Variable& dz) {
  return dz * x * y * 2;
}
Variable right_dy(const Variable& x, const Variable&, const Variable& dz) {
  return sum_to(dz * x * x, {3});
}

Variables inputs() {
  return {Variable(Tensor::from({{0.5, -1.25, 2.0}, {1.5, 0.75, -0.5}}, float64), true),
          Variable(Tensor::from({1.0, -0.5, 2.0}, float64), true)};
}

GradcheckReport check(const Backward& rule) {
  return gradcheck([&](const Variables& v) { return apply(Planted(rule), v[0], v[1]); }, inputs());
}

/// dx with element (1,2) changed by f.
Variable with_one_wrong(const Variable& dx, double change) {
  const Tensor mask = zeros({2, 3}, float64);
  mask.at<double>({1, 2}) = change;
  return dx + dx * Variable(mask);
}

}  // namespace

TEST_CASE("a right gradient passes, to far below the tolerance") {
  const GradcheckReport report =
      check([](const Variable& x, const Variable& y, const Variable& dz) {
        return Variables{right_dx(x, y, dz), right_dy(x, y, dz)};
      });
  CHECK_MESSAGE(report.passed(), report.to_string());
  CHECK(report.elements == 9);
  CHECK(report.worst_relative_error < 1e-10);
  CHECK(report.worst.size() == 5);
}

TEST_CASE("every planted bug is caught") {
  const std::vector<std::pair<std::string, Backward>> bugs{
      {"scaled by 1.0009, which PyTorch's defaults let pass",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{right_dx(x, y, dz) * 1.0009, right_dy(x, y, dz)};
       }},
      {"scaled by 1.00001",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{right_dx(x, y, dz), right_dy(x, y, dz) * 1.00001};
       }},
      {"the wrong sign",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{-right_dx(x, y, dz), right_dy(x, y, dz)};
       }},
      {"a missing factor",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{dz * x * y, right_dy(x, y, dz)};
       }},
      {"a mean where a sum belongs",
       [](const Variable& x, const Variable&, const Variable& dz) {
         return Variables{dz * x * 2, mean(dz * x * x, {0})};
       }},
      {"one row forgotten in the sum",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{right_dx(x, y, dz), select(dz * x * x, 0, 0)};
       }},
      {"the rows swapped",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{index_select(right_dx(x, y, dz), 0, Tensor::from({1, 0})),
                          right_dy(x, y, dz)};
       }},
      {"the incoming gradient ignored",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{right_dx(x, y, ones_like(dz.value())), right_dy(x, y, dz)};
       }},
      {"no gradient at all",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{Variable(), right_dy(x, y, dz)};
       }},
      {"one element of many",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{with_one_wrong(right_dx(x, y, dz), 1e-4), right_dy(x, y, dz)};
       }},
      {"NaN in one element", [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{with_one_wrong(right_dx(x, y, dz), NAN), right_dy(x, y, dz)};
       }}};
  for (const auto& [bug, rule] : bugs) {
    CAPTURE(bug);
    const GradcheckReport report = check(rule);
    CHECK(!report.passed());
    CHECK(report.worst.front().error > 1);
    CHECK(report.to_string().find("FAILED") == 0);
  }
}

TEST_CASE("the report names input, index, analytic and numeric value of the wrong element") {
  const GradcheckReport report =
      check([](const Variable& x, const Variable& y, const Variable& dz) {
        return Variables{with_one_wrong(right_dx(x, y, dz), 1), right_dy(x, y, dz)};
      });
  REQUIRE(!report.passed());
  const GradcheckEntry& worst = report.worst.front();
  CHECK(worst.input == 0);
  CHECK(worst.name == "input 0");
  CHECK(worst.index == Shape{1, 2});
  CHECK(worst.analytic == doctest::Approx(2 * worst.numeric));
  CHECK(report.worst[1].error < 1);
  const std::string text = report.to_string();
  CHECK(contains(text, "input 0[1,2]: analytic "));
  CHECK(contains(text, ", numeric "));
  CHECK(!contains(text, "input 1"));
}

TEST_CASE("the second order fails where only the second derivative is wrong") {
  // dx is right as a number, but y is cut out of its history.
  const auto cut = [](const Variables& v) {
    return apply(Planted([](const Variable& x, const Variable& y, const Variable& dz) {
                   return Variables{right_dx(x, y.detach(), dz), right_dy(x, y, dz)};
                 }),
                 v[0], v[1]);
  };
  CHECK(gradcheck(cut, inputs()).passed());
  const GradcheckReport second = gradgradcheck(cut, inputs());
  CHECK(!second.passed());
  CHECK(second.worst.front().name == "input 1");
}

TEST_CASE("NaN on both sides confirms nothing, so it fails") {
  const Variable negative(Tensor::from({-1.0}, float64), true);
  const GradcheckReport report =
      gradcheck([](const Variables& v) { return sqrt(v[0]); }, {negative});
  CHECK(!report.passed());
}

TEST_CASE("a function that changes from call to call is found out") {
  Generator generator(1);
  const GradcheckReport report =
      gradcheck([&](const Variables& v) { return v[0] * generator.uniform(); }, {inputs()[0]});
  CHECK(!report.passed());
  CHECK(contains(report.to_string(), "not deterministic"));
}

TEST_CASE("the checker leaves its inputs, their gradients and the mode as they were") {
  const Variables leaves = inputs();
  const Tensor before = leaves[0].value().clone();
  sum(leaves[0]).backward();
  const Tensor gradient = leaves[0].grad().value().clone();
  gradgradcheck([](const Variables& v) { return v[0] * v[1]; }, leaves);
  CHECK(core::equal(leaves[0].value(), before));
  CHECK(core::equal(leaves[0].grad().value(), gradient));
  CHECK(!leaves[1].grad().defined());
  CHECK(grad_enabled());
}

TEST_CASE("inputs that do not want a gradient are handed through and not compared") {
  Variables mixed = inputs();
  mixed[1] = mixed[1].detach();
  mixed.push_back(Tensor::from({1, 0}));
  const GradcheckReport report = gradcheck(
      [](const Variables& v) { return index_select(v[0], 0, v[2].value()) * v[1]; }, mixed);
  CHECK_MESSAGE(report.passed(), report.to_string());
  CHECK(report.elements == 6);
}

TEST_CASE("what cannot be checked is refused, and an empty check says that it is empty") {
  const auto square = [](const Variables& v) { return v[0] * v[0]; };
  CHECK(contains(message_of<DTypeError>([&] { gradcheck(square, {Variable(ones({2}), true)}); }),
                 "gradcheck: input 0 is float32 [2], expected float64"));
  CHECK_THROWS_AS(gradcheck(square, {Variable(ones({2}, float64))}), GradError);
  CHECK_THROWS_AS(gradcheck([](const Variables& v) { return Variable(v[0].value().to(float32)); },
                            {inputs()[0]}),
                  DTypeError);
  const GradcheckReport empty = gradcheck(square, {Variable(ones({0}, float64), true)});
  CHECK(contains(empty.to_string(), "nothing to compare"));
}
