// Convolution as its definition: seven nested loops for each pass, any geometry. It is slow and
// plain: read it first, and compare the others with it. Only taps that meet the image are visited,
// and there is no scratch memory, so it is also the way of geometries whose padding, dilation or
// stride is out of proportion to the image (see patches_in_proportion in tiles.h).
#pragma once

#include <gradus/core/kernels/conv2d/geometry.h>
#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

/// y = x ⋆ w, finished.  x [N,Ci,H,W], w [Co,Ci/groups,kh,kw] -> y [N,Co,OH,OW], overwritten.
template <class T>
void direct_forward(const Conv2dGeometry& geometry, const T* x, const T* w,
                    const Epilogue<T>& epilogue, T* y);

/// dL/dx from dL/dy.  dy [N,Co,OH,OW], w [Co,Ci/groups,kh,kw] -> dx [N,Ci,H,W], overwritten.
template <class T>
void direct_input_grad(const Conv2dGeometry& geometry, const T* dy, const T* w, T* dx);

/// dL/dw from dL/dy.  x [N,Ci,H,W], dy [N,Co,OH,OW] -> dw [Co,Ci/groups,kh,kw], overwritten.
template <class T>
void direct_weight_grad(const Conv2dGeometry& geometry, const T* x, const T* dy, T* dw);

}  // namespace gradus::kernels
