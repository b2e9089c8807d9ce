// Cross-correlation as it is taught: one channel, many in, many in and out, and 1x1.
//
// The four functions of the chapter "Multiple Input and Multiple Output Channels" of A. Zhang, Z.
// Lipton, M. Li, A. Smola, "Dive into Deep Learning" (d2l.ai), each built from the one before. They
// say what a convolution is; conv2d computes the same for batches, with strides and padding, and
// fast. No padding, stride 1.
#pragma once

#include <gradus/autograd/variable.h>

namespace gradus {

/// Y[i,j] = Σ_{u,v} X[i+u, j+v]·K[u,v]. X [h,w], K [kh,kw] -> [h-kh+1, w-kw+1].
/// Throws ShapeError for other ranks and for a kernel larger than the input.
Variable corr2d(const Variable& x, const Variable& k);

/// A correlation per channel, summed: Y = Σ_c corr2d(X[c], K[c]).
/// X [c,h,w], K [c,kh,kw] -> [h-kh+1, w-kw+1]. Throws ShapeError when the channels differ.
Variable corr2d_multi_in(const Variable& x, const Variable& k);

/// A kernel per output channel: Y[o] = corr2d_multi_in(X, K[o]).
/// X [ci,h,w], K [co,ci,kh,kw] -> [co, h-kh+1, w-kw+1].
Variable corr2d_multi_in_out(const Variable& x, const Variable& k);

/// The same for kernels of 1x1, as what it is: a matrix product over channels, the same at every
/// pixel, reshape(K [co,ci] · X [ci,h·w]).
/// X [ci,h,w], K [co,ci,1,1] -> [co,h,w].
Variable corr2d_multi_in_out_1x1(const Variable& x, const Variable& k);

}  // namespace gradus
