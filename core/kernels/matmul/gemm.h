// C = alpha·op(A)·op(B) + beta·C on row-major matrices: a thin wrapper over cblas that adds what
// BLAS leaves open.
//
// op(A) is [m,k], op(B) is [k,n], C is [m,n]; lda, ldb, ldc are the distances between rows as the
// matrices lie in memory (A is [m,k] or, transposed, [k,m]). T is float or double.
//
// What always holds:
//   - beta == 0 overwrites C without reading it: a NaN or garbage in C does not survive;
//   - k == 0 gives beta·C, m == 0 or n == 0 does nothing; NaN and infinities in A and B pass
//     through (alpha != 0);
//   - a size that does not fit the BLAS library's integer is a ShapeError;
//   - the BLAS library runs single-threaded: parallelism is ours, in blocks fixed by the problem,
//     so the bits are the same at any thread count.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

enum class Transpose { no, yes };

/// One GEMM on the calling thread.
template <class T>
void gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
          std::int64_t k, std::type_identity_t<T> alpha, const T* a, std::int64_t lda, const T* b,
          std::int64_t ldb, std::type_identity_t<T> beta, T* c, std::int64_t ldc);

/// The same, split over threads in fixed blocks of rows or columns, whichever are more; small
/// problems stay whole.
/// Where an operand fits the cache, unpacked_gemm.h computes it instead of BLAS.
template <class T>
void gemm_parallel(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
                   std::int64_t k, std::type_identity_t<T> alpha, const T* a, std::int64_t lda,
                   const T* b, std::int64_t ldb, std::type_identity_t<T> beta, T* c,
                   std::int64_t ldc);

/// C = A·Bᵀ, finished, with a bias for each column: a linear layer, in one pass where
/// unpacked_gemm.h does it. A [m,k], B [n,k], C [m,n].
template <class T>
void gemm_linear(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
                 const T* b, std::int64_t ldb, const Epilogue<T>& epilogue, T* c, std::int64_t ldc);

/// Matrix i of a batch starts at a + i·stride_a; a stride of 0 uses one matrix for the whole batch
/// (broadcasting).
struct BatchStrides {
  std::int64_t a;
  std::int64_t b;
  std::int64_t c;
};

/// `batch` GEMMs of one size: in parallel over the batch when the matrices are small, inside each
/// when they are large.
template <class T>
void gemm_batched(std::int64_t batch, BatchStrides strides, Transpose transpose_a,
                  Transpose transpose_b, std::int64_t m, std::int64_t n, std::int64_t k,
                  std::type_identity_t<T> alpha, const T* a, std::int64_t lda, const T* b,
                  std::int64_t ldb, std::type_identity_t<T> beta, T* c, std::int64_t ldc);

/// Whether the BLAS library was pinned to one thread and reports that it took. An OpenMP build
/// may ignore the pin: then this is false, results may depend on the thread count, and a program
/// should say so.
bool blas_is_single_threaded();

/// One line for a log: the library's own description, and whether it is pinned.
std::string blas_description();

}  // namespace gradus::kernels
