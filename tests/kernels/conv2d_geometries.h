// Random convolutions: small ones most of the time, but with extents up to 130 pixels, 320 channels,
// 64 images, kernels of 11 and strides of 5, and of every kind that core/kernels/conv2d/ tells apart.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>

#include <gradus/core/kernels/conv2d/geometry.h>
#include <gradus/core/kernels/work.h>

#include "kernels/numbers.h"

inline std::string describe(const gradus::kernels::Conv2dGeometry& g) {
  std::string text = "N,Ci,H,W,Co,kh,kw,sh,sw,ph,pw,dh,dw,groups =";
  for (const std::int64_t size :
       {g.batch, g.in_channels, g.in_height, g.in_width, g.out_channels, g.kernel_h, g.kernel_w,
        g.stride_h, g.stride_w, g.padding_h, g.padding_w, g.dilation_h, g.dilation_w, g.groups}) {
    text += " " + std::to_string(size);
  }
  return text;
}

/// The products of a convolution.
inline std::int64_t multiply_adds(const gradus::kernels::Conv2dGeometry& g) {
  return gradus::kernels::saturating_product({g.batch, g.out_channels, g.out_plane(), g.taps()});
}

/// Draws them. The same seed gives the same geometries.
class RandomGeometries {
 public:
  using Geometry = gradus::kernels::Conv2dGeometry;

  explicit RandomGeometries(std::mt19937& engine) : engine_(engine) {}

  Geometry next() {
    const std::int64_t kind = between(0, 99);  // so often, of a hundred, is each drawn
    if (kind < 4) return out_of_proportion();
    Geometry g;
    g.groups = one_in(4) ? around(1, 16) : 1;
    g.batch = around(1, 64);
    channels_per_group_ = around(1, 160 / g.groups);
    filters_per_group_ = around(1, 160 / g.groups);
    g.in_height = around(1, 130);
    g.in_width = around(1, 130);
    draw_kernel(g);
    if (kind < 18) return winograd(g);
    if (kind < 33) return pointwise(g);
    if (kind < 45) return several_tiles(g);
    if (kind < 64) return small_images(g);
    if (kind < 71) {  // depthwise
      g.groups = around(1, 160);
      channels_per_group_ = 1;
      filters_per_group_ = one_in(2) ? 1 : between(2, 4);
      if (g.groups * filters_per_group_ > 160) filters_per_group_ = 1;
      if (!one_in(4)) return planes(g);
    } else if (kind < 76) {  // lines
      g.in_height = g.kernel_h = 1;
      g.padding_h = 0;
      g.in_width = between(1, 130);
    } else if (kind < 85) {  // thin images
      // A wide kernel leaves gaps between their outputs, so that vectors of channels are better.
      g.in_width = one_in(2) ? 1 : between(2, 3);
      g.kernel_w = 2 * between(0, 5) + 1;
      g.padding_w = g.kernel_w / 2;
      g.in_height = between(1, 130);
      g.groups = 1;
      channels_per_group_ = one_in(3) ? between(1, 4) : between(1, 80);
      filters_per_group_ = between(1, 20);
    } else if (kind < 88) {
      return many_taps(g);
    } else if (kind < 91) {  // a stride beyond the image
      (one_in(2) ? g.stride_h : g.stride_w) = one_in(2) ? largest : between(200, 1000);
    }
    return cut(g, 3e3, 3e5);
  }

 private:
  static constexpr std::int64_t largest = 2147483647;  // that core lets pass

