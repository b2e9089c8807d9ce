// Convolution by Winograd's minimal filtering. See conv2d_winograd.h.
#include <gradus/core/kernels/conv2d/winograd.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d/filter_lanes.h>
#include <gradus/core/kernels/conv2d/output_lanes.h>
#include <gradus/core/kernels/conv2d/partial_sums.h>
#include <gradus/core/kernels/conv2d/winograd_transforms.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// The transformed tiles of an item, of all channels and filters, stay near an L2 cache; but a
// matrix product wants some columns.
constexpr std::int64_t item_bytes = 1536 * 1024;
constexpr std::int64_t fewest_tiles = 48;
constexpr std::int64_t most_tiles = 192;

constexpr std::int64_t vector = 16;  // the widest

constexpr std::int64_t places = winograd_places;

/// A correlation of `in` with 3x3 kernels: the forward pass, or the one that gives dx.
struct Correlation {
  std::int64_t batch, groups;
  std::int64_t channels, filters;  // of a group
  std::int64_t in_height, in_width, out_height, out_width;
  std::int64_t padding_h, padding_w;
};

Correlation forward_correlation(const Conv2dGeometry& g) {
  return {.batch = g.batch,
          .groups = g.groups,
          .channels = g.group_in_channels(),
          .filters = g.group_out_channels(),
          .in_height = g.in_height,
          .in_width = g.in_width,
          .out_height = g.out_height(),
          .out_width = g.out_width(),
          .padding_h = g.padding_h,
          .padding_w = g.padding_w};
}

/// How the tiles of all images are cut into items: several images, or some rows of one.
struct Items {
  TileGrid image;       // the tiles of an image
  std::int64_t images;  // of an item; 1 when an image is several items
  std::int64_t rows;    // of tiles, of an item
  std::int64_t tiles;   // of a whole item, rounded up to whole vectors
  std::int64_t per_image;
  std::int64_t count;

  Items(const Correlation& c, std::int64_t element_bytes) {
    constexpr std::int64_t m = winograd_output_side;
    image = {ceil_div(c.out_height, m), ceil_div(c.out_width, m)};
    const std::int64_t bytes = winograd_places * (c.channels + c.filters) * element_bytes;
    const std::int64_t wanted = std::clamp(item_bytes / bytes, fewest_tiles, most_tiles);
    const std::int64_t all = image.rows * image.columns;
    images = std::clamp<std::int64_t>(wanted / all, 1, std::max<std::int64_t>(c.batch, 1));
    rows = images > 1
               ? image.rows
               : ceil_div(image.rows,
                          ceil_div(image.rows, std::max<std::int64_t>(1, wanted / image.columns)));
    per_image = ceil_div(image.rows, rows);
    tiles = ceil_div(images * rows * image.columns, vector) * vector;
    count = images > 1 ? ceil_div(c.batch, images) : c.batch * per_image;
  }

  /// The images and rows of tiles of item i.
  struct Item {
    std::int64_t first_image, images, first_row;
    TileGrid grid;
    std::int64_t tiles() const { return images * grid.rows * grid.columns; }
  };
  Item item(std::int64_t i, std::int64_t batch) const {
    const std::int64_t first_row = i % per_image * rows;
    const std::int64_t first_image = i / per_image * images;
    return {first_image,
            std::min(images, batch - first_image),
            first_row,
            {std::min(rows, image.rows - first_row), image.columns}};
  }
};

/// Each place's matrix product: the transformed tiles of a channel stand `tiles` apart.
std::vector<std::int64_t> channel_offsets(std::int64_t channels, std::int64_t tiles) {
  std::vector<std::int64_t> offsets;
  for (std::int64_t c = 0; c < channels; ++c) offsets.push_back(c * tiles);
  return offsets;
}

/// 0, 1, ... count - 1
std::vector<std::int64_t> first_numbers(std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

/// kernels [groups, filters, channels, 3, 3] -> [groups, places, filters, channels]
template <class T> void transform_kernels(const Correlation& c, const T* kernels, T* transformed) {
  const std::int64_t size = c.filters * c.channels;
  parallel_for(c.groups, ceil_div(multiply_adds_per_chunk, places * size),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t group = begin; group < end; ++group)
                   winograd_transforms<T>().weights(size, kernels + group * size * 9,
                                                    transformed + group * places * size);
               });
}

/// The tiles of channels of an item: [places, channels, tiles of the item].
template <class T>
void transform_input(const Correlation& c, const Items& items, const Items::Item& item,
                     std::int64_t group, const T* in, T* scratch, T* transformed) {
  const TileView view{.height = c.in_height,
                      .width = c.in_width,
                      .top = item.first_row * winograd_output_side - c.padding_h,
                      .left = -c.padding_w};
  const std::int64_t plane = c.in_height * c.in_width;
  for (std::int64_t k = 0; k < item.images; ++k) {
    const std::int64_t first = ((item.first_image + k) * c.groups + group) * c.channels;
    for (std::int64_t channel = 0; channel < c.channels; ++channel) {
      winograd_transforms<T>().input(
          item.grid, view, in + (first + channel) * plane, scratch,
          transformed + channel * items.tiles + k * item.grid.rows * item.grid.columns,
          c.channels * items.tiles);
    }
  }
}

