// Copies from images to patches, compiled once for each kind of CPU by Highway's including this
// file again; the last part only once. See patch.h.
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

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;
constexpr hn::ScalableTag<float> floats;
constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(floats));

/// A row of an image, seen from a patch: column k is pixels[k] if k is in [begin, end), else 0.
struct Row {
  const float* pixels;  // those of column 0, which may lie before the image
  std::int64_t begin, end;

  HWY_INLINE auto load(std::int64_t column) const {
    return simd::load_range(floats, begin - column, end - column, pixels + column);
  }
};

/// to[k] = the row's column k
HWY_INLINE void fill_row(const Row& row, std::int64_t count, float* HWY_RESTRICT to) {
  simd::for_each_vector<float>(
      count, [&](std::int64_t k, auto some) HWY_ATTR { some.store(row.load(k), to + k); });
}

#if HWY_TARGET != HWY_SCALAR
/// even[k] = the row's column 2k, odd[k] = column 2k + 1, unless odd is nullptr
HWY_INLINE void fill_two_rows(const Row& row, std::int64_t count, float* HWY_RESTRICT even,
                              float* HWY_RESTRICT odd) {
  simd::for_each_vector<float>(count, [&](std::int64_t k, auto some) HWY_ATTR {
    const auto lower = row.load(2 * k);
    const auto upper = row.load(2 * k + lanes);
    some.store(hn::ConcatEven(floats, upper, lower), even + k);
    if (odd != nullptr) some.store(hn::ConcatOdd(floats, upper, lower), odd + k);
  });
}
#endif

/// A row of the patch, all phases of it: phase p's column k is the row's column k·stride + p.
HWY_INLINE void fill_phases(const PatchFill& p, const Row& row, std::int64_t phase_step,
                            float* to) {
  if (p.stride_w == 1) return fill_row(row, p.phase_columns, to);
#if HWY_TARGET != HWY_SCALAR
  if (p.stride_w == 2)
    return fill_two_rows(row, p.phase_columns, to, p.phases_w == 2 ? to + phase_step : nullptr);
#endif
  for (std::int64_t phase = 0; phase < p.phases_w; ++phase) {
    for (std::int64_t k = 0; k < p.phase_columns; ++k) {
      const std::int64_t column = k * p.stride_w + phase;
      const bool inside = column >= row.begin && column < row.end;
      to[phase * phase_step + k] = inside ? row.pixels[column] : 0.0F;
    }
  }
}

void fill_patch(const PatchFill& p, std::int64_t channels, const float* HWY_RESTRICT images,
                float* HWY_RESTRICT patch) {
  const std::int64_t phase = p.phase_rows * p.phase_columns;
  const std::int64_t plane = p.view.image_height * p.view.image_width;
  const std::int64_t used = p.phases_h * p.phases_w * phase;
  Row row{.pixels = nullptr, .begin = -p.view.left, .end = p.view.image_width - p.view.left};
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t phase_h = 0; phase_h < p.phases_h; ++phase_h) {
      float* to = patch + c * p.channel + phase_h * p.phases_w * phase;
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
  }
  for (std::int64_t c = 0; c < channels; ++c)
    simd::clear_row(p.channel - used, patch + c * p.channel + used);
  simd::clear_row(patch_slack, patch + channels * p.channel);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

[[maybe_unused]] static const bool simd_limited = limit_simd();

HWY_EXPORT(fill_patch);

namespace {

constexpr std::int64_t line = 16;  // floats of a cache line

/// An odd number of cache lines.
std::int64_t round_up(std::int64_t elements) { return (ceil_div(elements, line) | 1) * line; }

}  // namespace

Patch::Patch(const Size& size) {
  fill_.stride_h = size.stride_h;
  fill_.stride_w = size.stride_w;
  fill_.phases_h = size.all_rows ? std::min(size.stride_h, size.rows) : 1;
  fill_.phases_w = size.all_columns ? std::min(size.stride_w, size.columns) : 1;
  fill_.phase_rows = ceil_div(size.rows, size.stride_h);
  fill_.phase_columns = ceil_div(size.columns, size.stride_w);
  fill_.channel =
      round_up(fill_.phases_h * fill_.phases_w * fill_.phase_rows * fill_.phase_columns);
}

Patch Patch::image(std::int64_t height, std::int64_t width) {
  Patch patch;
  patch.fill_.phase_rows = height;
  patch.fill_.phase_columns = width;
  patch.fill_.channel = height * width;
  return patch;
}

std::int64_t Patch::size(std::int64_t channels) const {
  return channels * fill_.channel + patch_slack;
}

void Patch::fill(const PatchView& view, std::int64_t channels, const float* images,
                 float* patch) const {
  PatchFill fill = fill_;
  fill.view = view;
  HWY_DYNAMIC_DISPATCH(fill_patch)(fill, channels, images, patch);
}

}  // namespace gradus::kernels
#endif
