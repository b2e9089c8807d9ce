// Sums and batch normalisation, channel by channel and pass by pass: each reads or writes a tensor
// [N,C,plane] once.
//
// In training batch normalisation is two passes over x (moments, then the map), its backward two
// over x and dy (sums, then the gradient). All four are bound by memory, so nothing else is kept
// from one to the next: relu's mask is computed again from x. A tensor is cut into blocks that stay
// in the cache, in the order of memory, whatever the numbers of images and channels are; where a
// block begins depends on the sizes alone, and its sums are added in the order of images.
#pragma once

#include <gradus/core/kernels/norm/channel_tile.h>

#include <cstdint>

namespace gradus::kernels {

/// A contiguous tensor [images, channels, plane].
struct ChannelPlanes {
  std::int64_t images = 0;
  std::int64_t channels = 0;
  std::int64_t plane = 0;
};

/// sum[c] = Σ x over images and plane
template <class T> void channel_sums(const ChannelPlanes& planes, const T* x, double* sum);

/// mean[c] and variance[c] (the sum of squares divided by the count, which must not be 0) over
/// images and plane.
template <class T>
void channel_moments(const ChannelPlanes& planes, const T* x, T* mean, T* variance);

/// y = map(x)
template <class T>
void channel_map(const ChannelPlanes& planes, const ChannelMap<T>& map, const T* x, T* y);

/// total[c] = Σ g
/// along[c] = Σ g·(x - mean[c])
/// where g = dy; with relu, g is 0 where map(x) <= 0.
template <class T>
void channel_grad_sums(const ChannelPlanes& planes, const ChannelMap<T>& map, const T* dy,
                       const T* x, T* total, T* along);

/// dx = (g - offset[c] - (x - mean[c])·slope[c])·scale[c]
/// with g as above. dx may be dy.
template <class T>
void channel_input_grad(const ChannelPlanes& planes, const ChannelMap<T>& map, const T* dy,
                        const T* x, const T* offset, const T* slope, T* dx);

}  // namespace gradus::kernels
