// Convolution as a matrix product whose right matrix is never written down ("implicit GEMM"): rows
// of the patch are read in place by tap_product.h. float32, any stride, padding, dilation, groups.
//
//   forward      y  = W·X                  X: what each tap meets at each output, read in the patch
//   input_grad   dx = one product for each phase of the stride, of the taps that belong to it
//                with a patch of dy:       dx[q·s + r] = Σ_i w[i]·dy[q − i'],   i·dilation = i'·s +
//                r
//   weight_grad  dW = dy·Xᵀ                X read in the same way
//
// (for each group). Tiles and the order of sums depend on the geometry and on the kind of CPU
// alone, so the bits are the same at any thread count.
#pragma once

#include <gradus/core/kernels/conv2d/geometry.h>

namespace gradus::kernels {

/// y = x ⋆ w + bias, then max(·, 0) with `relu`.  x [N,Ci,H,W], w [Co,Ci/groups,kh,kw], bias [Co]
/// or nullptr -> y [N,Co,OH,OW], overwritten.
void conv2d_implicit_forward(const Conv2dGeometry& geometry, const float* x, const float* w,
                             const float* bias, bool relu, float* y);

/// dL/dx from dL/dy.  dy [N,Co,OH,OW], w [Co,Ci/groups,kh,kw] -> dx [N,Ci,H,W], overwritten.
void conv2d_implicit_input_grad(const Conv2dGeometry& geometry, const float* dy, const float* w,
                                float* dx);

/// dL/dw from dL/dy.  x [N,Ci,H,W], dy [N,Co,OH,OW] -> dw [Co,Ci/groups,kh,kw], overwritten.
void conv2d_implicit_weight_grad(const Conv2dGeometry& geometry, const float* x, const float* dy,
                                 float* dw);

}  // namespace gradus::kernels
