// The inner loops of convolution with many channels, in the widest vectors that the CPU has.
//
// A convolution is a matrix product W·X whose right matrix need not be written down: row t of X,
// what tap t = (channel, i, j) meets at each output, is the zero-padded image itself, read
// `offset[t]` further on. So the three passes are
//
//   output[f, row, column] = bias[f] + Σ_t weight[f, t] · patch[row·row_step + offset[t] + column]
//
// and its two adjoints, of which the one for the patch is again such a product (conv2d_implicit.cpp
// shows how). The loop in the middle multiplies a few filters with a few vectors of outputs, all in
// registers: for each tap it loads the vectors once and each weight once. That is the way of every
// fast GEMM (K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM
// TOMS 2008); what falls away is the packing of X.
//
// float32 only. Vectors by Highway, chosen at run time. Each output is one sum in the order of
// taps, with one rounding a product (FMA) where the CPU has that.
#pragma once

#include <cstdint>

namespace gradus::kernels {

struct TapProduct {
  std::int64_t rows = 0;      ///< of the output
  std::int64_t columns = 0;   ///< of the output
  std::int64_t row_step = 0;  ///< elements from the window of one output row to that of the next
  std::int64_t taps = 0;
  const std::int64_t* offset = nullptr;  ///< [taps], elements
  std::int64_t filters = 0;
  std::int64_t output_plane = 0;  ///< elements from one filter's output to the next one's
};

/// How far beyond the last window that counts tap_product may read: a patch has room for that.
constexpr std::int64_t patch_slack = 64;

/// weight [filters, taps] -> packed, of the same size, in the order in which tap_product reads.
void pack_weights(std::int64_t filters, std::int64_t taps, const float* weight, float* packed);

/// The sum above, then max(·, 0) with `relu` (a NaN stays). bias [filters] or nullptr.
/// output: rows are dense, so [filters, rows·columns] with planes output_plane apart.
void tap_product(const TapProduct& product, const float* patch, const float* packed,
                 const float* bias, bool relu, float* output);

// ---- The adjoint for the weights ----

/// `filters`, rounded up to whole vectors.
std::int64_t padded_filters(std::int64_t filters);

/// How many of `left` padded filters the next block of packed gradients holds.
std::int64_t filter_block(std::int64_t left);

/// grad [filters, outputs] with planes `plane` apart -> packed, block by block [outputs, filters of
/// the block], as tap_product_weight_grad reads it; 0 for filters beyond the last.
void pack_filter_grads(std::int64_t filters, std::int64_t outputs, const float* grad,
                       std::int64_t plane, float* packed);

/// Images that are summed over together.
struct TapImages {
  std::int64_t count = 1;
  std::int64_t patch_step = 0;  ///< elements from one image's patch to the next one's
  std::int64_t grad_step = 0;   ///< likewise of the packed gradients
};

/// sums[t, f] += Σ_{image, row, column} grad[f, row, column] · patch[row·row_step + offset[t] +
/// column]
///
/// sums holds padded_filters · taps numbers, in an order of its own.
void tap_product_weight_grad(const TapProduct& product, const TapImages& images, const float* patch,
                             const float* packed, float* sums);

/// sums -> grad [filters, taps]
void unpack_weight_grad(std::int64_t filters, std::int64_t taps, const float* sums, float* grad);

}  // namespace gradus::kernels
