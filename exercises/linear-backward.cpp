// Exercise linear-backward: the backward pass of a linear layer.
//
//   y = x·Wᵀ + b        x [n,in], W [out,in], b [out] -> y [n,out]
//
// dy [n,out], x, W -> {dx, dW, db}, of the shapes of x, W and b. core::matmul(a, b) is [m,n]·[n,p] -> [m,p];
// t.transpose() exchanges the axes; core::sum(t, {0}) sums over axis 0.
#include "judge/judges.h"

using namespace gradus;

LayerGradients my_linear_backward(const Tensor& dy, const Tensor& x, const Tensor& weight) {
  return {};  // in its place: {dx, dweight, dbias}
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_linear_backward(my_linear_backward, seed); }
