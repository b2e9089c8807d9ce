// GEMM over cblas. See gemm.h for what holds.
#include <gradus/core/kernels/matmul/gemm.h>
#include <gradus/core/kernels/matmul/unpacked_gemm.h>

#include <algorithm>
#include <limits>
#include <span>
#include <type_traits>

#include <cblas.h>

#include <gradus/core/error.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// A block of about 10 microseconds of work: below that, waking a thread costs more than it brings.
constexpr std::int64_t flops_per_block = 1'000'000;

// BLAS packs the operand that the blocks share again for each of them. Blocks of 96 rows lose a
// tenth of the speed of the whole that way, blocks of 32 rows half of it.
constexpr std::int64_t max_blocks = 16;
constexpr std::int64_t min_block_rows = 96;

// The widest vector that BLAS kernels use, so that only the last block has a ragged edge.
constexpr std::int64_t block_multiple = 16;

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

void cblas_gemm(CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, blasint m, blasint n,
                blasint k, float alpha, const float* a, blasint lda, const float* b, blasint ldb,
                float beta, float* c, blasint ldc) {
  cblas_sgemm(CblasRowMajor, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c,
              ldc);
}

void cblas_gemm(CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, blasint m, blasint n,
                blasint k, double alpha, const double* a, blasint lda, const double* b, blasint ldb,
                double beta, double* c, blasint ldc) {
  cblas_dgemm(CblasRowMajor, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c,
              ldc);
}

template <class T> void clear(std::int64_t m, std::int64_t n, T* c, std::int64_t ldc) {
  for (std::int64_t i = 0; i < m; ++i) std::fill_n(c + i * ldc, n, T{0});
}

template <class T> void scale(std::int64_t m, std::int64_t n, T factor, T* c, std::int64_t ldc) {
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] *= factor;
  }
}

/// How many rows (or columns) a block has when `size` of them cost `flops` in all.
std::int64_t block_size(std::int64_t size, std::int64_t flops) {
  const std::int64_t worthwhile = std::min(flops / flops_per_block, size / min_block_rows);
  const std::int64_t blocks = std::clamp<std::int64_t>(worthwhile, 1, max_blocks);
  const std::int64_t rows = (size + blocks - 1) / blocks;
  return (rows + block_multiple - 1) / block_multiple * block_multiple;
}

/// 2·m·n·k, or the largest number where that would overflow.
std::int64_t flop_count(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  if (m == 0 || n == 0 || k == 0) return 0;
  if (m > largest / n || m * n > largest / k / 2) return largest;
  return 2 * m * n * k;
}

// ---- By unpacked_gemm.h ----
// No operand is copied, so a block may be as small as is worth a thread.

// What is read again for each block of the result must stay in the second-level cache: 0.5 and 1
// MiB. Measured against BLAS: below, it takes 0.5 to 0.9 of the time; at twice that, more.
template <class T>
constexpr std::int64_t most_row_elements = (1 << 19) / static_cast<std::int64_t>(sizeof(T));
template <class T>
constexpr std::int64_t most_column_elements = (1 << 20) / static_cast<std::int64_t>(sizeof(T));

// Of the kernels' blocks: 2, 3, 4 and 6 rows, 4 columns, 4 vectors of up to 16 columns.
constexpr std::int64_t row_multiple = 12;
constexpr std::int64_t row_column_multiple = 4;
constexpr std::int64_t vector_multiple = 64;

std::int64_t unpacked_block(std::int64_t size, std::int64_t multiple, std::int64_t flops) {
  const std::int64_t blocks = std::max<std::int64_t>(flops / flops_per_block, 1);
  return ((size + blocks - 1) / blocks + multiple - 1) / multiple * multiple;
}

