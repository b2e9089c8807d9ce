// Convolution as GEMM over tiles of columns. See conv2d_im2col.h.
#include <gradus/core/kernels/conv2d/im2col.h>

#include <algorithm>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d/columns.h>
#include <gradus/core/kernels/conv2d/partial_sums.h>
#include <gradus/core/kernels/matmul/gemm.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// A tile of columns takes at most this much, so that it stays, with its operands, in an L2
// cache of 1 MB.
constexpr std::int64_t tile_bytes = 512 * 1024;

// GEMM wants some rows: input_grad takes this many channels together even when the columns of
// fewer fill a tile.
constexpr std::int64_t min_channel_block = 16;

/// How many output rows fit a tile whose columns are `height` elements high.
std::int64_t rows_per_tile(const Conv2dGeometry& g, std::int64_t height,
                           std::int64_t element_bytes) {
  const std::int64_t row_bytes = std::max<std::int64_t>(height * g.out_width() * element_bytes, 1);
  const std::int64_t fit = tile_bytes / row_bytes;                         // rows of the patch
  const std::int64_t more = g.dilation_h * (g.kernel_h - 1) + g.stride_h;  // than stride_h·rows
  return std::clamp<std::int64_t>((fit - more) / g.stride_h + 1, 1, g.out_height());
}

RowTile row_tile(const Conv2dGeometry& g, std::int64_t index, std::int64_t rows) {
  const std::int64_t first = index * rows;
  return {first, std::min(rows, g.out_height() - first)};
}

/// w [Co, Ci/groups, kh, kw] -> packed [groups, kh, Co/groups, Ci/groups·kw]: the W_i.
template <class T> void pack_filters(const Conv2dGeometry& g, const T* w, T* packed) {
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t channels = g.group_in_channels();
  for (std::int64_t row = 0; row < g.groups * g.kernel_h * filters; ++row) {  // (group, i, filter)
    const std::int64_t group = row / (g.kernel_h * filters);
    const std::int64_t i = row / filters % g.kernel_h;
    const T* in = w + (group * filters + row % filters) * g.taps() + i * g.kernel_w;
    for (std::int64_t c = 0; c < channels; ++c, packed += g.kernel_w)
      std::copy_n(in + c * g.kernel_plane(), g.kernel_w, packed);
  }
}

template <class T>
void fill_rows(std::int64_t rows, std::int64_t width, const T* values, T* out,
               std::int64_t distance) {
  for (std::int64_t row = 0; row < rows; ++row)
    std::fill_n(out + row * distance, width, values[row]);
}

}  // namespace

template <class T>
void conv2d_im2col_forward(const Conv2dGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t height = channels * g.kernel_w;
  const std::int64_t rows = rows_per_tile(g, height, sizeof(T));
  const std::int64_t tiles = ceil_div(g.out_height(), rows);
  Workspace<T> packed(g.weight_size());
  pack_filters(g, w, packed.data());
  const std::int64_t grain = items_per_chunk(filters * g.taps() * rows * g.out_width());
  parallel_for(g.batch * g.groups * tiles, grain, [&](std::int64_t begin, std::int64_t end) {
    Workspace<T> patch(is_padded(g) ? channels * patch_height(g, rows) * patch_width(g) : 0);
    Workspace<T> columns(height * column_size(g, rows));
    for (std::int64_t item = begin; item < end; ++item) {  // item = (image, group, tile)
      const std::int64_t image_group = item / tiles;
      const std::int64_t group = image_group % g.groups;
      const RowTile tile = row_tile(g, item % tiles, rows);
      const std::int64_t pixels = tile.count * g.out_width();
      const T* in = x + image_group * channels * g.in_plane();
      const T* filter = packed.data() + group * filters * g.taps();
      T* out = y + image_group * filters * g.out_plane() + tile.first * g.out_width();
      gather_columns(g, channels, tile.count, read_patch(g, channels, tile, in, patch.data()),
                     columns.data());
      if (bias != nullptr) fill_rows(filters, pixels, bias + group * filters, out, g.out_plane());
      for (std::int64_t i = 0; i < g.kernel_h; ++i) {
        // [filters,height]·[height,pixels]
        gemm(Transpose::no, Transpose::no, filters, pixels, height, T{1},
             filter + i * filters * height, height, columns.data() + column_start(g, tile.count, i),
             column_size(g, tile.count), i == 0 && bias == nullptr ? T{0} : T{1}, out,
             g.out_plane());
      }
    }
  });
}

