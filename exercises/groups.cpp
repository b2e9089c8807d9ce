// Exercise groups: channels in groups that do not see each other.
//
// The ci channels of x and the co channels of y are cut into `groups` equal parts, neighbours together; part g of y is
// the convolution of part g of x with part g of the kernels. With groups = ci each channel is on its own (depthwise).
// x [ci,h,w], k [co, ci/groups, kh, kw] -> y [co, h-kh+1, w-kw+1].
#include "judge/judges.h"

using namespace gradus;

Tensor my_grouped_conv(const Tensor& x, const Tensor& k, std::int64_t groups) {
  return {};  // in its place: y
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_groups(my_grouped_conv, seed); }
