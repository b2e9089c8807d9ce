// Channel by channel: the passes that batch normalisation is made of, on Tensors.
//
// x, dy and results are [N,C,...], the numbers of a channel [C]; all of one dtype, float32 or
// float64. Throws ShapeError and DTypeError otherwise. Sums of float32 are accumulated in float64.
#pragma once

#include <gradus/core/activation.h>
#include <gradus/core/tensor.h>

namespace gradus::core {

/// Over all but the channels; the variance is the mean of squares, not the unbiased one.
struct ChannelMoments {
  Tensor mean;
  Tensor variance;
};
/// Throws ShapeError also when a channel has no values.
ChannelMoments channel_moments(const Tensor& x);

/// What channel_map() does to each number: y = (x - mean)·scale + bias, then the activation.
struct ChannelMap {
  Tensor mean;
  Tensor scale;
  Tensor bias = {};  ///< undefined for none
  Activation activation = Activation::none;
};
/// In one pass, bit for bit what sub, mul, add and relu give one after the other.
Tensor channel_map(const Tensor& x, const ChannelMap& map);

/// Of the gradient dy of channel_map(x, map): g is dy, with relu 0 where the result was not
/// positive (a NaN counts as positive).
struct ChannelGradSums {
  Tensor total;  ///< Σ g
  Tensor along;  ///< Σ g·(x - mean)
};
ChannelGradSums channel_grad_sums(const Tensor& dy, const Tensor& x, const ChannelMap& map);

/// (g - offset - (x - mean)·slope)·scale
Tensor channel_input_grad(const Tensor& dy, const Tensor& x, const ChannelMap& map,
                          const Tensor& offset, const Tensor& slope);
/// The same, written over dy, which must be contiguous.
void channel_input_grad_(const Tensor& dy, const Tensor& x, const ChannelMap& map,
                         const Tensor& offset, const Tensor& slope);

}  // namespace gradus::core
