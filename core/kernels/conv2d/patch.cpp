// Copies from images to patches and back, compiled once for each kind of CPU by Highway's including
// this file again; the last part only once. See patch.h.
#include <gradus/core/kernels/conv2d/patch.h>

#include <algorithm>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d/output_lanes.h>

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/conv2d/patch.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <gradus/core/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {
namespace {  // the same names stand in other files

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;

template <class T> using Tag = hn::ScalableTag<T>;

/// The rows of one phase of a channel that lie inside the image: row r's column k is
/// image[r·image_step + k] if k is in [begin, end), else 0. Columns are taken vector by vector, so
/// that what a vector needs at the borders is worked out once for all rows.
template <class T> struct PhaseOfRows {
  const T* image;  // column 0 of the first row, which may lie before the image
  std::int64_t image_step;
  std::int64_t begin, end;
  std::int64_t rows, columns;  // of the patch
};

/// Columns [first, columns) of phase `phase` of `stride`, one by one.
template <class T>
HWY_INLINE void fill_single_columns(const PhaseOfRows<T>& p, std::int64_t stride,
                                    std::int64_t phase, std::int64_t first, T* to) {
  for (std::int64_t k = first; k < p.columns; ++k) {
    const std::int64_t column = k * stride + phase;
    const bool inside = column >= p.begin && column < p.end;
    for (std::int64_t r = 0; r < p.rows; ++r)
      to[r * p.columns + k] = inside ? p.image[r * p.image_step + column] : T{0};
  }
}

/// f(k, whole vector or part) until at most two columns are left, as the borders of a 3x3 kernel
/// leave them: a vector for those would cost more. Returns the first of them.
template <class T, class F>
HWY_INLINE std::int64_t most_columns(const PhaseOfRows<T>& p, const F& f) {
  constexpr std::int64_t few = 2;
  const std::int64_t rest = p.columns % static_cast<std::int64_t>(hn::Lanes(Tag<T>()));
  const std::int64_t count = rest <= few ? p.columns - rest : p.columns;
  simd::for_each_vector<T>(count, f);
  return count;
}

template <class T> HWY_INLINE void fill_rows(const PhaseOfRows<T>& p, T* HWY_RESTRICT to) {
  const std::int64_t done = most_columns(p, [&](std::int64_t k, auto some) HWY_ATTR {
    const simd::Range<T> range(p.begin - k, p.end - k);
    for (std::int64_t r = 0; r < p.rows; ++r)
      some.store(range.load(p.image + r * p.image_step + k), to + r * p.columns + k);
  });
  fill_single_columns(p, 1, 0, done, to);
}

#if HWY_TARGET != HWY_SCALAR
/// even[k] = column 2k, odd[k] = column 2k + 1, unless odd is nullptr
template <class T>
HWY_INLINE void fill_rows_of_two(const PhaseOfRows<T>& p, T* HWY_RESTRICT even,
                                 T* HWY_RESTRICT odd) {
  constexpr Tag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t done = most_columns(p, [&](std::int64_t k, auto some) HWY_ATTR {
    const simd::Range<T> first(p.begin - 2 * k, p.end - 2 * k);
    const simd::Range<T> second(p.begin - 2 * k - lanes, p.end - 2 * k - lanes);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      const T* row = p.image + r * p.image_step + 2 * k;
      const auto lower = first.load(row);
      const auto upper = second.load(row + lanes);
      some.store(hn::ConcatEven(d, upper, lower), even + r * p.columns + k);
      if (odd != nullptr) some.store(hn::ConcatOdd(d, upper, lower), odd + r * p.columns + k);
    }
  });
  fill_single_columns(p, 2, 0, done, even);
  if (odd != nullptr) fill_single_columns(p, 2, 1, done, odd);
}
#endif

/// All phases of columns of such rows: phase p's column k is the row's column k·stride + p.
template <class T>
HWY_INLINE void fill_phases(const PatchFill& p, const PhaseOfRows<T>& rows, std::int64_t phase_step,
                            T* to) {
  if (p.stride_w == 1) return fill_rows(rows, to);
#if HWY_TARGET != HWY_SCALAR
  if (p.stride_w == 2)
    return fill_rows_of_two(rows, to, p.phases_w == 2 ? to + phase_step : nullptr);
#endif
  for (std::int64_t phase = 0; phase < p.phases_w; ++phase)
    fill_single_columns(rows, p.stride_w, phase, 0, to + phase * phase_step);
}

template <class T>
void fill_patch(const PatchFill& p, std::int64_t channels, const T* HWY_RESTRICT images,
                T* HWY_RESTRICT patch) {
  const PatchView& view = p.view;
  const std::int64_t phase = p.phase_rows * p.phase_columns;
  const std::int64_t plane = view.image_height * view.image_width;
  const std::int64_t used = p.phases_h * p.phases_w * phase;
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t phase_h = 0; phase_h < p.phases_h; ++phase_h) {
      // Row r of the phase is row first + r·stride of the image; rows [begin, end) are inside.
      const std::int64_t first = view.top + phase_h;
      const std::int64_t begin =
          std::min(p.phase_rows, first < 0 ? ceil_div(-first, p.stride_h) : 0);
      const std::int64_t end = std::clamp(
          view.image_height > first ? ceil_div(view.image_height - first, p.stride_h) : 0, begin,
          p.phase_rows);
      T* to = patch + c * p.channel + phase_h * p.phases_w * phase;
      for (std::int64_t phase_w = 0; phase_w < p.phases_w; ++phase_w) {
        simd::clear_row(begin * p.phase_columns, to + phase_w * phase);
        simd::clear_row((p.phase_rows - end) * p.phase_columns,
                        to + phase_w * phase + end * p.phase_columns);
      }
      if (begin == end) continue;
      const PhaseOfRows<T> rows{
          .image = images + c * plane + (first + begin * p.stride_h) * view.image_width + view.left,
          .image_step = p.stride_h * view.image_width,
          .begin = -view.left,
          .end = view.image_width - view.left,
          .rows = end - begin,
          .columns = p.phase_columns};
      fill_phases(p, rows, phase, to + begin * p.phase_columns);
    }
    simd::clear_row(p.channel - used, patch + c * p.channel + used);
  }
  simd::clear_row(patch_slack, patch + channels * p.channel);
}

