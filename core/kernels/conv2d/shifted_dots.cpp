// Compiled once for each kind of CPU, by Highway's including this file again; the last part only
// once. See shifted_dots.h.
#include <gradus/core/kernels/conv2d/shifted_dots.h>

#include <type_traits>

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/conv2d/shifted_dots.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <gradus/core/detail/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {
namespace {  // the same names stand in other files

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;

constexpr bool many_registers = HWY_MAX_BYTES == 64;

/// `filters` times `taps` sums, in registers through all images.
template <class T, int filters, int taps>
HWY_NOINLINE void micro_kernel(const ShiftedDots& p, const std::int64_t* offset,
                               const T* HWY_RESTRICT patch, const T* HWY_RESTRICT grad,
                               T* HWY_RESTRICT sums) {
  constexpr hn::ScalableTag<T> d;
  using Vector = hn::Vec<decltype(d)>;
  Vector sum[filters][taps];
  GRADUS_UNROLL
  for (int f = 0; f < filters; ++f) {
    GRADUS_UNROLL
    for (int t = 0; t < taps; ++t) sum[f][t] = hn::Zero(d);
  }
  for (std::int64_t image = 0; image < p.images; ++image) {
    const T* x[taps];
    GRADUS_UNROLL
    for (int t = 0; t < taps; ++t) x[t] = patch + offset[t];
    for (std::int64_t i = 0; i < p.length; i += static_cast<std::int64_t>(hn::Lanes(d))) {
      Vector g[filters];
      GRADUS_UNROLL
      for (int f = 0; f < filters; ++f) g[f] = hn::LoadU(d, grad + f * p.length + i);
      GRADUS_UNROLL
      for (int t = 0; t < taps; ++t) {
        const Vector window = hn::LoadU(d, x[t] + i);
        GRADUS_UNROLL
        for (int f = 0; f < filters; ++f) sum[f][t] = hn::MulAdd(g[f], window, sum[f][t]);
      }
    }
    patch += p.image_step;
    grad += p.filters * p.length;
  }
  GRADUS_UNROLL
  for (int f = 0; f < filters; ++f) {
    GRADUS_UNROLL
    for (int t = 0; t < taps; ++t)
      sums[f * p.taps + t] += hn::GetLane(hn::SumOfLanes(d, sum[f][t]));
  }
}

/// All taps of `filters` filters: the largest micro-kernel as long as it fits, then smaller ones.
template <class T, int filters>
void all_taps(const ShiftedDots& p, const T* patch, const T* grad, T* sums) {
  std::int64_t t = 0;
  const auto take = [&](auto count) HWY_ATTR {
    constexpr int taps = decltype(count)::value;
    for (; t + taps <= p.taps; t += taps)
      micro_kernel<T, filters, taps>(p, p.offset + t, patch, grad, sums + t);
  };
  if constexpr (filters == 1) take(std::integral_constant<int, 9>());
  if constexpr (many_registers && filters == 2) take(std::integral_constant<int, 9>());
  if constexpr (many_registers && filters == 4) take(std::integral_constant<int, 5>());
  take(std::integral_constant<int, 3>());
  take(std::integral_constant<int, 1>());
}

template <class T> void dots(const ShiftedDots& p, const T* patch, const T* grad, T* sums) {
  std::int64_t f = 0;
  for (; f + 4 <= p.filters; f += 4)
    all_taps<T, 4>(p, patch, grad + f * p.length, sums + f * p.taps);
  for (; f + 2 <= p.filters; f += 2)
    all_taps<T, 2>(p, patch, grad + f * p.length, sums + f * p.taps);
  for (; f < p.filters; ++f) all_taps<T, 1>(p, patch, grad + f * p.length, sums + f * p.taps);
}

template <class T>
void spread(std::int64_t filters, std::int64_t rows, std::int64_t columns, const T* from,
            std::int64_t filter_step, std::int64_t row_step, std::int64_t length, T* to) {
  const std::int64_t line = (rows - 1) * row_step + columns;
  for (std::int64_t f = 0; f < filters; ++f) {
    T* out = to + f * length;
    simd::cover<T>(columns, [&](std::int64_t k, auto some) HWY_ATTR {
      for (std::int64_t r = 0; r < rows; ++r)
        some.store(some.load(from + f * filter_step + r * columns + k), out + r * row_step + k);
    });
    if (row_step > columns) {
      for (std::int64_t r = 0; r + 1 < rows; ++r)
        simd::clear_row(row_step - columns, out + r * row_step + columns);
    }
    simd::clear_row(length - line, out + line);
  }
}

template <class T> constexpr ShiftedDotsKernels<T> kernels{&dots<T>, &spread<T>};
const ShiftedDotsKernels<float>* float_kernels() { return &kernels<float>; }
const ShiftedDotsKernels<double>* double_kernels() { return &kernels<double>; }

}  // namespace
}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

GRADUS_EXPORT_KERNELS(ShiftedDotsKernels, shifted_dots)

}  // namespace gradus::kernels
#endif
