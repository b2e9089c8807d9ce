// Exercise dilation: a kernel with holes, which sees further at the same cost.
//
//   y[o,i,j] = Σ_c Σ_{u,v} x[c, i + u·dh, j + v·dw]·k[o,c,u,v]
//
// x [ci,h,w], k [co,ci,kh,kw], dilation {dh, dw} -> y [co,oh,ow]; no padding, stride 1. Find oh and ow yourself.
#include "judge/judges.h"

using namespace gradus;

Tensor my_dilated_conv(const Tensor& x, const Tensor& k, Pair dilation) {
  return {};  // in its place: y
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_dilation(my_dilated_conv, seed); }
