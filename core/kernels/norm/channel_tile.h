// The inner loops of batch normalisation and of sums, in the widest vectors that the CPU has.
//
// A block is a part of a tensor [N,C,plane]: some images, some channels, and of each plane a run of
// neighbours. Each loop goes through a block once, in the order of memory, with a few numbers for
// each channel. Pointers to tensors point at the block's first element, pointers to per-channel
// numbers at those of its first channel.
//
// float32 in vectors by Highway, chosen at run time: SSE4, AVX2 or AVX-512 on x86-64, and one number
// at a time on a CPU without any (core/simd.h). float64, and runs too short for a vector, in plain
// loops, which are the oracle of the others. Sums are float64
// in both (tile_grad_sums adds four float32 numbers first). Each function adds in an order that
// depends on the sizes and the width of a vector alone.
#pragma once

#include <cstdint>

namespace gradus::kernels {

struct ChannelTile {
  std::int64_t images = 0;
  std::int64_t channels = 0;
  std::int64_t length = 0;        ///< of a run
  std::int64_t image_step = 0;    ///< elements from a channel of one image to that of the next
  std::int64_t channel_step = 0;  ///< elements from one channel to the next
};

/// z = (x - mean)·scale + bias
/// mean, scale and bias are one number per channel; with `relu` what is below 0 becomes 0. Each
/// step is rounded by itself, in the vectors too: whoever computes z again finds the same bits, and
/// so the same side of 0.
template <class T> struct ChannelMap {
  const T* mean = nullptr;
  const T* scale = nullptr;
  const T* bias = nullptr;  ///< null for none
  bool relu = false;

  ChannelMap from(std::int64_t channel) const {
    return {mean + channel, scale + channel, bias ? bias + channel : nullptr, relu};
  }
  /// What to add for the bias. Without one -0, which changes no number, whereas 0 would change -0.
  T bias_of(std::int64_t channel) const { return bias ? bias[channel] : T{-0.0}; }
};

/// sum[c] = Σ x
void tile_sums(const ChannelTile& block, const float* x, double* sum);
void tile_sums(const ChannelTile& block, const double* x, double* sum);

/// sum[c]    = Σ (x - shift[c])
/// square[c] = Σ (x - shift[c])²
void tile_moments(const ChannelTile& block, const float* shift, const float* x, double* sum,
                  double* square);
void tile_moments(const ChannelTile& block, const double* shift, const double* x, double* sum,
                  double* square);

/// y = map(x)
void tile_map(const ChannelTile& block, const ChannelMap<float>& map, const float* x, float* y);
void tile_map(const ChannelTile& block, const ChannelMap<double>& map, const double* x, double* y);

/// total[c] = Σ g
/// along[c] = Σ g·(x - mean[c])
/// where g = dy; with relu, g is 0 where z <= 0.
void tile_grad_sums(const ChannelTile& block, const ChannelMap<float>& map, const float* dy,
                    const float* x, double* total, double* along);
void tile_grad_sums(const ChannelTile& block, const ChannelMap<double>& map, const double* dy,
                    const double* x, double* total, double* along);

/// dx = (g - offset[c] - (x - mean[c])·slope[c])·scale[c]
/// with g as above. dx may be dy.
void tile_input_grad(const ChannelTile& block, const ChannelMap<float>& map, const float* dy,
                     const float* x, const float* offset, const float* slope, float* dx);
void tile_input_grad(const ChannelTile& block, const ChannelMap<double>& map, const double* dy,
                     const double* x, const double* offset, const double* slope, double* dx);

}  // namespace gradus::kernels
