// Philox, and the transformations on top of it. Only + - * / and sqrt touch a floating-point number
// here: those are exact by the IEEE standard everywhere, where the C library's log and sin differ
// from machine to machine.
#include <gradus/core/error.h>
#include <gradus/core/random.h>

#include <atomic>
#include <cmath>
#include <numbers>

namespace gradus {
namespace {

/// Natural logarithm for 0 < x <= 1, to a few units in the last place.
/// log(m·2^e) = e·ln2 + 2·atanh(s), s = (m-1)/(m+1), with m in [sqrt(1/2), sqrt(2)).
double portable_log(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < std::numbers::sqrt2 / 2) {
    mantissa *= 2;
    --exponent;
  }
  const double s = (mantissa - 1) / (mantissa + 1);
  const double square = s * s;
  double series = 0;  // |s| <= 0.172: 0.172^23 is below 1e-17
  for (int k = 23; k >= 1; k -= 2) series = series * square + 1.0 / k;
  return exponent * std::numbers::ln2 + 2 * s * series;
}

struct SineCosine {
  double sine;
  double cosine;
};

/// sin and cos of 2π·turns for turns in [0, 1),
/// by Taylor series after folding to an eighth of a turn.
SineCosine portable_sincos(double turns) {
  const int quadrant = static_cast<int>(turns * 4 + 0.5);
  const double angle = (turns - quadrant * 0.25) * (2 * std::numbers::pi);  // -π/4 .. π/4
  const double square = angle * angle;
  double sine = 1;
  double cosine = 1;
  for (int k = 16; k >= 2; k -= 2) {
    cosine = 1 - cosine * square / (k * (k - 1));
    sine = 1 - sine * square / (k * (k + 1));
  }
  sine *= angle;
  switch (quadrant & 3) {
    case 0:
      return {sine, cosine};
    case 1:
      return {cosine, -sine};
    case 2:
      return {-sine, -cosine};
    default:
      return {-cosine, sine};
  }
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t multiplier0 = 0xD2511F53;
  constexpr std::uint64_t multiplier1 = 0xCD9E8D57;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = multiplier0 * counter[0];
    const std::uint64_t product1 = multiplier1 * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9;  // the golden ratio
    key[1] += 0xBB67AE85;  // sqrt(3) - 1
  }
  return counter;
}

std::uint64_t Generator::next() {
  const std::uint64_t block = position_ / 2;
  const auto words =
      philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 0, 0},
             {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  const std::size_t half = (position_ & 1) * 2;
  ++position_;
  return words[half] | static_cast<std::uint64_t>(words[half + 1]) << 32;
}

double Generator::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

double Generator::normal() {
  const double radius = std::sqrt(-2 * portable_log(1 - uniform()));  // 1 - u is in (0, 1]
  return radius * portable_sincos(uniform()).cosine;
}

std::int64_t Generator::below(std::int64_t bound) {
  if (bound <= 0) fail<ValueError>("random: bound must be positive, got ", bound);
  const auto range = static_cast<std::uint64_t>(bound);
  const std::uint64_t unbiased = ~std::uint64_t{0} - ~std::uint64_t{0} % range;
  std::uint64_t bits = next();
  while (bits >= unbiased) bits = next();
  return static_cast<std::int64_t>(bits % range);
}

Generator Generator::fork(std::uint64_t stream) const {
  // The seed of the stream is itself a Philox output, from a part of the counter space next()
  // never reaches.
  const auto words =
      philox({static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32), 0, 1},
             {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  return Generator(words[0] | static_cast<std::uint64_t>(words[1]) << 32);
}

Generator& default_generator() {
  static std::atomic<std::uint64_t> threads = 0;
  thread_local Generator generator = [] {
    const std::uint64_t number = threads.fetch_add(1);
    return number == 0 ? Generator(0) : Generator(0).fork(number);
  }();
  return generator;
}

void manual_seed(std::uint64_t seed) { default_generator() = Generator(seed); }

}  // namespace gradus
