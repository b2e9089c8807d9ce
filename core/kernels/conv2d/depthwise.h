// Depthwise convolution: every plane with a kernel of its own, so that each number read is used for a
// few products only, and what counts is how often it passes from memory to the registers.
//
//   forward      y[p]  = x[p] ⋆ w[p]              p = (image, channel)
//   input_grad   dx[p] = the same of dy[p], with the kernel turned by 180°; with a stride, for each
//                        remainder of pixels with the taps that reach them
//   weight_grad  dw[c] = Σ_n x[n,c] ⋆ dy[n,c]
//
// Planes are read where they lie. Eight rows of a vector of outputs are computed together: a row of
// the input is loaded once for all rows of outputs that meet it. Borders are zeros: lanes outside of a
// row, and a row of zeros above and below. Vectors of every other pixel are taken apart in registers.
//
// For kernels of 3x3 with stride 1 or 2, without dilation, and any padding: depthwise_supports(). T is float
// or double. Vectors by Highway, chosen at run time. An output is the bias and then, one by one, the
// sum of each row of its taps (of dx: of the turned kernel's taps); the order of a weight's sum
// depends on the geometry and the width of a vector. The bits are the same at any thread count. Zeros
// of the padding are multiplied like any other pixel.
#pragma once

#include <cstdint>

#include <gradus/core/kernels/conv2d/geometry.h>
#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

/// Whether each of several groups has one channel and one filter, of such a kernel.
bool depthwise_supports(const Conv2dGeometry& geometry);

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

template <class T> struct DepthwiseKernels {
  std::int64_t lanes;  ///< of a vector

  /// out [planes, outputs] = w ⋆ in, finished.  in [planes, inputs], w [channels, taps].
  void (*correlate)(const PlaneCorrelation& p, const PlaneRange& planes, const T* in, const T* w,
                    const Epilogue<T>& epilogue, T* out);

  /// sums [channels, taps] = Σ_images Σ_outputs grad·in.
  void (*correlate_grad)(const PlaneCorrelation& p, const PlaneSeries& series, const T* in,
                         const T* grad, T* sums);
};

/// The kernels for the vectors in use.
template <class T> const DepthwiseKernels<T>& depthwise_kernels();

/// Multiply-adds of a plane, and what reading and writing it takes as long as.
std::int64_t depthwise_work(const Conv2dGeometry& geometry);

/// Neighbouring planes of dx whose pixels are kept until all phases of a row are done.
template <class T> std::int64_t depthwise_planes_together(const Conv2dGeometry& geometry);

/// y = x ⋆ w, finished.  x [N,C,H,W], w [C,1,kh,kw] -> y [N,C,OH,OW], overwritten.
template <class T>
void depthwise_forward(const Conv2dGeometry& geometry, const T* x, const T* w,
                       const Epilogue<T>& epilogue, T* y);

/// dL/dx from dL/dy.  dy [N,C,OH,OW], w [C,1,kh,kw] -> dx [N,C,H,W], overwritten.
template <class T>
void depthwise_input_grad(const Conv2dGeometry& geometry, const T* dy, const T* w, T* dx);

/// dL/dw from dL/dy.  x [N,C,H,W], dy [N,C,OH,OW] -> dw [C,1,kh,kw], overwritten.
template <class T>
void depthwise_weight_grad(const Conv2dGeometry& geometry, const T* x, const T* dy, T* dw);

}  // namespace gradus::kernels
