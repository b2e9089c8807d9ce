// Products of matrices, by our kernels or by cblas. See gemm.h for what holds.
#include <gradus/core/kernels/matmul/gemm.h>
#include <gradus/core/kernels/matmul/unpacked_gemm.h>

#include <algorithm>
#include <limits>

#include <cblas.h>

#include <gradus/core/error.h>
#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d/filter_lanes.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// A block of about 10 microseconds of work: below that, waking a thread costs more than it brings.
constexpr std::int64_t flops_per_block = 1'000'000;

// BLAS packs the operand that the blocks share again for each of them. Blocks of 96 rows lose a
// tenth of the speed of the whole that way, blocks of 32 rows half of it. So does our own way with
// panels.
constexpr std::int64_t max_blocks = 16;
constexpr std::int64_t min_block_rows = 96;

// The widest vector that BLAS kernels use, so that only the last block has a ragged edge.
constexpr std::int64_t block_multiple = 16;

// Columns of a block. Short enough that [64,64]·[64,240] still takes OpenBLAS's path for small
// matrices, which packs nothing (up to 10^6 products).
constexpr std::int64_t blas_columns = 240;

// What is read again for each block of the result must stay in the second-level cache: 0.5 and 1
// MiB. Measured against BLAS: below, it takes 0.5 to 0.9 of the time; at twice that, more.
template <class T>
constexpr std::int64_t most_row_elements = (1 << 19) / static_cast<std::int64_t>(sizeof(T));
template <class T>
constexpr std::int64_t most_column_elements = (1 << 20) / static_cast<std::int64_t>(sizeof(T));

// Of the kernels' blocks: 2, 3, 4 and 6 rows, 4 columns.
constexpr std::int64_t row_multiple = 12;
constexpr std::int64_t row_column_multiple = 4;

// Rows of B that are gone through together: those of a panel then stay in the cache.
constexpr std::int64_t depth = 256;

bool pin_blas_to_one_thread() {
  openblas_set_num_threads(1);
  // An OpenMP build takes its thread count from OpenMP at every call, whatever it answers here.
  return openblas_get_parallel() != OPENBLAS_OPENMP && openblas_get_num_threads() == 1;
}

blasint to_blas_int(std::int64_t size) {
  if (size > std::numeric_limits<blasint>::max()) {
    fail<ShapeError>("gemm: a size of ", size, " is beyond the BLAS library's greatest, ",
                     std::numeric_limits<blasint>::max());
  }
  return static_cast<blasint>(size);
}

CBLAS_TRANSPOSE to_cblas(Transpose transpose) {
  return transpose == Transpose::yes ? CblasTrans : CblasNoTrans;
}

void call_blas(const Gemm<float>& g) {
  cblas_sgemm(CblasRowMajor, to_cblas(g.transpose_a), to_cblas(g.transpose_b), to_blas_int(g.m),
              to_blas_int(g.n), to_blas_int(g.k), 1, g.a, to_blas_int(g.lda), g.b,
              to_blas_int(g.ldb), g.add ? 1 : 0, g.c, to_blas_int(g.ldc));
}

void call_blas(const Gemm<double>& g) {
  cblas_dgemm(CblasRowMajor, to_cblas(g.transpose_a), to_cblas(g.transpose_b), to_blas_int(g.m),
              to_blas_int(g.n), to_blas_int(g.k), 1, g.a, to_blas_int(g.lda), g.b,
              to_blas_int(g.ldb), g.add ? 1 : 0, g.c, to_blas_int(g.ldc));
}

/// The same product, with C as it is before the sums: what was in it or 0, and the bias.
template <class T> Gemm<T> started(Gemm<T> g) {
  for (std::int64_t i = 0; i < g.m; ++i) {
    T* row = g.c + i * g.ldc;
    if (!g.add) std::fill_n(row, g.n, T{0});
    for (std::int64_t j = 0; g.epilogue.bias != nullptr && j < g.n; ++j)
      row[j] += g.epilogue.bias[g.bias_of == BiasOf::rows ? i : j];
  }
  g.add = g.add || g.epilogue.bias != nullptr;
  g.epilogue.bias = nullptr;
  return g;
}

