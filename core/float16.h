// Float16 and BFloat16: numbers of 16 bits, to store weights in. They are converted and moved, and that
// is all: no arithmetic, which would round after each step. float16 is IEEE's binary16, 5 bits of
// exponent and 10 of fraction: three digits, up to 65504. bfloat16 is the upper half of a float32, 8 and 7
// bits: two digits, and float32's range.
//
// A conversion to them rounds once, to the nearest, a tie to the even fraction; what is beyond the range
// becomes infinite, what is below the least normal number subnormal. A conversion back is exact.
#pragma once

#include <bit>
#include <cstdint>

namespace gradus {

/// IEEE's binary16, as it is stored.
struct Float16 {
  std::uint16_t bits = 0;

  Float16() = default;
  explicit Float16(double value);
  /// Exact.
  explicit operator float() const;
};

/// The upper half of a float32, as it is stored.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  explicit BFloat16(double value);
  /// Exact.
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

}  // namespace gradus
