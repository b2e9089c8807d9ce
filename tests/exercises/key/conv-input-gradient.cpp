// Teacher's key of the exercise conv-input-gradient: takes the place of exercises/conv-input-gradient.cpp.
#include "judge/judges.h"

using namespace gradus;

Tensor my_input_gradient(const Tensor& dy, const Tensor& k, const Shape& x) {
  const Tensor dx = zeros(x, float64);
  for (std::int64_t n = 0; n < dy.size(0); ++n)
    for (std::int64_t o = 0; o < k.size(0); ++o)
      for (std::int64_t c = 0; c < k.size(1); ++c)
        for (std::int64_t i = 0; i < dy.size(2); ++i)
          for (std::int64_t j = 0; j < dy.size(3); ++j)
            for (std::int64_t u = 0; u < k.size(2); ++u)
              for (std::int64_t v = 0; v < k.size(3); ++v)
                dx.at<double>({n, c, i + u, j + v}) +=
                    dy.at<double>({n, o, i, j}) * k.at<double>({o, c, u, v});
  return dx;
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_conv_input_gradient(my_input_gradient, seed); }