/// One row of two phases side by side: first[k], second[k] -> to[2k], to[2k + 1].
template <class T>
HWY_INLINE void interleave_two(const T* HWY_RESTRICT first, const T* HWY_RESTRICT second,
                               std::int64_t pairs, T* HWY_RESTRICT to) {
#if HWY_TARGET == HWY_SCALAR
  for (std::int64_t k = 0; k < pairs; ++k) {
    to[2 * k] = first[k];
    to[2 * k + 1] = second[k];
  }
#else
  constexpr Tag<T> d;
  constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(d));
  std::int64_t k = 0;
  for (; k + lanes <= pairs; k += lanes)
    hn::StoreInterleaved2(hn::LoadU(d, first + k), hn::LoadU(d, second + k), d, to + 2 * k);
  if (k == pairs) return;
  HWY_ALIGN T rest[2 * lanes];
  hn::StoreInterleaved2(simd::load_first(d, pairs - k, first + k),
                        simd::load_first(d, pairs - k, second + k), d, rest);
  simd::copy_row(rest, 2 * (pairs - k), to + 2 * k);
#endif
}

template <class T>
void interleave(const PhaseRows& p, std::int64_t phases, const RowPhase<T>* phase, T* image) {
  const bool in_pairs = p.stride == 2 && phases == 2 && phase[1].first == phase[0].first + 1;
  for (std::int64_t plane = 0; plane < p.planes; ++plane) {
    for (std::int64_t r = 0; r < p.rows; ++r) {
      T* to = image + plane * p.plane_step + r * p.row_step;
      const auto row_of = [&](std::int64_t i) {
        return phase[i].pixels + plane * phase[i].plane + r * phase[i].columns;
      };
      if (p.stride == 1) {
        simd::copy_row(row_of(0), phase[0].columns, to + phase[0].first);
        continue;
      }
      // The second of a pair may be missing at the end.
      const std::int64_t pairs = in_pairs ? phase[1].columns : 0;
      if (in_pairs) interleave_two(row_of(0), row_of(1), pairs, to + phase[0].first);
      for (std::int64_t i = 0; i < phases; ++i) {
        const T* from = row_of(i);
        for (std::int64_t k = pairs; k < phase[i].columns; ++k)
          to[phase[i].first + k * p.stride] = from[k];
      }
    }
  }
}

template <class T> constexpr PatchCopies<T> kernels{&fill_patch<T>, &interleave<T>};
const PatchCopies<float>* float_kernels() { return &kernels<float>; }
const PatchCopies<double>* double_kernels() { return &kernels<double>; }

}  // namespace
}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

GRADUS_EXPORT_KERNELS(PatchCopies, patch_copies)

template <class T> Patch<T>::Patch(const Size& size) {
  fill_.stride_h = size.stride_h;
  fill_.stride_w = size.stride_w;
  fill_.phases_h = size.all_rows ? std::min(size.stride_h, size.rows) : 1;
  fill_.phases_w = size.all_columns ? std::min(size.stride_w, size.columns) : 1;
  fill_.phase_rows = ceil_div(size.rows, size.stride_h);
  fill_.phase_columns = ceil_div(size.columns, size.stride_w);
  constexpr std::int64_t line = 64 / sizeof(T);  // of the cache; a channel is an odd number of them
  const std::int64_t elements =
      fill_.phases_h * fill_.phases_w * fill_.phase_rows * fill_.phase_columns;
  fill_.channel = (ceil_div(elements, line) | 1) * line;
}

template <class T> Patch<T> Patch<T>::image(std::int64_t height, std::int64_t width) {
  Patch patch;
  patch.fill_.phase_rows = height;
  patch.fill_.phase_columns = width;
  patch.fill_.channel = height * width;
  return patch;
}

template <class T> std::int64_t Patch<T>::size(std::int64_t channels) const {
  return channels * fill_.channel + patch_slack;
}

template <class T>
void Patch<T>::fill(const PatchView& view, std::int64_t channels, const T* images, T* patch) const {
  PatchFill fill = fill_;
  fill.view = view;
  patch_copies<T>().fill(fill, channels, images, patch);
}

template class Patch<float>;
template class Patch<double>;

}  // namespace gradus::kernels
#endif
