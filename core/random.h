// Random numbers: the counter-based generator Philox 4x32-10, written out here so that a seed gives
// the same numbers on every machine, with every compiler and at any number of threads.
//
// Source: J. Salmon, M. Moraes, R. Dror, D. Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cstdint>

namespace gradus {

/// The Philox 4x32-10 block function: 128 bits of counter and 64 bits of key -> 128 random bits.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

/// A stream of random numbers, fully described by a seed and a position. Not thread-safe:
/// one thread each.
class Generator {
 public:
  explicit Generator(std::uint64_t seed = 0, std::uint64_t position = 0)
      : seed_(seed), position_(position) {}

  std::uint64_t seed() const { return seed_; }
  /// How many 64-bit numbers were drawn so far. Generator(seed(), position()) goes on from here.
  std::uint64_t position() const { return position_; }

  /// 64 uniformly random bits.
  std::uint64_t next();
  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform();
  /// Standard normal (Box-Muller on portable log, sine and cosine). Draws two numbers.
  double normal();
  /// Uniform in 0 .. bound-1, without bias. `bound` must be positive.
  std::int64_t below(std::int64_t bound);
  /// An independent stream: same seed, told apart by `stream`.
  Generator fork(std::uint64_t stream) const;

 private:
  std::uint64_t seed_;
  std::uint64_t position_;
};

/// The generator that layers draw from when they are given none; each thread has its own. That of the
/// first thread to ask starts as Generator(0); the others as its streams 1, 2, ... in the order in
/// which they ask.
Generator& default_generator();
/// Restarts default_generator() of this thread from `seed`, and of no other.
void manual_seed(std::uint64_t seed);

}  // namespace gradus
