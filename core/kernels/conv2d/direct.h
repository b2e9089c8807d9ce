// Convolution as the formula says it: seven nested loops, any stride, padding, dilation and groups.
//
// This is the oracle that every faster variant is tested against, written to be believed rather
// than to be fast. Each output is summed by one thread in the order of the loops, so the bits do
// not depend on the thread count.
#pragma once

#include <gradus/core/kernels/conv2d/geometry.h>

namespace gradus::kernels {

/// y = x ⋆ w + bias.  x [N,Ci,H,W], w [Co,Ci/groups,kh,kw], bias [Co] or nullptr -> y [N,Co,OH,OW],
/// overwritten.
template <class T>
void conv2d_direct_forward(const Conv2dGeometry& geometry, const T* x, const T* w, const T* bias,
                           T* y);

/// dL/dx from dL/dy.  dy [N,Co,OH,OW], w [Co,Ci/groups,kh,kw] -> dx [N,Ci,H,W], overwritten.
template <class T>
void conv2d_direct_input_grad(const Conv2dGeometry& geometry, const T* dy, const T* w, T* dx);

/// dL/dw from dL/dy.  x [N,Ci,H,W], dy [N,Co,OH,OW] -> dw [Co,Ci/groups,kh,kw], overwritten.
template <class T>
void conv2d_direct_weight_grad(const Conv2dGeometry& geometry, const T* x, const T* dy, T* dw);

}  // namespace gradus::kernels
