// How much of a convolution is handed to a thread at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>

namespace gradus::kernels {

/// About 10 microseconds on one core: the least that is worth handing to another thread.
constexpr std::int64_t multiply_adds_per_chunk = 500'000;

/// How many items of so much work make a chunk.
constexpr std::int64_t items_per_chunk(std::int64_t multiply_adds_per_item) {
  return multiply_adds_per_chunk / std::max<std::int64_t>(multiply_adds_per_item, 1) + 1;
}

/// The product of sizes, none negative, or the largest number where that would overflow: the work
/// of sizes that fit memory each may be more than fits an integer.
constexpr std::int64_t saturating_product(std::initializer_list<std::int64_t> sizes) {
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  std::int64_t product = 1;
  for (const std::int64_t size : sizes) {
    if (size == 0) return 0;
    product = product > largest / size ? largest : product * size;
  }
  return product;
}

}  // namespace gradus::kernels
