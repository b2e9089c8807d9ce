// Exercise strided-conv-backward: both gradients of a convolution with stride and padding.
//
//   y[n,o,i,j] = Σ_c Σ_{u,v} x[n, c, i·sh - ph + u, j·sw - pw + v]·k[o,c,u,v],    x is 0 outside of the image
//
// dy [n,co,oh,ow], x [n,ci,h,w], k [co,ci,kh,kw] -> {dx, dk}. padding is {ph, pw}, stride {sh, sw}.
// Sizes need not divide: the last rows and columns of x may be in no window.
#include "judge/judges.h"

using namespace gradus;

ConvGradients my_conv_backward(const Tensor& dy, const Tensor& x, const Tensor& k, Pair padding,
                               Pair stride) {
  return {};  // in its place: {dx, dk}
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_strided_conv_backward(my_conv_backward, seed); }
