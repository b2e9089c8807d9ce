// Cross-correlation as it is taught: one channel, many in, many in and out, and 1x1.
//
// The four functions of the chapter "Multiple Input and Multiple Output Channels" of A. Zhang, Z.
// Lipton, M. Li, A. Smola, "Dive into Deep Learning" (d2l.ai), each built from the one before, and the
// answer to its first exercise. They say what a convolution is; conv2d computes the same for batches,
// with strides and padding, and fast. No padding, stride 1.
#pragma once

#include <gradus/autograd/variable.h>
#include <gradus/core/conv.h>

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

/// The one kernel that does what two do in a row, with nothing between: the full convolution of both,
/// K[o,c] = Σ_m first[m,c] * second[o,m], so that with stride 1 and without padding
///   conv2d(conv2d(x, first), second) = conv2d(x, compose_conv2d(first, second)).
/// Where the first has a stride s (`stride`) and the second t, K takes s·t. Padding of the first is K's;
/// padding of the second puts zeros where K sees the first kernel's answers, so outputs near the border differ.
/// first [m,ci,h1,w1], second [co,m,h2,w2] -> [co,ci, h1 + s·(h2-1), w1 + s·(w2-1)].
/// Throws ShapeError for other ranks, for kernels without elements and when the middle channels differ,
/// ValueError for a stride below 1.
Variable compose_conv2d(const Variable& first, const Variable& second, Pair stride = 1);

}  // namespace gradus
