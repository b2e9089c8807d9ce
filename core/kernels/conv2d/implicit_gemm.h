// Convolution as GEMM whose right matrix is never written down: the products of tap_product.h, over
// the tiles of tiles.h. The way of nearly every convolution, in float and in double.
//
//   forward      y  = W·X                  X[t, o]: what tap t meets at output o
//   input_grad   dx = Wᵀ·dY for each phase of the pixels, as a product of the same kind
//   weight_grad  dW = dY·Xᵀ                summed over tiles; along the filters (filter_lanes.h), or
//                                          along the outputs where filters are few (shifted_dots.h)
//
// for each group; those of most depthwise convolutions go another way (depthwise.h). Any stride,
// padding and dilation with patches_in_proportion(). Zeros of the padding are multiplied like any
// other pixel, and weights with the empty lanes between two rows: an infinite or NaN weight (in
// weight_grad: pixel) makes NaN of outputs that it meets only there. Tiles and the order of sums
// depend on the geometry, the type and the kind of CPU alone, so the bits are the same at any
// thread count. Geometries are as core checks them, and have pixels, channels and filters.
#pragma once

#include <gradus/core/kernels/conv2d/geometry.h>
#include <gradus/core/kernels/conv2d/tap_product.h>
#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

/// y = x ⋆ w, finished.  x [N,Ci,H,W], w [Co,Ci/groups,kh,kw] -> y [N,Co,OH,OW], overwritten.
template <class T>
void implicit_gemm_forward(const Conv2dGeometry& geometry, const T* x, const T* w,
                           const Epilogue<T>& epilogue, T* y);

/// dL/dx from dL/dy.  dy [N,Co,OH,OW], w [Co,Ci/groups,kh,kw] -> dx [N,Ci,H,W], overwritten.
template <class T>
void implicit_gemm_input_grad(const Conv2dGeometry& geometry, const T* dy, const T* w, T* dx);

/// The lanes that the weight gradient is summed in.
Lanes weight_grad_lanes(const Conv2dGeometry& geometry);

/// dL/dw from dL/dy.  x [N,Ci,H,W], dy [N,Co,OH,OW] -> dw [Co,Ci/groups,kh,kw], overwritten.
template <class T>
void implicit_gemm_weight_grad(const Conv2dGeometry& geometry, const T* x, const T* dy, T* dw);

/// The geometry as it is computed: a small 1x1 needs no rows, so its image is one line of pixels,
/// which fills vectors best.
Conv2dGeometry in_one_line(const Conv2dGeometry& geometry);

}  // namespace gradus::kernels
