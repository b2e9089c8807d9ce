// Exercise count-multiplications: what a convolution costs.
//
// x [n,ci,h,w], k [co, ci/groups, kh, kw]. Count the multiplications of the definition: one for each tap of the
// kernel at each output pixel of each output channel of each image, those with zeros of the padding too.
// Forward, and backward: the gradient of x and the gradient of k, both. x[2] is h; options has padding, stride,
// groups. The size of the output is (h + 2·padding - kh)/stride + 1, rounded down.
#include "judge/judges.h"

using namespace gradus;

Multiplications my_count(const Shape& x, const Shape& k, const Conv2dOptions& options) {
  return {.forward = 0, .backward = 0};
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_count_multiplications(my_count, seed); }
