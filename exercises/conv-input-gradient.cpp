// Exercise conv-input-gradient: how the loss changes with each pixel of the input of a convolution.
//
//   y[n,o,i,j] = Σ_c Σ_{u,v} x[n, c, i+u, j+v]·k[o,c,u,v]        stride 1, no padding
//
// dy [n,co,oh,ow], k [co,ci,kh,kw], the shape of x [n,ci,h,w] -> dx of that shape.
// Ask of one pixel: in which products does it stand, and with what? Fewer at the border.
#include "judge/judges.h"

using namespace gradus;

Tensor my_input_gradient(const Tensor& dy, const Tensor& k, const Shape& x) {
  return {};  // in its place: dx
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_conv_input_gradient(my_input_gradient, seed); }
