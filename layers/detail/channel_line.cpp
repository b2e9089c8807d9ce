// The line of a batch norm, and the sums before it that take it in.
#include <gradus/layers/detail/channel_line.h>

#include <cmath>

namespace gradus::detail {
namespace {

using Numbers = std::vector<double>;

Numbers numbers_of(const Tensor& vector) { return vector.to(float64).to_vector<double>(); }

}  // namespace

std::optional<ChannelLine> channel_line(const Tensor& weight, const Tensor& bias,
                                        const Tensor& mean, const Tensor& variance, double eps) {
  const std::size_t channels = static_cast<std::size_t>(mean.numel());
  for (const Tensor* vector : {&weight, &bias, &mean, &variance}) {
    if (!vector->defined()) continue;
    if (!is_floating(vector->dtype()) || vector->numel() != mean.numel()) return std::nullopt;
  }
  ChannelLine line{.factor = weight.defined() ? numbers_of(weight) : Numbers(channels, 1),
                   .mean = numbers_of(mean),
                   .shift = bias.defined() ? numbers_of(bias) : Numbers(channels, 0)};
  const Numbers variances = numbers_of(variance);
  for (std::size_t c = 0; c < channels; ++c) {
    line.factor[c] /= std::sqrt(variances[c] + eps);
    if (!std::isfinite(line.factor[c])) return std::nullopt;
  }
  return line;
}

Tensor folded_weight(const Tensor& weight, const ChannelLayout& layout, const ChannelLine& line) {
  const Tensor wide = weight.to(float64).clone();
  double* numbers = wide.data<double>();
  std::int64_t inner = 1;
  for (int d = layout.axis + 1; d < wide.rank(); ++d) inner *= wide.size(d);
  std::int64_t outer = 1;
  for (int d = 0; d < layout.axis; ++d) outer *= wide.size(d);
  const std::int64_t rows = wide.size(layout.axis);
  for (std::int64_t o = 0; o < outer; ++o) {
    const std::int64_t group = layout.axis == 0 ? 0 : o * layout.groups / outer;
    for (std::int64_t r = 0; r < rows; ++r) {
      const double by = line.factor[static_cast<std::size_t>(group * rows + r)];
      for (std::int64_t i = 0; i < inner; ++i) *numbers++ *= by;
    }
  }
  return wide.to(weight.dtype());
}

Tensor folded_bias(const Tensor& bias, const ChannelLine& line, DType dtype) {
  Numbers sums = bias.defined() ? numbers_of(bias) : Numbers(line.factor.size(), 0);
  for (std::size_t c = 0; c < sums.size(); ++c)
    sums[c] = line.factor[c] * (sums[c] - line.mean[c]) + line.shift[c];
  return Tensor::from(sums.data(), {std::ssize(sums)}).to(dtype);
}

}  // namespace gradus::detail
