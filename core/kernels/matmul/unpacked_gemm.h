// Products of matrices that fit the cache, as linear layers on a batch have them, in the widest
// vectors that the CPU has. T is float or double.
//
// BLAS first copies both operands into panels of its own layout, which pays when each number is
// used hundreds of times. With a batch of 64 rows that copying is a quarter of the work, so here
// operands are read where they lie; a block of the result is kept in registers until it is done,
// and written once, with whatever else is to happen to it. What is computed does not depend on how
// the result is cut into parts, only on the sizes and the width of a vector.
#pragma once

#include <cstdint>

#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

template <class T> struct UnpackedGemm {
  /// y[i, j] = Σ_p x[i, p]·w[j, p], finished: the bias is for each j. With `add`, to what is in y.
  /// x [m,k], w [n,k], y [m,n], rows ldx, ldw, ldy apart.
  void (*nt)(std::int64_t m, std::int64_t n, std::int64_t k, const T* x, std::int64_t ldx,
             const T* w, std::int64_t ldw, bool add, const Epilogue<T>& epilogue, T* y,
             std::int64_t ldy);

  /// c[i, j] = Σ_p a(i, p)·b[p, j],   a(i, p) = a[i·row_step + p·inner_step], finished: the bias is
  /// for each i. With `add`, to what is in c.
  /// A may lie transposed. b [k,n], c [m,n], rows ldb, ldc apart.
  void (*nn)(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t row_step,
             std::int64_t inner_step, const T* b, std::int64_t ldb, bool add,
             const Epilogue<T>& epilogue, T* c, std::int64_t ldc);

  std::int64_t panel;      ///< columns of c that nn computes at a time
  std::int64_t short_sum;  ///< with k below this nn is faster than nt
  /// Whether nn is at least as fast as BLAS at any size, if b is brought into panels. On a core of Zen 5, with
  /// OpenBLAS 0.3.21 in turns, GFLOP/s: 384 x 384 x 384 with AVX-512 203 and 196, with AVX2 101 and 100; 64 x 64 x 64
  /// 214 and 199, 109 and 91.
  bool beats_blas;
};

/// The kernels for the vectors in use.
template <class T> const UnpackedGemm<T>& unpacked_gemm();

}  // namespace gradus::kernels
