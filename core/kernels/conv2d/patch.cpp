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

#include <gradus/core/detail/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {
namespace {  // the same names stand in other files

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;

template <class T> using Tag = hn::ScalableTag<T>;

/// The rows of one phase that lie inside the image, for each plane (image, channel): row r's column k
/// is image[r·row_step + k] if k is in [begin, end), else 0. Columns are taken vector by vector, so
/// that what a vector needs at the borders is worked out once for all rows of all planes.
template <class T> struct PhaseOfRows {
  const T* image;  // column 0 of the first row, which may lie before the image
  T* patch;
  std::int64_t images, channels;
  std::int64_t image_step, channel_step;  // of the images
  std::int64_t patch_step, plane_step;    // likewise of the patch
  std::int64_t row_step;
  std::int64_t begin, end;
  std::int64_t rows, columns;  // of the patch

  /// f(plane of the image, plane of the patch)
  template <class F> HWY_INLINE void for_each_plane(const F& f) const {
    for (std::int64_t k = 0; k < images; ++k) {
      for (std::int64_t c = 0; c < channels; ++c)
        f(image + k * image_step + c * channel_step, patch + k * patch_step + c * plane_step);
    }
  }
};

/// The columns of phase `phase` of `stride`, one by one: to the plane `to` further on.
template <class T>
HWY_INLINE void fill_single_columns(const PhaseOfRows<T>& p, std::int64_t stride,
                                    std::int64_t phase, std::int64_t to) {
  p.for_each_plane([&](const T* from, T* plane) HWY_ATTR {
    for (std::int64_t k = 0; k < p.columns; ++k) {
      const std::int64_t column = k * stride + phase;
      const bool inside = column >= p.begin && column < p.end;
      for (std::int64_t r = 0; r < p.rows; ++r)
        plane[to + r * p.columns + k] = inside ? from[r * p.row_step + column] : T{0};
    }
  });
}

template <class T> HWY_INLINE void fill_rows(const PhaseOfRows<T>& p) {
  simd::cover<T>(p.columns, [&](std::int64_t k, auto some) HWY_ATTR {
    const simd::Range<T> range(p.begin - k, p.end - k);
    p.for_each_plane([&](const T* HWY_RESTRICT from, T* HWY_RESTRICT plane) HWY_ATTR {
      for (std::int64_t r = 0; r < p.rows; ++r)
        some.store(range.load(from + r * p.row_step + k), plane + r * p.columns + k);
    });
  });
}

#if HWY_TARGET != HWY_SCALAR
/// Columns 2k to the first plane and, if there is one, columns 2k + 1 to that `odd` further on.
template <class T> HWY_INLINE void fill_rows_of_two(const PhaseOfRows<T>& p, std::int64_t odd) {
  constexpr Tag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  simd::cover<T>(p.columns, [&](std::int64_t k, auto some) HWY_ATTR {
    const simd::Range<T> first(p.begin - 2 * k, p.end - 2 * k);
    const simd::Range<T> second(p.begin - 2 * k - lanes, p.end - 2 * k - lanes);
    p.for_each_plane([&](const T* HWY_RESTRICT from, T* HWY_RESTRICT plane) HWY_ATTR {
      for (std::int64_t r = 0; r < p.rows; ++r) {
        const T* row = from + r * p.row_step + 2 * k;
        const auto lower = first.load(row);
        const auto upper = second.load(row + lanes);
        T* to = plane + r * p.columns + k;
        some.store(hn::ConcatEven(d, upper, lower), to);
        if (odd != 0) some.store(hn::ConcatOdd(d, upper, lower), to + odd);
      }
    });
  });
}
#endif

/// All phases of columns of such rows: phase p's column k is the row's column k·stride + p.
template <class T>
HWY_INLINE void fill_phases(const PatchFill& p, const PhaseOfRows<T>& rows,
                            std::int64_t phase_step) {
  if (p.stride_w == 1) return fill_rows(rows);
#if HWY_TARGET != HWY_SCALAR
  if (p.stride_w == 2) return fill_rows_of_two(rows, p.phases_w == 2 ? phase_step : 0);
#endif
  for (std::int64_t phase = 0; phase < p.phases_w; ++phase)
    fill_single_columns(rows, p.stride_w, phase, phase * phase_step);
}

template <class T>
void fill_patch(const PatchFill& p, std::int64_t channels, const T* HWY_RESTRICT images,
                T* HWY_RESTRICT patch) {
  const PatchView& view = p.view;
  const std::int64_t phase = p.phase_rows * p.phase_columns;
  const std::int64_t used = p.phases_h * p.phases_w * phase;
  const PhaseOfRows<T> all{.image = images + view.left,
                           .patch = patch,
                           .images = view.images,
                           .channels = channels,
                           .image_step = view.image_step,
                           .channel_step = view.image_height * view.image_width,
                           .patch_step = channels * p.channel + patch_slack,
                           .plane_step = p.channel,
                           .row_step = p.stride_h * view.image_width,
                           .begin = -view.left,
                           .end = view.image_width - view.left,
                           .rows = 0,
                           .columns = p.phase_columns};
  for (std::int64_t phase_h = 0; phase_h < p.phases_h; ++phase_h) {
    // Row r of the phase is row first + r·stride of the image; rows [begin, end) are inside.
    const std::int64_t first = view.top + phase_h;
    const std::int64_t begin = std::min(p.phase_rows, first < 0 ? ceil_div(-first, p.stride_h) : 0);
    const std::int64_t end =
        std::clamp(view.image_height > first ? ceil_div(view.image_height - first, p.stride_h) : 0,
                   begin, p.phase_rows);
    const std::int64_t above = begin * p.phase_columns;
    const std::int64_t below = (p.phase_rows - end) * p.phase_columns;
    PhaseOfRows<T> rows = all;
    rows.patch += phase_h * p.phases_w * phase;
    rows.for_each_plane([&](const T*, T* plane) HWY_ATTR {
      for (std::int64_t k = 0; k < p.phases_w; ++k) {
        simd::clear_row(above, plane + k * phase);
        simd::clear_row(below, plane + (k + 1) * phase - below);
      }
    });
    if (begin == end) continue;
    rows.patch += above;
    rows.image += (first + begin * p.stride_h) * view.image_width;
    rows.rows = end - begin;
    fill_phases(p, rows, phase);
  }
  all.for_each_plane([&](const T*, T* plane)
                         HWY_ATTR { simd::clear_row(p.channel - used, plane + used); });
  for (std::int64_t k = 1; k <= view.images; ++k)
    simd::clear_row(patch_slack, patch + k * all.patch_step - patch_slack);
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
void Patch<T>::fill(const PatchView& view, std::int64_t channels, const T* images,
                    T* patches) const {
  PatchFill fill = fill_;
  fill.view = view;
  patch_copies<T>().fill(fill, channels, images, patches);
}

template class Patch<float>;
template class Patch<double>;

}  // namespace gradus::kernels
#endif
