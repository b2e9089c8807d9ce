// Matrix products of the sizes that nets ask for, as linear layers (rows are images) and as
// convolutions (columns are pixels): gemm/M/N/K, with each transposition that their
// gradients need.
#include <gradus/core/kernels/matmul/gemm.h>

#include "kernels.h"

namespace {

using namespace gradus;
using kernels::Transpose;

void run(benchmark::State& state, Transpose transpose_a, Transpose transpose_b) {
  const std::int64_t m = state.range(0);
  const std::int64_t n = state.range(1);
  const std::int64_t k = state.range(2);
  const Tensor a = bench::numbers({m, k});
  const Tensor b = bench::numbers({k, n});
  const Tensor c = bench::numbers({m, n});
  const std::int64_t lda = transpose_a == Transpose::yes ? m : k;
  const std::int64_t ldb = transpose_b == Transpose::yes ? k : n;
  for (auto _ : state) {
    kernels::gemm<float>({.m = m,
                          .n = n,
                          .k = k,
                          .a = a.data<float>(),
                          .lda = lda,
                          .b = b.data<float>(),
                          .ldb = ldb,
                          .c = c.data<float>(),
                          .ldc = n,
                          .transpose_a = transpose_a,
                          .transpose_b = transpose_b});
    benchmark::ClobberMemory();
  }
  bench::set_rates(state, 2 * m * n * k, bench::bytes({a, b, c}));
}

void shapes(benchmark::internal::Benchmark* gemm) {
  gemm->ArgNames({"m", "n", "k"})->Unit(benchmark::kMicrosecond)->UseRealTime();
  gemm->Args({1024, 1024, 1024});  // BLAS at its best
  gemm->Args({64, 120, 400});      // LeNet's linear layers at batch 64, and at batch 1
  gemm->Args({64, 84, 120});
  gemm->Args({64, 10, 84});
  gemm->Args({1, 120, 400});
  gemm->Args({64, 256, 784});  // the perceptron
  gemm->Args({6, 784, 25});    // LeNet's convolutions, for one image
  gemm->Args({16, 100, 150});
  gemm->Args({64, 1024, 576});   // 3x3, 64 to 64 channels on 32x32
  gemm->Args({128, 784, 1152});  // 3x3, 128 to 128 channels on 28x28
  gemm->Args({64, 1024, 64});    // 1x1
  gemm->Args({256, 196, 256});
}

BENCHMARK_CAPTURE(run, a_b, Transpose::no, Transpose::no)->Name("gemm/AB")->Apply(shapes);
BENCHMARK_CAPTURE(run, a_bt, Transpose::no, Transpose::yes)->Name("gemm/ABt")->Apply(shapes);
BENCHMARK_CAPTURE(run, at_b, Transpose::yes, Transpose::no)->Name("gemm/AtB")->Apply(shapes);

}  // namespace
