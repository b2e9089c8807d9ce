// Exercise batch-norm-backward: the backward pass through a mean and a variance.
//
//   m = mean of x over the rows        v = mean of (x - m)² over the rows
//   z = (x - m)/√(v + eps)             y = z·weight + bias
//
// x [n,c], weight [c], bias [c] -> y [n,c]; m and v [c] depend on x too.
// dy [n,c], x, weight, eps -> {dx, dweight, dbias}.
#include "judge/judges.h"

using namespace gradus;

LayerGradients my_batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight,
                                      double eps) {
  return {};  // in its place: {dx, dweight, dbias}
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) {
  return judge_batch_norm_backward(my_batch_norm_backward, seed);
}
