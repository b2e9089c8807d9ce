// Teacher's key of the exercise one-by-one: takes the place of exercises/one-by-one.cpp.
#include "judge/judges.h"

using namespace gradus;

Tensor my_conv_1x1(const Tensor& x, const Tensor& k) {
  const std::int64_t ci = x.size(0), h = x.size(1), w = x.size(2), co = k.size(0);
  const Tensor pixels = x.reshape({ci, h * w});
  const Tensor matrix = k.reshape({co, ci});
  const Tensor y = core::matmul(matrix, pixels);
  return y.reshape({co, h, w});
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_one_by_one(my_conv_1x1, seed); }
