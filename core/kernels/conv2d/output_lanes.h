// Convolution whose vectors run along an image: each weight is multiplied with a vector of
// neighbouring pixels.
//
//   output[f, row, column] = bias[f] + Σ_t weight[f, t] · patch[row·row_step + offset[t] + column]
//
// The loop in the middle multiplies a few filters with a few vectors of outputs, all in registers:
// for each tap it loads the vectors once and each weight once. That is the way of every fast GEMM
// (K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 2008);
// what falls away is the packing of the right matrix, which is the image itself. Lanes are lost
// where rows end; filter_lanes.h is the counterpart with vectors of filters.
//
// float32 only. Vectors by Highway, chosen at run time. Each output is one sum in the order of
// taps, with one rounding a product (FMA) where the CPU has that.
#pragma once

#include <cstdint>

namespace gradus::kernels {

struct OutputLanes {
  std::int64_t rows = 0;      ///< of the output
  std::int64_t columns = 0;   ///< of the output
  std::int64_t row_step = 0;  ///< elements from the window of one output row to that of the next
  std::int64_t taps = 0;
  const std::int64_t* offset = nullptr;  ///< [taps], elements
  std::int64_t filters = 0;
  std::int64_t output_plane = 0;  ///< elements from one filter's output to the next one's
};

/// How far beyond the last window that counts the product may read: a patch has room for that.
constexpr std::int64_t patch_slack = 64;

/// Lanes that the vectors of all outputs have, those included that hold none: rows·columns at
/// least.
std::int64_t padded_outputs(const OutputLanes& product);

/// weight [filters, taps] -> packed, of the same size, in the order in which the product reads.
void pack_weights(std::int64_t filters, std::int64_t taps, const float* weight, float* packed);

/// The sum above, then max(·, 0) with `relu` (a NaN stays). bias [filters] or nullptr.
/// output: rows are dense, so [filters, rows·columns] with planes output_plane apart.
void output_lanes_product(const OutputLanes& product, const float* patch, const float* packed,
                          const float* bias, bool relu, float* output);

}  // namespace gradus::kernels
