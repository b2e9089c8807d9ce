// What the functions promise beside their numbers: gradients at zeros, second derivatives, and lambdas
// of one's own.
#include <doctest/doctest.h>
#include <gradus/autograd/anomaly.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <cmath>
#include <limits>
#include <string>
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

TEST_CASE("a product's float32 gradient is right where products on the way are beyond float32") {
  // Of factors f and 1/f in any order the product is 1, so each derivative is 1/x: whatever lies between.
  for (const double factor : {10.0, 1e3, 1e30}) {
    for (const int kind : {0, 1, 2}) {
      std::vector<double> factors;
      for (int i = 0; i < 8; ++i) {
        const bool large = kind == 0 ? i < 4 : kind == 1 ? i >= 4 : i % 4 < 2;
        factors.push_back(large ? factor : 1 / factor);
      }
      const Variable x(Tensor::from(factors.data(), {8}).to(float32), true);
      CAPTURE(factor);
      CAPTURE(kind);
      const Variable product = prod(x);
      const std::vector<double> exact = numbers(Variable(
          core::div(prod(Variable(x.value().to(float64))).value(), x.value().to(float64))));
      const std::vector<double> of_prod =
          numbers(Variable(grad({product}, {x})[0].value().to(float64)));
      const Variable last = narrow(cumprod(x, 0), 0, 7, 1);
      const std::vector<double> of_cumprod =
          numbers(Variable(grad({sum(last)}, {x})[0].value().to(float64)));
      for (std::size_t i = 0; i < exact.size(); ++i) {
        // In float64, and rounded once.
        CHECK(std::abs(of_prod[i] - exact[i]) <= 0x1p-24 * 1.001 * exact[i]);
        CHECK(of_cumprod[i] == of_prod[i]);
      }
    }
  }
}

TEST_CASE("the variance of large numbers that are close together is that of float64") {
  for (const double offset : {1e4, 1e7, 0x1p24 - 8}) {
    for (const int share : {2, 3, 10}) {  // how many of the numbers are the larger one
      std::vector<double> values;
      for (int i = 0; i < 999; ++i) values.push_back(offset + (i % share == 0 ? 1 : 0));
      const Variable x(Tensor::from(values.data(), {999}).to(float32), true);
      const Variable wide(x.value().to(float64), true);
      CAPTURE(offset);
      CAPTURE(share);
      // Rounded by half an eps each: a difference, which counts twice in its square, that, sum and quotient.
      const double bound = 8 * 0x1p-24;
      const double exact = var(wide).item();
      CHECK(std::abs(var(x).item() - exact) <= bound * exact);
      CHECK(std::abs(core::var(x.value()).item() - exact) <= bound * exact);
      CHECK(std::abs(gradus::std(x).item() - std::sqrt(exact)) <= bound * std::sqrt(exact));
      const Tensor difference = core::sub(grad({var(x)}, {x})[0].value().to(float64),
                                          grad({var(wide)}, {wide})[0].value());
      CHECK(core::max(core::abs(difference)).item() <= 8 * bound * std::sqrt(exact) / 998);
    }
  }
}

TEST_CASE("kl_div is 0 where the target is 0, even if the input says impossible") {
  const double inf = std::numeric_limits<double>::infinity();
  const Variable input(Tensor::from({std::log(0.25), std::log(0.75), -inf}, float64), true);
  const Variable target(Tensor::from({0.5, 0.5, 0.0}, float64));
  const double expected = 0.5 * std::log(0.5 / 0.25) + 0.5 * std::log(0.5 / 0.75);
  const Variable loss = kl_div(input, target, {.reduction = Reduction::sum});
  CHECK(loss.item() == doctest::Approx(expected));
  CHECK(numbers(grad({loss}, {input})[0]) == Numbers{-0.5, -0.5, 0});
  const Variable log_target(Tensor::from({std::log(0.5), std::log(0.5), -inf}, float64), true);
  const Variable other =
      kl_div(input, log_target, {.reduction = Reduction::sum, .log_target = true});
  CHECK(other.item() == doctest::Approx(expected));
  for (const Variable& x : {input, log_target}) {
    for (const double slope_of_x : numbers(grad({other}, {x}, {}, {.retain_graph = true})[0]))
      CHECK(std::isfinite(slope_of_x));
  }
  // Where the target is not 0, impossible is infinitely far off.
  const Variable all(Tensor::from({0.25, 0.25, 0.5}, float64));
  CHECK(kl_div(input, all, {.reduction = Reduction::sum}).item() == inf);
}

