// Exercise many-input-channels: one correlation for each channel, and their sum.
//
//   y[i,j] = Σ_c Σ_{u,v} x[c, i+u, j+v]·k[c,u,v]
//
// x [c,h,w], k [c,kh,kw] -> y [h-kh+1, w-kw+1]. The kernel has a slice for each channel; y has no channels.
#include "judge/judges.h"

using namespace gradus;

Tensor my_corr2d_multi_in(const Tensor& x, const Tensor& k) {
  return {};  // in its place: y
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_many_input_channels(my_corr2d_multi_in, seed); }
