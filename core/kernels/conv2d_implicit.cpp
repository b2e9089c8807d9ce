// Convolution by tap products. See conv2d_implicit.h.
#include <gradus/core/kernels/conv2d_implicit.h>

#include <algorithm>
#include <vector>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d_partials.h>
#include <gradus/core/kernels/filter_lanes.h>
#include <gradus/core/kernels/patch.h>
#include <gradus/core/kernels/tap_product.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// A patch stays, with the weights that pass by, in an L2 cache of 1 MB.
constexpr std::int64_t patch_bytes = 384 * 1024;

// About 10 microseconds on one core: the least that is worth handing to another thread.
constexpr std::int64_t multiply_adds_per_chunk = 500'000;

// A single image is cut into so many tiles, where each is worth it.
constexpr std::int64_t wanted_items = 16;

// Outputs that the sums for the weights run over, at least: each time the sums go to memory and
// back.
constexpr std::int64_t outputs_per_sum = 256;

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

/// How the rows of output of an image are cut into tiles, and what of the image a tile reads.
class ForwardTiles {
 public:
  ForwardTiles(const Conv2dGeometry& g, Lanes lanes)
      : g_(g),
        // Vectors of filters do not mind a stride, so what needs no padding is read in place.
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
          offsets_.push_back(c * layout_.channel() +
                             layout_.at(i * g.dilation_h, j * g.dilation_w));
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
    if (lanes == Lanes::filters) windows_ = windows(product_);
    product_.window = windows_.data();
  }

  /// Of an image.
  std::int64_t count() const { return ceil_div(g_.out_height(), rows_); }
  std::int64_t first_row(std::int64_t tile) const { return tile * rows_; }
  std::int64_t work() const { return row_work() * rows_; }  // multiply-adds

  /// The product of all tiles but the last, which may have fewer rows.
  const TapProduct& product() const { return product_; }
  TapProduct product(std::int64_t tile) const {
    TapProduct product = product_;
    product.rows = std::min(rows_, g_.out_height() - first_row(tile));
    return product;
  }

  bool in_place() const { return in_place_; }
  std::int64_t patch_size() const { return in_place_ ? 0 : layout_.size(g_.group_in_channels()); }

  /// What the product reads of `image` [channels of a group, H, W]: a part of it, or `patch`,
  /// filled.
  const float* read(const float* image, std::int64_t tile, float* patch) const {
    const std::int64_t top = first_row(tile) * g_.stride_h;
    if (in_place_) return image + top * g_.in_width;
    layout_.fill({.image_height = g_.in_height,
                  .image_width = g_.in_width,
                  .top = top - g_.padding_h,
                  .left = -g_.padding_w},
                 g_.group_in_channels(), image, patch);
    return patch;
  }

 private:
  /// Multiply-adds of a row of outputs of a group.
  std::int64_t row_work() const { return g_.group_out_channels() * g_.taps() * g_.out_width(); }

  /// The part of the zero-padded image that `rows` rows of output read. Vectors of outputs need
  /// windows one element apart.
  Patch patch(std::int64_t rows, Lanes lanes) const {
    const bool sorted = lanes == Lanes::outputs;
    return Patch(
        {.rows = (rows - 1) * g_.stride_h + g_.dilation_h * (g_.kernel_h - 1) + 1,
         .columns = (g_.out_width() - 1) * g_.stride_w + g_.dilation_w * (g_.kernel_w - 1) + 1,
         .stride_h = sorted ? g_.stride_h : 1,
         .stride_w = sorted ? g_.stride_w : 1,
         .all_rows = g_.kernel_h > 1,
         .all_columns = g_.kernel_w > 1});
  }

  const Conv2dGeometry& g_;
  bool in_place_;
  std::int64_t rows_;  // of output, of a tile
  Patch layout_;
  std::vector<std::int64_t> offsets_;
  std::vector<std::int64_t> windows_;
  TapProduct product_;
};

