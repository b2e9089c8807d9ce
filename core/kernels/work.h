// How much of a convolution is handed to a thread at once.
#pragma once

#include <algorithm>
#include <cstdint>

namespace gradus::kernels {

/// About 10 microseconds on one core: the least that is worth handing to another thread.
constexpr std::int64_t multiply_adds_per_chunk = 500'000;

/// How many items of so much work make a chunk.
constexpr std::int64_t items_per_chunk(std::int64_t multiply_adds_per_item) {
  return multiply_adds_per_chunk / std::max<std::int64_t>(multiply_adds_per_item, 1) + 1;
}

}  // namespace gradus::kernels
