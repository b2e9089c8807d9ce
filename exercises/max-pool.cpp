// Exercise max-pool: the greatest of each window, and its backward pass.
//
//   y[c,i,j] = max_{u,v < size} x[c, i·stride + u, j·stride + v]
//
// x [c,h,w] -> y [c,oh,ow], oh = (h - size)/stride + 1 rounded down. Backward: the gradient of each window goes to its
// greatest number, of equal ones to the first, row by row. Windows may overlap. dy [c,oh,ow], x -> dx [c,h,w].
#include "judge/judges.h"

using namespace gradus;

Tensor my_max_pool(const Tensor& x, std::int64_t size, std::int64_t stride) {
  return {};  // in its place: y
}

Tensor my_max_pool_backward(const Tensor& dy, const Tensor& x, std::int64_t size,
                            std::int64_t stride) {
  return {};  // in its place: dx
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) {
  return judge_max_pool(my_max_pool, my_max_pool_backward, seed);
}
