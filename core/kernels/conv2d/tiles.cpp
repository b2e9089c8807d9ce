// Tiles of the implicit GEMM. See tiles.h.
#include <gradus/core/kernels/conv2d/tiles.h>

#include <algorithm>
#include <utility>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d/filter_lanes.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// A patch stays, with the weights that pass by, in an L2 cache of 1 MB.
constexpr std::int64_t patch_bytes = 384 * 1024;

// Patches of small groups that are filled at once: they stay in L1 until they are multiplied.
constexpr std::int64_t bytes_together = 16 * 1024;

// Weights that are sorted by one thread.
constexpr std::int64_t weights_per_chunk = 8192;

// A single image is cut into so many tiles, where each is worth it.
constexpr std::int64_t wanted_items = 16;

// Filling an element of a patch takes as long as so many multiply-adds; measured.
constexpr std::int64_t multiply_adds_per_element = 8;

/// What another row of outputs adds to a patch; size(rows) in elements.
template <class T, class Size> std::int64_t bytes_of_a_row(const Size& size) {
  constexpr std::int64_t many = 16;
  return ceil_div((size(1 + many) - size(1)) * std::int64_t{sizeof(T)}, many);
}

/// How `rows` rows, each `row_bytes` of patch and `row_work` multiply-adds, are cut into tiles when
/// there are `images` of them.
std::int64_t rows_per_tile(std::int64_t rows, std::int64_t row_bytes, std::int64_t row_work,
                           std::int64_t images) {
  // Rows of one element may add no cache line: nothing then limits the tile.
  const std::int64_t fit =
      std::max<std::int64_t>(1, patch_bytes / std::max<std::int64_t>(row_bytes, 1));
  const std::int64_t worthwhile =
      ceil_div(multiply_adds_per_chunk, std::max<std::int64_t>(row_work, 1));
  const std::int64_t spread =
      std::max(worthwhile, ceil_div(rows * images, wanted_items));  // >= rows with many images
  const std::int64_t tiles = ceil_div(rows, std::min(fit, spread));
  return ceil_div(rows, tiles);
}

/// How many rows the last of the tiles has.
std::int64_t last_of(std::int64_t rows, std::int64_t rows_of_a_tile) {
  const std::int64_t rest = rows % rows_of_a_tile;
  return rest == 0 ? std::min(rows, rows_of_a_tile) : rest;
}

/// How many images, each of `outputs` outputs and so much patch, make an item of work when there
/// are `images` of them (times groups).
std::int64_t images_per_item(std::int64_t images, std::int64_t outputs, std::int64_t patch_size,
                             std::int64_t element_bytes) {
  constexpr std::int64_t enough_outputs = 240;  // for what they fetch from memory
  constexpr std::int64_t fewest_items = 8;
  const std::int64_t bytes = std::max<std::int64_t>(patch_size * element_bytes, 1);
  return std::max<std::int64_t>(
      1, std::min({enough_outputs / outputs, images / fewest_items, patch_bytes / bytes}));
}

/// The first pixel of [0, ...) whose padded position leaves the remainder `phase`.
std::int64_t first_of_phase(std::int64_t phase, std::int64_t padding, std::int64_t stride) {
  return ((phase - padding) % stride + stride) % stride;
}

/// From the first pixel that an axis reads to the last one, padding included.
std::int64_t span(std::int64_t outputs, std::int64_t stride, std::int64_t taps,
                  std::int64_t dilation) {
  return (outputs - 1) * stride + dilation * (taps - 1) + 1;
}

}  // namespace

bool patches_in_proportion(const Conv2dGeometry& g) {
  // In floating point: these products of sizes may be beyond any integer.
  constexpr double most_times_larger = 16;
  constexpr double always_small = 65536;
  const auto area = [](std::int64_t rows, std::int64_t columns) {
    return static_cast<double>(rows) * static_cast<double>(columns);
  };
  const double images = area(g.in_height, g.in_width) + area(g.out_height(), g.out_width());
  const double forward = area(span(g.out_height(), g.stride_h, g.kernel_h, g.dilation_h),
                              span(g.out_width(), g.stride_w, g.kernel_w, g.dilation_w));
  const double backward =
      area(g.in_height / g.stride_h + 2 + g.dilation_h * (g.kernel_h - 1) / g.stride_h,
           g.in_width / g.stride_w + 2 + g.dilation_w * (g.kernel_w - 1) / g.stride_w);
  return std::max(forward, backward) <= most_times_larger * images + always_small;
}

