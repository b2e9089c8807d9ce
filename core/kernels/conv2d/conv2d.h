// How a convolution is computed: the door to this room.
//
// A convolution is a matrix product. Row t of the right matrix X is what tap t = (channel, i, j) of
// the kernel meets at each output, and y = W·X:
//
//                       outputs →
//            taps      ┌─────────────┐
//          ┌──────┐    │ tap 0 meets │
//  filters │  W   │  · │ tap 1 meets │ taps   =   y [filters, outputs]
//          └──────┘    │     ...     │
//                      └─────────────┘
//
// X is never written down: row t is the zero-padded image itself, read `offset[t]` further on.
//
// Read in this order:
//   geometry.h       the sizes of a convolution, and its formula
//   direct.h         the definition as loops
//   tap_product.h    W·X for a tile of an image, by one of two micro-kernels:
//     output_lanes.h   vectors of outputs
//     filter_lanes.h   vectors of filters
//   patch.h          the zero-padded part of an image that a tile reads; strides sorted into phases
//   tiles.h          how images are cut into tiles, forward and for the input gradient
//   implicit_gemm.h  the three passes; shifted_dots.h is the micro-kernel of small weight gradients
//   depthwise.h      planes that have a 3x3 kernel of their own; plane_correlation.h has their loops
//   pointwise.h      1x1: W·X on the tensor as it lies, a product by matmul/gemm.h
//   winograd.h       3x3 with a quarter of the products; winograd_transforms.h has the formulas
//
// The same text computes in float and in double: a gradient check in double walks through the loops
// that train in float. Only Winograd's, whose error is larger, is chosen for float alone.
#pragma once

#include <gradus/core/kernels/conv2d/algorithm.h>
#include <gradus/core/kernels/conv2d/geometry.h>
#include <gradus/core/kernels/epilogue.h>

#include <string_view>

namespace gradus::kernels {

/// Whether the algorithm can compute this convolution: direct any; pointwise 1x1 with stride 1 and
/// without padding; depthwise 3x3 with stride 1 or 2, a channel and a filter in each of several
/// groups; implicit_gemm any whose padding, dilation and stride are in proportion to the
/// image; winograd 3x3 with stride and dilation 1.
bool supports(Conv2dAlgorithm algorithm, const Conv2dGeometry& geometry);

/// An algorithm, and in words why it and no other.
struct Conv2dChoice {
  Conv2dAlgorithm algorithm;
  std::string_view why;
};

/// The algorithm that is expected to be fastest; always one that supports the geometry. A function of
/// that and the vectors in use alone: no timing, no thread count, so a model computes the same bits on
/// every run. The same for float and double, except that Winograd's is for float, and only where
/// `winograd` allows it.
template <class T>
Conv2dChoice explain(const Conv2dGeometry& geometry, Conv2dPass pass = Conv2dPass::forward,
                     bool winograd = true);
/// The same without the words.
template <class T>
Conv2dAlgorithm choose(const Conv2dGeometry& geometry, Conv2dPass pass = Conv2dPass::forward,
                       bool winograd = true);

/// y = x ⋆ w, finished. Requires supports(algorithm, geometry); so do the two below.
template <class T>
void conv2d_forward(Conv2dAlgorithm algorithm, const Conv2dGeometry& geometry, const T* x,
                    const T* w, const Epilogue<T>& epilogue, T* y);

/// dL/dx from dL/dy and w.
template <class T>
void conv2d_input_grad(Conv2dAlgorithm algorithm, const Conv2dGeometry& geometry, const T* dy,
                       const T* w, T* dx);

/// dL/dw from x and dL/dy.
template <class T>
void conv2d_weight_grad(Conv2dAlgorithm algorithm, const Conv2dGeometry& geometry, const T* x,
                        const T* dy, T* dw);

}  // namespace gradus::kernels
