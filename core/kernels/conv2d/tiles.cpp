// Tiles of the implicit convolutions. See implicit_tiles.h.
#include <gradus/core/kernels/conv2d/tiles.h>

#include <algorithm>
#include <utility>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// A patch stays, with the weights that pass by, in an L2 cache of 1 MB.
constexpr std::int64_t patch_bytes = 384 * 1024;

// Weights that are sorted by one thread.
constexpr std::int64_t weights_per_chunk = 8192;

// A single image is cut into so many tiles, where each is worth it.
constexpr std::int64_t wanted_items = 16;

/// What another row of outputs adds to a patch; size(rows) in floats.
template <class Size> std::int64_t bytes_of_a_row(const Size& size) {
  constexpr std::int64_t many = 16;
  return ceil_div((size(1 + many) - size(1)) * std::int64_t{sizeof(float)}, many);
}

/// How `rows` rows, each `row_bytes` of patch and `row_work` multiply-adds, are cut into tiles when
/// there are `images` of them.
std::int64_t rows_per_tile(std::int64_t rows, std::int64_t row_bytes, std::int64_t row_work,
                           std::int64_t images) {
  const std::int64_t fit = std::max<std::int64_t>(1, patch_bytes / row_bytes);
  const std::int64_t worthwhile =
      ceil_div(multiply_adds_per_chunk, std::max<std::int64_t>(row_work, 1));
  const std::int64_t spread =
      std::max(worthwhile, ceil_div(rows * images, wanted_items));  // >= rows with many images
  const std::int64_t tiles = ceil_div(rows, std::min(fit, spread));
  return ceil_div(rows, tiles);
}

/// How many images, each of `outputs` outputs and so much patch, make an item of work when there
/// are `images` of them (times groups).
std::int64_t images_per_item(std::int64_t images, std::int64_t outputs, std::int64_t patch_size) {
  constexpr std::int64_t enough_outputs = 240;  // for what they fetch from memory
  constexpr std::int64_t fewest_items = 8;
  const std::int64_t bytes = patch_size * std::int64_t{sizeof(float)};
  return std::max<std::int64_t>(1, std::min({enough_outputs / outputs, images / fewest_items,
                                             patch_bytes / std::max<std::int64_t>(bytes, 1)}));
}

/// Pixels r, r + stride, ... of [0, size) whose padded position leaves the remainder `phase`.
std::int64_t first_of_phase(std::int64_t phase, std::int64_t padding, std::int64_t stride) {
  return ((phase - padding) % stride + stride) % stride;
}

}  // namespace

// ---- The output ----

Lanes ForwardTiles::best_lanes(const Conv2dGeometry& g) {
  constexpr std::int64_t multiply_adds_per_pixel = 32;  // that is sorted by its phase; measured
  const bool strided = g.stride_h > 1 || g.stride_w > 1;
  const std::int64_t columns =
      (g.out_width() - 1) * g.stride_w + g.dilation_w * (g.kernel_w - 1) + 1;
  const std::int64_t pixels = g.group_in_channels() * g.out_plane() *
                              (g.kernel_h > 1 ? g.stride_h : 1) * (g.kernel_w > 1 ? g.stride_w : 1);
  return choose_lanes({.rows = g.out_height(),
                       .columns = g.out_width(),
                       .row_step = ceil_div(columns, g.stride_w),
                       .taps = g.taps(),
                       .filters = g.group_out_channels()},
                      strided ? multiply_adds_per_pixel * pixels : 0);
}

