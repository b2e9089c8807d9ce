// The 1x1 convolution: a matrix product over channels on the tensor as it lies, with
// nothing copied.
//
//   forward      y[n]  = W·x[n]         [Co,Ci]·[Ci,P]        P pixels
//   input_grad   dx[n] = Wᵀ·dy[n]       [Ci,Co]·[Co,P]
//   weight_grad  dW    = Σₙ dy[n]·x[n]ᵀ  [Co,P]·[P,Ci]
//
// (for each group). With a stride, the pixels that the kernel touches are first gathered into a
// compact copy of one image, and scattered back for input_grad. Requires a 1x1 kernel and no
// padding; dilation has no effect on 1x1. The bits are the same at any thread count.
#pragma once

#include <gradus/core/kernels/conv2d/geometry.h>

namespace gradus::kernels {

/// y = x ⋆ w + bias.  x [N,Ci,H,W], w [Co,Ci/groups,kh,kw], bias [Co] or nullptr -> y [N,Co,OH,OW],
/// overwritten.
template <class T>
void conv2d_pointwise_forward(const Conv2dGeometry& geometry, const T* x, const T* w, const T* bias,
                              T* y);

/// dL/dx from dL/dy.  dy [N,Co,OH,OW], w [Co,Ci/groups,kh,kw] -> dx [N,Ci,H,W], overwritten.
template <class T>
void conv2d_pointwise_input_grad(const Conv2dGeometry& geometry, const T* dy, const T* w, T* dx);

/// dL/dw from dL/dy.  x [N,Ci,H,W], dy [N,Co,OH,OW] -> dw [Co,Ci/groups,kh,kw], overwritten.
template <class T>
void conv2d_pointwise_weight_grad(const Conv2dGeometry& geometry, const T* x, const T* dy, T* dw);

}  // namespace gradus::kernels