template <class T>
void correlate(const Correlation& c, const T* in, const T* kernels, const Epilogue<T>& epilogue,
               T* out) {
  const Items items(c, sizeof(T));
  const std::int64_t matrix = c.filters * c.channels;
  Workspace<T> weights(c.groups * places * matrix);
  transform_kernels(c, kernels, weights.data());
  const std::vector<std::int64_t> offsets = channel_offsets(c.channels, items.tiles);
  const std::int64_t in_step = c.channels * items.tiles;  // from one place to the next
  const std::int64_t out_step = c.filters * items.tiles;
  const std::int64_t plane = c.out_height * c.out_width;
  const std::int64_t work = places * matrix * items.tiles;
  const std::vector<std::int64_t> in_order = first_numbers(c.channels);
  const std::vector<OutputVector> vectors =
      output_vectors(output_lanes<T>().lanes, 1, items.tiles, items.tiles);
  parallel_for(
      items.count * c.groups, items_per_chunk(work), [&](std::int64_t begin, std::int64_t end) {
        Workspace<T> scratch(winograd_transforms<T>().scratch({items.rows, items.image.columns}));
        Workspace<T> tiles(places * in_step + patch_slack);
        Workspace<T> products(places * out_step + patch_slack);
        std::fill_n(tiles.data(), places * in_step + patch_slack, T{0});
        for (std::int64_t index = begin; index < end; ++index) {  // (item, group)
          const Items::Item item = items.item(index / c.groups, c.batch);
          const std::int64_t group = index % c.groups;
          transform_input(c, items, item, group, in, scratch.data(), tiles.data());
          const std::int64_t padded = ceil_div(item.tiles(), vector) * vector;
          const OutputLanes product{
              .vector = vectors.data(),
              .vectors = static_cast<std::int64_t>(vectors.size()) * padded / items.tiles,
              .taps = c.channels,
              .tap = in_order.data(),
              .offset = offsets.data(),
              .filters = c.filters,
              .filter_step = c.channels,
              .output_plane = items.tiles};
          for (std::int64_t e = 0; e < places; ++e) {
            output_lanes<T>().multiply(product, tiles.data() + e * in_step,
                                       weights.data() + (group * places + e) * matrix, {},
                                       products.data() + e * out_step);
          }
          const TileView view{.height = c.out_height,
                              .width = c.out_width,
                              .top = item.first_row * winograd_output_side};
          for (std::int64_t k = 0; k < item.images; ++k) {
            for (std::int64_t f = 0; f < c.filters; ++f) {
              const std::int64_t filter = group * c.filters + f;
              winograd_transforms<T>().output(
                  item.grid, view,
                  products.data() + f * items.tiles + k * item.grid.rows * item.grid.columns,
                  out_step, epilogue.bias == nullptr ? T{0} : epilogue.bias[filter], epilogue.relu,
                  out + ((item.first_image + k) * c.groups * c.filters + filter) * plane);
            }
          }
        }
      });
}

}  // namespace

bool winograd_supports(const Conv2dGeometry& g) {
  return g.kernel_h == 3 && g.kernel_w == 3 && g.stride_h == 1 && g.stride_w == 1 &&
         g.dilation_h == 1 && g.dilation_w == 1;
}

template <class T> WinogradItems winograd_items(const Conv2dGeometry& g) {
  const Items items(forward_correlation(g), sizeof(T));
  return {items.images, items.per_image};
}

template <class T>
void winograd_forward(const Conv2dGeometry& g, const T* x, const T* w, const Epilogue<T>& epilogue,
                      T* y) {
  correlate<T>(forward_correlation(g), x, w, epilogue, y);
}

template <class T>
void winograd_input_grad(const Conv2dGeometry& g, const T* dy, const T* w, T* dx) {
  if (g.input_size() == 0) return;
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  Workspace<T> turned(g.weight_size());  // [groups, Ci, Co, 3, 3], each kernel backwards
  for (std::int64_t k = 0; k < g.groups * channels * filters; ++k) {
    const std::int64_t co = k % filters;
    const std::int64_t c = k / filters % channels;
    const std::int64_t group = k / (filters * channels);
    const T* kernel = w + ((group * filters + co) * channels + c) * 9;
    std::reverse_copy(kernel, kernel + 9, turned.data() + k * 9);
  }
  correlate<T>({.batch = g.batch,
                .groups = g.groups,
                .channels = filters,
                .filters = channels,
                .in_height = g.out_height(),
                .in_width = g.out_width(),
                .out_height = g.in_height,
                .out_width = g.in_width,
                .padding_h = 2 - g.padding_h,
                .padding_w = 2 - g.padding_w},
               dy, turned.data(), {}, dx);
}

