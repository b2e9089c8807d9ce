// The choice of lanes, and the products. See tap_product.h.
#include <gradus/core/kernels/conv2d/tap_product.h>

#include <algorithm>
#include <utility>

#include <gradus/core/kernels/conv2d/filter_lanes.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>

namespace gradus::kernels {
namespace {

// Sums of a panel of filters that stay, with the weights that pass by, in L2.
constexpr std::int64_t outputs_per_pass = 240;

// Transposing a vector of sums costs as much as so many taps.
constexpr std::int64_t taps_per_transposition = 24;

std::vector<std::int64_t> all_windows(const TapProductSize& s) {
  std::vector<std::int64_t> windows;
  windows.reserve(static_cast<std::size_t>(s.images * s.rows * s.columns));
  for (std::int64_t image = 0; image < s.images; ++image) {
    for (std::int64_t row = 0; row < s.rows; ++row) {
      for (std::int64_t column = 0; column < s.columns; ++column)
        windows.push_back(image * s.image_step + row * s.row_step + column * s.column_step);
    }
  }
  return windows;
}

}  // namespace

template <class T> Lanes choose_lanes(const TapProductSize& s, std::int64_t sorting) {
  if (s.column_step != 1) return Lanes::filters;
  const std::int64_t taps = std::max<std::int64_t>(s.taps, 1);
  // Multiply-adds of each way, those of empty lanes included.
  const std::int64_t along =
      saturating_product({s.filters, taps, padded_outputs<T>(s.rows, s.columns, s.row_step)});
  const std::int64_t padded = padded_filters<T>(s.filters);
  std::int64_t across =
      saturating_product({padded, taps + taps_per_transposition, s.rows, s.columns});
  // With a single vector of filters there is a number to load for each multiplication.
  if (padded == padded_filters<T>(1)) across += across / 6;
  return across - sorting < along ? Lanes::filters : Lanes::outputs;
}

template <class T>
TapProduct<T>::TapProduct(const TapProductSize& size, Lanes lanes,
                          std::vector<std::int64_t> offsets)
    : size_(size), lanes_(lanes), offsets_(std::move(offsets)) {
  if (lanes == Lanes::filters) {
    windows_ = all_windows(size);
    return;
  }
  vectors_ = output_vectors<T>(size.rows, size.columns, size.row_step);
  if (size.last_rows != size.rows)
    last_vectors_ = output_vectors<T>(size.last_rows, size.columns, size.row_step);
}

template <class T> std::int64_t TapProduct<T>::weight_size() const {
  return (lanes_ == Lanes::filters ? padded_filters<T>(size_.filters) : size_.filters) * size_.taps;
}

template <class T>
void TapProduct<T>::multiply(std::int64_t rows, std::int64_t images, const T* image,
                             const T* weight, const Epilogue<T>& epilogue, T* output) const {
  if (lanes_ == Lanes::filters)
    return multiply_panels(rows, images, image, weight, epilogue, output);
  const std::vector<OutputVector>& vectors = rows == size_.rows ? vectors_ : last_vectors_;
  output_lanes_product<T>({.vector = vectors.data(),
                           .vectors = static_cast<std::int64_t>(vectors.size()),
                           .taps = size_.taps,
                           .offset = offsets_.data(),
                           .filters = size_.filters,
                           .filter_step = size_.taps,
                           .output_plane = size_.output_plane},
                          image, weight, epilogue, output);
}

template <class T>
void TapProduct<T>::multiply_panels(std::int64_t rows, std::int64_t images, const T* image,
                                    const T* packed, const Epilogue<T>& epilogue, T* output) const {
  const std::int64_t plane = rows * size_.columns;
  const std::int64_t outputs = images * plane;
  const std::int64_t padded = padded_filters<T>(size_.filters);
  const std::int64_t run = size_.column_step == 1 ? run_of(size_.columns) : 1;
  const std::int64_t most = outputs_per_pass / run * run;
  Workspace<T> start(padded);
  std::fill_n(start.data(), padded, T{0});
  if (epilogue.bias != nullptr) std::copy_n(epilogue.bias, size_.filters, start.data());
  Workspace<T> sums(panel_width<T>(padded) * std::min(outputs, most));
  for (std::int64_t first = 0; first < padded;) {
    const std::int64_t width = panel_width<T>(padded - first);
    const std::int64_t filters = std::min(width, size_.filters - first);
    for (std::int64_t i = 0; i < outputs; i += most) {
      const std::int64_t count = std::min(most, outputs - i);
      filter_lanes_product<T>({.filters = filters,
                               .count = count,
                               .at = windows_.data() + i,
                               .run = run,
                               .length = size_.taps,
                               .step = offsets_.data()},
                              image, packed + first * size_.taps, start.data() + first,
                              sums.data());
      unpack_outputs(plane, filters, i, count, sums.data(), epilogue.relu,
                     output + first * size_.output_plane);
    }
    first += width;
  }
}

/// sums [filters, count] of the outputs [first, first + count) of all images, `plane` of each, to
/// where they belong.
template <class T>
void TapProduct<T>::unpack_outputs(std::int64_t plane, std::int64_t filters, std::int64_t first,
                                   std::int64_t count, const T* sums, bool relu, T* output) const {
  const std::int64_t width = padded_filters<T>(filters);
  for (std::int64_t i = first; i < first + count;) {
    const std::int64_t image = i / plane;
    const std::int64_t here = std::min((image + 1) * plane, first + count) - i;
    unpack_panels(filters, here, sums + (i - first) * width, relu,
                  output + image * size_.output_step + i % plane, size_.output_plane);
    i += here;
  }
}

template Lanes choose_lanes<float>(const TapProductSize&, std::int64_t);
template Lanes choose_lanes<double>(const TapProductSize&, std::int64_t);
template class TapProduct<float>;
template class TapProduct<double>;

}  // namespace gradus::kernels
