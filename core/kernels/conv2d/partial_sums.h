// The weight gradient sums over images and tiles. Partial sums are kept apart and added in order
// afterwards; how many there are depends on the geometry alone, so the bits are the same at any
// thread count.
#pragma once

#include <cstdint>

#include <gradus/core/kernels/conv2d/geometry.h>

namespace gradus::kernels {

struct PartialSums {
  std::int64_t parts;
  std::int64_t items_per_part;
};

/// How to cut `items` equal items of work for this convolution, whose elements take
/// `element_bytes`. No parts where there are no items.
PartialSums plan_partial_sums(const Conv2dGeometry& g, std::int64_t items,
                              std::int64_t element_bytes);

/// partials [parts, size]: the first of them becomes the sum of all.
template <class T> void add_partial_sums(std::int64_t parts, std::int64_t size, T* partials);

}  // namespace gradus::kernels
