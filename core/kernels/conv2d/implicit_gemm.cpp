// Convolution by tap products. See conv2d_implicit.h.
#include <gradus/core/kernels/conv2d/implicit_gemm.h>

#include <algorithm>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d/filter_lanes.h>
#include <gradus/core/kernels/conv2d/partial_sums.h>
#include <gradus/core/kernels/conv2d/tiles.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// Outputs that the sums for the weights run over, at least: each time the sums go to memory and
// back.
constexpr std::int64_t outputs_per_sum = 256;

void clear(std::int64_t size, float* values) {
  constexpr std::int64_t grain = 65536;
  parallel_for(size, grain, [&](std::int64_t begin, std::int64_t end) {
    std::fill(values + begin, values + end, 0.0F);
  });
}

}  // namespace

void conv2d_implicit_forward(const Conv2dGeometry& g, const float* x, const float* w,
                             const float* bias, bool relu, float* y) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const ForwardTiles tiles(g, ForwardTiles::best_lanes(g));

  const std::int64_t group_size = packed_size(tiles.product());
  Workspace<float> packed(g.groups * group_size);
  for (std::int64_t group = 0; group < g.groups; ++group)
    pack_weights(tiles.product(), w + group * filters * g.taps(),
                 packed.data() + group * group_size);
  const std::int64_t sets = ceil_div(g.batch, tiles.images());
  parallel_for(
      sets * g.groups * tiles.count(), items_per_chunk(tiles.work()),
      [&](std::int64_t begin, std::int64_t end) {
        Workspace<float> patches(tiles.images() * tiles.patch_size());
        for (std::int64_t item = begin; item < end; ++item) {  // (images, group, tile)
          const std::int64_t tile = item % tiles.count();
          const std::int64_t group = item / tiles.count() % g.groups;
          const std::int64_t image = item / tiles.count() / g.groups * tiles.images();
          const std::int64_t images = std::min(tiles.images(), g.batch - image);
          const std::int64_t image_group = image * g.groups + group;
          const float* read =
              tiles.read(x + image_group * channels * g.in_plane(), images, tile, patches.data());
          tap_product(
              tiles.product(tile, images), read, packed.data() + group * group_size,
              bias == nullptr ? nullptr : bias + group * filters, relu,
              y + image_group * filters * g.out_plane() + tiles.first_row(tile) * g.out_width());
        }
      });
}

void conv2d_implicit_input_grad(const Conv2dGeometry& g, const float* dy, const float* w,
                                float* dx) {
  if (g.input_size() == 0) return;
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const InputTiles tiles(g);
  Workspace<float> packed(g.groups * tiles.packed_size());
  for (std::int64_t group = 0; group < g.groups; ++group) {
    tiles.pack(w + group * filters * g.taps(), packed.data() + group * tiles.packed_size());
  }
  if (tiles.leaves_gaps()) clear(g.input_size(), dx);
  const std::int64_t sets = ceil_div(g.batch, tiles.images());
  parallel_for(sets * g.groups * tiles.count(), items_per_chunk(tiles.work()),
               [&](std::int64_t begin, std::int64_t end) {
                 Workspace<float> patches(tiles.images() * tiles.patch_size());
                 Workspace<float> pixels(tiles.images() * tiles.pixels_size());
                 for (std::int64_t item = begin; item < end; ++item) {  // (images, group, tile)
                   const std::int64_t group = item / tiles.count() % g.groups;
                   const std::int64_t image = item / tiles.count() / g.groups * tiles.images();
                   const std::int64_t image_group = image * g.groups + group;
                   tiles.compute(item % tiles.count(), std::min(tiles.images(), g.batch - image),
                                 dy + image_group * filters * g.out_plane(),
                                 packed.data() + group * tiles.packed_size(), patches.data(),
                                 pixels.data(), dx + image_group * channels * g.in_plane());
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
          const std::int64_t outputs = tiles.product(tile, 1).rows * g.out_width();
          for (std::int64_t group = 0; group < g.groups; ++group) {
            const std::int64_t image_group = first / tiles.count() * g.groups + group;
            const float* images =
                tiles.read(x + image_group * channels * g.in_plane(), count, tile, patches.data());
            const float* grad =
                dy + image_group * filters * g.out_plane() + tiles.first_row(tile) * g.out_width();
            for (std::int64_t k = 0; k < count; ++k) {
              pack_filters(filters, outputs, grad + k * g.out_channels * g.out_plane(),
                           g.out_plane(), grads.data() + k * grad_size);
            }
            filter_lanes_product({.filters = filters,
                                  .count = g.taps(),
                                  .at = tiles.product().offset,
                                  .run = g.dilation_w == 1 ? run_of(g.kernel_w) : 1,
                                  .length = outputs,
                                  .step = tiles.product().window,
                                  .images = count,
                                  .image_step = tiles.image_step(),
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
