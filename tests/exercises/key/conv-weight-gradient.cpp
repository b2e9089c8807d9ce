// Teacher's key of the exercise conv-weight-gradient: takes the place of exercises/conv-weight-gradient.cpp.
#include "judge/judges.h"

using namespace gradus;

Tensor my_weight_gradient(const Tensor& dy, const Tensor& x, const Shape& k) {
  const Tensor dk = zeros(k, float64);
  for (std::int64_t o = 0; o < k[0]; ++o)
    for (std::int64_t c = 0; c < k[1]; ++c)
      for (std::int64_t u = 0; u < k[2]; ++u)
        for (std::int64_t v = 0; v < k[3]; ++v) {
          double sum = 0;
          for (std::int64_t n = 0; n < dy.size(0); ++n)
            for (std::int64_t i = 0; i < dy.size(2); ++i)
              for (std::int64_t j = 0; j < dy.size(3); ++j)
                sum += dy.at<double>({n, o, i, j}) * x.at<double>({n, c, i + u, j + v});
          dk.at<double>({o, c, u, v}) = sum;
        }
  return dk;
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) {
  return judge_conv_weight_gradient(my_weight_gradient, seed);
}
