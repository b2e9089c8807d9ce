// The micro-kernel whose vectors are vectors of filters: each number of an image is multiplied with
// a vector of weights, or of gradients, of neighbouring filters.
//
//   sums[place[i], f] = Σ_{image, l} image[at[i] + step[l]] · rows[image][row[l], f]
//
// A convolution needs this twice, with the roles of the two lists of positions exchanged:
//
//   output        i an output, at its window;          l a tap, by its offset in the window
//   weight grad   i a tap, at its offset in a window;  l an output, by the place of its window
//
// Lanes are lost only when the filters are no multiple of a vector, whatever the size and the
// stride of the image; output_lanes.h is the counterpart whose vectors run along an image.
//
// The row matrix is packed in panels: a panel holds one to three vectors of filters,
// [columns, filters of the panel], zeros for filters beyond the last.
//
// T is float or double. Vectors by Highway, chosen at run time. Each sum is in the order of l, with
// one rounding for each product (FMA) where the CPU has that; it does not depend on which sums are
// computed together. (Of several images it takes about a hundred l of each in turn.)
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// The longest run of neighbours that a product makes use of.
constexpr int most_neighbours = 5;

/// The run for rows of `count` neighbours: its largest divisor up to that.
std::int64_t run_of(std::int64_t count);

struct FilterLanes {
  std::int64_t filters = 0;
  std::int64_t count = 0;               ///< of sums for each filter
  const std::int64_t* at = nullptr;     ///< [count], elements
  const std::int64_t* place = nullptr;  ///< [count], among the sums
  std::int64_t run = 1;                 ///< both consist of runs of so many neighbours
  std::int64_t length = 0;              ///< of each sum, in one image
  const std::int64_t* step = nullptr;   ///< [length], elements
  const std::int64_t* row = nullptr;    ///< [length], among the packed rows
  std::int64_t images = 1;
  std::int64_t image_step = 0;   ///< elements from one image to the next one
  std::int64_t rows_step = 0;    ///< likewise of the packed rows
  std::int64_t packed_rows = 0;  ///< of an image, at least `length`
  std::int64_t packed_sums = 0;  ///< at least `count`
};

template <class T> struct FilterLanesKernels {
  /// `filters`, rounded up to whole vectors.
  std::int64_t (*padded_filters)(std::int64_t filters);

  /// How many of `left` padded filters the next panel holds.
  std::int64_t (*panel_width)(std::int64_t left);

  /// matrix [filters, columns], rows `row_step` apart -> the columns from `first` on of a packed
  /// matrix that has `packed_columns` of them, so padded_filters · packed_columns numbers.
  void (*pack)(std::int64_t filters, std::int64_t columns, const T* matrix, std::int64_t row_step,
               T* packed, std::int64_t packed_columns, std::int64_t first);

  /// The way back: packed [filters, columns] -> matrix, then max(·, 0) with `relu` (a NaN stays).
  void (*unpack)(std::int64_t filters, std::int64_t columns, const T* packed, bool relu, T* matrix,
                 std::int64_t row_step);

  /// from [rows, columns], rows from_step apart -> to [columns, rows], rows to_step apart.
  void (*transpose)(std::int64_t rows, std::int64_t columns, const T* from, std::int64_t from_step,
                    T* to, std::int64_t to_step);

  /// sums [filters, packed_sums], packed: the sum above, added to `start` [padded filters]; without
  /// that to what sums holds. rows [filters, packed_rows] of each image, packed.
  void (*multiply)(const FilterLanes& product, const T* images, const T* rows, const T* start,
                   T* sums);
};

/// The kernels for the vectors in use.
template <class T> const FilterLanesKernels<T>& filter_lanes();

}  // namespace gradus::kernels
