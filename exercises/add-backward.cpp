// Exercise add-backward: the backward pass of y = a + b, where one may have been broadcast to the other.
//
// A number that was used in several places gets the sum of the gradients of all of them. Shapes are broadcast as in
// NumPy: aligned at the last axis; an axis that is missing or of size 1 is repeated.
// dy of the shape of y -> {da of shape a, db of shape b}. core::sum(t, {0}, true) sums over axis 0 and keeps it with
// size 1; t.reshape(shape) drops axes of size 1.
#include "judge/judges.h"

using namespace gradus;

PairOfGradients my_add_backward(const Tensor& dy, const Shape& a, const Shape& b) {
  return {};  // in its place: {da, db}
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_add_backward(my_add_backward, seed); }
