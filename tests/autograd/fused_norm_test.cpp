// Fused operations against the compositions they stand for: the same bits forward, the same
// gradients backward, and nothing written that somebody else can see.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>

#include <string>
#include <utility>
#include <vector>

using namespace gradus;

namespace {

/// Sums of 300 float32 products in another order, relative to their size of about 10.
constexpr double float32_sums = 2e-5;
/// Gradients of float64: a dozen roundings.
constexpr double float64_sums = 1e-13;

struct Inputs {
  Variable x, w, b;
  Tensor mean, variance;

  Inputs(DType dtype, Generator& generator)
      : x(randn({4, 3, 5, 5}, generator, dtype), true),
        w(randn({3}, generator, dtype), true),
        b(randn({3}, generator, dtype), true),
        mean(randn({3}, generator, dtype)),
        variance(core::add(core::abs(randn({3}, generator, dtype)), 0.5)) {}
};

/// batch_norm as it is written on paper.
Variable composed_norm(const Inputs& in, bool training, bool weight, bool bias) {
  const Shape channels{1, 3, 1, 1};
  const Dims dims{0, 2, 3};
  const Variable mu = training ? mean(in.x, dims, true) : Variable(in.mean.reshape(channels));
  const Variable variance =
      training ? var(in.x, dims, true, 0) : Variable(in.variance.reshape(channels));
  Variable y = (in.x - mu) * pow(variance + 1e-5, -0.5);
  if (weight) y = y * reshape(in.w, channels);
  return bias ? y + reshape(in.b, channels) : y;
}

void check_gradients(const Variable& fused, const Variable& composed, const Variables& inputs,
                     Generator& generator, double tolerance) {
  const Tensor seed = randn(fused.shape(), generator, fused.dtype());
  const Tensor before = seed.clone();
  const Variables mine = grad({fused}, inputs, {seed}, {.retain_graph = true});
  CHECK(core::equal(seed, before));
  const Variables oracle = grad({composed}, inputs, {seed}, {.retain_graph = true});
  // With create_graph backward is written with functions: the third way to the same numbers.
  const Variables recorded = grad({fused}, inputs, {Variable(seed, true)}, {.create_graph = true});
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    CAPTURE(i);
    CHECK(core::allclose(mine[i].value(), oracle[i].value(), tolerance, tolerance));
    CHECK(core::allclose(mine[i].value(), recorded[i].value(), tolerance, tolerance));
    CHECK(recorded[i].requires_grad());
    CHECK(!mine[i].requires_grad());
  }
}

}  // namespace

TEST_CASE("batch_norm is its formula, written with other functions") {
  Generator generator(1);
  for (const DType dtype : {float32, float64}) {
    const double tolerance = dtype == float32 ? float32_sums : float64_sums;
    for (const bool training : {true, false}) {
      for (const bool weight : {true, false}) {
        for (const bool bias : {true, false}) {
          CAPTURE(training);
          CAPTURE(weight);
          CAPTURE(bias);
          const Inputs in(dtype, generator);
          const Variable y = batch_norm(in.x, weight ? in.w : Variable(), bias ? in.b : Variable(),
                                        training ? Tensor() : in.mean,
                                        training ? Tensor() : in.variance, {.training = training});
          const Variable oracle = composed_norm(in, training, weight, bias);
          CHECK(core::allclose(y.value(), oracle.value(), tolerance, tolerance));
          Variables inputs{in.x};
          if (weight) inputs.push_back(in.w);
          if (bias) inputs.push_back(in.b);
          check_gradients(y, oracle, inputs, generator, tolerance);
        }
      }
    }
  }
}

TEST_CASE("batch_norm with relu inside is relu behind batch_norm, bit for bit") {
  Generator generator(2);
  for (const DType dtype : {float32, float64}) {
    const double tolerance = dtype == float32 ? float32_sums : float64_sums;
    for (const bool training : {true, false}) {
      CAPTURE(training);
      const Inputs in(dtype, generator);
      const Tensor mean = in.mean.clone();
      const Tensor variance = in.variance.clone();
      const Variable fused = batch_norm(in.x, in.w, in.b, mean, variance,
                                        {.training = training, .activation = Activation::relu});
      const Variable composed =
          relu(batch_norm(in.x, in.w, in.b, in.mean, in.variance, {.training = training}));
      CHECK(core::equal(fused.value(), composed.value()));
      CHECK(core::equal(mean, in.mean));
      CHECK(core::equal(variance, in.variance));
      check_gradients(fused, composed, {in.x, in.w, in.b}, generator, tolerance);
    }
  }
}

