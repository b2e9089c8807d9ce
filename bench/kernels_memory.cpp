// What memory bounds: elementwise functions, sums, pooling, batch normalisation, optimizers. In
// the first caches, and beyond them all.
#include <gradus/autograd/functions.h>
#include <gradus/core/conv.h>
#include <gradus/core/math.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/sgd.h>

#include "kernels.h"

namespace {

using namespace gradus;
using bench::bytes;
using bench::numbers;

void sizes(benchmark::internal::Benchmark* elementwise) {
  elementwise->ArgName("elements")->Unit(benchmark::kMicrosecond)->UseRealTime();
  for (const std::int64_t count : {1 << 10, 1 << 16, 1 << 20, 1 << 24}) elementwise->Arg(count);
}

void add(benchmark::State& state) {
  const Tensor a = numbers({state.range(0)});
  const Tensor b = numbers({state.range(0)});
  for (auto _ : state) benchmark::DoNotOptimize(core::add(a, b));
  bench::set_rates(state, 0, bytes({a, b, a}));
}
BENCHMARK(add)->Apply(sizes);

void relu(benchmark::State& state) {
  const Tensor x = numbers({state.range(0)});
  for (auto _ : state) benchmark::DoNotOptimize(core::relu(x));
  bench::set_rates(state, 0, bytes({x, x}));
}
BENCHMARK(relu)->Apply(sizes);

void relu_grad(benchmark::State& state) {
  const Tensor x = numbers({state.range(0)});
  const Tensor dy = ones(x.shape());
  for (auto _ : state) benchmark::DoNotOptimize(core::relu_grad(dy, x));
  bench::set_rates(state, 0, bytes({x, dy, x}));
}
BENCHMARK(relu_grad)->Apply(sizes);

void sum(benchmark::State& state) {
  const Tensor x = numbers({state.range(0)});
  for (auto _ : state) benchmark::DoNotOptimize(core::sum(x));
  bench::set_rates(state, 0, bytes({x}));
}
BENCHMARK(sum)->Apply(sizes);

/// The gradient of a bias: all but the channels.
void sum_to_channels(benchmark::State& state) {
  const Tensor x = numbers({32, 64, state.range(0), state.range(0)});
  for (auto _ : state) benchmark::DoNotOptimize(core::sum(x, {0, 2, 3}));
  bench::set_rates(state, 0, bytes({x}));
}
BENCHMARK(sum_to_channels)
    ->ArgName("side")
    ->Arg(7)
    ->Arg(32)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

void planes(benchmark::internal::Benchmark* pooling) {
  pooling->ArgNames({"batch", "channels", "side"})
      ->Args({64, 6, 28})
      ->Args({32, 64, 32})
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

Tensor images(const benchmark::State& state) {
  return numbers({state.range(0), state.range(1), state.range(2), state.range(2)});
}

void max_pool2d(benchmark::State& state) {
  const Tensor x = images(state);
  core::MaxPool2dResult y;
  for (auto _ : state) y = core::max_pool2d(x, {.kernel_size = 2});
  bench::set_rates(state, 0, bytes({x, y.values, y.indices}));
}
BENCHMARK(max_pool2d)->Apply(planes);

void max_pool2d_scatter(benchmark::State& state) {
  const Tensor x = images(state);
  const core::MaxPool2dResult y = core::max_pool2d(x, {.kernel_size = 2});
  for (auto _ : state)
    benchmark::DoNotOptimize(core::max_pool2d_scatter(y.values, y.indices, x.shape()));
  bench::set_rates(state, 0, bytes({x, y.values, y.indices}));
}
BENCHMARK(max_pool2d_scatter)->Apply(planes);

void avg_pool2d(benchmark::State& state) {
  const Tensor x = images(state);
  Tensor y;
  for (auto _ : state) y = core::avg_pool2d(x, {.kernel_size = 2});
  bench::set_rates(state, 0, bytes({x, y}));
}
BENCHMARK(avg_pool2d)->Apply(planes);

void adaptive_avg_pool2d(benchmark::State& state) {
  const Tensor x = images(state);
  Tensor y;
  for (auto _ : state) y = core::adaptive_avg_pool2d(x, 1);
  bench::set_rates(state, 0, bytes({x, y}));
}
BENCHMARK(adaptive_avg_pool2d)->Apply(planes);

/// In training: the statistics take one pass over x at least, the result another.
void batch_norm(benchmark::State& state) {
  const NoGrad no_grad;
  const Variable x = images(state);
  const Variable weight = ones({state.range(1)});
  const Variable bias = zeros({state.range(1)});
  for (auto _ : state) benchmark::DoNotOptimize(gradus::batch_norm(x, weight, bias, {}, {}));
  bench::set_rates(state, 0, bytes({x.value(), x.value(), x.value()}));
}
BENCHMARK(batch_norm)->Apply(planes);

/// Forward and backward; the derivative reads x and dy once for its sums, again for dx.
void batch_norm_training(benchmark::State& state) {
  const Variable x(images(state), true);
  const Variable weight(ones({state.range(1)}), true);
  const Variable bias(zeros({state.range(1)}), true);
  const Variable dy = ones(x.shape());
  for (auto _ : state) {
    const Variable y = gradus::batch_norm(x, weight, bias, {}, {});
    benchmark::DoNotOptimize(grad({y}, {x, weight, bias}, {dy}));
  }
  bench::set_rates(state, 0, 8 * bytes({x.value()}));
}
BENCHMARK(batch_norm_training)->Apply(planes);

Variable parameter(const benchmark::State& state) {
  const Variable p(numbers({state.range(0)}), true);
  p.set_grad(ones(p.shape()));
  return p;
}

void sgd(benchmark::State& state) {
  const Variable p = parameter(state);
  SGD optimizer({p}, {.lr = 1e-6, .momentum = 0.9});
  for (auto _ : state) optimizer.step();
  bench::set_rates(state, 0, 5 * bytes({p.value()}));
}
BENCHMARK(sgd)->Apply(sizes);

void adam(benchmark::State& state) {
  const Variable p = parameter(state);
  Adam optimizer({p}, {.lr = 1e-6});
  for (auto _ : state) optimizer.step();
  bench::set_rates(state, 0, 7 * bytes({p.value()}));
}
BENCHMARK(adam)->Apply(sizes);

}  // namespace
