// Exercise mean-backward: the backward pass of a mean along one axis.
//
//   y = mean of x along axis dim (which y no longer has)
//
// dy of the shape of y, the shape of x -> dx. t.unsqueeze(dim) puts an axis of size 1 in; t.expand(shape) repeats it.
#include "judge/judges.h"

using namespace gradus;

Tensor my_mean_backward(const Tensor& dy, const Shape& x, std::int64_t dim) {
  return {};  // in its place: dx
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_mean_backward(my_mean_backward, seed); }
