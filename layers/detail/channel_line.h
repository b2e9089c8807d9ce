// What a batch norm in evaluation does to a channel is a line, and a line behind a weighted sum is another weighted sum:
//   factor·(Σ w·x + b - mean) + shift = Σ (factor·w)·x + (factor·(b - mean) + shift)
// All numbers are computed in float64 and rounded once.
#pragma once

#include <gradus/core/tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace gradus::detail {

/// y = factor·(x - mean) + shift, a number of each for a channel.
struct ChannelLine {
  std::vector<double> factor;
  std::vector<double> mean;
  std::vector<double> shift;

  std::int64_t channels() const { return std::ssize(factor); }
};

/// Of a batch norm's vectors [C]: factor = weight/√(variance + eps), shift = bias; an undefined weight is 1, an undefined
/// bias 0. None where they are not all floating-point and equally long, or a factor is not finite.
std::optional<ChannelLine> channel_line(const Tensor& weight, const Tensor& bias,
                                        const Tensor& mean, const Tensor& variance, double eps);

/// Where a weight has the channels of the result: along `axis`, and of ConvTranspose [in, out/groups, ..] the group of a
/// row says which part of them.
struct ChannelLayout {
  int axis = 0;
  std::int64_t groups = 1;

  std::int64_t channels(const Tensor& weight) const { return weight.size(axis) * groups; }
};

/// factor·w, in the dtype of `weight`, whose channels are as many as those of `line`.
Tensor folded_weight(const Tensor& weight, const ChannelLayout& layout, const ChannelLine& line);
/// factor·(b - mean) + shift, in `dtype`; an undefined `bias` is 0.
Tensor folded_bias(const Tensor& bias, const ChannelLine& line, DType dtype);

}  // namespace gradus::detail