// ---- The output ----

template <class T> Lanes ForwardTiles<T>::best_lanes(const Conv2dGeometry& g) {
  constexpr std::int64_t multiply_adds_per_pixel = 32;  // that is sorted by its phase; measured
  const bool strided = g.stride_h > 1 || g.stride_w > 1;
  const std::int64_t columns = span(g.out_width(), g.stride_w, g.kernel_w, g.dilation_w);
  const std::int64_t pixels =
      saturating_product({g.group_in_channels(), g.out_plane(), g.kernel_h > 1 ? g.stride_h : 1,
                          g.kernel_w > 1 ? g.stride_w : 1, strided ? multiply_adds_per_pixel : 0});
  return choose_lanes<T>({.rows = g.out_height(),
                          .columns = g.out_width(),
                          .row_step = ceil_div(columns, g.stride_w),
                          .taps = g.taps(),
                          .filters = g.group_out_channels()},
                         pixels);
}

template <class T>
ForwardTiles<T>::ForwardTiles(const Conv2dGeometry& g, Lanes lanes, Conv2dPass pass)
    : g_(g),
      in_place_(lanes == Lanes::filters && g.padding_h == 0 && g.padding_w == 0),
      rows_(rows_per_tile(g.out_height(), bytes_of_a_row<T>([&](std::int64_t row_count) {
                            return patch(row_count, lanes).size(g.group_in_channels());
                          }),
                          row_work(), g.batch * g.groups)),
      layout_(in_place_ ? Patch<T>::image(g.in_height, g.in_width) : patch(rows_, lanes)) {
  std::vector<std::int64_t> offsets;
  offsets.reserve(static_cast<std::size_t>(g.taps()));
  for (std::int64_t c = 0; c < g.group_in_channels(); ++c) {
    for (std::int64_t i = 0; i < g.kernel_h; ++i) {
      for (std::int64_t j = 0; j < g.kernel_w; ++j)
        offsets.push_back(c * layout_.channel() + layout_.at(i * g.dilation_h, j * g.dilation_w));
    }
  }
  TapProductSize size{.rows = rows_,
                      .last_rows = last_of(g.out_height(), rows_),
                      .columns = g.out_width(),
                      .row_step = layout_.at(g.stride_h, 0),
                      .column_step = layout_.at(0, g.stride_w),
                      .taps = g.taps(),
                      .filters = g.group_out_channels(),
                      .output_plane = g.out_plane()};
  if (lanes == Lanes::filters) {
    if (count() == 1) {
      size.images = images_per_item(g.batch * g.groups, g.out_plane(),
                                    layout_.size(g.group_in_channels()), sizeof(T));
    }
    size.image_step = image_step();
    size.output_step = g.out_channels * g.out_plane();
  }
  size.uses = ceil_div(g.batch, size.images) * g.groups * count();
  TapAxis vertical, horizontal;
  if (count() == 1 && pass == Conv2dPass::forward) {
    vertical = {.stride = g.stride_h, .limit = g.in_height};
    horizontal = {.stride = g.stride_w, .limit = g.in_width};
    for (std::int64_t tap = 0; tap < g.kernel_plane(); ++tap) {
      vertical.shift.push_back(tap / g.kernel_w * g.dilation_h - g.padding_h);
      horizontal.shift.push_back(tap % g.kernel_w * g.dilation_w - g.padding_w);
    }
  }
  product_ = TapProduct<T>(size, lanes, std::move(offsets), vertical, horizontal);
}

template <class T> std::int64_t ForwardTiles<T>::count() const {
  return ceil_div(g_.out_height(), rows_);
}

template <class T> std::int64_t ForwardTiles<T>::rows(std::int64_t tile) const {
  return std::min(rows_, g_.out_height() - first_row(tile));
}

template <class T> std::int64_t ForwardTiles<T>::work() const {
  return images() * (row_work() * rows_ + multiply_adds_per_element * patch_size());
}

template <class T> std::int64_t ForwardTiles<T>::groups_together() const {
  if (in_place_ || count() > 1 || images() > 1) return 1;
  return std::clamp<std::int64_t>(bytes_together / (patch_size() * std::int64_t{sizeof(T)}), 1,
                                  g_.groups);
}

