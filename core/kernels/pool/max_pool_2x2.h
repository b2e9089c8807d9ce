// Max pooling of 2x2 windows side by side, the pooling of almost every small network, in the widest
// vectors that the CPU has. float32 only; what it must compute, to the bit, is the plain loop
// max_pool_plane in max_pool2d.cpp, and a test holds it to that.
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// For each of `planes` images [height,width]: y[r,c] = the greatest of the window at (2r,2c),
/// places[r,c] = 0, 1, 2, 3 for where in it. y, places [planes, height/2, width/2], rounded down.
void max_pool_2x2(std::int64_t planes, std::int64_t height, std::int64_t width, const float* x,
                  float* y, std::uint8_t* places);
/// The derivative: dx is dy at the place of each window, 0 everywhere else. Writes all of dx.
void max_pool_2x2_scatter(std::int64_t planes, std::int64_t height, std::int64_t width,
                          const float* dy, const std::uint8_t* places, float* dx);

}  // namespace gradus::kernels
