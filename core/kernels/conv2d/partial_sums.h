// The weight gradient as a sum over images, parallel and yet always in the same order.
//
// The items of work (images, or tiles of them) are cut into a few parts, a number that depends on
// the problem alone. Each part adds up its own items in order into its own partial sum, and the
// partial sums are added in order at the end: the same bits at any thread count.
//
// A partial sum holds the transposed gradient, kernel rows first: [groups, kh, Ci/groups·kw,
// Co/groups]. With few output channels a GEMM with the long side as its rows is up to twice as
// fast.
#pragma once

#include <cstdint>

#include <gradus/core/kernels/conv2d/geometry.h>

namespace gradus::kernels {

struct PartialSums {
  std::int64_t parts;
  std::int64_t items_per_part;
};

/// How to cut `items` equal items of work for this convolution, whose elements take
/// `element_bytes`.
PartialSums plan_partial_sums(const Conv2dGeometry& g, std::int64_t items,
                              std::int64_t element_bytes);

/// dw = Σ partials, transposed back. partials [parts, groups, kh, Ci/groups·kw, Co/groups] -> dw
/// [groups, Co/groups, Ci/groups, kh, kw].
template <class T>
void add_partial_sums(const Conv2dGeometry& g, std::int64_t parts, const T* partials, T* dw);

}  // namespace gradus::kernels