TEST_CASE("a number is subtracted from integers of every type") {
  for (const DType dtype : {uint8, int64}) {
    const Variable x(Tensor::from({3, 5}, dtype));
    CHECK(numbers(Variable((x - 1).value().to(float64))) == Numbers{2, 4});
    CHECK(numbers(Variable((9 - x).value().to(float64))) == Numbers{6, 4});
    CHECK((x - 1).dtype() == dtype);
  }
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

TEST_CASE(
    "norms and deviations are right wherever they are numbers, also where the powers are beyond "
    "the dtype") {
  const auto of = [](const Numbers& numbers, const auto& f, DType dtype) {
    const Variable x(Tensor::from(numbers.data(), Shape{std::ssize(numbers)}).to(dtype), true);
    const Variable y = f(x);
    sum(y).backward();
    Numbers all = y.value().to(float64).flatten().template to_vector<double>();
    for (const double slope : x.grad().value().to(float64).template to_vector<double>())
      all.push_back(slope);
    return all;
  };
  for (const double scale : {1e-43, 1e-30, 1e-5, 1.0, 1e4, 1e10, 1e25, 3e37}) {
    for (const double p : {2.0, 3.0, 10.0, 40.0, -1.0, -10.0}) {
      CAPTURE(scale);
      CAPTURE(p);
      // As float32 has them; in float64, scaled to 1, no power leaves the range.
      Numbers rounded;
      Numbers near_one;
      for (const double each : {1.0, -0.5, 0.25, 2.0}) {
        rounded.push_back(static_cast<double>(static_cast<float>(each * scale)));
        near_one.push_back(rounded.back() / scale);
      }
      const auto by_norm = [p](const Variable& x) { return norm(x, p); };
      const auto by_std = [](const Variable& x) { return gradus::std(x); };
      for (const bool is_std : {false, true}) {
        const Numbers single =
            is_std ? of(rounded, by_std, float32) : of(rounded, by_norm, float32);
        const Numbers right =
            is_std ? of(near_one, by_std, float64) : of(near_one, by_norm, float64);
        // Powers and roots in float32, each |p| times as sensitive; what is left of subnormal numbers has few digits.
        const double relative = 4e-7 * (4 + std::fabs(p));
        const double value = right[0] * scale;
        CHECK(std::fabs(single[0] - value) <= relative * value + 1.5e-45);
        for (std::size_t i = 1; i < right.size(); ++i)
          CHECK(std::fabs(single[i] - right[i]) <= relative * (scale < 1e-40 ? 1e5 : 1));
      }
    }
  }
  // Slice by slice: one large, one small, one zero.
  const Variable x(Tensor::from({{3e30, 4e30}, {3e-30, 4e-30}, {0.0, 0.0}}, float64).to(float32),
                   true);
  const Variable lengths = norm(x, 2, {1});
  CHECK(lengths.shape() == Shape{3});
  CHECK(lengths.value().at<float>({0}) == doctest::Approx(5e30));
  CHECK(lengths.value().at<float>({1}) == doctest::Approx(5e-30));
  CHECK(lengths.value().at<float>({2}) == 0);
  sum(lengths).backward();
  for (const std::int64_t row : {0, 1}) {
    CHECK(x.grad().value().at<float>({row, 0}) == doctest::Approx(0.6));
    CHECK(x.grad().value().at<float>({row, 1}) == doctest::Approx(0.8));
  }
  CHECK(x.grad().value().at<float>({2, 0}) == 0);
  CHECK(norm(x, 2, {1}, true).shape() == Shape{3, 1});
  // What the trial computed does not count.
  const DetectAnomaly guard;
  CHECK(std::isfinite(norm(x, 10).item()));
}

TEST_CASE("norm of a negative order is infinite where its sum is 0; of order 0 it counts NaN") {
  CHECK(norm(Tensor::from({HUGE_VAL}, float64), -1).item() == HUGE_VAL);
  CHECK(norm(Tensor::from({HUGE_VAL, HUGE_VAL}, float64), -2).item() == HUGE_VAL);
  CHECK(norm(Tensor::from({1e25, 1e25}), -2).item() == doctest::Approx(1e25 / std::sqrt(2)));
  CHECK(norm(Tensor::from({0.0, 3.0}, float64), -1).item() == 0);
  CHECK(norm(Tensor::from({2.0, 2.0}, float64), -1).item() == doctest::Approx(1));
  for (const double p : {-HUGE_VAL, -1.0, HUGE_VAL}) {
    CAPTURE(p);
    CHECK_THROWS_AS(norm(Tensor::empty({0}), p), ShapeError);
  }
  const Variable x = leaf({NAN, 2.0, 0.0, HUGE_VAL});
  CHECK(norm(x, 0).item() == 3);
  CHECK(slope(norm(x, 0), x) == Numbers{0, 0, 0, 0});
}

TEST_CASE("NaN goes through an activation, and infinity: values and gradients") {
  const Variable x = leaf({NAN, HUGE_VAL, -HUGE_VAL});
  using Function = Variable (*)(const Variable&);
  const Function curved[] = {[](const Variable& v) { return elu(v); },
                             [](const Variable& v) { return selu(v); }};
  for (const Function f : curved) {
    CHECK(std::isnan(numbers(f(x))[0]));
    const Numbers slopes = slope(f(x), x);
    CHECK(std::isnan(slopes[0]));
    CHECK(slopes[1] >= 1);
    CHECK(slopes[2] == 0);
  }
  const Variable weight = full({1}, 0.25, float64);
  CHECK(std::isnan(numbers(leaky_relu(x))[0]));
  CHECK(slope(leaky_relu(x, 0.25), x) == Numbers{0.25, 1, 0.25});
  CHECK(std::isnan(numbers(prelu(x, weight))[0]));
  CHECK(slope(prelu(x, weight), x) == Numbers{0.25, 1, 0.25});
  const Function level[] = {[](const Variable& v) { return hardtanh(v); },
                            [](const Variable& v) { return relu6(v); },
                            [](const Variable& v) { return hardsigmoid(v); },
                            [](const Variable& v) { return clamp(v, 0, 6); }};
  for (const Function f : level) {
    CHECK(std::isnan(numbers(f(x))[0]));
    CHECK(slope(f(x), x) == Numbers{0, 0, 0});
  }
  CHECK_THROWS_AS(clamp(x, std::nullopt, std::nullopt), ValueError);
}

TEST_CASE("backward goes through what is empty") {
  const Variable scores(Tensor::empty({2, 3, 0}), true);
  const Variable loss =
      cross_entropy(scores, Tensor::empty({2, 0}, int64), {.label_smoothing = 0.5});
  CHECK(grad({loss}, {scores})[0].shape() == Shape{2, 3, 0});
  const Variable x(ones({2, 3}), true);
  const Variable weight(Tensor::empty({0, 3}), true);
  const Variable bias(Tensor::empty({0}), true);
  const Variable first = grad({sum(linear(x, weight, bias))}, {x}, {}, {.create_graph = true})[0];
  CHECK(grad({sum(first)}, {weight}, {}, {.allow_unused = true})[0].shape() == Shape{0, 3});
}

TEST_CASE("one example without a batch, as PyTorch takes it: losses and pools of rows") {
  const Variable scores = leaf({0.5, -1.0, 2.0});
  const Tensor label = Tensor::from({2}, int64).squeeze(0);
  const Tensor labels = Tensor::from({2}, int64);
  const auto batch = [&] { return unsqueeze(scores, 0); };
  for (const Reduction reduction : {Reduction::none, Reduction::sum, Reduction::mean}) {
    const Variable one = cross_entropy(scores, label, reduction);
    CHECK(one.shape() == Shape{});
    CHECK(one.item() == cross_entropy(batch(), labels, reduction).item());
    CHECK(slope(one, scores) == slope(cross_entropy(batch(), labels, reduction), scores));
    const Variable of_shares = nll_loss(log_softmax(scores, 0), label, reduction);
    CHECK(of_shares.shape() == Shape{});
    CHECK(of_shares.item() == doctest::Approx(one.item()));
    const MultiMarginLossOptions margin{
        .p = 2, .weight = Tensor::from({1.0, 2.0, 3.0}, float64), .reduction = reduction};
    const Variable by_margin = multi_margin_loss(scores, label, margin);
    CHECK(by_margin.shape() == Shape{});
    CHECK(by_margin.item() == multi_margin_loss(batch(), labels, margin).item());
  }
  // PyTorch 1.13 for multi_margin_loss([.1, .2, .7], 2).
  const Variable near = leaf({0.1, 0.2, 0.7});
  CHECK(multi_margin_loss(near, label).item() == doctest::Approx(0.3));
  const Variable rows = leaf({{1.0, 3.0, 2.0, 4.0}, {0.0, -1.0, 5.0, 2.0}});
  CHECK(numbers(max_pool1d(rows, {.kernel_size = 2})) == Numbers{3, 4, 0, 5});
  CHECK(max_pool1d(rows, {.kernel_size = 2}).shape() == Shape{2, 2});
  CHECK(numbers(avg_pool1d(rows, {.kernel_size = 2})) == Numbers{2, 3, -0.5, 3.5});
  CHECK(numbers(adaptive_max_pool1d(rows, 1)) == Numbers{4, 5});
  CHECK(numbers(adaptive_avg_pool1d(rows, 1)) == Numbers{2.5, 1.5});
}

TEST_CASE("an undefined Variable is told with the op, or with the line of the call") {
  const Variable none;
  const Variable x = leaf({1.0, 2.0});
  CHECK(message_of<GradError>([&] { exp(none); }).find("exp: reads a Variable that is undefined") ==
        0);
  CHECK(message_of<GradError>([&] { mul(x, none); }).find("mul: reads") == 0);
  const int line = __LINE__ + 1;
  const auto call = [&] { cross_entropy(none, zeros({2}, int64)); };
  const std::string text = message_of<GradError>(call);
  CAPTURE(text);
  CHECK(text.find("functions_test.cpp:" + std::to_string(line)) != std::string::npos);
  CHECK(text.find("is undefined") != std::string::npos);
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

TEST_CASE("the least of integers, of which some have no negative") {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  CHECK(min(Variable(Tensor::from({0, 5, 7}, uint8))).item() == 0);
  CHECK(core::equal(min(Variable(Tensor::from({{0, 5, 7}, {3, 0, 9}}, uint8)), {1}).value(),
                    Tensor::from({0, 0}, uint8)));
  CHECK(min(Variable(Tensor::from({least, std::int64_t{5}}))).value().to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{least});
}

TEST_CASE("the gradient of a part that is put back from its end") {
  const Variable part(ones({2}), true);
  sum(slice_scatter({5}, 0, -2, 1, part) * Variable(Tensor::from({1.F, 2.F, 3.F, 4.F, 5.F})))
      .backward();
  CHECK(core::equal(part.grad().value(), Tensor::from({4.F, 5.F})));
  const Variable one(ones({1}), true);
  constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max();
  sum(slice_scatter({3}, 0, 1, far, one) * 2.0).backward();
  CHECK(core::equal(one.grad().value(), full({1}, 2)));
}

TEST_CASE("norms of high degree stay within the range") {
  for (const DType dtype : {float32, float64}) {
    const Tensor x = Tensor::from({1.9, 1.0}, dtype);
    CHECK(norm(Variable(x), 200, {0}).item() == doctest::Approx(1.9));
    CHECK(norm(Variable(Tensor::from({1.9, 3.0}, dtype)), -200, {0}).item() ==
          doctest::Approx(1.9));
    CHECK(norm(Variable(core::mul(x, 1e30)), 3000, {0}).item() == doctest::Approx(1.9e30));
  }
}

TEST_CASE("a batch norm that fails leaves its running numbers as they were") {
  const Variable x(Tensor::from({{std::nan("")}, {2.0}}, float64));
  const Tensor mean = zeros({1}, float64);
  const Tensor variance = ones({1}, float64);
  {
    const DetectAnomaly on;
    CHECK_THROWS_AS(batch_norm(x, {}, {}, mean, variance, {.training = true}), AnomalyError);
  }
  CHECK(mean.item() == 0);
  CHECK(variance.item() == 1);
  const Variable good(Tensor::from({{1.0, 1.0}, {3.0, 3.0}}, float64));
  const Tensor two = zeros({2}, float64);
  CHECK(contains(message_of<ShapeError>([&] {
                   batch_norm(good, {}, {}, two, ones({1}, float64).expand({2}),
                              {.training = true});
                 }),
                 "running_var: dimension 0 of [2] repeats one number"));
  CHECK(core::equal(two, zeros({2}, float64)));
}