/// The lanes for the outputs of a group.
Lanes forward_lanes(const Conv2dGeometry& g) {
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

std::int64_t items_per_chunk(std::int64_t multiply_adds_per_item) {
  return multiply_adds_per_chunk / std::max<std::int64_t>(multiply_adds_per_item, 1) + 1;
}

/// One product for the input gradient: the pixels of one phase of the stride.
struct Phase {
  std::int64_t row, column;        // of the phase's first pixel in the image
  std::int64_t rows, columns;      // pixels: (row + k·stride_h, column + l·stride_w)
  std::int64_t first_q, left_q;    // (row + padding)/stride, the dy that pixel begins with
  std::vector<std::int64_t> taps;  // i·kw + j of those that reach it
};

/// Pixels r, r + stride, ... of [0, size) whose padded position leaves the remainder `phase`.
std::int64_t first_of_phase(std::int64_t phase, std::int64_t padding, std::int64_t stride) {
  return ((phase - padding) % stride + stride) % stride;
}

std::vector<Phase> phases_of(const Conv2dGeometry& g) {
  std::vector<Phase> phases;
  for (std::int64_t a = 0; a < g.stride_h; ++a) {
    for (std::int64_t b = 0; b < g.stride_w; ++b) {
      Phase p;
      p.row = first_of_phase(a, g.padding_h, g.stride_h);
      p.column = first_of_phase(b, g.padding_w, g.stride_w);
      p.rows = ceil_div(std::max<std::int64_t>(g.in_height - p.row, 0), g.stride_h);
      p.columns = ceil_div(std::max<std::int64_t>(g.in_width - p.column, 0), g.stride_w);
      p.first_q = (p.row + g.padding_h) / g.stride_h;
      p.left_q = (p.column + g.padding_w) / g.stride_w;
      for (std::int64_t i = 0; i < g.kernel_h; ++i) {
        for (std::int64_t j = 0; j < g.kernel_w; ++j) {
          if (i * g.dilation_h % g.stride_h == a && j * g.dilation_w % g.stride_w == b)
            p.taps.push_back(i * g.kernel_w + j);
        }
      }
      if (p.rows > 0 && p.columns > 0) phases.push_back(std::move(p));
    }
  }
  return phases;
}

/// Zeros: some pixels are read by no tap.
void clear(std::int64_t size, float* values) {
  constexpr std::int64_t grain = 65536;
  parallel_for(size, grain, [&](std::int64_t begin, std::int64_t end) {
    std::fill(values + begin, values + end, 0.0F);
  });
}

/// pixels [channels, rows, phase.columns] -> every stride-th of `image`.
void spread_pixels(const Conv2dGeometry& g, const Phase& phase, std::int64_t channels,
                   std::int64_t rows, const float* pixels, float* image) {
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t r = 0; r < rows; ++r, pixels += phase.columns) {
      float* to = image + c * g.in_plane() + r * g.stride_h * g.in_width;
      for (std::int64_t l = 0; l < phase.columns; ++l) to[l * g.stride_w] = pixels[l];
    }
  }
}

}  // namespace

void conv2d_implicit_forward(const Conv2dGeometry& g, const float* x, const float* w,
                             const float* bias, bool relu, float* y) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const ForwardTiles tiles(g, forward_lanes(g));

  const std::int64_t group_size = packed_size(tiles.product());
  Workspace<float> packed(g.groups * group_size);
  for (std::int64_t group = 0; group < g.groups; ++group)
    pack_weights(tiles.product(), w + group * filters * g.taps(),
                 packed.data() + group * group_size);
  parallel_for(g.batch * g.groups * tiles.count(), items_per_chunk(tiles.work()),
               [&](std::int64_t begin, std::int64_t end) {
                 Workspace<float> patch(tiles.patch_size());
                 for (std::int64_t item = begin; item < end; ++item) {  // (image, group, tile)
                   const std::int64_t tile = item % tiles.count();
                   const std::int64_t image_group = item / tiles.count();
                   const std::int64_t group = image_group % g.groups;
                   const float* image = x + image_group * channels * g.in_plane();
                   tap_product(tiles.product(tile), tiles.read(image, tile, patch.data()),
                               packed.data() + group * group_size,
                               bias == nullptr ? nullptr : bias + group * filters, relu,
                               y + image_group * filters * g.out_plane() +
                                   tiles.first_row(tile) * g.out_width());
                 }
               });
}

