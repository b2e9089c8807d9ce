// Which algorithm computes a convolution, decided in one place, and the way to it.
//
// choose() is a pure function of the geometry and the type: no environment, no timing, no thread
// count, so a model computes the same bits on every run. A caller may force another algorithm, as
// long as it supports the geometry.
#pragma once

#include <string_view>

#include <gradus/core/kernels/conv2d/geometry.h>

namespace gradus::kernels {

enum class Conv2dAlgorithm {
  direct,
  im2col,
  pointwise,
  depthwise,
  implicit_gemm,
  winograd_2x2,
  winograd_4x4
};

/// The three passes of a convolution; each may have another best algorithm.
enum class Conv2dPass { forward, input_grad, weight_grad };

/// "direct", "im2col", "pointwise", "depthwise", "implicit_gemm", "winograd_2x2", "winograd_4x4".
std::string_view to_string(Conv2dAlgorithm algorithm);

/// Whether the algorithm can compute this convolution in type T, float or double: direct and im2col
/// any, pointwise 1x1 without padding, depthwise groups == in_channels; in float also implicit_gemm
/// any, and winograd_2x2 and winograd_4x4 3x3 with stride and dilation 1.
template <class T> bool supports(Conv2dAlgorithm algorithm, const Conv2dGeometry& geometry);

/// The algorithm that is expected to be fastest; always one that supports the geometry. Winograd's,
/// whose error is larger (winograd.h), only where `winograd` allows it.
template <class T>
Conv2dAlgorithm choose(const Conv2dGeometry& geometry, Conv2dPass pass = Conv2dPass::forward,
                       bool winograd = true);

/// y = x ⋆ w + bias (bias may be nullptr), then max(·, 0) with `relu` (a NaN stays). Requires
/// supports<T>(algorithm, geometry); so do the two below.
template <class T>
void conv2d_forward(Conv2dAlgorithm algorithm, const Conv2dGeometry& geometry, const T* x,
                    const T* w, const T* bias, T* y, bool relu = false);

/// dL/dx from dL/dy and w.
template <class T>
void conv2d_input_grad(Conv2dAlgorithm algorithm, const Conv2dGeometry& geometry, const T* dy,
                       const T* w, T* dx);

/// dL/dw from x and dL/dy.
template <class T>
void conv2d_weight_grad(Conv2dAlgorithm algorithm, const Conv2dGeometry& geometry, const T* x,
                        const T* dy, T* dw);

}  // namespace gradus::kernels
