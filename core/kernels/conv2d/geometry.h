// The sizes of one two-dimensional convolution (cross-correlation, as the field has it): plain
// numbers, checked above.
//
//   y[n,co,oh,ow] = Σ_{ci,i,j} x[n,ci,h,w] · w[co,ci,i,j]
//
//       h = oh·stride_h − padding_h + i·dilation_h
//       w = ow·stride_w − padding_w + j·dilation_w
//
//   x  [N, Ci, H, W]        batch, in_channels, in_height, in_width
//   w  [Co, Ci/groups, kernel_h, kernel_w]
//   y  [N, Co, OH, OW]      OH = out_height(), OW = out_width()
//
// x is zero outside its bounds. Output channel co belongs to group co / (Co/groups) and sees only
// that group's input channels. Kernels assume what core checks: batch >= 0, every other size,
// stride, dilation and groups >= 1, padding >= 0, groups divides Ci and Co, the dilated kernel fits
// the padded input, and every size and option is less than 2³¹.
#pragma once

#include <cstdint>

namespace gradus::kernels {

struct Conv2dGeometry {
  std::int64_t batch = 1;
  std::int64_t in_channels = 1;
  std::int64_t in_height = 1;
  std::int64_t in_width = 1;
  std::int64_t out_channels = 1;
  std::int64_t kernel_h = 1;
  std::int64_t kernel_w = 1;
  std::int64_t stride_h = 1;
  std::int64_t stride_w = 1;
  std::int64_t padding_h = 0;
  std::int64_t padding_w = 0;
  std::int64_t dilation_h = 1;
  std::int64_t dilation_w = 1;
  std::int64_t groups = 1;

  constexpr std::int64_t out_height() const {
    return (in_height + 2 * padding_h - dilation_h * (kernel_h - 1) - 1) / stride_h + 1;
  }
  constexpr std::int64_t out_width() const {
    return (in_width + 2 * padding_w - dilation_w * (kernel_w - 1) - 1) / stride_w + 1;
  }
  constexpr std::int64_t in_plane() const { return in_height * in_width; }
  constexpr std::int64_t out_plane() const { return out_height() * out_width(); }
  constexpr std::int64_t kernel_plane() const { return kernel_h * kernel_w; }
  constexpr std::int64_t group_in_channels() const { return in_channels / groups; }
  constexpr std::int64_t group_out_channels() const { return out_channels / groups; }

  /// How many products make one output: the inner size of the GEMM.
  constexpr std::int64_t taps() const { return group_in_channels() * kernel_plane(); }

  constexpr std::int64_t input_size() const { return batch * in_channels * in_plane(); }
  constexpr std::int64_t weight_size() const { return out_channels * taps(); }
  constexpr std::int64_t output_size() const { return batch * out_channels * out_plane(); }

  bool operator==(const Conv2dGeometry&) const = default;
};

}  // namespace gradus::kernels
