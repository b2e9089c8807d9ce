// Teacher's key of the exercise transposed-convolution: takes the place of exercises/transposed-convolution.cpp.
#include "judge/judges.h"

using namespace gradus;

Tensor my_transposed_conv(const Tensor& x, const Tensor& k, Pair padding, Pair stride) {
  const std::int64_t ci = k.size(0), co = k.size(1), kh = k.size(2), kw = k.size(3);
  const std::int64_t oh = (x.size(1) - 1) * stride.height - 2 * padding.height + kh;
  const std::int64_t ow = (x.size(2) - 1) * stride.width - 2 * padding.width + kw;
  const Tensor y = zeros({co, oh, ow}, float64);
  for (std::int64_t c = 0; c < ci; ++c)
    for (std::int64_t i = 0; i < x.size(1); ++i)
      for (std::int64_t j = 0; j < x.size(2); ++j)
        for (std::int64_t o = 0; o < co; ++o)
          for (std::int64_t u = 0; u < kh; ++u)
            for (std::int64_t v = 0; v < kw; ++v) {
              const std::int64_t row = i * stride.height - padding.height + u;
              const std::int64_t column = j * stride.width - padding.width + v;
              if (row < 0 || row >= oh || column < 0 || column >= ow) continue;
              y.at<double>({o, row, column}) +=
                  x.at<double>({c, i, j}) * k.at<double>({c, o, u, v});
            }
  return y;
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) {
  return judge_transposed_convolution(my_transposed_conv, seed);
}