template <class T> bool in_rows(const Gemm<T>& g) {
  const UnpackedGemm<T>& kernels = unpacked_gemm<T>();
  // Measured: from here on, bringing B into panels is paid for by the sums.
  constexpr std::int64_t enough = 16;
  if (kernels.beats_blas && g.k < kernels.short_sum && g.m >= enough && g.n >= enough) return false;
  return g.transpose_a == Transpose::no && g.transpose_b == Transpose::yes &&
         (g.epilogue.bias == nullptr || g.bias_of == BiasOf::columns) &&
         g.k <= most_row_elements<T> / g.m;
}

/// Must B be brought into panels for nn of unpacked_gemm.h? Where it lies transposed, where it is too
/// large, and where its rows are whole pages apart and fight for the same lines of the first cache.
template <class T> bool wants_panels(const Gemm<T>& g) {
  constexpr std::int64_t page = 4096 / static_cast<std::int64_t>(sizeof(T));
  return g.transpose_b == Transpose::yes || g.k > most_column_elements<T> / g.n ||
         g.ldb % page == 0;
}

/// How many rows (or columns) a block has when `size` of them cost `flops` in all.
std::int64_t packed_block(std::int64_t size, std::int64_t flops) {
  const std::int64_t worthwhile = std::min(flops / flops_per_block, size / min_block_rows);
  const std::int64_t blocks = std::clamp<std::int64_t>(worthwhile, 1, max_blocks);
  return ceil_div(ceil_div(size, blocks), block_multiple) * block_multiple;
}

std::int64_t unpacked_block(std::int64_t size, std::int64_t multiple, std::int64_t flops) {
  const std::int64_t blocks = std::max<std::int64_t>(flops / flops_per_block, 1);
  return ceil_div(ceil_div(size, blocks), multiple) * multiple;
}

template <class T> void by_rows(const Gemm<T>& g) {
  unpacked_gemm<T>().nt(g.m, g.n, g.k, g.a, g.lda, g.b, g.ldb, g.add, g.epilogue, g.c, g.ldc);
}

template <class T> void by_columns(const Gemm<T>& g, bool panels) {
  const UnpackedGemm<T>& kernels = unpacked_gemm<T>();
  const std::int64_t row_step = g.transpose_a == Transpose::yes ? 1 : g.lda;
  const std::int64_t inner_step = g.transpose_a == Transpose::yes ? g.lda : 1;
  const std::int64_t width = panels ? std::min(kernels.panel, g.n) : g.n;
  Workspace<T> panel(panels ? std::min(depth, g.k) * width : 0);
  for (std::int64_t p = 0; p == 0 || p < g.k; p += depth) {
    const std::int64_t rows = std::min(depth, g.k - p);
    const Epilogue<T> part{p == 0 ? g.epilogue.bias : nullptr, g.epilogue.relu && p + depth >= g.k};
    for (std::int64_t j = 0; j < g.n; j += width) {
      const std::int64_t columns = std::min(width, g.n - j);
      const bool transposed = g.transpose_b == Transpose::yes;
      const T* from = transposed ? g.b + j * g.ldb + p : g.b + p * g.ldb + j;
      for (std::int64_t r = 0; panels && !transposed && r < rows; ++r)
        std::copy_n(from + r * g.ldb, columns, panel.data() + r * width);
      if (transposed) filter_lanes<T>().transpose(columns, rows, from, g.ldb, panel.data(), width);
      kernels.nn(g.m, columns, rows, g.a + p * inner_step, row_step, inner_step,
                 panels ? panel.data() : from, panels ? width : g.ldb, g.add || p > 0, part,
                 g.c + j, g.ldc);
    }
  }
}

}  // namespace

template <class T> Gemm<T> Gemm<T>::of_rows(std::int64_t begin, std::int64_t end) const {
  Gemm part = *this;
  part.m = end - begin;
  part.a += begin * (transpose_a == Transpose::yes ? 1 : lda);
  part.c += begin * ldc;
  if (bias_of == BiasOf::rows) part.epilogue = epilogue.from(begin);
  return part;
}

template <class T> Gemm<T> Gemm<T>::of_columns(std::int64_t begin, std::int64_t end) const {
  Gemm part = *this;
  part.n = end - begin;
  part.b += begin * (transpose_b == Transpose::yes ? ldb : 1);
  part.c += begin;
  if (bias_of == BiasOf::columns) part.epilogue = epilogue.from(begin);
  return part;
}