ForwardTiles::ForwardTiles(const Conv2dGeometry& g, Lanes lanes)
    : g_(g),
      in_place_(lanes == Lanes::filters && g.padding_h == 0 && g.padding_w == 0),
      rows_(rows_per_tile(g.out_height(), bytes_of_a_row([&](std::int64_t row_count) {
                            return patch(row_count, lanes).size(g.group_in_channels());
                          }),
                          row_work(), g.batch * g.groups)),
      layout_(in_place_ ? Patch::image(g.in_height, g.in_width) : patch(rows_, lanes)) {
  offsets_.reserve(static_cast<std::size_t>(g.taps()));
  for (std::int64_t c = 0; c < g.group_in_channels(); ++c) {
    for (std::int64_t i = 0; i < g.kernel_h; ++i) {
      for (std::int64_t j = 0; j < g.kernel_w; ++j)
        offsets_.push_back(c * layout_.channel() + layout_.at(i * g.dilation_h, j * g.dilation_w));
    }
  }
  product_ = {.rows = rows_,
              .columns = g.out_width(),
              .row_step = layout_.at(g.stride_h, 0),
              .column_step = layout_.at(0, g.stride_w),
              .taps = g.taps(),
              .offset = offsets_.data(),
              .filters = g.group_out_channels(),
              .output_plane = g.out_plane(),
              .lanes = lanes};
  if (lanes == Lanes::outputs) return;
  if (count() == 1)
    product_.images =
        images_per_item(g.batch * g.groups, g.out_plane(), layout_.size(g.group_in_channels()));
  product_.image_step = image_step();
  product_.output_step = g.out_channels * g.out_plane();
  windows_ = windows(product_);
  product_.window = windows_.data();
}

std::int64_t ForwardTiles::count() const { return ceil_div(g_.out_height(), rows_); }

TapProduct ForwardTiles::product(std::int64_t tile, std::int64_t images) const {
  TapProduct product = product_;
  product.images = images;
  product.rows = std::min(rows_, g_.out_height() - first_row(tile));
  return product;
}

const float* ForwardTiles::read(const float* image, std::int64_t images, std::int64_t tile,
                                float* patches) const {
  const std::int64_t top = first_row(tile) * g_.stride_h;
  if (in_place_) return image + top * g_.in_width;
  for (std::int64_t k = 0; k < images; ++k) {
    layout_.fill({.image_height = g_.in_height,
                  .image_width = g_.in_width,
                  .top = top - g_.padding_h,
                  .left = -g_.padding_w},
                 g_.group_in_channels(), image + k * g_.in_channels * g_.in_plane(),
                 patches + k * patch_size());
  }
  return patches;
}

/// Multiply-adds of a row of outputs of a group.
std::int64_t ForwardTiles::row_work() const {
  return g_.group_out_channels() * g_.taps() * g_.out_width();
}

/// The part of the zero-padded image that `rows` rows of output read. Vectors of outputs need
/// windows one element apart.
Patch ForwardTiles::patch(std::int64_t rows, Lanes lanes) const {
  const bool sorted = lanes == Lanes::outputs;
  return Patch(
      {.rows = (rows - 1) * g_.stride_h + g_.dilation_h * (g_.kernel_h - 1) + 1,
       .columns = (g_.out_width() - 1) * g_.stride_w + g_.dilation_w * (g_.kernel_w - 1) + 1,
       .stride_h = sorted ? g_.stride_h : 1,
       .stride_w = sorted ? g_.stride_w : 1,
       .all_rows = g_.kernel_h > 1,
       .all_columns = g_.kernel_w > 1});
}

// ---- The input gradient ----

InputTiles::InputTiles(const Conv2dGeometry& g)
    : g_(g),
      reach_h_(g.dilation_h * (g.kernel_h - 1) / g.stride_h),
      reach_w_(g.dilation_w * (g.kernel_w - 1) / g.stride_w),
      first_q_(g.padding_h / g.stride_h),
      left_q_(g.padding_w / g.stride_w),
      q_rows_((g.in_height - 1 + g.padding_h) / g.stride_h - first_q_ + 1),
      q_columns_((g.in_width - 1 + g.padding_w) / g.stride_w - left_q_ + 1),
      rows_(rows_per_tile(q_rows_, bytes_of_a_row([&](std::int64_t count) {
                            return patch(count).size(g.group_out_channels());
                          }),
                          row_work(), g.batch * g.groups)),
      in_place_(g.kernel_plane() == 1 && g.padding_h == 0 && g.padding_w == 0 &&
                choose_lanes({.rows = rows_,
                              .columns = g.out_width(),
                              .row_step = g.out_width(),
                              .taps = g.group_out_channels(),
                              .filters = g.group_in_channels()}) == Lanes::filters),
      layout_(in_place_ ? Patch::image(g.out_height(), g.out_width()) : patch(rows_)) {
  for (std::int64_t a = 0; a < g.stride_h; ++a) {
    for (std::int64_t b = 0; b < g.stride_w; ++b) add_phase(a, b);
  }
  plan_images();
}

