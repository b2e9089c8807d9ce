// Exercise relu: the function and its backward pass.
//
//   y = max(x, 0)        dL/dx = dL/dy where x > 0, else 0 (at 0 too: the convention)
//
// x of any shape -> y of the same; dy, x -> dx. x.data<double>()[i] is the i-th of x.numel() numbers,
// zeros_like(x) makes room.
#include "judge/judges.h"

using namespace gradus;

Tensor my_relu(const Tensor& x) {
  return {};  // in its place: y
}

Tensor my_relu_backward(const Tensor& dy, const Tensor& x) {
  return {};  // in its place: dx
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_relu(my_relu, my_relu_backward, seed); }
