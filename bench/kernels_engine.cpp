// What the tape itself costs: chains of additions of a single number. items_per_second is calls.
#include <gradus/autograd/functions.h>
#include <gradus/autograd/profile.h>

#include "kernels.h"

namespace {

using namespace gradus;

constexpr int links = 1000;

Variable chain(Variable y) {
  for (int i = 0; i < links; ++i) y = y + y;
  return y;
}

Variable start(bool requires_grad) { return {Tensor::scalar(0), requires_grad}; }

void per_link(benchmark::State& state) { state.SetItemsProcessed(state.iterations() * links); }

void add_unrecorded(benchmark::State& state) {
  const Variable x = start(false);
  for (auto _ : state) benchmark::DoNotOptimize(chain(x));
  per_link(state);
}
BENCHMARK(add_unrecorded)->Name("engine/add, not recorded")->Unit(benchmark::kMicrosecond);

void add_recorded(benchmark::State& state) {
  const Variable x = start(true);
  for (auto _ : state) benchmark::DoNotOptimize(chain(x));
  per_link(state);
}
BENCHMARK(add_recorded)->Name("engine/add, recorded and freed")->Unit(benchmark::kMicrosecond);

void add_backward(benchmark::State& state) {
  const Variable x = start(true);
  for (auto _ : state) {
    chain(x).backward();
    x.zero_grad();
  }
  per_link(state);
}
BENCHMARK(add_backward)->Name("engine/add, recorded and backward")->Unit(benchmark::kMicrosecond);

void add_profiled(benchmark::State& state) {
  const Variable x = start(false);
  for (auto _ : state) {
    const Profiler profiler;
    benchmark::DoNotOptimize(chain(x));
  }
  per_link(state);
}
BENCHMARK(add_profiled)->Name("engine/add, profiled")->Unit(benchmark::kMicrosecond);

}  // namespace
