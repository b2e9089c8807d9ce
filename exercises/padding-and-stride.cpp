// Exercise padding-and-stride: zeros around the image, and windows that move by more than one pixel.
//
//   y[o,i,j] = Σ_c Σ_{u,v} x[c, i·sh - ph + u, j·sw - pw + v]·k[o,c,u,v],    x is 0 outside of the image
//
// x [ci,h,w], k [co,ci,kh,kw] -> y [co,oh,ow], oh = (h + 2·ph - kh)/sh + 1 rounded down, ow likewise.
// padding is {ph, pw}: padding.height and padding.width; stride likewise.
#include "judge/judges.h"

using namespace gradus;

Tensor my_conv(const Tensor& x, const Tensor& k, Pair padding, Pair stride) {
  return {};  // in its place: y
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_padding_and_stride(my_conv, seed); }
