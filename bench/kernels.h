// What the suites of Google Benchmark share: numbers to compute with, and the two rates.
//
// Built as bench_kernels where the library is found (Debian: libbenchmark-dev). To run all or some:
//   ./run bench --kernels
//   ./run bench --kernels --benchmark_filter='conv2d/implicit_gemm/.*3x3' --benchmark_repetitions=5
// One thread, unless GRADUS_NUM_THREADS says otherwise. Debian's library warns that it is a debug
// build: it means itself, and its own part of a measurement is a clock read twice.
#pragma once

#include <gradus/core/create.h>
#include <gradus/core/random.h>
#include <gradus/core/tensor.h>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <initializer_list>

namespace bench {

inline gradus::Tensor numbers(const gradus::Shape& shape) {
  gradus::Generator generator(1);
  return gradus::randn(shape, generator);
}

/// The bytes of a pass that reads or writes each of the tensors once.
inline std::int64_t bytes(std::initializer_list<gradus::Tensor> tensors) {
  std::int64_t sum = 0;
  for (const gradus::Tensor& tensor : tensors)
    sum += tensor.numel() * gradus::size_of(tensor.dtype());
  return sum;
}

/// GFLOP/s and GB/s of a benchmark whose iterations do `flops` (none: 0) and must move
/// `bytes` at least.
inline void set_rates(benchmark::State& state, std::int64_t flops, std::int64_t bytes) {
  using benchmark::Counter;
  const auto rate = [](std::int64_t count) {
    return Counter(static_cast<double>(count) / 1e9, Counter::kIsIterationInvariantRate);
  };
  if (flops > 0) state.counters["GFLOP"] = rate(flops);
  state.counters["GB"] = rate(bytes);
}

}  // namespace bench
