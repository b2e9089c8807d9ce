// Teacher's key of the exercise many-output-channels: takes the place of exercises/many-output-channels.cpp.
#include "judge/judges.h"

using namespace gradus;

Tensor my_corr2d_multi_in_out(const Tensor& x, const Tensor& k) {
  const std::int64_t co = k.size(0), ci = k.size(1), kh = k.size(2), kw = k.size(3);
  const std::int64_t oh = x.size(1) - kh + 1, ow = x.size(2) - kw + 1;
  const Tensor y = zeros({co, oh, ow}, float64);
  for (std::int64_t o = 0; o < co; ++o)
    for (std::int64_t i = 0; i < oh; ++i)
      for (std::int64_t j = 0; j < ow; ++j) {
        double sum = 0;
        for (std::int64_t c = 0; c < ci; ++c)
          for (std::int64_t u = 0; u < kh; ++u)
            for (std::int64_t v = 0; v < kw; ++v)
              sum += x.at<double>({c, i + u, j + v}) * k.at<double>({o, c, u, v});
        y.at<double>({o, i, j}) = sum;
      }
  return y;
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) {
  return judge_many_output_channels(my_corr2d_multi_in_out, seed);
}
