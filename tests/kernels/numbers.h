// Random numbers and marked buffers for the tests of kernels.
#pragma once

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

/// An integer of [least, most].
inline std::int64_t between(std::int64_t least, std::int64_t most, std::mt19937& engine) {
  return least + static_cast<std::int64_t>(engine() % static_cast<std::uint64_t>(most - least + 1));
}

/// Numbers of [-1, 1).
template <class T> std::vector<T> random_values(std::int64_t count, std::mt19937& engine) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values)
    value = static_cast<T>(static_cast<double>(engine()) / 2147483648.0 - 1.0);
  return values;
}

/// A buffer that shows when an element is not overwritten.
template <class T> std::vector<T> unwritten(std::int64_t count) {
  return std::vector<T>(static_cast<std::size_t>(count), std::numeric_limits<T>::quiet_NaN());
}