template <class T> GemmPlan plan_gemm(const Gemm<T>& g) {
  const std::int64_t flops = saturating_product({2, g.m, g.n, g.k});
  const bool tall = g.m >= g.n;
  if (g.m <= 0 || g.n <= 0 || in_rows(g)) {
    return {GemmWay::rows, tall,
            tall ? unpacked_block(g.m, row_multiple, flops)
                 : unpacked_block(g.n, row_column_multiple, flops),
            false, g.k};
  }
  const UnpackedGemm<T>& kernels = unpacked_gemm<T>();
  const bool panels = wants_panels(g);
  const bool fits = g.transpose_b == Transpose::no && g.k <= most_column_elements<T> / g.n;
  if (!kernels.beats_blas && !fits) {
    return {GemmWay::blas, tall,
            tall ? packed_block(g.m, flops) : std::max(packed_block(g.n, flops), blas_columns),
            false, g.k};
  }
  // Panels are packed again for each block of rows.
  if (panels ? g.n < 4 * kernels.panel : tall) {
    return {GemmWay::columns, true,
            panels ? packed_block(g.m, flops) : unpacked_block(g.m, row_multiple, flops), panels,
            depth};
  }
  return {GemmWay::columns, false, unpacked_block(g.n, kernels.panel, flops), panels, depth};
}

template <class T> void gemm(const Gemm<T>& g) {
  if (g.m <= 0 || g.n <= 0) return;
  const GemmPlan plan = plan_gemm(g);
  parallel_for(plan.by_rows ? g.m : g.n, plan.block, [&](std::int64_t begin, std::int64_t end) {
    const Gemm<T> part = plan.by_rows ? g.of_rows(begin, end) : g.of_columns(begin, end);
    if (plan.way == GemmWay::rows) return by_rows(part);
    if (plan.way == GemmWay::blas) return gemm_by_blas(part);
    const bool other_bias = g.epilogue.bias != nullptr && g.bias_of == BiasOf::columns;
    by_columns(other_bias ? started(part) : part, plan.panels);
  });
}

template <class T> void gemm_by_blas(const Gemm<T>& g) {
  if (g.m <= 0 || g.n <= 0) return;
  blas_is_single_threaded();  // pins the library before its first use
  // Whether BLAS reads C that it overwrites is up to the library; after started() it does not matter.
  const Gemm<T> rest = started(g);
  if (g.k > 0) call_blas(rest);
  for (std::int64_t i = 0; g.epilogue.relu && i < g.m; ++i) {
    for (std::int64_t j = 0; j < g.n; ++j) {
      T& value = g.c[i * g.ldc + j];
      value = value < T{0} ? T{0} : value;
    }
  }
}

template <class T>
void gemm_batched(std::int64_t batch, BatchStrides strides, const Gemm<T>& first) {
  const std::int64_t flops = saturating_product({2, first.m, first.n, first.k});
  // One chunk when the matrices are large: then each is split inside.
  const std::int64_t matrices_per_chunk =
      flops > 2 * flops_per_block ? batch : flops_per_block / std::max<std::int64_t>(flops, 1) + 1;
  parallel_for(batch, matrices_per_chunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      Gemm<T> one = first;
      one.a += i * strides.a;
      one.b += i * strides.b;
      one.c += i * strides.c;
      gemm(one);
    }
  });
}

bool blas_is_single_threaded() {
  static const bool pinned = pin_blas_to_one_thread();
  return pinned;
}

std::string blas_description() {
  // Asked once: OpenBLAS puts its text together in memory that is the same for all threads.
  static const std::string description = [] {
    const std::string threads =
        blas_is_single_threaded() ? "single-threaded" : "NOT pinned to one thread";
    return std::string(openblas_get_config()) + " (" + openblas_get_corename() + ", " + threads +
           ")";
  }();
  return description;
}

template struct Gemm<float>;
template struct Gemm<double>;
template GemmPlan plan_gemm(const Gemm<float>&);
template GemmPlan plan_gemm(const Gemm<double>&);
template void gemm(const Gemm<float>&);
template void gemm(const Gemm<double>&);
template void gemm_by_blas(const Gemm<float>&);
template void gemm_by_blas(const Gemm<double>&);
template void gemm_batched(std::int64_t, BatchStrides, const Gemm<float>&);
template void gemm_batched(std::int64_t, BatchStrides, const Gemm<double>&);

}  // namespace gradus::kernels
