// The 1x1 convolution as GEMM over channels. See pointwise.h.
#include <gradus/core/kernels/conv2d/pointwise.h>

#include <algorithm>

#include <gradus/core/kernels/conv2d/partial_sums.h>
#include <gradus/core/kernels/matmul/gemm.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// Columns of one GEMM. Short enough that [64,64]·[64,240] still takes OpenBLAS's path for small
// matrices, which packs nothing (up to 10^6 products): 118 GFLOP/s, where a whole image of 1024
// pixels runs at 70.
constexpr std::int64_t pixels_per_tile = 240;

// A single image of a single tile has no other work to share out than the rows of its result. BLAS
// packs the image for each block of them, so there are but two: a twentieth slower on one thread,
// 1.6 times as fast on two.
constexpr std::int64_t min_block_rows = 96;
constexpr std::int64_t row_multiple = 16;

/// What one GEMM computes: pixels first .. last of result rows first_row .. last_row.
struct Tile {
  std::int64_t image_group, first, last, first_row, last_row;
};

/// f(tile) for tiles of pixels of each image and group. Parallel inside an image when the batch is a
/// single one, inline otherwise.
template <class F> void for_each_tile(const Conv2dGeometry& g, std::int64_t rows, const F& f) {
  if (const std::int64_t block = pointwise_block_rows(g, rows); block < rows) {
    return parallel_for(rows, block, [&](std::int64_t begin, std::int64_t end) {
      f(Tile{0, 0, g.in_plane(), begin, end});
    });
  }
  const std::int64_t grain = items_per_chunk(
      saturating_product({g.group_out_channels(), g.group_in_channels(), g.in_plane()}));
  parallel_for(g.batch * g.groups, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image_group = begin; image_group < end; ++image_group) {
      parallel_for(g.in_plane(), pixels_per_tile, [&](std::int64_t first, std::int64_t last) {
        f(Tile{image_group, first, last, 0, rows});
      });
    }
  });
}

}  // namespace

bool pointwise_supports(const Conv2dGeometry& g) {
  return g.kernel_h == 1 && g.kernel_w == 1 && g.padding_h == 0 && g.padding_w == 0 &&
         g.stride_h == 1 && g.stride_w == 1;
}

std::int64_t pointwise_block_rows(const Conv2dGeometry& g, std::int64_t rows) {
  const bool one_tile = g.batch * g.groups == 1 && g.in_plane() <= pixels_per_tile;
  if (!one_tile || rows < 2 * min_block_rows) return rows;
  return (rows / 2 + row_multiple - 1) / row_multiple * row_multiple;
}

template <class T>
void pointwise_forward(const Conv2dGeometry& g, const T* x, const T* w, const Epilogue<T>& epilogue,
                       T* y) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t pixels = g.in_plane();
  for_each_tile(g, filters, [&](const Tile& tile) {
    const std::int64_t rows = tile.last_row - tile.first_row;
    const std::int64_t columns = tile.last - tile.first;
    const std::int64_t first_filter = tile.image_group % g.groups * filters + tile.first_row;
    const T* bias = epilogue.from(first_filter).bias;
    T* out = y + (tile.image_group * filters + tile.first_row) * pixels + tile.first;
    for (std::int64_t f = 0; bias != nullptr && f < rows; ++f)
      std::fill_n(out + f * pixels, columns, bias[f]);
    // [filters,channels]·[channels,tile]
    gemm(Transpose::no, Transpose::no, rows, columns, channels, T{1}, w + first_filter * channels,
         channels, x + tile.image_group * channels * pixels + tile.first, pixels,
         bias != nullptr ? T{1} : T{0}, out, pixels);
    for (std::int64_t f = 0; epilogue.relu && f < rows; ++f) {
      for (std::int64_t p = 0; p < columns; ++p) {
        T& value = out[f * pixels + p];
        value = value < T{0} ? T{0} : value;
      }
    }
  });
}

template <class T>
void pointwise_input_grad(const Conv2dGeometry& g, const T* dy, const T* w, T* dx) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t pixels = g.in_plane();
  for_each_tile(g, channels, [&](const Tile& tile) {
    // [filters,channels]ᵀ·[filters,tile]
    gemm(Transpose::yes, Transpose::no, tile.last_row - tile.first_row, tile.last - tile.first,
         filters, T{1}, w + tile.image_group % g.groups * filters * channels + tile.first_row,
         channels, dy + tile.image_group * filters * pixels + tile.first, pixels, T{0},
         dx + (tile.image_group * channels + tile.first_row) * pixels + tile.first, pixels);
  });
}

template <class T>
void pointwise_weight_grad(const Conv2dGeometry& g, const T* x, const T* dy, T* dw) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t pixels = g.in_plane();
  const PartialSums split = plan_partial_sums(g, g.batch, sizeof(T));
  Workspace<T> partials(std::max<std::int64_t>(split.parts, 1) * g.weight_size());
  std::fill_n(partials.data(), g.weight_size(), T{0});
  parallel_for(g.batch, split.items_per_part, [&](std::int64_t begin, std::int64_t end) {
    T* sums = partials.data() + begin / split.items_per_part * g.weight_size();
    for (std::int64_t image_group = begin * g.groups; image_group < end * g.groups; ++image_group) {
      // [filters,pixels]·[channels,pixels]ᵀ; split when the batch is a single image, inline
      // otherwise.
      gemm_parallel(Transpose::no, Transpose::yes, filters, channels, pixels, T{1},
                    dy + image_group * filters * pixels, pixels,
                    x + image_group * channels * pixels, pixels,
                    image_group < (begin + 1) * g.groups ? T{0} : T{1},
                    sums + image_group % g.groups * filters * channels, channels);
    }
  });
  add_partial_sums(split.parts, g.weight_size(), partials.data());
  std::copy_n(partials.data(), g.weight_size(), dw);
}

template void pointwise_forward(const Conv2dGeometry&, const float*, const float*,
                                const Epilogue<float>&, float*);
template void pointwise_forward(const Conv2dGeometry&, const double*, const double*,
                                const Epilogue<double>&, double*);
template void pointwise_input_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void pointwise_input_grad(const Conv2dGeometry&, const double*, const double*, double*);
template void pointwise_weight_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void pointwise_weight_grad(const Conv2dGeometry&, const double*, const double*, double*);

}  // namespace gradus::kernels