std::int64_t InputTiles::count() const { return ceil_div(q_rows_, rows_); }
std::int64_t InputTiles::work() const { return row_work() * rows_ * images_; }

/// Multiply-adds of a row of q of a group, all phases.
std::int64_t InputTiles::row_work() const {
  return g_.group_in_channels() * g_.group_out_channels() * g_.kernel_plane() * q_columns_;
}

/// The part of the zero-padded dy that `rows` rows of q read. Where the padding is no multiple of
/// the stride, some phases begin one q later than the others, and so end one later.
Patch InputTiles::patch(std::int64_t rows) const {
  const std::int64_t later = g_.padding_h % g_.stride_h == 0 ? 0 : 1;
  return Patch({.rows = rows + later + reach_h_, .columns = q_columns_ + reach_w_});
}

bool InputTiles::leaves_gaps() const {
  return std::ranges::any_of(phases_, [](const Phase& phase) { return phase.taps.empty(); });
}

std::int64_t InputTiles::pixels_size() const {
  const bool dense = g_.stride_h == 1 && g_.stride_w == 1;
  return dense ? 0 : g_.group_in_channels() * rows_ * q_columns_;
}

void InputTiles::add_phase(std::int64_t phase_h, std::int64_t phase_w) {
  Phase p;
  p.row = first_of_phase(phase_h, g_.padding_h, g_.stride_h);
  p.column = first_of_phase(phase_w, g_.padding_w, g_.stride_w);
  p.rows = ceil_div(std::max<std::int64_t>(g_.in_height - p.row, 0), g_.stride_h);
  p.columns = ceil_div(std::max<std::int64_t>(g_.in_width - p.column, 0), g_.stride_w);
  if (p.rows == 0 || p.columns == 0) return;
  p.first_q = (p.row + g_.padding_h) / g_.stride_h;
  p.left_q = (p.column + g_.padding_w) / g_.stride_w;
  for (std::int64_t i = 0; i < g_.kernel_h; ++i) {
    for (std::int64_t j = 0; j < g_.kernel_w; ++j) {
      if (i * g_.dilation_h % g_.stride_h == phase_h && j * g_.dilation_w % g_.stride_w == phase_w)
        p.taps.push_back(i * g_.kernel_w + j);
    }
  }
  plan_product(p);
  phases_.push_back(std::move(p));
}

void InputTiles::plan_product(Phase& p) {
  for (std::int64_t filter = 0; filter < g_.group_out_channels(); ++filter) {
    for (const std::int64_t tap : p.taps) {
      const std::int64_t back_h = tap / g_.kernel_w * g_.dilation_h / g_.stride_h;
      const std::int64_t back_w = tap % g_.kernel_w * g_.dilation_w / g_.stride_w;
      p.offsets.push_back(filter * layout_.channel() +
                          layout_.at(p.first_q - first_q_ + reach_h_ - back_h,
                                     p.left_q - left_q_ + reach_w_ - back_w));
    }
  }
  p.product = {.rows = std::min(rows_, p.rows),
               .columns = p.columns,
               .row_step = layout_.row_step(),
               .taps = static_cast<std::int64_t>(p.offsets.size()),
               .offset = p.offsets.data(),
               .filters = g_.group_in_channels(),
               .output_plane = g_.in_plane()};
  p.product.lanes = in_place_ ? Lanes::filters : choose_lanes(p.product);
  p.packed_at = packed_size_;
  packed_size_ += kernels::packed_size(p.product);
}

