// Depthwise convolution: every plane with a kernel of its own, so that each number read is used for a
// few products only, and what counts is how often it passes from memory to the registers.
//
//   forward      y[p]  = x[p] ⋆ w[p]              p = (image, channel)
//   input_grad   dx[p] = the same of dy[p], with the kernel turned by 180°; with a stride, for each
//                        remainder of pixels with the taps that reach them
//   weight_grad  dw[c] = Σ_n x[n,c] ⋆ dy[n,c]
//
// For kernels of 3x3 with stride 1 or 2, without dilation, and any padding: depthwise_supports().
// T is float or double. An output is the bias and then, one by one, the sum of each row of its taps
// (of dx: of the turned kernel's taps); the order of a weight's sum depends on the geometry and the
// width of a vector. The bits are the same at any thread count. Zeros of the padding are multiplied
// like any other pixel.
#pragma once

#include <cstdint>

#include <gradus/core/kernels/conv2d/geometry.h>
#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

/// Whether each of several groups has one channel and one filter, of such a kernel.
bool depthwise_supports(const Conv2dGeometry& geometry);

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
