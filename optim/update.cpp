// Compiled once for each kind of CPU, by Highway's including this file again; the last part, with
// the plain loops, only once. See update.h.
#include <gradus/optim/detail/checks.h>
#include <gradus/optim/update.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/optim/update.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <gradus/core/detail/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::detail::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;
constexpr Floats floats;

HWY_INLINE Vector all(float value) { return hn::Set(floats, value); }

/// See the plain ones below.
HWY_INLINE Vector decayed(Vector g, Vector p, float weight_decay) {
  return weight_decay == 0 ? g : hn::Add(g, hn::Mul(all(weight_decay), p));
}
HWY_INLINE Vector normal_or_zero(Vector value) {
  const auto small = hn::Lt(hn::Abs(value), all(std::numeric_limits<float>::min()));
  return hn::IfThenZeroElse(small, value);
}

void sgd(std::int64_t count, float* HWY_RESTRICT p, const float* HWY_RESTRICT grad,
         float* HWY_RESTRICT b, const SgdStep<float>& step) {
  simd::for_each_vector<float>(count, [&](std::int64_t i, auto some) HWY_ATTR {
    const Vector before = some.load(p + i);
    const Vector g = decayed(some.load(grad + i), before, step.weight_decay);
    Vector direction = g;
    if (b != nullptr) {
      const Vector velocity = some.load(b + i);
      direction = normal_or_zero(
          hn::Add(hn::Mul(all(step.momentum), velocity), hn::Mul(all(step.damped), g)));
      some.store(direction, b + i);
      if (step.nesterov) direction = hn::Add(g, hn::Mul(all(step.momentum), direction));
    }
    some.store(hn::Sub(before, hn::Mul(all(step.lr), direction)), p + i);
  });
}

void adam(std::int64_t count, float* HWY_RESTRICT p, const float* HWY_RESTRICT grad,
          float* HWY_RESTRICT m, float* HWY_RESTRICT v, const AdamStep<float>& step) {
  simd::for_each_vector<float>(count, [&](std::int64_t i, auto some) HWY_ATTR {
    const Vector before = some.load(p + i);
    const Vector g = decayed(some.load(grad + i), before, step.weight_decay);
    const Vector first = normal_or_zero(
        hn::Add(hn::Mul(all(step.beta1), some.load(m + i)), hn::Mul(all(step.rest1), g)));
    const Vector second = hn::Add(hn::Mul(all(step.beta2), some.load(v + i)),
                                  hn::Mul(hn::Mul(all(step.rest2), g), g));
    const Vector root = hn::Div(hn::Sqrt(second), all(step.root_correction));
    const Vector move = hn::Div(hn::Mul(all(step.size), first), hn::Add(root, all(step.eps)));
    some.store(first, m + i);
    some.store(second, v + i);
    some.store(hn::Sub(hn::Mul(all(step.shrink), before), move), p + i);
  });
}

}  // namespace gradus::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::detail {

template <class T>
void sgd_update_plain(std::int64_t count, T* p, const T* grad, T* b, const SgdStep<T>& step) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = decayed(grad[i], p[i], step.weight_decay);
    T direction = g;
    if (b != nullptr) {
      b[i] = normal_or_zero(step.momentum * b[i] + step.damped * g);
      direction = step.nesterov ? g + step.momentum * b[i] : b[i];
    }
    p[i] -= step.lr * direction;
  }
}

template <class T>
void adam_update_plain(std::int64_t count, T* p, const T* grad, T* m, T* v,
                       const AdamStep<T>& step) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = decayed(grad[i], p[i], step.weight_decay);
    m[i] = normal_or_zero(step.beta1 * m[i] + step.rest1 * g);
    v[i] = step.beta2 * v[i] + step.rest2 * g * g;
    p[i] =
        step.shrink * p[i] - step.size * m[i] / (std::sqrt(v[i]) / step.root_correction + step.eps);
  }
}

template <class T>
void amsgrad_update(std::int64_t count, T* p, const T* grad, T* m, T* v, T* largest,
                    const AdamStep<T>& step) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = decayed(grad[i], p[i], step.weight_decay);
    m[i] = normal_or_zero(step.beta1 * m[i] + step.rest1 * g);
    v[i] = step.beta2 * v[i] + step.rest2 * g * g;
    largest[i] = std::max(largest[i], v[i]);
    p[i] = step.shrink * p[i] -
           step.size * m[i] / (std::sqrt(largest[i]) / step.root_correction + step.eps);
  }
}
template void amsgrad_update(std::int64_t, float*, const float*, float*, float*, float*,
                             const AdamStep<float>&);
template void amsgrad_update(std::int64_t, double*, const double*, double*, double*, double*,
                             const AdamStep<double>&);

[[maybe_unused]] static const bool simd_limited = limit_simd();

HWY_EXPORT(sgd);
HWY_EXPORT(adam);

template <>
void sgd_update(std::int64_t count, float* p, const float* grad, float* b,
                const SgdStep<float>& step) {
  HWY_DYNAMIC_DISPATCH(sgd)(count, p, grad, b, step);
}
template <>
void sgd_update(std::int64_t count, double* p, const double* grad, double* b,
                const SgdStep<double>& step) {
  sgd_update_plain(count, p, grad, b, step);
}
template <>
void adam_update(std::int64_t count, float* p, const float* grad, float* m, float* v,
                 const AdamStep<float>& step) {
  HWY_DYNAMIC_DISPATCH(adam)(count, p, grad, m, v, step);
}
template <>
void adam_update(std::int64_t count, double* p, const double* grad, double* m, double* v,
                 const AdamStep<double>& step) {
  adam_update_plain(count, p, grad, m, v, step);
}

template void sgd_update_plain(std::int64_t, float*, const float*, float*, const SgdStep<float>&);
template void adam_update_plain(std::int64_t, float*, const float*, float*, float*,
                                const AdamStep<float>&);

}  // namespace gradus::detail
#endif
