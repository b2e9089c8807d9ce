// The choice of lanes, and the products. See tap_product.h.
#include <gradus/core/kernels/conv2d/tap_product.h>

#include <algorithm>
#include <numeric>
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

// Outputs whose sums may be kept until all parts are done.
constexpr std::int64_t most_outputs_in_parts = 512;

/// Neighbouring positions along an axis that meet the same taps of the kernel.
struct Stretch {
  std::int64_t first, count;
  std::vector<bool> taps;

  std::int64_t tap_count() const { return std::ranges::count(taps, true); }
};

/// The stretches of an axis. Two of them become one where cost(count) of the union, times its
/// taps, is no more than that of both.
template <class Cost>
std::vector<Stretch> stretches(const TapAxis& axis, std::int64_t outputs, const Cost& cost) {
  const std::size_t taps = axis.shift.size();
  std::vector<Stretch> all;
  for (std::int64_t o = 0; o < outputs; ++o) {
    std::vector<bool> meeting(taps);
    for (std::size_t t = 0; t < taps; ++t) meeting[t] = axis.meets(o, t);
    if (all.empty() || all.back().taps != meeting) {
      all.push_back({o, 1, std::move(meeting)});
    } else {
      ++all.back().count;
    }
  }
  const auto price = [&](const Stretch& s) { return s.tap_count() * cost(s.count); };
  for (std::size_t i = 0; i + 1 < all.size();) {
    Stretch both{all[i].first, all[i].count + all[i + 1].count, all[i].taps};
    for (std::size_t t = 0; t < taps; ++t) both.taps[t] = both.taps[t] || all[i + 1].taps[t];
    if (price(both) > price(all[i]) + price(all[i + 1])) {
      ++i;
      continue;
    }
    all[i] = std::move(both);
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    if (i > 0) --i;
  }
  return all;
}

}  // namespace

template <class T> Lanes choose_lanes(const TapProductSize& s, std::int64_t sorting) {
  if (s.column_step != 1) return Lanes::filters;
  const std::int64_t taps = std::max<std::int64_t>(s.taps, 1);
  // Multiply-adds of each way, those of empty lanes included.
  const std::int64_t along = saturating_product(
      {s.filters, taps, padded_outputs(output_lanes<T>().lanes, s.rows, s.columns, s.row_step)});
  const std::int64_t padded = filter_lanes<T>().padded_filters(s.filters);
  std::int64_t across =
      saturating_product({padded, taps + taps_per_transposition, s.rows, s.columns});
  // With a single vector of filters there is a number to load for each multiplication.
  if (padded == filter_lanes<T>().padded_filters(1)) across = saturating_product({across / 6, 7});
  return across - sorting < along ? Lanes::filters : Lanes::outputs;
}

template <class T>
TapProduct<T>::TapProduct(const TapProductSize& size, Lanes lanes,
                          std::vector<std::int64_t> offsets, const TapAxis& vertical,
                          const TapAxis& horizontal)
    : size_(size), lanes_(lanes), offsets_(std::move(offsets)) {
  if (!vertical.shift.empty()) plan_parts(vertical, horizontal);
  if (parts_.empty()) plan_whole(size.rows, parts_);
  if (size.last_rows != size.rows) plan_whole(size.last_rows, last_);
}

template <class T>
void TapProduct<T>::plan_whole(std::int64_t rows, std::vector<Part>& parts) const {
  Part part{.rows = rows, .columns = size_.columns, .taps = {}, .offsets = offsets_};
  part.taps.resize(offsets_.size());
  std::iota(part.taps.begin(), part.taps.end(), 0);
  plan_lanes(rows, part);
  parts.push_back(std::move(part));
}

/// Cuts the outputs into parts, if that saves enough.
template <class T>
void TapProduct<T>::plan_parts(const TapAxis& vertical, const TapAxis& horizontal) {
  constexpr std::int64_t most_share = 19;        // twentieths of the products that may remain
  constexpr std::int64_t products_per_tap = 64;  // that listing a tap takes the time of
  const std::int64_t outputs = size_.images * size_.rows * size_.columns;
  if (outputs > most_outputs_in_parts) return;
  const bool along_outputs = lanes_ == Lanes::outputs;
  // Blocks of eight sums; of fewer, each costs more.
  const auto blocks = [](std::int64_t sums) { return sums % 8 == 0 ? sums : sums + 4; };
  const std::vector<Stretch> rows = stretches(vertical, size_.rows, [&](std::int64_t count) {
    return along_outputs
               ? padded_outputs(output_lanes<T>().lanes, count, size_.columns, size_.row_step)
               : blocks(count * size_.columns * size_.images);
  });
  std::vector<Stretch> columns{{0, size_.columns, std::vector<bool>(vertical.shift.size(), true)}};
  if (!along_outputs) {
    columns = stretches(horizontal, size_.columns, [&](std::int64_t count) {
      return blocks(count * size_.rows * size_.images);
    });
  }
  const std::size_t kernel = vertical.shift.size();
  const std::int64_t channels = size_.taps / static_cast<std::int64_t>(kernel);
  std::int64_t listed = 0;    // taps of all parts
  std::int64_t products = 0;  // of all outputs
  for (const Stretch& r : rows) {
    for (const Stretch& c : columns) {
      Part part{.first_row = r.first, .rows = r.count, .first_column = c.first, .columns = c.count};
      for (std::size_t k = 0; k < kernel; ++k) {
        if (r.taps[k] && c.taps[k]) part.taps.push_back(static_cast<std::int64_t>(k));
      }
      const std::int64_t taps = channels * static_cast<std::int64_t>(part.taps.size());
      listed += taps;
      products += taps * r.count * c.count * size_.images;
      parts_.push_back(std::move(part));
    }
  }
  const std::int64_t all = size_.taps * outputs;
  if (products * 20 > all * most_share ||
      saturating_product({all - products, size_.filters, size_.uses}) < listed * products_per_tap)
    return parts_.clear();
  for (Part& part : parts_) {
    const std::vector<std::int64_t> of_kernel = std::move(part.taps);
    part.taps.clear();
    for (std::int64_t c = 0; c < channels; ++c) {
      for (const std::int64_t k : of_kernel) {
        const std::int64_t tap = c * static_cast<std::int64_t>(kernel) + k;
        part.taps.push_back(tap);
        part.offsets.push_back(offsets_[static_cast<std::size_t>(tap)]);
      }
    }
    plan_lanes(size_.rows, part);
  }
}

