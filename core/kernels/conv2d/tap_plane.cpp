// Compiled once for each kind of CPU, by Highway's including this file again; the last part only
// once. See tap_plane.h.
#include <gradus/core/kernels/conv2d/tap_plane.h>

#include <type_traits>

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/conv2d/tap_plane.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <gradus/core/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;
constexpr Floats floats;

/// Four rows at a time: each weight is fetched once for four vectors.
constexpr std::int64_t row_block = 4;

void gather(const TapPlane& p, const float* HWY_RESTRICT patch, const float* HWY_RESTRICT weight,
            float bias, float* HWY_RESTRICT output) {
  simd::for_each_vector<float>(p.columns, [&](std::int64_t column, auto some) HWY_ATTR {
    const auto rows_at = [&](std::int64_t row, auto count) HWY_ATTR {
      Vector sum[row_block];
      for (std::int64_t r = 0; r < count; ++r) sum[r] = hn::Set(floats, bias);
      const float* corner = patch + row * p.row_step + column;
      for (std::int64_t t = 0; t < p.taps; ++t) {
        const Vector w = hn::Set(floats, weight[t]);
        for (std::int64_t r = 0; r < count; ++r) {
          const Vector x = some.load(corner + r * p.row_step + p.offset[t]);
          sum[r] = hn::MulAdd(w, x, sum[r]);
        }
      }
      for (std::int64_t r = 0; r < count; ++r)
        some.store(sum[r], output + (row + r) * p.columns + column);
    };
    std::int64_t row = 0;
    for (; row + row_block <= p.rows; row += row_block)
      rows_at(row, std::integral_constant<std::int64_t, row_block>());
    for (; row < p.rows; ++row) rows_at(row, std::integral_constant<std::int64_t, 1>());
  });
}

void scatter(const TapPlane& p, const float* HWY_RESTRICT grad, const float* HWY_RESTRICT weight,
             float* HWY_RESTRICT patch) {
  // Taps outermost: windows of neighbouring rows overlap in the patch, those of one tap do not.
  for (std::int64_t t = 0; t < p.taps; ++t) {
    const Vector w = hn::Set(floats, weight[t]);
    for (std::int64_t row = 0; row < p.rows; ++row) {
      float* to = patch + row * p.row_step + p.offset[t];
      simd::for_each_vector<float>(p.columns, [&](std::int64_t column, auto some) HWY_ATTR {
        const Vector g = some.load(grad + row * p.columns + column);
        const Vector sum = hn::MulAdd(w, g, some.load(to + column));
        some.store(sum, to + column);
      });
    }
  }
}

void correlate(const TapPlane& p, const float* HWY_RESTRICT patch, const float* HWY_RESTRICT grad,
               float* HWY_RESTRICT sum) {
  for (std::int64_t t = 0; t < p.taps; ++t) {
    const float* corner = patch + p.offset[t];
    // Two sums, so that one addition need not wait for the other.
    Vector even = hn::Zero(floats);
    Vector odd = hn::Zero(floats);
    simd::for_each_vector<float>(p.columns, [&](std::int64_t column, auto some) HWY_ATTR {
      const auto product = [&](std::int64_t row, Vector& total) HWY_ATTR {
        const Vector x = some.load(corner + row * p.row_step + column);
        const Vector g = some.load(grad + row * p.columns + column);
        total = hn::MulAdd(x, g, total);
      };
      std::int64_t row = 0;
      for (; row + 2 <= p.rows; row += 2) {
        product(row, even);
        product(row + 1, odd);
      }
      if (row < p.rows) product(row, even);
    });
    sum[t] += hn::GetLane(hn::SumOfLanes(floats, hn::Add(even, odd)));
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

[[maybe_unused]] static const bool simd_limited = limit_simd();

HWY_EXPORT(gather);
HWY_EXPORT(scatter);
HWY_EXPORT(correlate);

void gather_taps(const TapPlane& plane, const float* patch, const float* weight, float bias,
                 float* output) {
  HWY_DYNAMIC_DISPATCH(gather)(plane, patch, weight, bias, output);
}
void scatter_taps(const TapPlane& plane, const float* grad, const float* weight, float* patch) {
  HWY_DYNAMIC_DISPATCH(scatter)(plane, grad, weight, patch);
}
void correlate_taps(const TapPlane& plane, const float* patch, const float* grad, float* sum) {
  HWY_DYNAMIC_DISPATCH(correlate)(plane, patch, grad, sum);
}

}  // namespace gradus::kernels
#endif
