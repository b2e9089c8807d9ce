// Float16 and BFloat16: numbers of 16 bits, to store weights in. They are converted and moved, and that
// is all: no arithmetic, which would round after each step. float16 is IEEE's binary16, 5 bits of
// exponent and 10 of fraction: three digits, up to 65504. bfloat16 is the upper half of a float32, 8 and 7
// bits: two digits, and float32's range.
//
// A conversion to them rounds once, to the nearest, a tie to the even fraction; what is beyond the range
// becomes infinite, what is below the least normal number subnormal. A conversion back is exact.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace gradus {

namespace detail {

/// The bits of a 16-bit number with `fraction` bits of fraction, exponents `least` .. -least + 1.
template <int fraction, int least> std::uint16_t narrowed_bits(double value) {
  constexpr int greatest = 1 - least;
  constexpr std::uint32_t infinity = static_cast<std::uint32_t>(greatest - least + 2) << fraction;
  constexpr std::uint32_t quiet = std::uint32_t{1} << (fraction - 1);
  const std::uint32_t sign = std::signbit(value) ? 0x8000 : 0;
  if (value != value) return static_cast<std::uint16_t>(sign | infinity | quiet);
  const double size = std::fabs(value);
  const int exponent = size == 0 ? least : std::max(std::ilogb(size), least);
  if (exponent > greatest) return static_cast<std::uint16_t>(sign | infinity);
  // In units of the last place. With its leading bit, which counts the exponent up by one where the
  // number is normal; and rounded up to the next power of two it carries into the exponent by itself.
  const auto units =
      static_cast<std::uint32_t>(std::nearbyint(std::ldexp(size, fraction - exponent)));
  const std::uint32_t steps = static_cast<std::uint32_t>(exponent - least) << fraction;
  return static_cast<std::uint16_t>(sign | (steps + units));
}

}  // namespace detail

/// IEEE's binary16, as it is stored.
struct Float16 {
  std::uint16_t bits = 0;

  Float16() = default;
  explicit Float16(double value) : bits(detail::narrowed_bits<10, -14>(value)) {}
  /// Exact.
  explicit operator float() const {
    const int exponent = (bits >> 10) & 31;
    const int fraction = bits & 1023;
    float size = std::ldexp(static_cast<float>(exponent == 0 ? fraction : 1024 + fraction),
                            std::max(exponent, 1) - 25);
    if (exponent == 31) {
      size = fraction == 0 ? std::numeric_limits<float>::infinity()
                           : std::numeric_limits<float>::quiet_NaN();
    }
    return (bits & 0x8000) != 0 ? -size : size;
  }
};

/// The upper half of a float32, as it is stored.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  explicit BFloat16(double value) : bits(detail::narrowed_bits<7, -126>(value)) {}
  /// Exact.
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

}  // namespace gradus
