// Depthwise convolution: every group has one input channel, so there is no sum over channels and
// nothing for a GEMM to do. Rows of the output are accumulated tap by tap instead, in loops that
// the compiler vectorises.
//
// Requires groups == in_channels; any channel multiplier, stride, padding and dilation. Each plane
// is summed by one thread in a fixed order, so the bits do not depend on the thread count.
#pragma once

#include <gradus/core/kernels/conv2d/geometry.h>

namespace gradus::kernels {

/// y = x ⋆ w + bias.  x [N,Ci,H,W], w [Co,Ci/groups,kh,kw], bias [Co] or nullptr -> y [N,Co,OH,OW],
/// overwritten.
template <class T>
void conv2d_depthwise_forward(const Conv2dGeometry& geometry, const T* x, const T* w, const T* bias,
                              T* y);

/// dL/dx from dL/dy.  dy [N,Co,OH,OW], w [Co,Ci/groups,kh,kw] -> dx [N,Ci,H,W], overwritten.
template <class T>
void conv2d_depthwise_input_grad(const Conv2dGeometry& geometry, const T* dy, const T* w, T* dx);

/// dL/dw from dL/dy.  x [N,Ci,H,W], dy [N,Co,OH,OW] -> dw [Co,Ci/groups,kh,kw], overwritten.
template <class T>
void conv2d_depthwise_weight_grad(const Conv2dGeometry& geometry, const T* x, const T* dy, T* dw);

}  // namespace gradus::kernels
