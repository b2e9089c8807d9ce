// Exercise conv-weight-gradient: how the loss changes with each weight of a convolution.
//
//   y[n,o,i,j] = Σ_c Σ_{u,v} x[n, c, i+u, j+v]·k[o,c,u,v]        stride 1, no padding
//
// dy [n,co,oh,ow], x [n,ci,h,w], the shape of k [co,ci,kh,kw] -> dk of that shape.
// Ask of one weight k[o,c,u,v]: in which products does it stand, and with what?
#include "judge/judges.h"

using namespace gradus;

Tensor my_weight_gradient(const Tensor& dy, const Tensor& x, const Shape& k) {
  return {};  // in its place: dk
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) {
  return judge_conv_weight_gradient(my_weight_gradient, seed);
}