void conv2d_implicit_input_grad(const Conv2dGeometry& g, const float* dy, const float* w,
                                float* dx) {
  if (g.input_size() == 0) return;
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::vector<Phase> phases = phases_of(g);
  // The patch of dy reaches back by as much as the last tap: dy[q - reach .. q].
  const std::int64_t reach_h = g.dilation_h * (g.kernel_h - 1) / g.stride_h;
  const std::int64_t reach_w = g.dilation_w * (g.kernel_w - 1) / g.stride_w;
  const std::int64_t first_q = g.padding_h / g.stride_h;  // the least of all phases
  const std::int64_t left_q = g.padding_w / g.stride_w;
  const std::int64_t q_rows = (g.in_height - 1 + g.padding_h) / g.stride_h - first_q + 1;
  const std::int64_t q_columns = (g.in_width - 1 + g.padding_w) / g.stride_w - left_q + 1;
  const auto patch_of = [&](std::int64_t rows) {
    return Patch({.rows = rows + reach_h, .columns = q_columns + reach_w});
  };
  const std::int64_t row_bytes =
      bytes_of_a_row([&](std::int64_t count) { return patch_of(count).size(filters); });
  const std::int64_t row_work = channels * filters * g.kernel_plane() * q_columns;
  const std::int64_t rows = rows_per_tile(q_rows, row_bytes, row_work, g.batch * g.groups);
  const std::int64_t tiles = ceil_div(q_rows, rows);
  // Vectors of filters read dy itself where no tap reaches beyond it.
  const bool in_place = g.kernel_plane() == 1 && g.padding_h == 0 && g.padding_w == 0 &&
                        choose_lanes({.rows = rows,
                                      .columns = g.out_width(),
                                      .row_step = g.out_width(),
                                      .taps = filters,
                                      .filters = channels}) == Lanes::filters;
  const Patch layout = in_place ? Patch::image(g.out_height(), g.out_width()) : patch_of(rows);
  const bool dense = g.stride_h == 1 && g.stride_w == 1;

  // For each phase: where its taps start in the patch, and the weights as [channels, (filter,
  // tap)].
  std::vector<std::vector<std::int64_t>> offsets(phases.size());
  std::vector<std::vector<std::int64_t>> positions(phases.size());
  std::vector<TapProduct> products;
  std::vector<std::int64_t> packed_at;
  std::int64_t all_packed = 0;
  for (std::size_t k = 0; k < phases.size(); ++k) {
    const Phase& phase = phases[k];
    for (std::int64_t co = 0; co < filters; ++co) {
      for (const std::int64_t tap : phase.taps) {
        const std::int64_t back_h = tap / g.kernel_w * g.dilation_h / g.stride_h;
        const std::int64_t back_w = tap % g.kernel_w * g.dilation_w / g.stride_w;
        offsets[k].push_back(co * layout.channel() +
                             layout.at(phase.first_q - first_q + reach_h - back_h,
                                       phase.left_q - left_q + reach_w - back_w));
      }
    }
    TapProduct product{.rows = std::min(rows, phase.rows),
                       .columns = phase.columns,
                       .row_step = layout.row_step(),
                       .taps = filters * static_cast<std::int64_t>(phase.taps.size()),
                       .offset = offsets[k].data(),
                       .filters = channels,
                       .output_plane = g.in_plane()};
    product.lanes = in_place ? Lanes::filters : choose_lanes(product);
    if (product.lanes == Lanes::filters) positions[k] = windows(product);
    product.window = positions[k].data();
    products.push_back(product);
    packed_at.push_back(all_packed);
    all_packed += g.groups * packed_size(product);
  }
  Workspace<float> packed(all_packed);
  constexpr std::int64_t weights_per_chunk = 8192;
  Workspace<float> turned(channels * filters * g.kernel_plane());
  for (std::int64_t group = 0; group < g.groups; ++group) {
    for (std::size_t k = 0; k < phases.size(); ++k) {
      const std::int64_t taps = products[k].taps;
      parallel_for(channels, ceil_div(weights_per_chunk, std::max<std::int64_t>(taps, 1)),
                   [&](std::int64_t begin, std::int64_t end) {
                     float* to = turned.data() + begin * taps;
                     for (std::int64_t c = begin; c < end; ++c) {
                       for (std::int64_t co = 0; co < filters; ++co) {
                         const float* from =
                             w + ((group * filters + co) * channels + c) * g.kernel_plane();
                         for (const std::int64_t tap : phases[k].taps) *to++ = from[tap];
                       }
                     }
                   });
      pack_weights(products[k], turned.data(),
                   packed.data() + packed_at[k] + group * packed_size(products[k]));
    }
  }

  if (std::ranges::any_of(phases, [](const Phase& phase) { return phase.taps.empty(); }))
    clear(g.input_size(), dx);
  parallel_for(g.batch * g.groups * tiles, items_per_chunk(row_work * rows),
               [&](std::int64_t begin, std::int64_t end) {
                 Workspace<float> patch(in_place ? 0 : layout.size(filters));
                 Workspace<float> pixels(dense ? 0 : channels * rows * q_columns);
                 for (std::int64_t item = begin; item < end; ++item) {  // (image, group, tile of q)
                   const std::int64_t image_group = item / tiles;
                   const std::int64_t tile_q = item % tiles * rows;
                   const float* grads = dy + image_group * filters * g.out_plane();
                   const float* read = in_place ? grads + tile_q * g.out_width() : patch.data();
                   if (!in_place) {
                     layout.fill({.image_height = g.out_height(),
                                  .image_width = g.out_width(),
                                  .top = first_q + tile_q - reach_h,
                                  .left = left_q - reach_w},
                                 filters, grads, patch.data());
                   }
                   for (std::size_t k = 0; k < phases.size(); ++k) {
                     const Phase& phase = phases[k];
                     TapProduct product = products[k];
                     product.rows = std::min(rows, phase.rows - tile_q);
                     if (product.rows <= 0 || product.taps == 0) continue;
                     if (!dense) product.output_plane = product.rows * phase.columns;
                     float* image = dx + image_group * channels * g.in_plane() +
                                    (phase.row + tile_q * g.stride_h) * g.in_width + phase.column;
                     tap_product(product, read,
                                 packed.data() + packed_at[k] +
                                     image_group % g.groups * packed_size(product),
                                 nullptr, false, dense ? image : pixels.data());
                     if (!dense)
                       spread_pixels(g, phase, channels, product.rows, pixels.data(), image);
                   }
                 }
               });
}