TEST_CASE("a gradient that two branches see is not written over") {
  Generator generator(3);
  const Inputs in(float64, generator);
  const Tensor seed = randn({4, 3, 5, 5}, generator, float64);
  // The gradient of a sum goes to both sides as one Variable.
  const auto both = [&](const Variable& normal) {
    return grad({normal + in.x * in.x}, {in.x}, {seed})[0].value();
  };
  CHECK(core::allclose(both(batch_norm(in.x, in.w, in.b, {}, {})),
                       both(composed_norm(in, true, true, true)), float64_sums, float64_sums));
  const auto twice = [&](const Variable& normal) {
    return grad({normal + normal}, {in.x}, {seed})[0].value();
  };
  CHECK(
      core::allclose(twice(batch_norm(in.x, in.w, in.b, {}, {}, {.activation = Activation::relu})),
                     twice(relu(composed_norm(in, true, true, true))), float64_sums, float64_sums));
  const Variable kept = batch_norm(in.x, in.w, in.b, {}, {});
  kept.retain_grad();
  mul(kept, 2).backward(seed);
  CHECK(core::equal(kept.grad().value(), core::mul(seed, 2)));
}

TEST_CASE("evaluation remembers the statistics it was given, not what became of them") {
  Generator generator(4);
  const Inputs in(float64, generator);
  const Variable y = batch_norm(in.x, in.w, in.b, in.mean, in.variance,
                                {.training = false, .activation = Activation::relu});
  const Tensor expected =
      grad({y}, {in.x}, {ones_like(y.value())}, {.retain_graph = true})[0].value();
  in.mean.fill_(100);
  in.variance.fill_(100);
  CHECK(core::equal(grad({y}, {in.x}, {ones_like(y.value())})[0].value(), expected));
}

TEST_CASE("add with relu inside is relu of a sum, bit for bit, and so are its gradients") {
  Generator generator(5);
  for (const DType dtype : {float32, float64}) {
    const std::vector<std::pair<Shape, Shape>> shapes{
        {{4, 5}, {4, 5}}, {{4, 5}, {5}}, {{3, 1, 4}, {5, 1}}, {{}, {2, 3}}, {{0, 3}, {3}}};
    for (const auto& shape : shapes) {
      const Variable a(randn(shape.first, generator, dtype), true);
      const Variable b(randn(shape.second, generator, dtype), true);
      const Variable fused = add(a, b, Activation::relu);
      const Variable composed = relu(a + b);
      CHECK(core::equal(fused.value(), composed.value()));
      const Tensor seed = randn(fused.shape(), generator, dtype);
      const Tensor before = seed.clone();
      const Variables mine = grad({fused}, {a, b}, {seed});
      const Variables oracle = grad({composed}, {a, b}, {seed});
      CHECK(core::equal(seed, before));
      CHECK(core::equal(mine[0].value(), oracle[0].value()));
      CHECK(core::equal(mine[1].value(), oracle[1].value()));
    }
  }
}

TEST_CASE(
    "both inputs of a rectified sum may be batch norms: neither spoils the other's gradient") {
  Generator generator(6);
  const Inputs left(float64, generator);
  const Inputs right(float64, generator);
  const Tensor seed = randn({4, 3, 5, 5}, generator, float64);
  const auto norm = [](const Inputs& in) { return batch_norm(in.x, in.w, in.b, {}, {}); };
  const Variables inputs{left.x, left.w, right.x, right.w};
  const Variables mine = grad({add(norm(left), norm(right), Activation::relu)}, inputs, {seed});
  const Variables oracle =
      grad({relu(composed_norm(left, true, true, true) + composed_norm(right, true, true, true))},
           inputs, {seed});
  for (std::size_t i = 0; i < inputs.size(); ++i)
    CHECK(core::allclose(mine[i].value(), oracle[i].value(), float64_sums, float64_sums));
}