template <class T>
const T* ForwardTiles<T>::read(const T* image, std::int64_t images, std::int64_t tile, T* patches,
                               std::int64_t groups) const {
  const std::int64_t top = first_row(tile) * g_.stride_h;
  if (in_place_) return image + top * g_.in_width;
  layout_.fill({.image_height = g_.in_height,
                .image_width = g_.in_width,
                .top = top - g_.padding_h,
                .left = -g_.padding_w,
                .images = images,
                .image_step = g_.in_channels * g_.in_plane()},
               groups * g_.group_in_channels(), image, patches);
  return patches;
}

/// Multiply-adds of a row of outputs of a group.
template <class T> std::int64_t ForwardTiles<T>::row_work() const {
  return saturating_product({g_.group_out_channels(), g_.taps(), g_.out_width()});
}

/// The part of the zero-padded image that `rows` rows of output read. Vectors of outputs need
/// windows one element apart.
template <class T> Patch<T> ForwardTiles<T>::patch(std::int64_t rows, Lanes lanes) const {
  const bool sorted = lanes == Lanes::outputs;
  return Patch<T>({.rows = span(rows, g_.stride_h, g_.kernel_h, g_.dilation_h),
                   .columns = span(g_.out_width(), g_.stride_w, g_.kernel_w, g_.dilation_w),
                   .stride_h = sorted ? g_.stride_h : 1,
                   .stride_w = sorted ? g_.stride_w : 1,
                   .all_rows = g_.kernel_h > 1,
                   .all_columns = g_.kernel_w > 1});
}

// ---- The input gradient ----

template <class T>
InputTiles<T>::InputTiles(const Conv2dGeometry& g)
    : g_(g),
      reach_h_(g.dilation_h * (g.kernel_h - 1) / g.stride_h),
      reach_w_(g.dilation_w * (g.kernel_w - 1) / g.stride_w),
      first_q_(g.padding_h / g.stride_h),
      left_q_(g.padding_w / g.stride_w),
      q_rows_((g.in_height - 1 + g.padding_h) / g.stride_h - first_q_ + 1),
      q_columns_((g.in_width - 1 + g.padding_w) / g.stride_w - left_q_ + 1),
      rows_(rows_per_tile(q_rows_, bytes_of_a_row<T>([&](std::int64_t count) {
                            return patch(count).size(g.group_out_channels());
                          }),
                          row_work(), g.batch * g.groups)),
      in_place_(g.kernel_plane() == 1 && g.padding_h == 0 && g.padding_w == 0 &&
                choose_lanes<T>({.rows = rows_,
                                 .columns = g.out_width(),
                                 .row_step = g.out_width(),
                                 .taps = g.group_out_channels(),
                                 .filters = g.group_in_channels()}) == Lanes::filters),
      layout_(in_place_ ? Patch<T>::image(g.out_height(), g.out_width()) : patch(rows_)) {
  find_phases();
  plan_products();
}

template <class T> std::int64_t InputTiles<T>::count() const { return ceil_div(q_rows_, rows_); }
template <class T> std::int64_t InputTiles<T>::work() const {
  return images_ *
         (row_work() * rows_ + multiply_adds_per_element * (patch_size() + pixels_size()));
}

/// Multiply-adds of a row of q of a group, all phases.
template <class T> std::int64_t InputTiles<T>::row_work() const {
  return saturating_product(
      {g_.group_in_channels(), g_.group_out_channels(), g_.kernel_plane(), q_columns_});
}

/// The part of the zero-padded dy that `rows` rows of q read. Where the padding is no multiple of
/// the stride, some phases begin one q later than the others, and so end one later.
template <class T> Patch<T> InputTiles<T>::patch(std::int64_t rows) const {
  const std::int64_t later = g_.padding_h % g_.stride_h == 0 ? 0 : 1;
  return Patch<T>({.rows = rows + later + reach_h_, .columns = q_columns_ + reach_w_});
}

/// Scratch memory for the phases of one row of phases: dense pixels go where they belong at once.
template <class T> std::int64_t InputTiles<T>::pixels_size() const {
  if (is_dense()) return 0;
  std::int64_t columns = 0;
  std::int64_t most = 0;
  for (std::size_t k = 0; k < phases_.size(); ++k) {
    if (k > 0 && phases_[k].row != phases_[k - 1].row) columns = 0;
    columns += phases_[k].columns;
    most = std::max(most, columns);
  }
  return g_.group_in_channels() * rows_ * most;
}

