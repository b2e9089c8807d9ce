// The choice of lanes. See tap_product.h.
#include <gradus/core/kernels/conv2d/tap_product.h>

#include <algorithm>

#include <gradus/core/kernels/conv2d/filter_lanes.h>
#include <gradus/core/kernels/conv2d/output_lanes.h>
#include <gradus/core/kernels/workspace.h>

namespace gradus::kernels {
namespace {

// Sums of a block of filters that stay, with the weights that pass by, in L2.
constexpr std::int64_t outputs_per_pass = 240;

// Transposing a vector of sums costs as much as so many taps.
constexpr std::int64_t taps_per_transposition = 24;

OutputLanes along_outputs(const TapProduct& p) {
  return {.rows = p.rows,
          .columns = p.columns,
          .row_step = p.row_step,
          .taps = p.taps,
          .offset = p.offset,
          .filters = p.filters,
          .output_plane = p.output_plane};
}

/// sums [filters, count] of the outputs [first, first + count) of all images, to where they belong.
void unpack_outputs(const TapProduct& p, std::int64_t filters, std::int64_t first,
                    std::int64_t count, const float* sums, bool relu, float* output) {
  const std::int64_t plane = p.rows * p.columns;
  const std::int64_t width = padded_filters(filters);
  for (std::int64_t i = first; i < first + count;) {
    const std::int64_t image = i / plane;
    const std::int64_t here = std::min((image + 1) * plane, first + count) - i;
    unpack_filters(filters, here, sums + (i - first) * width, relu,
                   output + image * p.output_step + i % plane, p.output_plane);
    i += here;
  }
}

void product_of_filters(const TapProduct& p, const float* image, const float* packed,
                        const float* bias, bool relu, float* output) {
  const std::int64_t outputs = p.images * p.rows * p.columns;
  const std::int64_t padded = padded_filters(p.filters);
  const std::int64_t run = p.column_step == 1 ? run_of(p.columns) : 1;
  const std::int64_t most = outputs_per_pass / run * run;
  Workspace<float> start(padded);
  std::fill_n(start.data(), padded, 0.0F);
  if (bias != nullptr) std::copy_n(bias, p.filters, start.data());
  Workspace<float> sums(filter_block(padded) * std::min(outputs, most));
  for (std::int64_t first = 0; first < padded;) {
    const std::int64_t width = filter_block(padded - first);
    const std::int64_t filters = std::min(width, p.filters - first);
    for (std::int64_t i = 0; i < outputs; i += most) {
      const std::int64_t count = std::min(most, outputs - i);
      filter_lanes_product({.filters = filters,
                            .count = count,
                            .at = p.window + i,
                            .run = run,
                            .length = p.taps,
                            .step = p.offset},
                           image, packed + first * p.taps, start.data() + first, sums.data());
      unpack_outputs(p, filters, i, count, sums.data(), relu, output + first * p.output_plane);
    }
    first += width;
  }
}

}  // namespace

Lanes choose_lanes(const TapProduct& p, std::int64_t sorting) {
  if (p.column_step != 1) return Lanes::filters;
  const std::int64_t taps = std::max<std::int64_t>(p.taps, 1);
  // Multiply-adds of each way, those of empty lanes included.
  const std::int64_t along = p.filters * taps * padded_outputs(along_outputs(p)) + sorting;
  const std::int64_t padded = padded_filters(p.filters);
  std::int64_t across = padded * (taps + taps_per_transposition) * p.rows * p.columns;
  // With a single vector of filters there is a number to load for each multiplication.
  if (padded == padded_filters(1)) across += across / 6;
  return across < along ? Lanes::filters : Lanes::outputs;
}

std::int64_t packed_size(const TapProduct& p) {
  return (p.lanes == Lanes::filters ? padded_filters(p.filters) : p.filters) * p.taps;
}

void pack_weights(const TapProduct& p, const float* weight, float* packed) {
  if (p.lanes == Lanes::filters) return pack_filters(p.filters, p.taps, weight, p.taps, packed);
  pack_weights(p.filters, p.taps, weight, packed);
}

void tap_product(const TapProduct& p, const float* image, const float* packed, const float* bias,
                 bool relu, float* output) {
  if (p.lanes == Lanes::filters) return product_of_filters(p, image, packed, bias, relu, output);
  output_lanes_product(along_outputs(p), image, packed, bias, relu, output);
}

std::vector<std::int64_t> windows(const TapProduct& p) {
  std::vector<std::int64_t> windows;
  windows.reserve(static_cast<std::size_t>(p.images * p.rows * p.columns));
  for (std::int64_t image = 0; image < p.images; ++image) {
    for (std::int64_t row = 0; row < p.rows; ++row) {
      for (std::int64_t column = 0; column < p.columns; ++column)
        windows.push_back(image * p.image_step + row * p.row_step + column * p.column_step);
    }
  }
  return windows;
}

}  // namespace gradus::kernels
