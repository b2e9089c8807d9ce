// Exercise windows-as-a-matrix (im2col): each window of the image as a column. Then a convolution of any kernel is
// one matrix product, K [co, c·kh·kw] · the matrix.
//
//   m[(c·kh + u)·kw + v, i·ow + j] = x[c, i+u, j+v]
//
// x [c,h,w], kernel {kh, kw} -> m [c·kh·kw, oh·ow], oh = h-kh+1, ow = w-kw+1. Stride 1, no padding.
#include "judge/judges.h"

using namespace gradus;

Tensor my_windows(const Tensor& x, Pair kernel) {
  return {};  // in its place: m
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_windows_as_a_matrix(my_windows, seed); }
