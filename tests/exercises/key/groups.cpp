// Teacher's key of the exercise groups: takes the place of exercises/groups.cpp.
#include "judge/judges.h"

using namespace gradus;

Tensor my_grouped_conv(const Tensor& x, const Tensor& k, std::int64_t groups) {
  const std::int64_t co = k.size(0), ci = k.size(1), kh = k.size(2), kw = k.size(3);
  const std::int64_t oh = x.size(1) - kh + 1, ow = x.size(2) - kw + 1;
  const Tensor y = zeros({co, oh, ow}, float64);
  for (std::int64_t o = 0; o < co; ++o) {
    const std::int64_t group = o / (co / groups);
    for (std::int64_t c = 0; c < ci; ++c) {
      const std::int64_t channel = group * ci + c;
      for (std::int64_t i = 0; i < oh; ++i)
        for (std::int64_t j = 0; j < ow; ++j)
          for (std::int64_t u = 0; u < kh; ++u)
            for (std::int64_t v = 0; v < kw; ++v)
              y.at<double>({o, i, j}) +=
                  x.at<double>({channel, i + u, j + v}) * k.at<double>({o, c, u, v});
    }
  }
  return y;
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_groups(my_grouped_conv, seed); }
