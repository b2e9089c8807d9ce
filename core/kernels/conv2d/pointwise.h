// The 1x1 convolution: a matrix product over channels on the tensor as it lies, with
// nothing copied.
//
//   forward      y[n]  = W·x[n]          [Co,Ci]·[Ci,P]        P pixels
//   input_grad   dx[n] = Wᵀ·dy[n]        [Ci,Co]·[Co,P]
//   weight_grad  dW    = Σₙ dy[n]·x[n]ᵀ  [Co,P]·[P,Ci]
//
// (for each group). Requires a 1x1 kernel, stride 1 and no padding; dilation has no effect on 1x1.
// T is float or double. The bits are the same at any thread count.
#pragma once

#include <gradus/core/kernels/conv2d/geometry.h>
#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

bool pointwise_supports(const Conv2dGeometry& geometry);

/// y = x ⋆ w, finished.  x [N,Ci,H,W], w [Co,Ci/groups,1,1] -> y [N,Co,H,W], overwritten.
template <class T>
void pointwise_forward(const Conv2dGeometry& geometry, const T* x, const T* w,
                       const Epilogue<T>& epilogue, T* y);

/// dL/dx from dL/dy.  dy [N,Co,H,W], w [Co,Ci/groups,1,1] -> dx [N,Ci,H,W], overwritten.
template <class T>
void pointwise_input_grad(const Conv2dGeometry& geometry, const T* dy, const T* w, T* dx);

/// dL/dw from dL/dy.  x [N,Ci,H,W], dy [N,Co,H,W] -> dw [Co,Ci/groups,1,1], overwritten.
template <class T>
void pointwise_weight_grad(const Conv2dGeometry& geometry, const T* x, const T* dy, T* dw);

}  // namespace gradus::kernels
