// The inner loops of depthwise convolution, in the widest vectors that the CPU has.
//
// A window moves over a patch: one channel of the zero-padded image, so that no loop has a border
// to look after. Each tap of the window sits at a fixed distance from the window's corner, and the
// outputs of a row read neighbours:
//
//   output[row, column] = Σ_t weight[t] · patch[row·row_step + offset[t] + column]
//
// (With a stride the patch is stored so that this holds: see patch.h.) The three
// passes of a convolution are this sum and its two adjoints. float32 only; float64 keeps the plain
// loops. Vectors by Highway, chosen at run time: SSE2, AVX2 or AVX-512 on x86-64. Each function
// adds in an order that depends on the sizes and the width of a vector alone.
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// What all three passes share.
struct TapPlane {
  std::int64_t rows = 0;      ///< of the output
  std::int64_t columns = 0;   ///< of the output
  std::int64_t row_step = 0;  ///< elements from the window of one output row to that of the next
  std::int64_t taps = 0;
  const std::int64_t* offset = nullptr;  ///< [taps]
};

/// output[row, column] = bias + Σ_t weight[t]·patch[...]        output [rows, columns]
void gather_taps(const TapPlane& plane, const float* patch, const float* weight, float bias,
                 float* output);
/// patch[row·row_step + offset[t] + column] += weight[t]·grad[row, column], tap by tap
void scatter_taps(const TapPlane& plane, const float* grad, const float* weight, float* patch);
/// sum[t] += Σ_{row, column} patch[row·row_step + offset[t] + column]·grad[row, column]
void correlate_taps(const TapPlane& plane, const float* patch, const float* grad, float* sum);

}  // namespace gradus::kernels
