// Copies from images to patches and back, compiled once for each kind of CPU by Highway's including
// this file again; the last part only once. See patch.h.
#include <gradus/core/kernels/conv2d/patch.h>

#include <algorithm>
#include <concepts>

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

/// A row of an image, seen from a patch: column k is pixels[k] if k is in [begin, end), else 0.
template <class T> struct Row {
  const T* pixels;  // those of column 0, which may lie before the image
  std::int64_t begin, end;

  HWY_INLINE auto load(std::int64_t column) const {
    return simd::load_range(Tag<T>(), begin - column, end - column, pixels + column);
  }
};

/// to[k] = the row's column k
template <class T>
HWY_INLINE void fill_row(const Row<T>& row, std::int64_t count, T* HWY_RESTRICT to) {
  simd::for_each_vector<T>(
      count, [&](std::int64_t k, auto some) HWY_ATTR { some.store(row.load(k), to + k); });
}

#if HWY_TARGET != HWY_SCALAR
/// even[k] = the row's column 2k, odd[k] = column 2k + 1, unless odd is nullptr
template <class T>
HWY_INLINE void fill_two_rows(const Row<T>& row, std::int64_t count, T* HWY_RESTRICT even,
                              T* HWY_RESTRICT odd) {
  constexpr Tag<T> d;
  simd::for_each_vector<T>(count, [&](std::int64_t k, auto some) HWY_ATTR {
    const auto lower = row.load(2 * k);
    const auto upper = row.load(2 * k + static_cast<std::int64_t>(hn::Lanes(d)));
    some.store(hn::ConcatEven(d, upper, lower), even + k);
    if (odd != nullptr) some.store(hn::ConcatOdd(d, upper, lower), odd + k);
  });
}
#endif

/// A row of the patch, all phases of it: phase p's column k is the row's column k·stride + p.
template <class T>
HWY_INLINE void fill_phases(const PatchFill& p, const Row<T>& row, std::int64_t phase_step, T* to) {
  if (p.stride_w == 1) return fill_row(row, p.phase_columns, to);
#if HWY_TARGET != HWY_SCALAR
  if (p.stride_w == 2)
    return fill_two_rows(row, p.phase_columns, to, p.phases_w == 2 ? to + phase_step : nullptr);
#endif
  for (std::int64_t phase = 0; phase < p.phases_w; ++phase) {
    for (std::int64_t k = 0; k < p.phase_columns; ++k) {
      const std::int64_t column = k * p.stride_w + phase;
      const bool inside = column >= row.begin && column < row.end;
      to[phase * phase_step + k] = inside ? row.pixels[column] : T{0};
    }
  }
}

template <class T>
void fill_patch(const PatchFill& p, std::int64_t channels, const T* HWY_RESTRICT images,
                T* HWY_RESTRICT patch) {
  const std::int64_t phase = p.phase_rows * p.phase_columns;
  const std::int64_t plane = p.view.image_height * p.view.image_width;
  const std::int64_t used = p.phases_h * p.phases_w * phase;
  Row<T> row{.pixels = nullptr, .begin = -p.view.left, .end = p.view.image_width - p.view.left};
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t phase_h = 0; phase_h < p.phases_h; ++phase_h) {
      T* to = patch + c * p.channel + phase_h * p.phases_w * phase;
      for (std::int64_t r = 0; r < p.phase_rows; ++r, to += p.phase_columns) {
        const std::int64_t h = p.view.top + r * p.stride_h + phase_h;
        if (h < 0 || h >= p.view.image_height) {
          for (std::int64_t phase_w = 0; phase_w < p.phases_w; ++phase_w)
            simd::clear_row(p.phase_columns, to + phase_w * phase);
        } else {
          row.pixels = images + c * plane + h * p.view.image_width + p.view.left;
          fill_phases(p, row, phase, to);
        }
      }
    }
    simd::clear_row(p.channel - used, patch + c * p.channel + used);
  }
  simd::clear_row(patch_slack, patch + channels * p.channel);
}

/// One row of two phases side by side: first[k], second[k] -> to[2k], to[2k + 1]. second may have
/// one pixel less.
template <class T>
HWY_INLINE void interleave_two(const T* HWY_RESTRICT first, const T* HWY_RESTRICT second,
                               std::int64_t pairs, T* HWY_RESTRICT to) {
  std::int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr Tag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (; k + lanes <= pairs; k += lanes)
    hn::StoreInterleaved2(hn::LoadU(d, first + k), hn::LoadU(d, second + k), d, to + 2 * k);
#endif
  for (; k < pairs; ++k) {
    to[2 * k] = first[k];
    to[2 * k + 1] = second[k];
  }
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

void fill_floats(const PatchFill& p, std::int64_t channels, const float* images, float* patch) {
  fill_patch(p, channels, images, patch);
}
void fill_doubles(const PatchFill& p, std::int64_t channels, const double* images, double* patch) {
  fill_patch(p, channels, images, patch);
}
void interleave_floats(const PhaseRows& p, std::int64_t phases, const RowPhase<float>* phase,
                       float* image) {
  interleave(p, phases, phase, image);
}
void interleave_doubles(const PhaseRows& p, std::int64_t phases, const RowPhase<double>* phase,
                        double* image) {
  interleave(p, phases, phase, image);
}

}  // namespace
}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

[[maybe_unused]] static const bool simd_limited = limit_simd();

HWY_EXPORT(fill_floats);
HWY_EXPORT(fill_doubles);
HWY_EXPORT(interleave_floats);
HWY_EXPORT(interleave_doubles);

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
  if constexpr (std::same_as<T, float>) {
    HWY_DYNAMIC_DISPATCH(fill_floats)(fill, channels, images, patch);
  } else {
    HWY_DYNAMIC_DISPATCH(fill_doubles)(fill, channels, images, patch);
  }
}

template <>
void interleave_phases(const PhaseRows& rows, std::int64_t phases, const RowPhase<float>* phase,
                       float* image) {
  HWY_DYNAMIC_DISPATCH(interleave_floats)(rows, phases, phase, image);
}
template <>
void interleave_phases(const PhaseRows& rows, std::int64_t phases, const RowPhase<double>* phase,
                       double* image) {
  HWY_DYNAMIC_DISPATCH(interleave_doubles)(rows, phases, phase, image);
}

template class Patch<float>;
template class Patch<double>;

}  // namespace gradus::kernels
#endif
