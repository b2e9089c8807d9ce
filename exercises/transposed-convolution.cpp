// Exercise transposed-convolution: a convolution turned round, which makes images larger.
//
// Each pixel x[c,i,j] stamps its kernel k[c,o,:,:], times its value, on the output, with the stamp's corner at row
// i·sh - ph and column j·sw - pw. Stamps that overlap add up; what falls outside is lost.
// x [ci,h,w], k [ci,co,kh,kw] (input channels first) -> y [co, (h-1)·sh - 2·ph + kh, (w-1)·sw - 2·pw + kw].
#include "judge/judges.h"

using namespace gradus;

Tensor my_transposed_conv(const Tensor& x, const Tensor& k, Pair padding, Pair stride) {
  return {};  // in its place: y
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) {
  return judge_transposed_convolution(my_transposed_conv, seed);
}
