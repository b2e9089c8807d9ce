// 3x3 convolutions of stride 1 by Winograd's minimal filtering: see winograd.h. float32.
//
//   forward      transform the tiles of x, n² matrix products over channels, transform back
//   input_grad   the same, of dy with the kernels turned by 180°
//   weight_grad  n² matrix products over tiles, of the transformed x and dy
//
// Requires a 3x3 kernel, stride 1, dilation 1; any padding and groups. The error is larger than
// that of a direct sum, see there, and infinities and NaN spread over their whole tile. Items and
// the order of sums depend on the geometry and the kind of CPU alone.
#pragma once

#include <gradus/core/kernels/conv2d/geometry.h>
#include <gradus/core/kernels/conv2d/winograd_transforms.h>

namespace gradus::kernels {

bool winograd_supports(const Conv2dGeometry& geometry);

/// y = x ⋆ w + bias, then max(·, 0) with `relu`.  x [N,Ci,H,W], w [Co,Ci/groups,3,3], bias [Co] or
/// nullptr -> y [N,Co,OH,OW], overwritten.
void conv2d_winograd_forward(WinogradTile tile, const Conv2dGeometry& geometry, const float* x,
                             const float* w, const float* bias, bool relu, float* y);

/// dL/dx from dL/dy.  dy [N,Co,OH,OW], w [Co,Ci/groups,3,3] -> dx [N,Ci,H,W], overwritten.
void conv2d_winograd_input_grad(WinogradTile tile, const Conv2dGeometry& geometry, const float* dy,
                                const float* w, float* dx);

/// dL/dw from dL/dy.  x [N,Ci,H,W], dy [N,Co,OH,OW] -> dw [Co,Ci/groups,3,3], overwritten.
void conv2d_winograd_weight_grad(WinogradTile tile, const Conv2dGeometry& geometry, const float* x,
                                 const float* dy, float* dw);

}  // namespace gradus::kernels