/// Where the lanes of a part read and write, in a tile of so many rows.
template <class T> void TapProduct<T>::plan_lanes(std::int64_t tile_rows, Part& part) const {
  if (lanes_ == Lanes::outputs) {
    part.vectors = output_vectors(output_lanes<T>().lanes, part.rows, part.columns, size_.row_step);
    for (OutputVector& vector : part.vectors) {
      vector.from += part.first_row * size_.row_step;
      vector.to += part.first_row * size_.columns;
    }
    return;
  }
  for (std::int64_t image = 0; image < size_.images; ++image) {
    for (std::int64_t r = part.first_row; r < part.first_row + part.rows; ++r) {
      for (std::int64_t c = part.first_column; c < part.first_column + part.columns; ++c) {
        part.windows.push_back(image * size_.image_step + r * size_.row_step +
                               c * size_.column_step);
        part.places.push_back((image * tile_rows + r) * size_.columns + c);
      }
    }
  }
}

template <class T> std::int64_t TapProduct<T>::weight_size() const {
  return (lanes_ == Lanes::filters ? filter_lanes<T>().padded_filters(size_.filters)
                                   : size_.filters) *
         size_.taps;
}

template <class T>
void TapProduct<T>::multiply(std::int64_t rows, std::int64_t images, const T* image,
                             const T* weight, const Epilogue<T>& epilogue, T* output) const {
  const std::vector<Part>& parts = rows == size_.rows ? parts_ : last_;
  if (lanes_ == Lanes::filters)
    return multiply_panels(parts, images * rows * size_.columns, rows * size_.columns, image,
                           weight, epilogue, output);
  for (const Part& part : parts) {
    output_lanes<T>().multiply({.vector = part.vectors.data(),
                                .vectors = static_cast<std::int64_t>(part.vectors.size()),
                                .taps = static_cast<std::int64_t>(part.taps.size()),
                                .tap = part.taps.data(),
                                .offset = part.offsets.data(),
                                .filters = size_.filters,
                                .filter_step = size_.taps,
                                .output_plane = size_.output_plane},
                               image, weight, epilogue, output);
  }
}

/// `outputs` outputs of all images, `plane` of each, a panel of filters after the other. A single
/// part goes by a few hundred outputs at a time, several share their sums.
template <class T>
void TapProduct<T>::multiply_panels(const std::vector<Part>& parts, std::int64_t outputs,
                                    std::int64_t plane, const T* image, const T* packed,
                                    const Epilogue<T>& epilogue, T* output) const {
  const std::int64_t padded = filter_lanes<T>().padded_filters(size_.filters);
  Workspace<T> start(padded);
  std::fill_n(start.data(), padded, T{0});
  if (epilogue.bias != nullptr) std::copy_n(epilogue.bias, size_.filters, start.data());
  const auto run = [&](const Part& part) {
    return size_.column_step == 1 ? run_of(part.columns) : 1;
  };
  const std::int64_t most =
      parts.size() > 1 ? outputs : outputs_per_pass / run(parts[0]) * run(parts[0]);
  Workspace<T> sums(filter_lanes<T>().panel_width(padded) * std::min(outputs, most));
  for (std::int64_t first = 0; first < padded;) {
    const std::int64_t width = filter_lanes<T>().panel_width(padded - first);
    const std::int64_t filters = std::min(width, size_.filters - first);
    for (std::int64_t i = 0; i < outputs; i += most) {
      const std::int64_t here = std::min(most, outputs - i);
      for (const Part& part : parts) {
        const std::int64_t of_part =
            parts.size() > 1 ? outputs / plane * part.rows * part.columns : here;
        filter_lanes<T>().multiply({.filters = filters,
                                    .count = of_part,
                                    .at = part.windows.data() + i,
                                    .place = part.places.data(),
                                    .run = run(part),
                                    .length = static_cast<std::int64_t>(part.taps.size()),
                                    .step = part.offsets.data(),
                                    .row = part.taps.data(),
                                    .packed_rows = size_.taps,
                                    .packed_sums = here},
                                   image, packed + first * size_.taps, start.data() + first,
                                   sums.data());
      }
      unpack_outputs(plane, filters, i, here, sums.data(), epilogue.relu,
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
  const std::int64_t width = filter_lanes<T>().padded_filters(filters);
  for (std::int64_t i = first; i < first + count;) {
    const std::int64_t image = i / plane;
    const std::int64_t here = std::min((image + 1) * plane, first + count) - i;
    filter_lanes<T>().unpack(filters, here, sums + (i - first) * width, relu,
                             output + image * size_.output_step + i % plane, size_.output_plane);
    i += here;
  }
}

template Lanes choose_lanes<float>(const TapProductSize&, std::int64_t);
template Lanes choose_lanes<double>(const TapProductSize&, std::int64_t);
template class TapProduct<float>;
template class TapProduct<double>;

}  // namespace gradus::kernels