  std::int64_t between(std::int64_t least, std::int64_t most) {
    return ::between(least, most, engine_);
  }
  bool one_in(std::int64_t count) { return between(1, count) == 1; }
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_()) / 4294967296.0;
  }
  /// Every order of magnitude equally often.
  std::int64_t around(std::int64_t least, std::int64_t most) {
    const double low = std::log(static_cast<double>(least));
    const double high = std::log(static_cast<double>(most) + 1);
    return std::min(most, static_cast<std::int64_t>(std::exp(uniform(low, high))));
  }

  void draw_kernel(Geometry& g) {
    g.kernel_h = one_in(2) ? between(1, 3) : between(1, 11);
    g.kernel_w = one_in(2) ? g.kernel_h : between(1, 11);
    if (one_in(2)) g.stride_h = between(1, 5);
    g.stride_w = one_in(3) ? between(1, 5) : g.stride_h;
    if (one_in(4)) g.dilation_h = between(1, 4);
    if (one_in(4)) g.dilation_w = between(1, 4);
    if (!one_in(3)) g.padding_h = between(0, g.kernel_h);
    if (!one_in(3)) g.padding_w = between(0, g.kernel_w);
  }

  /// What Winograd's can do: any images, large ones, many small ones.
  Geometry winograd(Geometry g) {
    g.kernel_h = g.kernel_w = 3;
    g.stride_h = g.stride_w = g.dilation_h = g.dilation_w = 1;
    g.padding_h = between(0, 3);
    g.padding_w = between(0, 3);
    const std::int64_t size = between(1, 4);
    if (size == 1) {
      g.batch = between(1, 3);
      g.in_height = between(40, 130);
      g.in_width = between(40, 130);
      g.groups = between(1, 2);
      channels_per_group_ = between(1, 5);
      filters_per_group_ = between(1, 5);
      return cut(g, 1e6, 4e6);
    }
    if (size <= 3) {
      g.batch = between(20, 64);
      g.in_height = between(1, 16);
      g.in_width = between(1, 16);
    }
    if (one_in(3)) {  // whole tiles
      g.padding_h = g.padding_w = 1;
      g.in_height = 4 * between(1, 8);
      g.in_width = 4 * between(1, 8);
    }
    return cut(g, 3e4, 1e6);
  }

  /// What goes plane by plane; sometimes large ones, or many.
  Geometry planes(Geometry g) {
    filters_per_group_ = 1;
    g.groups = std::max<std::int64_t>(2, g.groups);
    g.kernel_h = g.kernel_w = 3;
    g.dilation_h = g.dilation_w = 1;
    g.stride_h = g.stride_w = between(1, 2);
    g.padding_h = between(0, 3);
    g.padding_w = between(0, 3);
    if (one_in(4)) (one_in(2) ? g.in_height : g.in_width) = 1;
    const bool many = one_in(2);
    if (many) {
      g.batch = between(4, 8);
      g.groups = between(16, 64);
      g.in_height = g.stride_h * between(16, 40);
      g.in_width = g.stride_w * between(16, 40);
    }
    if (one_in(4)) {  // rows of outputs that are whole vectors, of any CPU
      g.in_width = g.stride_w * 16 * between(1, 2);
      g.padding_w = 1;
    }
    g = many ? cut(g, 2e6, 6e6) : cut(g, 3e3, 3e5);
    g.groups = std::max<std::int64_t>(2, g.groups);
    fit(g);
    return g;
  }

  /// 1x1: plain, or with a stride, or with a border.
  Geometry pointwise(Geometry g) {
    g.kernel_h = g.kernel_w = 1;
    if (one_in(2)) g.stride_h = g.stride_w = 1;
    if (!one_in(4)) g.padding_h = g.padding_w = 0;
    if (one_in(4)) {  // one small image of many channels, whose rows are shared out
      g.batch = g.groups = 1;
      g.in_height = between(1, 12);
      g.in_width = between(1, 12);
      channels_per_group_ = one_in(2) ? between(192, 320) : between(1, 40);
      filters_per_group_ =
          channels_per_group_ < 192 || one_in(3) ? between(192, 320) : between(1, 40);
      fit(g);
      return g;
    }
    if (one_in(3)) {
      g.batch = between(2, 4);
      g.in_height = between(20, 130);
      g.in_width = between(20, 130);
      if (one_in(3)) g.in_height = g.in_width = 32;  // whole pages from one channel to the next
      channels_per_group_ = between(8, 32);
      filters_per_group_ = between(8, 32);
      if (one_in(4)) {  // a matrix of images beyond the second-level cache
        g.batch = 1;
        g.in_height = between(100, 130);
        g.in_width = between(100, 130);
        channels_per_group_ = between(28, 36);
        filters_per_group_ = between(4, 10);
        if (one_in(2)) std::swap(channels_per_group_, filters_per_group_);
      }
      return cut(g, 2e6, 5e6);
    }
    if (one_in(2)) {  // vectors of outputs would be mostly empty
      g.in_height = between(1, 4);
      g.in_width = between(1, 4);
      g.groups = 1;
      channels_per_group_ = 8 * between(1, 4);
      filters_per_group_ = between(40, 160);
      return cut(g, 3e4, 1e6);
    }
    return cut(g, 3e3, 3e5);
  }

  /// Many, often with a number of channels that fills vectors.
  Geometry small_images(Geometry g) {
    g.batch = between(17, 64);
    g.in_height = between(1, 10);
    g.in_width = between(1, 10);
    g.groups = between(1, 2);
    channels_per_group_ = between(1, 80);
    if (one_in(2)) channels_per_group_ = 8 * between(1, 4);
    if (one_in(2)) {
      g.kernel_h = between(1, 3);
      g.kernel_w = between(1, 3);
    }
    if (one_in(2)) g.stride_h = g.stride_w = 1;
    return cut(g, 2e4, 1e6);
  }

  /// Some 200 taps and filters enough that a vector of outputs packs what it reads; whichever way.
  Geometry many_taps(Geometry g) {
    g.batch = g.groups = g.stride_h = g.stride_w = g.dilation_h = g.dilation_w = 1;
    g.kernel_h = between(2, 5);
    g.kernel_w = between(2, 5);
    g.padding_h = between(0, g.kernel_h / 2);
    g.padding_w = between(0, g.kernel_w / 2);
    const std::int64_t few = between(192, 256) / (g.kernel_h * g.kernel_w) + 1;
    const std::int64_t many = between(32, 40);
    channels_per_group_ = one_in(2) ? few : many;
    filters_per_group_ = channels_per_group_ == few ? many : few;
    g.in_height = between(4, 8);
    g.in_width = between(8, 20);
    return cut(g, 2e6, 4e6);
  }

  /// Enough work in an image for several tiles of it; sometimes more border than image.
  Geometry several_tiles(Geometry g) {
    g.batch = between(1, 2);
    g.groups = 1;
    channels_per_group_ = around(8, 160);
    filters_per_group_ = around(2, 160);
    g.in_height = between(20, 130);
    g.in_width = between(5, 130);
    if (one_in(2)) {
      g.stride_h = between(2, 4);
      g.stride_w = between(1, 3);
    }
    if (one_in(4)) {
      g.stride_h = g.dilation_h = 1;
      g.padding_h = between(2 * g.kernel_h, 40);
      g.in_height = between(2, 20);
    }
    return cut(g, 3e6, 8e6);
  }

  static std::int64_t least_extent(std::int64_t kernel, std::int64_t dilation,
                                   std::int64_t padding) {
    return std::max<std::int64_t>(1, dilation * (kernel - 1) + 1 - 2 * padding);
  }

  /// No kernel is larger than its padded image.
  void fit(Geometry& g) const {
    g.in_channels = g.groups * channels_per_group_;
    g.out_channels = g.groups * filters_per_group_;
    g.in_height = std::max(g.in_height, least_extent(g.kernel_h, g.dilation_h, g.padding_h));
    g.in_width = std::max(g.in_width, least_extent(g.kernel_w, g.dilation_w, g.padding_w));
  }

  /// Cuts extents, whichever, until products and numbers are few enough: at most a number of
  /// [least, most].
  Geometry cut(Geometry g, double least, double most) {
    fit(g);
    const auto budget =
        static_cast<std::int64_t>(std::exp(uniform(std::log(least), std::log(most))));
    const auto cost = [&] {
      return multiply_adds(g) + 4 * (g.input_size() + g.output_size() + g.weight_size());
    };
    for (int tries = 0; cost() > budget && tries < 200; ++tries) {
      const std::array extents{&g.batch,  &g.in_height,         &g.in_width,
                               &g.groups, &channels_per_group_, &filters_per_group_};
      std::int64_t& extent = *extents[static_cast<std::size_t>(between(0, 5))];
      extent = std::max<std::int64_t>(1, extent * between(40, 95) / 100);
      fit(g);
    }
    return g;
  }

  /// Paddings, dilations and strides far beyond the image, with little work all the same.
  Geometry out_of_proportion() {
    Geometry g;
    g.groups = between(1, 2);
    g.batch = between(1, 3);
    channels_per_group_ = between(1, 4);
    filters_per_group_ = between(1, 4);
    const auto axis = [&](std::int64_t& extent, std::int64_t& kernel, std::int64_t& stride,
                          std::int64_t& padding, std::int64_t& dilation) {
      extent = between(1, 6);
      kernel = between(1, 3);
      if (kernel > 1 && one_in(2)) {
        dilation = around(2000, largest);
        padding = std::min(largest, dilation * (kernel - 1) / 2 + between(0, 3));
        extent = std::max(extent, least_extent(kernel, dilation, padding));
        stride = between(1, 5);
      } else {
        padding = around(2000, largest);
        stride = std::min(largest, (2 * padding + extent - kernel) / between(1, 5) + 1);
      }
    };
    axis(g.in_height, g.kernel_h, g.stride_h, g.padding_h, g.dilation_h);
    if (one_in(2)) {
      axis(g.in_width, g.kernel_w, g.stride_w, g.padding_w, g.dilation_w);
    } else {
      g.in_width = between(1, 6);
      g.kernel_w = between(1, g.in_width);
    }
    fit(g);
    return g;
  }

  std::mt19937& engine_;
  std::int64_t channels_per_group_ = 1, filters_per_group_ = 1;
};