/// C = A·Bᵀ, finished.
template <class T>
void unpacked_nt(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
                 const T* b, std::int64_t ldb, const Epilogue<T>& epilogue, T* c,
                 std::int64_t ldc) {
  const std::int64_t flops = flop_count(m, n, k);
  if (m >= n) {
    return parallel_for(m, unpacked_block(m, row_multiple, flops),
                        [&](std::int64_t begin, std::int64_t end) {
                          unpacked_gemm<T>().nt(end - begin, n, k, a + begin * lda, lda, b, ldb,
                                                epilogue, c + begin * ldc, ldc);
                        });
  }
  parallel_for(n, unpacked_block(n, row_column_multiple, flops),
               [&](std::int64_t begin, std::int64_t end) {
                 Epilogue<T> part = epilogue;
                 if (part.bias != nullptr) part.bias += begin;
                 unpacked_gemm<T>().nt(m, end - begin, k, a, lda, b + begin * ldb, ldb, part,
                                       c + begin, ldc);
               });
}

/// C = op(A)·B
template <class T>
void unpacked_nn(Transpose transpose_a, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                 std::int64_t lda, const T* b, std::int64_t ldb, T* c, std::int64_t ldc) {
  const std::int64_t flops = flop_count(m, n, k);
  const std::int64_t row = transpose_a == Transpose::yes ? 1 : lda;
  const std::int64_t inner = transpose_a == Transpose::yes ? lda : 1;
  if (m >= n) {
    return parallel_for(m, unpacked_block(m, row_multiple, flops),
                        [&](std::int64_t begin, std::int64_t end) {
                          unpacked_gemm<T>().nn(end - begin, n, k, a + begin * row, row, inner, b,
                                                ldb, c + begin * ldc, ldc);
                        });
  }
  parallel_for(
      n, unpacked_block(n, vector_multiple, flops), [&](std::int64_t begin, std::int64_t end) {
        unpacked_gemm<T>().nn(m, end - begin, k, a, row, inner, b + begin, ldb, c + begin, ldc);
      });
}

/// Does unpacked_gemm.h compute it? Then it has.
template <class T>
bool try_unpacked(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
                  std::int64_t k, const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T* c,
                  std::int64_t ldc) {
  if (transpose_b == Transpose::no) {
    if (k * n > most_column_elements<T>) return false;
    unpacked_nn(transpose_a, m, n, k, a, lda, b, ldb, c, ldc);
    return true;
  }
  if (transpose_a == Transpose::yes || m * k > most_row_elements<T>) return false;
  unpacked_nt<T>(m, n, k, a, lda, b, ldb, {}, c, ldc);
  return true;
}

}  // namespace

template <class T>
void gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
          std::int64_t k, std::type_identity_t<T> alpha, const T* a, std::int64_t lda, const T* b,
          std::int64_t ldb, std::type_identity_t<T> beta, T* c, std::int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  // Whether BLAS reads C at beta 0 is up to the library; after this it makes no difference.
  if (beta == T{0}) clear(m, n, c, ldc);
  if (k <= 0) {
    if (beta != T{0}) scale(m, n, beta, c, ldc);
    return;
  }
  blas_is_single_threaded();  // pins the library before its first use
  cblas_gemm(to_cblas(transpose_a), to_cblas(transpose_b), to_blas_int(m), to_blas_int(n),
             to_blas_int(k), alpha, a, to_blas_int(lda), b, to_blas_int(ldb), beta, c,
             to_blas_int(ldc));
}

template <class T>
void gemm_parallel(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
                   std::int64_t k, std::type_identity_t<T> alpha, const T* a, std::int64_t lda,
                   const T* b, std::int64_t ldb, std::type_identity_t<T> beta, T* c,
                   std::int64_t ldc) {
  if (alpha == 1 && beta == 0 &&
      try_unpacked(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, c, ldc))
    return;
  const std::int64_t flops = flop_count(m, n, k);
  if (m >= n) {
    const std::int64_t row = transpose_a == Transpose::yes ? 1 : lda;
    parallel_for(m, block_size(m, flops), [&](std::int64_t begin, std::int64_t end) {
      gemm(transpose_a, transpose_b, end - begin, n, k, alpha, a + begin * row, lda, b, ldb, beta,
           c + begin * ldc, ldc);
    });
  } else {
    const std::int64_t column = transpose_b == Transpose::yes ? ldb : 1;
    parallel_for(n, block_size(n, flops), [&](std::int64_t begin, std::int64_t end) {
      gemm(transpose_a, transpose_b, m, end - begin, k, alpha, a, lda, b + begin * column, ldb,
           beta, c + begin, ldc);
    });
  }
}

