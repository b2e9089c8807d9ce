// Teacher's key of the exercise corr2d: takes the place of exercises/corr2d.cpp.
#include "judge/judges.h"

using namespace gradus;

Tensor my_corr2d(const Tensor& x, const Tensor& k) {
  const std::int64_t kh = k.size(0), kw = k.size(1);
  const std::int64_t oh = x.size(0) - kh + 1, ow = x.size(1) - kw + 1;
  const Tensor y = zeros({oh, ow}, float64);
  for (std::int64_t i = 0; i < oh; ++i)
    for (std::int64_t j = 0; j < ow; ++j)
      for (std::int64_t u = 0; u < kh; ++u)
        for (std::int64_t v = 0; v < kw; ++v)
          y.at<double>({i, j}) += x.at<double>({i + u, j + v}) * k.at<double>({u, v});
  return y;
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_corr2d(my_corr2d, seed); }
