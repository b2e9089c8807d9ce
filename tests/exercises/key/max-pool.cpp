// Teacher's key of the exercise max-pool: takes the place of exercises/max-pool.cpp.
#include "judge/judges.h"

using namespace gradus;

/// Where the greatest of a window is: {row, column}.
Pair greatest(const Tensor& x, std::int64_t c, Pair corner, std::int64_t size) {
  Pair best = corner;
  for (std::int64_t u = 0; u < size; ++u)
    for (std::int64_t v = 0; v < size; ++v) {
      const double here = x.at<double>({c, corner.height + u, corner.width + v});
      if (here > x.at<double>({c, best.height, best.width}))
        best = {corner.height + u, corner.width + v};
    }
  return best;
}

Tensor my_max_pool(const Tensor& x, std::int64_t size, std::int64_t stride) {
  const std::int64_t oh = (x.size(1) - size) / stride + 1, ow = (x.size(2) - size) / stride + 1;
  const Tensor y = zeros({x.size(0), oh, ow}, float64);
  for (std::int64_t c = 0; c < x.size(0); ++c)
    for (std::int64_t i = 0; i < oh; ++i)
      for (std::int64_t j = 0; j < ow; ++j) {
        const Pair best = greatest(x, c, {i * stride, j * stride}, size);
        y.at<double>({c, i, j}) = x.at<double>({c, best.height, best.width});
      }
  return y;
}

Tensor my_max_pool_backward(const Tensor& dy, const Tensor& x, std::int64_t size,
                            std::int64_t stride) {
  const Tensor dx = zeros_like(x);
  for (std::int64_t c = 0; c < dy.size(0); ++c)
    for (std::int64_t i = 0; i < dy.size(1); ++i)
      for (std::int64_t j = 0; j < dy.size(2); ++j) {
        const Pair best = greatest(x, c, {i * stride, j * stride}, size);
        dx.at<double>({c, best.height, best.width}) += dy.at<double>({c, i, j});
      }
  return dx;
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) {
  return judge_max_pool(my_max_pool, my_max_pool_backward, seed);
}
