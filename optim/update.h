// How an optimizer moves a stretch of a parameter: the loops of SGD and Adam over plain arrays, one
// pass over memory each.
//
// float32 runs in the widest vectors that the CPU has, float64 in the plain loop; both compute each
// element by the same operations in the same order, PyTorch's, without fused multiplication and
// addition, so their float32 results are equal to the bit. (As SSE2, which is what a compiler may
// assume of any x86-64, these loops would be bound by arithmetic, not by memory.)
#pragma once

#include <cstdint>

namespace gradus::detail {

template <class T> struct SgdStep {
  T lr, momentum, weight_decay;
  T damped;  ///< 1 - dampening, or 1 at the first step
  bool nesterov;
};

/// p ← p - lr·g, with g decayed. `b` may be null; where it is not, it takes the place of g:
///   b ← momentum·b + damped·g
///   p ← p - lr·b          (Nesterov: p ← p - lr·(g + momentum·b))
/// All [count].
template <class T>
void sgd_update(std::int64_t count, T* p, const T* grad, T* b, const SgdStep<T>& step);

template <class T> struct AdamStep {
  T weight_decay;     ///< Adam's: added to the gradient
  T shrink;           ///< AdamW's: 1 - lr·weight_decay
  T beta1, rest1;     ///< rest = 1 - beta
  T beta2, rest2;     ///< likewise
  T size;             ///< lr/(1 - beta1^t)
  T root_correction;  ///< √(1 - beta2^t)
  T eps;
};

/// m ← beta1·m + rest1·g
/// v ← beta2·v + rest2·g²
/// p ← shrink·p - size·m/(√v/root_correction + eps)
template <class T>
void adam_update(std::int64_t count, T* p, const T* grad, T* m, T* v, const AdamStep<T>& step);

/// The same with the greatest v so far in the place of v where p is moved: largest ← max(largest, v).
/// A plain loop in both dtypes.
template <class T>
void amsgrad_update(std::int64_t count, T* p, const T* grad, T* m, T* v, T* largest,
                    const AdamStep<T>& step);

/// The plain loops, which are what the vectors must equal.
template <class T>
void sgd_update_plain(std::int64_t count, T* p, const T* grad, T* b, const SgdStep<T>& step);
template <class T>
void adam_update_plain(std::int64_t count, T* p, const T* grad, T* m, T* v,
                       const AdamStep<T>& step);

}  // namespace gradus::detail