template <class T>
void gemm_linear(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
                 const T* b, std::int64_t ldb, const Epilogue<T>& epilogue, T* c,
                 std::int64_t ldc) {
  if (m * k <= most_row_elements<T>)
    return unpacked_nt<T>(m, n, k, a, lda, b, ldb, epilogue, c, ldc);
  if (epilogue.bias != nullptr) {
    for (std::int64_t i = 0; i < m; ++i) std::copy_n(epilogue.bias, n, c + i * ldc);
  }
  gemm_parallel(Transpose::no, Transpose::yes, m, n, k, T{1}, a, lda, b, ldb,
                epilogue.bias != nullptr ? T{1} : T{0}, c, ldc);
  if (!epilogue.relu) return;
  const std::int64_t grain = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(n, 1));
  parallel_for(m, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (T& value : std::span(c + i * ldc, static_cast<std::size_t>(n)))
        value = value < T{0} ? T{0} : value;
    }
  });
}

template <class T>
void gemm_batched(std::int64_t batch, BatchStrides strides, Transpose transpose_a,
                  Transpose transpose_b, std::int64_t m, std::int64_t n, std::int64_t k,
                  std::type_identity_t<T> alpha, const T* a, std::int64_t lda, const T* b,
                  std::int64_t ldb, std::type_identity_t<T> beta, T* c, std::int64_t ldc) {
  const std::int64_t flops = flop_count(m, n, k);
  // One chunk when the matrices are large: then each is split inside.
  const std::int64_t matrices_per_chunk =
      flops > 2 * flops_per_block ? batch : flops_per_block / std::max<std::int64_t>(flops, 1) + 1;
  parallel_for(batch, matrices_per_chunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      gemm_parallel(transpose_a, transpose_b, m, n, k, alpha, a + i * strides.a, lda,
                    b + i * strides.b, ldb, beta, c + i * strides.c, ldc);
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

template void gemm(Transpose, Transpose, std::int64_t, std::int64_t, std::int64_t, float,
                   const float*, std::int64_t, const float*, std::int64_t, float, float*,
                   std::int64_t);
template void gemm(Transpose, Transpose, std::int64_t, std::int64_t, std::int64_t, double,
                   const double*, std::int64_t, const double*, std::int64_t, double, double*,
                   std::int64_t);
template void gemm_parallel(Transpose, Transpose, std::int64_t, std::int64_t, std::int64_t, float,
                            const float*, std::int64_t, const float*, std::int64_t, float, float*,
                            std::int64_t);
template void gemm_parallel(Transpose, Transpose, std::int64_t, std::int64_t, std::int64_t, double,
                            const double*, std::int64_t, const double*, std::int64_t, double,
                            double*, std::int64_t);
template void gemm_linear(std::int64_t, std::int64_t, std::int64_t, const float*, std::int64_t,
                          const float*, std::int64_t, const Epilogue<float>&, float*, std::int64_t);
template void gemm_linear(std::int64_t, std::int64_t, std::int64_t, const double*, std::int64_t,
                          const double*, std::int64_t, const Epilogue<double>&, double*,
                          std::int64_t);
template void gemm_batched(std::int64_t, BatchStrides, Transpose, Transpose, std::int64_t,
                           std::int64_t, std::int64_t, float, const float*, std::int64_t,
                           const float*, std::int64_t, float, float*, std::int64_t);
template void gemm_batched(std::int64_t, BatchStrides, Transpose, Transpose, std::int64_t,
                           std::int64_t, std::int64_t, double, const double*, std::int64_t,
                           const double*, std::int64_t, double, double*, std::int64_t);

}  // namespace gradus::kernels
