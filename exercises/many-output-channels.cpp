// Exercise many-output-channels: a kernel of its own for each output channel.
//
//   y[o,i,j] = Σ_c Σ_{u,v} x[c, i+u, j+v]·k[o,c,u,v]
//
// x [ci,h,w], k [co,ci,kh,kw] -> y [co, h-kh+1, w-kw+1].
#include "judge/judges.h"

using namespace gradus;

Tensor my_corr2d_multi_in_out(const Tensor& x, const Tensor& k) {
  return {};  // in its place: y
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) {
  return judge_many_output_channels(my_corr2d_multi_in_out, seed);
}
