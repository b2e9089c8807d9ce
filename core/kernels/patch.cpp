// Copies from images to patches, compiled once for each kind of CPU by Highway's including this
// file again; the last part only once. See patch.h.
#include <gradus/core/kernels/patch.h>

#include <algorithm>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/output_lanes.h>

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/patch.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <gradus/core/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;
constexpr hn::ScalableTag<float> floats;
constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(floats));

/// to[k] = from[2k]; reads nothing beyond from[2·(count - 1)].
HWY_INLINE void copy_every_second(const float* from, std::int64_t count, float* to) {
#if HWY_TARGET == HWY_SCALAR
  for (std::int64_t k = 0; k < count; ++k) to[k] = from[2 * k];
#else
  std::int64_t k = 0;
  for (; k + lanes < count; k += lanes) {
    const auto lower = hn::LoadU(floats, from + 2 * k);
    const auto upper = hn::LoadU(floats, from + 2 * k + lanes);
    hn::StoreU(hn::ConcatEven(floats, upper, lower), floats, to + k);
  }
  if (k == count) return;
  const std::int64_t left = 2 * (count - k) - 1;
  const auto lower = simd::load_first(floats, std::min(left, lanes), from + 2 * k);
  const auto upper = left > lanes ? simd::load_first(floats, left - lanes, from + 2 * k + lanes)
                                  : hn::Zero(floats);
  simd::store_first(hn::ConcatEven(floats, upper, lower), floats, count - k, to + k);
#endif
}

/// How the rows of a phase of columns are filled: to[k] = row[first + k·stride] for k in [begin,
/// end), which is what lies inside of the image, else 0.
struct Columns {
  std::int64_t first, stride, begin, end, count;

  Columns(const PatchFill& p, std::int64_t phase)
      : first(p.view.left + phase), stride(p.stride_w), count(p.phase_columns) {
    const std::int64_t width = p.view.image_width;
    begin = first < 0 ? std::min(ceil_div(-first, stride), count) : 0;
    end = width > first ? std::clamp(ceil_div(width - first, stride), begin, count) : begin;
  }

  HWY_INLINE void fill(const float* HWY_RESTRICT row, float* HWY_RESTRICT to) const {
    const float* from = row + first + begin * stride;
    simd::clear_row(begin, to);
    if (stride == 1) {
      simd::copy_row(from, end - begin, to + begin);
    } else if (stride == 2) {
      copy_every_second(from, end - begin, to + begin);
    } else {
      for (std::int64_t k = begin; k < end; ++k) to[k] = row[first + k * stride];
    }
    simd::clear_row(count - end, to + end);
  }
};

void fill_patch(const PatchFill& p, std::int64_t channels, const float* HWY_RESTRICT images,
                float* HWY_RESTRICT patch) {
  const std::int64_t phase = p.phase_rows * p.phase_columns;
  const std::int64_t plane = p.view.image_height * p.view.image_width;
  const std::int64_t used = p.phases_h * p.phases_w * phase;
  for (std::int64_t phase_w = 0; phase_w < p.phases_w; ++phase_w) {
    const Columns columns(p, phase_w);
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t phase_h = 0; phase_h < p.phases_h; ++phase_h) {
        float* to = patch + c * p.channel + (phase_h * p.phases_w + phase_w) * phase;
        for (std::int64_t r = 0; r < p.phase_rows; ++r, to += p.phase_columns) {
          const std::int64_t h = p.view.top + r * p.stride_h + phase_h;
          if (h < 0 || h >= p.view.image_height) {
            simd::clear_row(p.phase_columns, to);
          } else {
            columns.fill(images + c * plane + h * p.view.image_width, to);
          }
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