/// The phases that a tap reaches and that have pixels, by the first of them.
template <class T> void InputTiles<T>::find_phases() {
  for (std::int64_t i = 0; i < g_.kernel_h; ++i) {
    for (std::int64_t j = 0; j < g_.kernel_w; ++j) {
      Phase p;
      p.row = first_of_phase(i * g_.dilation_h % g_.stride_h, g_.padding_h, g_.stride_h);
      p.column = first_of_phase(j * g_.dilation_w % g_.stride_w, g_.padding_w, g_.stride_w);
      if (p.row >= g_.in_height || p.column >= g_.in_width) continue;
      const auto place = std::ranges::lower_bound(
          phases_, std::pair(p.row, p.column), {},
          [](const Phase& phase) { return std::pair(phase.row, phase.column); });
      const std::int64_t tap = i * g_.kernel_w + j;
      if (place != phases_.end() && place->row == p.row && place->column == p.column) {
        place->taps.push_back(tap);
        continue;
      }
      p.rows = ceil_div(g_.in_height - p.row, g_.stride_h);
      p.columns = ceil_div(g_.in_width - p.column, g_.stride_w);
      p.first_q = (p.row + g_.padding_h) / g_.stride_h;
      p.left_q = (p.column + g_.padding_w) / g_.stride_w;
      p.taps.push_back(tap);
      phases_.insert(place, std::move(p));
    }
  }
  leaves_gaps_ = static_cast<std::int64_t>(phases_.size()) <
                 std::min(g_.stride_h, g_.in_height) * std::min(g_.stride_w, g_.in_width);
}

template <class T> TapProductSize InputTiles<T>::product_size(const Phase& p) const {
  TapProductSize size{.rows = std::min(rows_, p.rows),
                      .columns = p.columns,
                      .row_step = layout_.row_step(),
                      .taps = g_.group_out_channels() * static_cast<std::int64_t>(p.taps.size()),
                      .filters = g_.group_in_channels()};
  size.last_rows = last_of(p.rows, rows_);
  size.output_plane = is_dense() ? g_.in_plane() : size.rows * p.columns;
  return size;
}

template <class T> void InputTiles<T>::plan_products() {
  std::vector<Lanes> lanes;
  for (const Phase& phase : phases_)
    lanes.push_back(in_place_ ? Lanes::filters : choose_lanes<T>(product_size(phase)));
  // Several images together, where vectors of filters take them whole.
  const bool all_filters =
      std::ranges::all_of(lanes, [](Lanes lane) { return lane == Lanes::filters; });
  if (all_filters && count() == 1) {
    images_ = images_per_item(g_.batch * g_.groups, q_rows_ * q_columns_,
                              layout_.size(g_.group_out_channels()), sizeof(T));
  }
  for (std::size_t k = 0; k < phases_.size(); ++k) {
    Phase& p = phases_[k];
    std::vector<std::int64_t> offsets;
    for (std::int64_t filter = 0; filter < g_.group_out_channels(); ++filter) {
      for (const std::int64_t tap : p.taps) {
        const std::int64_t back_h = tap / g_.kernel_w * g_.dilation_h / g_.stride_h;
        const std::int64_t back_w = tap % g_.kernel_w * g_.dilation_w / g_.stride_w;
        offsets.push_back(filter * layout_.channel() +
                          layout_.at(p.first_q - first_q_ + reach_h_ - back_h,
                                     p.left_q - left_q_ + reach_w_ - back_w));
      }
    }
    TapProductSize size = product_size(p);
    if (lanes[k] == Lanes::filters) {
      size.images = images_;
      size.image_step = in_place_ ? g_.out_channels * g_.out_plane() : patch_size();
      size.output_step =
          is_dense() ? g_.in_channels * g_.in_plane() : size.filters * size.output_plane;
    }
    size.uses = ceil_div(g_.batch, images_) * g_.groups * count();
    TapAxis vertical, horizontal;
    if (count() == 1) {
      vertical.limit = g_.out_height();
      horizontal.limit = g_.out_width();
      for (const std::int64_t tap : p.taps) {
        vertical.shift.push_back(p.first_q - tap / g_.kernel_w * g_.dilation_h / g_.stride_h);
        horizontal.shift.push_back(p.left_q - tap % g_.kernel_w * g_.dilation_w / g_.stride_w);
      }
    }
    p.product = TapProduct<T>(size, lanes[k], std::move(offsets), vertical, horizontal);
    p.weights_at = weight_size_;
    weight_size_ += p.product.weight_size();
  }
}

