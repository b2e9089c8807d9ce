// One rounding, whatever the format: the number in units of its last place, to the nearest.
#include <gradus/core/float16.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace gradus {
namespace {

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

}  // namespace

Float16::Float16(double value) : bits(narrowed_bits<10, -14>(value)) {}

Float16::operator float() const {
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

BFloat16::BFloat16(double value) : bits(narrowed_bits<7, -126>(value)) {}

}  // namespace gradus
