// Teacher's key of the exercise dilation: takes the place of exercises/dilation.cpp.
#include "judge/judges.h"

using namespace gradus;

Tensor my_dilated_conv(const Tensor& x, const Tensor& k, Pair dilation) {
  const std::int64_t co = k.size(0), ci = k.size(1), kh = k.size(2), kw = k.size(3);
  const std::int64_t oh = x.size(1) - dilation.height * (kh - 1);
  const std::int64_t ow = x.size(2) - dilation.width * (kw - 1);
  const Tensor y = zeros({co, oh, ow}, float64);
  for (std::int64_t o = 0; o < co; ++o)
    for (std::int64_t c = 0; c < ci; ++c)
      for (std::int64_t i = 0; i < oh; ++i)
        for (std::int64_t j = 0; j < ow; ++j)
          for (std::int64_t u = 0; u < kh; ++u)
            for (std::int64_t v = 0; v < kw; ++v) {
              const std::int64_t row = i + u * dilation.height;
              const std::int64_t column = j + v * dilation.width;
              y.at<double>({o, i, j}) +=
                  x.at<double>({c, row, column}) * k.at<double>({o, c, u, v});
            }
  return y;
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_dilation(my_dilated_conv, seed); }