void conv2d_implicit_weight_grad(const Conv2dGeometry& g, const float* x, const float* dy,
                                 float* dw) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const ForwardTiles tiles(g, Lanes::filters);
  const std::int64_t group_size = padded_filters(filters) * g.taps();
  const std::int64_t size = g.groups * group_size;

  // Small images are summed over together: the sums leave the registers less often.
  const std::int64_t together =
      tiles.count() > 1 ? 1 : std::max<std::int64_t>(1, outputs_per_sum / g.out_plane());
  const std::int64_t image_step =
      tiles.in_place() ? g.in_channels * g.in_plane() : tiles.patch_size();
  const std::int64_t grad_size = padded_filters(filters) * tiles.product().rows * g.out_width();

  const PartialSums split = plan_partial_sums(g, g.batch * tiles.count(), sizeof(float));
  if (split.parts == 0) return clear(g.weight_size(), dw);
  Workspace<float> partials(split.parts * size);
  parallel_for(
      g.batch * tiles.count(), split.items_per_part, [&](std::int64_t begin, std::int64_t end) {
        float* sums = partials.data() + begin / split.items_per_part * size;
        std::fill_n(sums, size, 0.0F);
        Workspace<float> patches(together * tiles.patch_size());
        Workspace<float> grads(together * grad_size);
        for (std::int64_t first = begin; first < end; first += together) {  // (image, tile)
          const std::int64_t count = std::min(together, end - first);
          const std::int64_t tile = first % tiles.count();
          const std::int64_t outputs = tiles.product(tile).rows * g.out_width();
          for (std::int64_t group = 0; group < g.groups; ++group) {
            const float* images = nullptr;
            for (std::int64_t k = 0; k < count; ++k) {
              const std::int64_t image_group = (first + k) / tiles.count() * g.groups + group;
              const float* read = tiles.read(x + image_group * channels * g.in_plane(), tile,
                                             patches.data() + k * tiles.patch_size());
              if (k == 0) images = read;
              pack_filters(filters, outputs,
                           dy + image_group * filters * g.out_plane() +
                               tiles.first_row(tile) * g.out_width(),
                           g.out_plane(), grads.data() + k * grad_size);
            }
            filter_lanes_product({.filters = filters,
                                  .count = g.taps(),
                                  .at = tiles.product().offset,
                                  .run = g.dilation_w == 1 ? run_of(g.kernel_w) : 1,
                                  .length = outputs,
                                  .step = tiles.product().window,
                                  .images = count,
                                  .image_step = image_step,
                                  .rows_step = grad_size},
                                 images, grads.data(), nullptr, sums + group * group_size);
          }
        }
      });
  constexpr std::int64_t sums_per_chunk = 16384;
  parallel_for(size, sums_per_chunk, [&](std::int64_t begin, std::int64_t end) {
    float* total = partials.data();
    for (std::int64_t part = 1; part < split.parts; ++part) {
      const float* more = total + part * size;
      for (std::int64_t k = begin; k < end; ++k) total[k] += more[k];
    }
  });
  for (std::int64_t group = 0; group < g.groups; ++group) {
    unpack_filters(filters, g.taps(), partials.data() + group * group_size, false,
                   dw + group * filters * g.taps(), g.taps());
  }
}

}  // namespace gradus::kernels