template <class T>
void conv2d_im2col_input_grad(const Conv2dGeometry& g, const T* dy, const T* w, T* dx) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  // Tiles of rows overlap in dx, blocks of channels do not: those are the items, and an item goes
  // through its row tiles in order.
  const std::int64_t channel_bytes =
      g.kernel_w * column_size(g, g.out_height()) * std::int64_t{sizeof(T)};
  const std::int64_t block =
      std::min(channels, std::max(min_channel_block, tile_bytes / channel_bytes));
  const std::int64_t blocks = ceil_div(channels, block);
  const std::int64_t rows = rows_per_tile(g, block * g.kernel_w, sizeof(T));
  const std::int64_t patch_size = patch_height(g, g.out_height()) * patch_width(g);
  Workspace<T> packed(g.weight_size());
  pack_filters(g, w, packed.data());
  const std::int64_t grain = items_per_chunk(filters * block * g.kernel_plane() * g.out_plane());
  parallel_for(g.batch * g.groups * blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    Workspace<T> patch(is_padded(g) ? block * patch_size : 0);
    Workspace<T> columns(block * g.kernel_w * column_size(g, rows));
    for (std::int64_t item = begin; item < end;
         ++item) {  // item = (image, group, block of channels)
      const std::int64_t image_group = item / blocks;
      const std::int64_t first = item % blocks * block;
      const std::int64_t count = std::min(block, channels - first);
      const std::int64_t height = count * g.kernel_w;
      const T* filter =
          packed.data() + image_group % g.groups * filters * g.taps() + first * g.kernel_w;
      const T* grad = dy + image_group * filters * g.out_plane();
      T* out = dx + (image_group * channels + first) * g.in_plane();
      const Planes<T> sum = clear_patch(g, count, out, patch.data());
      for (std::int64_t row = 0; row < g.out_height(); row += rows) {
        const RowTile tile = row_tile(g, row / rows, rows);
        const std::int64_t pixels = tile.count * g.out_width();
        std::fill_n(columns.data(), height * column_size(g, tile.count), T{0});
        for (std::int64_t i = 0; i < g.kernel_h; ++i) {
          // [filters,height]ᵀ·[filters,pixels]
          gemm(Transpose::yes, Transpose::no, height, pixels, filters, T{1},
               filter + i * filters * channels * g.kernel_w, channels * g.kernel_w,
               grad + row * g.out_width(), g.out_plane(), T{1},
               columns.data() + column_start(g, tile.count, i), column_size(g, tile.count));
        }
        scatter_columns(g, count, tile, columns.data(), sum);
      }
      write_patch(g, count, patch.data(), out);
    }
  });
}

template <class T>
void conv2d_im2col_weight_grad(const Conv2dGeometry& g, const T* x, const T* dy, T* dw) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t height = channels * g.kernel_w;
  const std::int64_t rows = rows_per_tile(g, height, sizeof(T));
  const std::int64_t tiles = ceil_div(g.out_height(), rows);
  const auto plan = plan_partial_sums(g, g.batch * tiles, sizeof(T));
  Workspace<T> partials(plan.parts * g.weight_size());
  parallel_for(g.batch * tiles, plan.items_per_part, [&](std::int64_t begin, std::int64_t end) {
    Workspace<T> patch(is_padded(g) ? channels * patch_height(g, rows) * patch_width(g) : 0);
    Workspace<T> columns(height * column_size(g, rows));
    T* sum = partials.data() + begin / plan.items_per_part * g.weight_size();
    std::fill_n(sum, g.weight_size(), T{0});
    for (std::int64_t item = begin * g.groups; item < end * g.groups;
         ++item) {  // item = (image, tile, group)
      const std::int64_t group = item % g.groups;
      const std::int64_t image_group = item / g.groups / tiles * g.groups + group;
      const RowTile tile = row_tile(g, item / g.groups % tiles, rows);
      const std::int64_t pixels = tile.count * g.out_width();
      const T* in = x + image_group * channels * g.in_plane();
      const T* grad = dy + image_group * filters * g.out_plane() + tile.first * g.out_width();
      gather_columns(g, channels, tile.count, read_patch(g, channels, tile, in, patch.data()),
                     columns.data());
      for (std::int64_t i = 0; i < g.kernel_h; ++i) {
        // [height,pixels]·[filters,pixels]ᵀ
        gemm(Transpose::no, Transpose::yes, height, filters, pixels, T{1},
             columns.data() + column_start(g, tile.count, i), column_size(g, tile.count), grad,
             g.out_plane(), T{1}, sum + (group * g.kernel_h + i) * height * filters, filters);
      }
    }
  });
  add_partial_sums(g, plan.parts, partials.data(), dw);
}

template void conv2d_im2col_forward(const Conv2dGeometry&, const float*, const float*, const float*,
                                    float*);
template void conv2d_im2col_forward(const Conv2dGeometry&, const double*, const double*,
                                    const double*, double*);
template void conv2d_im2col_input_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void conv2d_im2col_input_grad(const Conv2dGeometry&, const double*, const double*,
                                       double*);
template void conv2d_im2col_weight_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void conv2d_im2col_weight_grad(const Conv2dGeometry&, const double*, const double*,
                                        double*);

}  // namespace gradus::kernels
