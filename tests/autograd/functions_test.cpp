// What the functions promise beside their numbers: gradients at zeros, second derivatives, and lambdas
// of one's own.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>

#include <cmath>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

Variable leaf(const NestedList& values) { return {Tensor::from(values, float64), true}; }

std::vector<double> numbers(const Variable& x) { return x.value().to_vector<double>(); }

/// d(sum of y)/dx
std::vector<double> slope(const Variable& y, const Variable& x) {
  return numbers(grad({sum(y)}, {x})[0]);
}

using Numbers = std::vector<double>;

}  // namespace

TEST_CASE("a product's gradient leaves out each factor, zeros or not") {
  const Variable none = leaf({2.0, 3.0, 5.0});
  CHECK(slope(prod(none), none) == Numbers{15, 10, 6});
  const Variable one = leaf({2.0, 0.0, 5.0});
  CHECK(slope(prod(one), one) == Numbers{0, 10, 0});
  const Variable two = leaf({0.0, 3.0, 0.0});
  CHECK(slope(prod(two), two) == Numbers{0, 0, 0});
  // y = (a, ab, abc): dL/da = 1 + b + bc, dL/db = a + ac, dL/dc = ab
  CHECK(slope(cumprod(one, 0), one) == Numbers{1, 12, 0});
  // The second derivative: d²(abc)/db d(a, b, c) = (c, 0, a)
  const Variable first = grad({prod(one)}, {one}, {}, {.create_graph = true})[0];
  CHECK(slope(select(first, 0, 1), one) == Numbers{5, 0, 2});
}

TEST_CASE("norm and std have the gradient 0 where they are 0, in second order too") {
  const Variable zero = leaf({0.0, 0.0});
  for (const double p : {0.5, 1.0, 1.5, 2.0, 3.0, HUGE_VAL}) {
    CAPTURE(p);
    const Variable y = norm(zero, p);
    CHECK(y.item() == 0);
    const Variable first = grad({y}, {zero}, {}, {.create_graph = true})[0];
    CHECK(numbers(first) == Numbers{0, 0});
  }
  const Variable level = leaf({3.0, 3.0});
  CHECK(gradus::std(level).item() == 0);
  CHECK(slope(gradus::std(level), level) == Numbers{0, 0});
  // Beside zeros the others are as always.
  const Variable mixed = leaf({0.0, -4.0});
  CHECK(norm(mixed).item() == 4);
  CHECK(slope(norm(mixed), mixed) == Numbers{0, -1});
}

TEST_CASE("a lambda of one's own has the derivatives that it is given") {
  const NumberFunction f = [](double x) { return x * x * x; };
  const NumberFunction df = [](double x) { return 3 * x * x; };
  const NumberFunction ddf = [](double x) { return 6 * x; };
  const Variable x = leaf({1.0, -2.0});
  CHECK(numbers(map(x, f, df)) == Numbers{1, -8});
  CHECK(slope(map(x, f, df), x) == Numbers{3, 12});
  const auto curvature = [&](const Variable& y) {
    return slope(grad({sum(y)}, {x}, {}, {.create_graph = true})[0], x);
  };
  CHECK(curvature(map(x, f, df, ddf)) == Numbers{6, -12});
  CHECK(contains(message_of<GradError>([&] { curvature(map(x, f, df)); }),
                 "give the second derivative as well"));
  // In float32 it is computed in float64, and rounded once.
  const Variable third = map(
      Tensor::from({3.0F}), [](double v) { return 1 / v - 1.0 / 3; }, df);
  CHECK(third.item() == 0);
}

TEST_CASE("what an index takes twice gets both gradients") {
  const Variable x = leaf({{1.0, 2.0}, {3.0, 4.0}});
  const Tensor rows = Tensor::from({1, 1, -1});
  CHECK(slope(index(x, {rows}), x) == Numbers{0, 0, 3, 3});
  CHECK(slope(index(x, {rows, Tensor::from({0, 1, 0})}), x) == Numbers{0, 0, 2, 1});
  CHECK(slope(index(x, {Slice(None, None, 2), None, 1}), x) == Numbers{0, 1, 0, 0});
  CHECK(slope(index(x, {core::gt(x.value(), 2)}), x) == Numbers{0, 0, 1, 1});
}

TEST_CASE("a step has the gradient 0, and hands on none that is not a number") {
  const Variable x = leaf({0.3, -1.7});
  using Unary = Variable (*)(const Operand&);
  for (const Unary f : std::vector<Unary>{floor, ceil, round, trunc, sign}) {
    const Variable y = f(x);
    CHECK(y.requires_grad());
    CHECK(slope(y * HUGE_VAL, x) == Numbers{0, 0});
  }
}

TEST_CASE("the derivative of asin keeps its digits at the border") {
  // x² lies nearly half a unit off the next float32: subtracted from 1 that would be 1 in 10,000.
  const double below = 2897 * 0x1p-24;
  const Variable x(Tensor::from({1 - below}, float32), true);
  sum(asin(x)).backward();
  const double exact = 1 / std::sqrt(2 * below - below * below);
  CHECK(std::fabs(x.grad().item() / exact - 1) <= 3.5 * 0x1p-24);
}

TEST_CASE("pieces are views with one history: each gives its part of the gradient") {
  const Variable x = leaf({1.0, 2.0, 3.0, 4.0, 5.0});
  const Variables parts = split(x, 2);
  REQUIRE(parts.size() == 3);
  CHECK(slope(parts[0] * parts[1], x) == Numbers{3, 4, 1, 2, 0});
  CHECK(chunk(x, 9).size() == 5);
  CHECK(split(x, {0, 5}, 0)[0].numel() == 0);
}

TEST_CASE("einsum sums what the output does not name, and multiplies integers too") {
  const Tensor a = Tensor::from({{1, 2}, {3, 4}});
  CHECK(core::equal(einsum("ij,jk->ik", {a, a}).value(), Tensor::from({{7, 10}, {15, 22}})));
  CHECK(einsum("ii", {a}).value().item() == 5);
  CHECK(core::equal(einsum("ji", {a}).value(), Tensor::from({{1, 3}, {2, 4}})));
  CHECK(core::equal(einsum(" i j -> j ", {a}).value(), Tensor::from({4, 6})));
  // Nine labels, of which no step has more than eight.
  Variables chain;
  for (int i = 0; i < 8; ++i) chain.push_back(full({2, 2}, 0.5));
  CHECK(core::equal(einsum("ab,bc,cd,de,ef,fg,gh,hi->ai", chain).value(), full({2, 2}, 0.5)));
}