template <class T> void InputTiles<T>::pack(const T* w, T* weights) const {
  const std::int64_t channels = g_.group_in_channels();
  const std::int64_t filters = g_.group_out_channels();
  const std::int64_t kernel = g_.kernel_plane();
  for (const Phase& phase : phases_) {  // w [filters, channels, tap] -> [channels, filters, tap]
    const auto taps = static_cast<std::int64_t>(phase.taps.size());
    const std::int64_t columns = filters * taps;
    T* to = weights + phase.weights_at;
    const auto pack_filters = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t f = begin; f < end; ++f) {
        const T* from = w + f * channels * kernel;
        if (phase.product.lanes() == Lanes::filters) {
          if (taps == kernel) {
            filter_lanes<T>().pack(channels, kernel, from, kernel, to, columns, f * taps);
          } else {
            for (std::int64_t k = 0; k < taps; ++k)
              filter_lanes<T>().pack(channels, 1, from + phase.taps[static_cast<std::size_t>(k)],
                                     kernel, to, columns, f * taps + k);
          }
          continue;
        }
        for (std::int64_t c = 0; c < channels; ++c) {
          T* out = to + c * columns + f * taps;
          for (const std::int64_t tap : phase.taps) *out++ = from[c * kernel + tap];
        }
      }
    };
    if (kernel == 1 && phase.product.lanes() == Lanes::outputs) {
      filter_lanes<T>().transpose(filters, channels, w, channels, to, filters);
    } else {
      parallel_for(filters, ceil_div(weights_per_chunk, channels * taps), pack_filters);
    }
  }
}

template <class T>
void InputTiles<T>::compute(std::int64_t tile, std::int64_t images, const T* dy, const T* weights,
                            T* patches, T* pixels, T* image) const {
  const std::int64_t tile_q = tile * rows_;
  const T* read = in_place_ ? dy + tile_q * g_.out_width() : patches;
  if (!in_place_) {
    layout_.fill({.image_height = g_.out_height(),
                  .image_width = g_.out_width(),
                  .top = first_q_ + tile_q - reach_h_,
                  .left = left_q_ - reach_w_,
                  .images = images,
                  .image_step = g_.out_channels * g_.out_plane()},
                 g_.group_out_channels(), dy, patches);
  }
  for (std::size_t first = 0; first < phases_.size();) {  // the phases of one row of them
    std::size_t last = first + 1;
    while (last < phases_.size() && phases_[last].row == phases_[first].row) ++last;
    compute_phases(first, last, tile_q, images, read, weights, pixels, image);
    first = last;
  }
}

template <class T>
void InputTiles<T>::compute_phases(std::size_t first, std::size_t last, std::int64_t tile_q,
                                   std::int64_t images, const T* read, const T* weights, T* pixels,
                                   T* image) const {
  const Phase& left = phases_[first];
  const std::int64_t rows = std::min(rows_, left.rows - tile_q);
  if (rows <= 0) return;
  const std::int64_t row = left.row + tile_q * g_.stride_h;
  if (is_dense()) {
    left.product.multiply(rows, images, read, weights + left.weights_at, {},
                          image + row * g_.in_width);
    return;
  }
  // images·channels·rows of pixels for each phase, then from there to every stride-th of the image.
  const std::int64_t channels = g_.group_in_channels();
  const auto count = static_cast<std::int64_t>(last - first);
  Workspace<RowPhase<T>> workspace(count);
  RowPhase<T>* const sources = workspace.data();
  for (std::int64_t i = 0; i < count; ++i) {
    const Phase& p = phases_[first + static_cast<std::size_t>(i)];
    p.product.multiply(rows, images, read, weights + p.weights_at, {}, pixels);
    sources[i] = {.first = p.column,
                  .columns = p.columns,
                  .pixels = pixels,
                  .plane = p.product.size().output_plane};
    pixels += images * channels * p.product.size().output_plane;
  }
  for (std::int64_t k = 0; k < images; ++k) {
    patch_copies<T>().interleave({.planes = channels,
                                  .rows = rows,
                                  .stride = g_.stride_w,
                                  .plane_step = g_.in_plane(),
                                  .row_step = g_.stride_h * g_.in_width},
                                 count, sources,
                                 image + k * g_.in_channels * g_.in_plane() + row * g_.in_width);
    for (std::int64_t i = 0; i < count; ++i) sources[i].pixels += channels * sources[i].plane;
  }
}

template class ForwardTiles<float>;
template class ForwardTiles<double>;
template class InputTiles<float>;
template class InputTiles<double>;

}  // namespace gradus::kernels
