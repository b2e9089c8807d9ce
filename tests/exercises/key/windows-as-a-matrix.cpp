// Teacher's key of the exercise windows-as-a-matrix: takes the place of exercises/windows-as-a-matrix.cpp.
#include "judge/judges.h"

using namespace gradus;

Tensor my_windows(const Tensor& x, Pair kernel) {
  const std::int64_t c = x.size(0), kh = kernel.height, kw = kernel.width;
  const std::int64_t oh = x.size(1) - kh + 1, ow = x.size(2) - kw + 1;
  const Tensor m = zeros({c * kh * kw, oh * ow}, float64);
  for (std::int64_t d = 0; d < c; ++d)
    for (std::int64_t u = 0; u < kh; ++u)
      for (std::int64_t v = 0; v < kw; ++v)
        for (std::int64_t i = 0; i < oh; ++i)
          for (std::int64_t j = 0; j < ow; ++j) {
            const std::int64_t row = (d * kh + u) * kw + v;
            const std::int64_t column = i * ow + j;
            m.at<double>({row, column}) = x.at<double>({d, i + u, j + v});
          }
  return m;
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_windows_as_a_matrix(my_windows, seed); }
