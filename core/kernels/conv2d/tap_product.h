// A tile of a convolution, as a matrix product W·X whose right matrix is never written down.
//
// Row t of X, what tap t = (channel, i, j) meets at each output, is the image itself, read
// `offset[t]` further on:
//
//   output[f, row, column] =
//       bias[f] + Σ_t weight[f, t] · image[row·row_step + column·column_step + offset[t]]
//
// There are two ways to spread it over the lanes of vectors: along the outputs (output_lanes.h) or
// along the filters (filter_lanes.h). A vector of 16 outputs is badly filled by rows of 10, one of
// 16 filters by 6 of them. Both give the same bits.
#pragma once

#include <cstdint>
#include <vector>

namespace gradus::kernels {

enum class Lanes {
  outputs,  ///< needs column_step 1, and patch_slack elements behind the last window
  filters,
};

struct TapProduct {
  std::int64_t rows = 0;         ///< of the output
  std::int64_t columns = 0;      ///< of the output
  std::int64_t row_step = 0;     ///< elements from the window of one output row to that of the next
  std::int64_t column_step = 1;  ///< likewise of columns
  std::int64_t taps = 0;
  const std::int64_t* offset = nullptr;  ///< [taps], elements
  std::int64_t filters = 0;
  std::int64_t output_plane = 0;  ///< elements from one filter's output to the next one's
  Lanes lanes = Lanes::outputs;
  // For Lanes::filters.
  const std::int64_t* window = nullptr;  ///< windows(product), or those of more rows or images
  std::int64_t images = 1;               ///< small ones, together
  std::int64_t image_step = 0;           ///< elements from one image to the next one
  std::int64_t output_step = 0;          ///< likewise of the output
};

/// The lanes that promise to be faster for a product of this size, from what is lost in each.
/// sorting: what it takes to bring windows one element apart, in multiply-adds.
Lanes choose_lanes(const TapProduct& product, std::int64_t sorting = 0);

/// Elements of packed weights.
std::int64_t packed_size(const TapProduct& product);

/// weight [filters, taps] -> packed, in the order in which tap_product reads.
void pack_weights(const TapProduct& product, const float* weight, float* packed);

/// The sum above, then max(·, 0) with `relu` (a NaN stays). bias [filters] or nullptr.
/// output: rows are dense, so [filters, rows·columns] with planes output_plane apart.
void tap_product(const TapProduct& product, const float* image, const float* packed,
                 const float* bias, bool relu, float* output);

/// Where the windows of all outputs of all images are.
std::vector<std::int64_t> windows(const TapProduct& product);

}  // namespace gradus::kernels
