// 3x3 convolutions of stride 1 by Winograd's minimal filtering: see winograd_transforms.h. T is float or double.
//
//   forward      transform the tiles of x, 36 matrix products over channels, transform back
//   input_grad   the same, of dy with the kernels turned by 180°
//   weight_grad  36 matrix products over tiles, of the transformed x and dy
//
// Requires a 3x3 kernel, stride 1, dilation 1; any padding and groups. The error is larger than
// that of a direct sum, see there, and infinities and NaN spread over their whole tile. Items and
// the order of sums depend on the geometry and the kind of CPU alone.
#pragma once

#include <gradus/core/kernels/conv2d/geometry.h>
#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

bool winograd_supports(const Conv2dGeometry& geometry);

/// How the forward pass is cut into items of work: several images each, or several of an image.
struct WinogradItems {
  std::int64_t images;     ///< of an item
  std::int64_t per_image;  ///< items
};
template <class T> WinogradItems winograd_items(const Conv2dGeometry& geometry);

/// y = x ⋆ w, finished.  x [N,Ci,H,W], w [Co,Ci/groups,3,3] -> y [N,Co,OH,OW], overwritten.
template <class T>
void winograd_forward(const Conv2dGeometry& geometry, const T* x, const T* w,
                      const Epilogue<T>& epilogue, T* y);

/// dL/dx from dL/dy.  dy [N,Co,OH,OW], w [Co,Ci/groups,3,3] -> dx [N,Ci,H,W], overwritten.
template <class T>
void winograd_input_grad(const Conv2dGeometry& geometry, const T* dy, const T* w, T* dx);

/// dL/dw from dL/dy.  x [N,Ci,H,W], dy [N,Co,OH,OW] -> dw [Co,Ci/groups,3,3], overwritten.
template <class T>
void winograd_weight_grad(const Conv2dGeometry& geometry, const T* x, const T* dy, T* dw);

}  // namespace gradus::kernels