/// Several images together, where vectors of filters take them whole.
void InputTiles::plan_images() {
  const bool all_filters = std::ranges::all_of(
      phases_, [](const Phase& phase) { return phase.product.lanes == Lanes::filters; });
  if (all_filters && count() == 1) {
    images_ = images_per_item(g_.batch * g_.groups, q_rows_ * q_columns_,
                              layout_.size(g_.group_out_channels()));
  }
  for (Phase& phase : phases_) {
    TapProduct& product = phase.product;
    if (product.lanes == Lanes::outputs) continue;
    product.images = images_;
    product.image_step = in_place_ ? g_.out_channels * g_.out_plane() : patch_size();
    phase.windows = windows(product);
    product.window = phase.windows.data();
  }
}

void InputTiles::pack(const float* w, float* packed) const {
  const std::int64_t channels = g_.group_in_channels();
  Workspace<float> turned(channels * g_.group_out_channels() * g_.kernel_plane());
  for (const Phase& phase : phases_) {  // w [filters, channels, tap] -> [channels, filters, tap]
    const std::int64_t taps = phase.product.taps;
    parallel_for(channels, ceil_div(weights_per_chunk, std::max<std::int64_t>(taps, 1)),
                 [&](std::int64_t begin, std::int64_t end) {
                   float* to = turned.data() + begin * taps;
                   for (std::int64_t c = begin; c < end; ++c) {
                     for (std::int64_t filter = 0; filter < g_.group_out_channels(); ++filter) {
                       const float* from = w + (filter * channels + c) * g_.kernel_plane();
                       for (const std::int64_t tap : phase.taps) *to++ = from[tap];
                     }
                   }
                 });
    pack_weights(phase.product, turned.data(), packed + phase.packed_at);
  }
}

void InputTiles::compute(std::int64_t tile, std::int64_t images, const float* dy,
                         const float* packed, float* patches, float* pixels, float* image) const {
  const std::int64_t tile_q = tile * rows_;
  const float* read = in_place_ ? dy + tile_q * g_.out_width() : patches;
  for (std::int64_t k = 0; !in_place_ && k < images; ++k) {
    layout_.fill({.image_height = g_.out_height(),
                  .image_width = g_.out_width(),
                  .top = first_q_ + tile_q - reach_h_,
                  .left = left_q_ - reach_w_},
                 g_.group_out_channels(), dy + k * g_.out_channels * g_.out_plane(),
                 patches + k * patch_size());
  }
  const bool dense = g_.stride_h == 1 && g_.stride_w == 1;
  const std::int64_t image_step = g_.in_channels * g_.in_plane();
  for (const Phase& phase : phases_) {
    TapProduct product = phase.product;
    product.rows = std::min(rows_, phase.rows - tile_q);
    product.images = images;
    if (product.rows <= 0 || product.taps == 0) continue;
    float* to = image + (phase.row + tile_q * g_.stride_h) * g_.in_width + phase.column;
    if (dense) {
      product.output_step = image_step;
      tap_product(product, read, packed + phase.packed_at, nullptr, false, to);
      continue;
    }
    product.output_plane = product.rows * phase.columns;
    product.output_step = product.filters * product.output_plane;
    tap_product(product, read, packed + phase.packed_at, nullptr, false, pixels);
    const float* from = pixels;  // to every stride-th of the images
    for (std::int64_t k = 0; k < images; ++k) {
      for (std::int64_t c = 0; c < product.filters; ++c) {
        for (std::int64_t r = 0; r < product.rows; ++r, from += phase.columns) {
          float* row = to + k * image_step + c * g_.in_plane() + r * g_.stride_h * g_.in_width;
          for (std::int64_t l = 0; l < phase.columns; ++l) row[l * g_.stride_w] = from[l];
        }
      }
    }
  }
}

}  // namespace gradus::kernels