template <class T>
void winograd_weight_grad(const Conv2dGeometry& g, const T* x, const T* dy, T* dw) {
  const Correlation c = forward_correlation(g);
  const Items items(c, sizeof(T));
  const std::vector<std::int64_t> offsets = channel_offsets(c.channels, items.tiles);
  const std::vector<std::int64_t> in_order = first_numbers(std::max(items.tiles, c.channels));
  const std::int64_t in_step = c.channels * items.tiles;
  const std::int64_t padded = filter_lanes<T>().padded_filters(c.filters);
  const std::int64_t matrix = c.filters * c.channels;
  const PartialSums plan = plan_partial_sums(g, items.count, sizeof(T));
  Workspace<T> partials(std::max<std::int64_t>(plan.parts, 1) * g.weight_size());
  std::fill_n(partials.data(), g.weight_size(), T{0});  // of no images
  parallel_for(items.count, plan.items_per_part, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t grad_step = padded * items.tiles;
    const std::int64_t sum_step = padded * c.channels;
    Workspace<T> scratch(winograd_transforms<T>().scratch({items.rows, items.image.columns}));
    Workspace<T> tiles(places * in_step);
    Workspace<T> grads(places * grad_step);
    Workspace<T> packed(padded * g.out_plane());
    Workspace<T> sums(places * sum_step);
    Workspace<T> transformed(places * matrix);
    T* partial = partials.data() + begin / plan.items_per_part * g.weight_size();
    for (std::int64_t group = 0; group < g.groups; ++group) {
      std::fill_n(sums.data(), places * sum_step, T{0});
      for (std::int64_t i = begin; i < end; ++i) {
        const Items::Item item = items.item(i, g.batch);
        const std::int64_t image_tiles = item.grid.rows * item.grid.columns;
        transform_input(c, items, item, group, x, scratch.data(), tiles.data());
        for (std::int64_t k = 0; k < item.images; ++k) {
          const std::int64_t image = item.first_image + k;
          // Only the rows of this item, as an image of their own.
          const std::int64_t top = item.first_row * winograd_output_side;
          const std::int64_t height =
              std::min(item.grid.rows * winograd_output_side, g.out_height() - top);
          const std::int64_t outputs = height * g.out_width();
          filter_lanes<T>().pack(
              c.filters, outputs,
              dy + (image * g.groups + group) * c.filters * g.out_plane() + top * g.out_width(),
              g.out_plane(), packed.data(), outputs, 0);
          for (std::int64_t first = 0; first < padded;) {
            const std::int64_t width = filter_lanes<T>().panel_width(padded - first);
            winograd_transforms<T>().output_grad(
                item.grid, {.height = height, .width = g.out_width()}, width,
                packed.data() + first * outputs,
                grads.data() + first * item.tiles() + k * image_tiles * width, grad_step);
            first += width;
          }
        }
        const FilterLanes product{.filters = c.filters,
                                  .count = c.channels,
                                  .at = offsets.data(),
                                  .place = in_order.data(),
                                  .length = item.tiles(),
                                  .step = in_order.data(),
                                  .row = in_order.data(),
                                  .packed_rows = item.tiles(),
                                  .packed_sums = c.channels};
        for (std::int64_t e = 0; e < places; ++e) {
          filter_lanes<T>().multiply(product, tiles.data() + e * in_step,
                                     grads.data() + e * grad_step, nullptr,
                                     sums.data() + e * sum_step);
        }
      }
      for (std::int64_t e = 0; e < places; ++e) {
        filter_lanes<T>().unpack(c.filters, c.channels, sums.data() + e * sum_step, false,
                                 transformed.data() + e * matrix, c.channels);
      }
      winograd_transforms<T>().weights_grad(matrix, transformed.data(),
                                            partial + group * matrix * 9);
    }
  });
  add_partial_sums(plan.parts, g.weight_size(), partials.data());
  std::copy_n(partials.data(), g.weight_size(), dw);
}

template WinogradItems winograd_items<float>(const Conv2dGeometry&);
template WinogradItems winograd_items<double>(const Conv2dGeometry&);
template void winograd_forward(const Conv2dGeometry&, const float*, const float*,
                               const Epilogue<float>&, float*);
template void winograd_input_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void winograd_weight_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void winograd_forward(const Conv2dGeometry&, const double*, const double*,
                               const Epilogue<double>&, double*);
template void winograd_input_grad(const Conv2dGeometry&, const double*, const double*, double*);
template void winograd_weight_grad(const Conv2dGeometry&, const double*, const double*, double*);

}  // namespace gradus::kernels
