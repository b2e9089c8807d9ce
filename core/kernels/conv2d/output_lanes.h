// The micro-kernel whose vectors run along the outputs: each weight is multiplied with a vector of
// neighbouring pixels.
//
//   output[f, i] = bias[f] + Σ_t weight[f, tap[t]] · patch[window(i) + offset[t]]
//
// The loop in the middle multiplies a few filters with a few vectors of outputs, all sums in
// registers: for each tap it loads the vectors once and each weight once. That is the way of every
// fast GEMM (K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM
// TOMS 2008); neither matrix is packed: the right one is the zero-padded image itself (patch.h),
// and a weight is a single number wherever it lies. Lanes are lost where rows of outputs end;
// filter_lanes.h is the counterpart with vectors of filters.
//
// T is float or double. Vectors by Highway, chosen at run time. Each output is one sum in the order
// of taps, with one rounding for each product (FMA) where the CPU has that.
#pragma once

#include <cstdint>
#include <vector>

#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

/// How far beyond the last window a product may read, a vector at most: a patch has room for that.
constexpr std::int64_t patch_slack = 16;

/// One vector of outputs: where the first lane's window begins, where its first output goes, and
/// which lanes are outputs at all: these are stored side by side.
struct OutputVector {
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t count = 0;     ///< of lanes that are outputs
  std::uint64_t outputs = 0;  ///< a bit for each lane
};

/// The vectors that hold outputs [rows, columns], whose windows lie row_step and 1 elements apart:
/// row by row or, where rows are short, in one line across them, which computes the gaps too.
std::vector<OutputVector> output_vectors(std::int64_t lanes, std::int64_t rows,
                                         std::int64_t columns, std::int64_t row_step);

/// Lanes that those vectors have in all, empty ones included: rows·columns at least.
std::int64_t padded_outputs(std::int64_t lanes, std::int64_t rows, std::int64_t columns,
                            std::int64_t row_step);

struct OutputLanes {
  const OutputVector* vector = nullptr;
  std::int64_t vectors = 0;
  std::int64_t taps = 0;
  const std::int64_t* tap = nullptr;     ///< [taps], which of a filter's weights each is
  const std::int64_t* offset = nullptr;  ///< [taps], elements
  std::int64_t filters = 0;
  std::int64_t filter_step = 0;   ///< elements from one filter's weights to the next one's
  std::int64_t output_plane = 0;  ///< elements from one filter's output to the next one's
};

template <class T> struct OutputLanesKernels {
  std::int64_t lanes;  ///< of a vector

  /// Whether what three vectors read is packed first: where L1 would not hold it.
  bool (*packs)(std::int64_t filters, std::int64_t taps);

  /// The sum above, finished. weight [filters, ...], filter_step apart.
  void (*multiply)(const OutputLanes& product, const T* patch, const T* weight,
                   const Epilogue<T>& epilogue, T* output);
};

/// The kernels for the vectors in use.
template <class T> const OutputLanesKernels<T>& output_lanes();

}  // namespace gradus::kernels
