// The loops of a depthwise convolution: a plane, its kernel, and where they meet. T is float or double.
//
// Planes are read where they lie. Eight rows of a vector of outputs are computed together: a row of
// the input is loaded once for all rows of outputs that meet it. Borders are zeros: lanes outside of a
// row, and a row of zeros above and below. Vectors of every other pixel are taken apart in registers.
// Vectors by Highway, chosen at run time.
#pragma once

#include <cstdint>

#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

/// One axis of a plane: output o meets at tap k the input o·stride + first + k.
struct PlaneAxis {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  std::int64_t taps = 0;
  std::int64_t stride = 1;
  std::int64_t first = 0;
};

/// Of both, which have the same stride: 3x3 taps with stride 1 or 2, or with stride 1 up to 2x2.
struct PlaneCorrelation {
  PlaneAxis rows, columns;
};

/// Neighbouring planes: each has the weights of its channel.
struct PlaneRange {
  std::int64_t first = 0;  ///< its number modulo `channels` is the channel
  std::int64_t count = 1;
  std::int64_t channels = 1;
};

/// Neighbouring channels of some images, and how far the images are apart.
struct PlaneSeries {
  std::int64_t channels = 1;
  std::int64_t images = 1;
  std::int64_t in_step = 0;
  std::int64_t grad_step = 0;
};

template <class T> struct PlaneKernels {
  std::int64_t lanes;  ///< of a vector

  /// out [planes, outputs] = w ⋆ in, finished.  in [planes, inputs], w [channels, taps].
  void (*correlate)(const PlaneCorrelation& p, const PlaneRange& planes, const T* in, const T* w,
                    const Epilogue<T>& epilogue, T* out);

  /// sums [channels, taps] = Σ_images Σ_outputs grad·in.
  void (*correlate_grad)(const PlaneCorrelation& p, const PlaneSeries& series, const T* in,
                         const T* grad, T* sums);
};

/// The kernels for the vectors in use.
template <class T> const PlaneKernels<T>& plane_kernels();

}  // namespace gradus::kernels
