// The micro-kernel for the gradient of few weights: dot products of gradients with an image, shifted
// by each tap.
//
//   sums[f, t] += Σ_{image, p} grad[image][f, p] · patch[image][offset[t] + p]
//
// It is the adjoint of output_lanes.h with respect to the weights: vectors run along the outputs,
// and a few filters times a few taps of sums stay in registers. The gradients lie as the windows
// do, with zeros between the rows (spread_rows), so that a tile is one line without borders.
// Vectors of filters (filter_lanes.h) would be mostly empty here: LeNet's first layer has six
// filters, a depthwise convolution of 5x5 one.
//
// T is float or double. Vectors by Highway, chosen at run time. The order of a sum depends on the
// sizes and on the width of a vector alone.
#pragma once

#include <cstdint>

namespace gradus::kernels {

struct ShiftedDots {
  std::int64_t filters = 0;
  std::int64_t taps = 0;
  const std::int64_t* offset = nullptr;  ///< [taps], elements
  std::int64_t length = 0;               ///< of a line; a multiple of line_multiple
  std::int64_t images = 1;
  std::int64_t image_step = 0;  ///< elements from one image's patch to the next one's
};

/// Lines are this long, so that a vector is never cut.
constexpr std::int64_t line_multiple = 16;

template <class T> struct ShiftedDotsKernels {
  /// sums [filters, taps] as above. patch as the offsets say, grad [images, filters, length].
  void (*add)(const ShiftedDots& dots, const T* patch, const T* grad, T* sums);

  /// from [filters, rows·columns], filter_step apart -> to [filters, length]: rows row_step apart,
  /// zeros between and behind them.
  void (*spread_rows)(std::int64_t filters, std::int64_t rows, std::int64_t columns, const T* from,
                      std::int64_t filter_step, std::int64_t row_step, std::int64_t length, T* to);
};

/// The kernels for the vectors in use.
template <class T> const ShiftedDotsKernels<T>& shifted_dots();

}  // namespace gradus::kernels
