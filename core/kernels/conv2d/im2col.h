// Convolution as GEMM: the windows of x are laid out as columns, and a matrix product for each row
// i of the kernel does the rest.
//
//   forward      y  = Σ_i W_i·columns_i(x)            [Co,K]·[K,P]     K = Ci·kw taps, P pixels of
//   y input_grad   dx = Σ_i columns_i_adjoint(W_iᵀ·dy)  [K,Co]·[Co,P] weight_grad  dW_i = Σ
//   dy·columns_i(x)ᵀ            [Co,P]·[P,K]
//
// (for each group). The columns of all kernel rows are one buffer, entered at different places: see
// columns.h. They never hold the whole batch: a small image, or a tile of its output rows, that
// fits the L2 cache. Padding is multiplied like any other zero, so an infinite weight gives NaN
// where it meets the padding (the direct loops leave such products out). Any stride, padding,
// dilation and groups. Tiles and the order of sums depend on the geometry alone, so the bits are
// the same at any thread count.
#pragma once

#include <gradus/core/kernels/conv2d/geometry.h>

namespace gradus::kernels {

/// y = x ⋆ w + bias.  x [N,Ci,H,W], w [Co,Ci/groups,kh,kw], bias [Co] or nullptr -> y [N,Co,OH,OW],
/// overwritten.
template <class T>
void conv2d_im2col_forward(const Conv2dGeometry& geometry, const T* x, const T* w, const T* bias,
                           T* y);

/// dL/dx from dL/dy.  dy [N,Co,OH,OW], w [Co,Ci/groups,kh,kw] -> dx [N,Ci,H,W], overwritten.
template <class T>
void conv2d_im2col_input_grad(const Conv2dGeometry& geometry, const T* dy, const T* w, T* dx);

/// dL/dw from dL/dy.  x [N,Ci,H,W], dy [N,Co,OH,OW] -> dw [Co,Ci/groups,kh,kw], overwritten.
template <class T>
void conv2d_im2col_weight_grad(const Conv2dGeometry& geometry, const T* x, const T* dy, T* dw);

}  // namespace gradus::kernels
