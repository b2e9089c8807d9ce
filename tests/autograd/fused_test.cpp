// Fused ops against the compositions that they replace: values, and three orders of derivatives.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <cmath>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

using namespace gradus;

namespace {

using Function = std::function<Variable(const Variables&)>;

/// Sums of up to a hundred products of numbers near 1, in another order.
double tolerance_of(DType dtype) { return dtype == float32 ? 2e-5 : 1e-12; }

void check_close(const Tensor& a, const Tensor& b) {
  CHECK(core::allclose(a, b, tolerance_of(a.dtype()), tolerance_of(a.dtype())));
}

Variables leaves(const std::vector<Shape>& shapes, DType dtype) {
  Generator generator(7);
  Variables inputs;
  for (const Shape& shape : shapes) inputs.emplace_back(randn(shape, generator, dtype), true);
  return inputs;
}

/// Two lists of results, and both of their derivatives `orders` times over.
void check_equal_derivatives(const Variables& left, const Variables& right, const Variables& inputs,
                             int orders, Generator& generator) {
  Variable left_total, right_total;
  for (std::size_t i = 0; i < left.size(); ++i) {
    REQUIRE(left[i].defined() == right[i].defined());
    if (!left[i].defined()) continue;
    check_close(left[i].value(), right[i].value());
    const Variable weight(randn(left[i].shape(), generator, left[i].dtype()));
    const Variable part = sum(left[i] * weight);
    const Variable right_part = sum(right[i] * weight);
    left_total = left_total.defined() ? left_total + part : part;
    right_total = right_total.defined() ? right_total + right_part : right_part;
  }
  if (orders == 0) return;
  const GradOptions options{.create_graph = true, .allow_unused = true};
  check_equal_derivatives(grad({left_total}, inputs, {}, options),
                          grad({right_total}, inputs, {}, options), inputs, orders - 1, generator);
}

/// Values, gradients without a tape, gradients with one, and the derivatives of those, twice.
void check_equal_functions(const Function& fused, const Function& composed,
                           const std::vector<Shape>& shapes) {
  for (const DType dtype : {float32, float64}) {
    const Variables inputs = leaves(shapes, dtype);
    Generator generator(8);
    const Variable y = fused(inputs);
    const Variable expected = composed(inputs);
    check_close(y.value(), expected.value());
    const Variable seed(randn(y.shape(), generator, dtype), true);
    const Variables plain = grad({y}, inputs, {seed}, {.retain_graph = true});
    const Variables recorded = grad({y}, inputs, {seed}, {.create_graph = true});
    const Variables right = grad({expected}, inputs, {seed}, {.create_graph = true});
    for (std::size_t i = 0; i < inputs.size(); ++i) check_close(plain[i].value(), right[i].value());
    Variables all = inputs;
    all.push_back(seed);
    check_equal_derivatives(recorded, right, all, 2, generator);
  }
}

Variable composed_linear(const Variables& v) { return matmul(v[0], transpose(v[1])) + v[2]; }

}  // namespace

TEST_CASE("linear is matmul and add, with relu inside relu of that") {
  for (const std::vector<Shape>& shapes : {std::vector<Shape>{{6, 20}, {9, 20}, {9}},
                                           {{2, 3, 7}, {5, 7}, {5}},
                                           {{1, 33}, {40, 33}, {40}}}) {
    check_equal_functions([](const Variables& v) { return linear(v[0], v[1], v[2]); },
                          composed_linear, shapes);
    check_equal_functions(
        [](const Variables& v) { return linear(v[0], v[1], v[2], Activation::relu); },
        [](const Variables& v) { return relu(composed_linear(v)); }, shapes);
  }
  check_equal_functions([](const Variables& v) { return linear(v[0], v[1]); },
                        [](const Variables& v) { return matmul(v[0], transpose(v[1])); },
                        {{4, 6}, {3, 6}});
}

TEST_CASE("cross_entropy is nll_loss of log_softmax") {
  const Tensor labels = Tensor::from({2, 0, 3, 3, 1, 4});
  const Tensor pixels = Tensor::from({{1, 0, 3}, {2, 2, 0}});
  for (const Reduction reduction : {Reduction::none, Reduction::sum, Reduction::mean}) {
    for (const auto& [targets, shape] :
         {std::pair<Tensor, Shape>{labels, {6, 5}}, {pixels, {2, 4, 3}}}) {
      const Tensor copy = targets;
      check_equal_functions(
          [=](const Variables& v) { return cross_entropy(v[0], copy, reduction); },
          [=](const Variables& v) { return nll_loss(log_softmax(v[0], 1), copy, reduction); },
          {shape});
    }
  }
}

TEST_CASE("cross_entropy of logits far apart neither overflows nor loses the small loss") {
  const Variable x(
      Tensor::from({{1e30f, 0.0f, -1e30f}, {-1e4f, -1e4f, -1e4f}, {0.0f, -12.0f, -12.0f}}), true);
  const Variable losses = cross_entropy(x, Tensor::from({0, 1, 0}), Reduction::none);
  const std::vector<float> loss = losses.value().to_vector<float>();
  CHECK(loss[0] == 0);
  CHECK(loss[1] == doctest::Approx(std::log(3.0)).epsilon(1e-6));
  CHECK(loss[2] == doctest::Approx(std::log1p(2 * std::exp(-12.0))).epsilon(1e-6));
  sum(losses).backward();
  CHECK(core::sum(core::isfinite(x.grad().value()).to(int64)).item() == 9);
  CHECK(core::max(core::abs(core::sum(x.grad().value(), {1}))).item() < 1e-6);
}

TEST_CASE("cross_entropy keeps a NaN to its own row") {
  constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
  const Variable x(Tensor::from({{1.0f, nan_value}, {0.0f, 0.0f}}), true);
  const Variable losses = cross_entropy(x, Tensor::from({0, 1}), Reduction::none);
  CHECK(std::isnan(losses.value().at<float>({0})));
  CHECK(losses.value().at<float>({1}) == doctest::Approx(std::log(2.0)).epsilon(1e-6));
  sum(losses).backward();
  CHECK(std::isnan(x.grad().value().at<float>({0, 0})));
  CHECK(x.grad().value().at<float>({1, 1}) == -0.5f);
}

TEST_CASE("conv2d with relu inside is relu of conv2d: the same bits forward, the same gradients") {
  for (const std::int64_t kernel : {1, 3}) {
    const std::vector<Shape> shapes = {{2, 3, 6, 5}, {4, 3, kernel, kernel}, {4}};
    const Function fused = [=](const Variables& v) {
      return conv2d(v[0], v[1], v[2], {.padding = kernel / 2, .activation = Activation::relu});
    };
    const Function composed = [=](const Variables& v) {
      return relu(conv2d(v[0], v[1], v[2], {.padding = kernel / 2}));
    };
    check_equal_functions(fused, composed, shapes);
    for (const DType dtype : {float32, float64}) {
      const Variables inputs = leaves(shapes, dtype);
      CHECK(core::equal(fused(inputs).value(), composed(inputs).value()));
    }
  }
}
