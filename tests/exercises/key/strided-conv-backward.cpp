// Teacher's key of the exercise strided-conv-backward: takes the place of exercises/strided-conv-backward.cpp.
#include "judge/judges.h"

using namespace gradus;

ConvGradients my_conv_backward(const Tensor& dy, const Tensor& x, const Tensor& k, Pair padding,
                               Pair stride) {
  const Tensor dx = zeros_like(x);
  const Tensor dk = zeros_like(k);
  for (std::int64_t n = 0; n < dy.size(0); ++n)
    for (std::int64_t o = 0; o < k.size(0); ++o)
      for (std::int64_t c = 0; c < k.size(1); ++c)
        for (std::int64_t i = 0; i < dy.size(2); ++i)
          for (std::int64_t j = 0; j < dy.size(3); ++j)
            for (std::int64_t u = 0; u < k.size(2); ++u)
              for (std::int64_t v = 0; v < k.size(3); ++v) {
                const std::int64_t row = i * stride.height - padding.height + u;
                const std::int64_t column = j * stride.width - padding.width + v;
                if (row < 0 || row >= x.size(2) || column < 0 || column >= x.size(3)) continue;
                const double incoming = dy.at<double>({n, o, i, j});
                dx.at<double>({n, c, row, column}) += incoming * k.at<double>({o, c, u, v});
                dk.at<double>({o, c, u, v}) += incoming * x.at<double>({n, c, row, column});
              }
  return {dx, dk};
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_strided_conv_backward(my_conv_backward, seed); }
