// Matrix products whose vectors are vectors of filters: each number of an image is multiplied with
// a vector of weights, or of gradients, of neighbouring filters.
//
//   sums[i, f] = Σ_{image, l} image[at[i] + step[l]] · row[image][l, f]
//
// A convolution needs this twice, with the roles of the two lists of positions exchanged:
//
//   output        i an output, at its window;         l a tap, by its offset in the window
//   weight grad   i a tap, at its offset in a window;  l an output, by the place of its window
//
// Lanes are lost only when the filters are no multiple of a vector, whatever the size and the
// stride of the image; tap_product.h is the counterpart whose vectors run along an image.
//
// float32 only. Vectors by Highway, chosen at run time. Each sum is in the order of l, with one
// rounding a product (FMA) where the CPU has that; it does not depend on which sums are computed
// together. (Of several images it takes a few hundred l of each in turn.)
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// `filters`, rounded up to whole vectors.
std::int64_t padded_filters(std::int64_t filters);

/// How many of `left` padded filters the next block of a packed matrix holds.
std::int64_t filter_block(std::int64_t left);

/// matrix [filters, columns], rows `row_step` apart -> packed, block by block [columns, filters of
/// the block]; 0 for filters beyond the last. Of padded_filters · columns numbers.
void pack_filters(std::int64_t filters, std::int64_t columns, const float* matrix,
                  std::int64_t row_step, float* packed);

/// The way back: packed -> matrix, then max(·, 0) with `relu` (a NaN stays).
void unpack_filters(std::int64_t filters, std::int64_t columns, const float* packed, bool relu,
                    float* matrix, std::int64_t row_step);

/// The longest run of neighbours that a product makes use of.
constexpr int most_neighbours = 8;

/// The run for rows of `count` neighbours: its largest divisor up to that.
std::int64_t run_of(std::int64_t count);

struct FilterLanes {
  std::int64_t filters = 0;
  std::int64_t count = 0;              // of sums of a filter
  const std::int64_t* at = nullptr;    ///< [count], elements
  std::int64_t run = 1;                ///< `at` consists of runs of so many neighbours
  std::int64_t length = 0;             // of each sum, in an image
  const std::int64_t* step = nullptr;  ///< [length], elements
  std::int64_t images = 1;
  std::int64_t image_step = 0;  ///< elements from one image to the next one
  std::int64_t rows_step = 0;   ///< likewise of the packed rows
};

/// sums [filters, count], packed: the sum above, added to `start` [padded filters]; without that
/// to what sums holds. rows [filters, length] of each image, packed.
void filter_lanes_product(const FilterLanes& product, const float* images, const float* rows,
                          const float* start, float* sums);

}  // namespace gradus::kernels
