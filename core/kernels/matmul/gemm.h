// C (+)= op(A)·op(B) on row-major matrices, finished. T is float or double.
//
// There are three ways, by size and by what the CPU has; gemm() takes the one that is measured to be
// faster:
//
//   rows      small A against rows of B (a linear layer), where they lie: unpacked_gemm.h, nt
//   columns   numbers of A against rows of B, in panels where these are large: unpacked_gemm.h, nn
//   blas      OpenBLAS's kernels, where vectors have less than 64 bytes and B does not fit the cache
//
// What always holds:
//   - without `add` C is overwritten without being read: a NaN or garbage in it does not survive;
//   - k == 0 is an empty sum, m == 0 or n == 0 does nothing; NaN and infinities in A and B pass
//     through;
//   - a size that does not fit the BLAS library's integer is a ShapeError where BLAS is asked;
//   - the BLAS library runs single-threaded: parallelism is ours, in blocks fixed by the problem,
//     so the bits are the same at any thread count.
#pragma once

#include <cstdint>
#include <string>

#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

enum class Transpose { no, yes };
enum class BiasOf { rows, columns };

/// The sizes and places of a product. lda, ldb and ldc are the distances between rows as the matrices
/// lie in memory.
template <class T> struct Gemm {
  std::int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;  ///< [m,k], transposed [k,m]
  std::int64_t lda = 0;
  const T* b = nullptr;  ///< [k,n], transposed [n,k]
  std::int64_t ldb = 0;
  T* c = nullptr;  ///< [m,n]
  std::int64_t ldc = 0;
  Transpose transpose_a = Transpose::no, transpose_b = Transpose::no;
  bool add = false;  ///< to what is in C
  Epilogue<T> epilogue{};
  BiasOf bias_of = BiasOf::rows;

  /// The product of some rows of C, or of some columns.
  Gemm of_rows(std::int64_t begin, std::int64_t end) const;
  Gemm of_columns(std::int64_t begin, std::int64_t end) const;
};

enum class GemmWay { rows, columns, blas };

/// How gemm() goes about it: in blocks of rows of C, or else of columns; each block is a product of
/// its own.
struct GemmPlan {
  GemmWay way;
  bool by_rows;
  std::int64_t block;
  bool
      panels;  ///< columns: B is brought into panels, a chunk of `depth` of its rows after the other
  std::int64_t depth;
};

template <class T> GemmPlan plan_gemm(const Gemm<T>& product);

/// On several threads, but on the calling one where it is called by one of several.
template <class T> void gemm(const Gemm<T>& product);

/// By BLAS, on the calling thread.
template <class T> void gemm_by_blas(const Gemm<T>& product);

/// Matrix i of a batch starts at a + i·stride_a; a stride of 0 uses one matrix for the whole batch
/// (broadcasting).
struct BatchStrides {
  std::int64_t a;
  std::int64_t b;
  std::int64_t c;
};

/// `batch` products of one size, without a bias: in parallel over the batch when the matrices are
/// small, inside each when they are large.
template <class T>
void gemm_batched(std::int64_t batch, BatchStrides strides, const Gemm<T>& first);

/// Whether the BLAS library was pinned to one thread and reports that it took. An OpenMP build
/// may ignore the pin: then this is false, results may depend on the thread count, and a program
/// should say so.
bool blas_is_single_threaded();

/// One line for a log: the library's own description, and whether it is pinned.
std::string blas_description();

}  // namespace gradus::kernels
