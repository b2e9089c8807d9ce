// Teacher's key of the exercise add-backward: takes the place of exercises/add-backward.cpp.
#include "judge/judges.h"

using namespace gradus;

Tensor summed_to(Tensor dy, const Shape& shape) {
  while (dy.rank() > shape.rank()) dy = core::sum(dy, {0});
  for (int d = 0; d < shape.rank(); ++d)
    if (shape[d] == 1) dy = core::sum(dy, {d}, true);
  return dy;
}

PairOfGradients my_add_backward(const Tensor& dy, const Shape& a, const Shape& b) {
  return {summed_to(dy, a), summed_to(dy, b)};
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_add_backward(my_add_backward, seed); }
