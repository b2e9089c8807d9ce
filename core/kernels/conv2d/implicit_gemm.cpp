// Convolution by tap products. See implicit_gemm.h.
#include <gradus/core/kernels/conv2d/implicit_gemm.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include <gradus/core/detail/recent.h>
#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d/filter_lanes.h>
#include <gradus/core/kernels/conv2d/partial_sums.h>
#include <gradus/core/kernels/conv2d/pointwise.h>
#include <gradus/core/kernels/conv2d/shifted_dots.h>
#include <gradus/core/kernels/conv2d/tiles.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// Outputs that the sums for the weights run over, at least: each time the sums go to memory and
// back.
constexpr std::int64_t outputs_per_sum = 256;

// Below so many filters, most lanes of a vector of them would be empty.
constexpr std::int64_t few_filters = 12;

template <class T> void clear(std::int64_t size, T* values) {
  constexpr std::int64_t grain = 65536;
  parallel_for(size, grain, [&](std::int64_t begin, std::int64_t end) {
    std::fill(values + begin, values + end, T{0});
  });
}

/// Which images, which group and which tile an item of work is; the tiles of an image follow each
/// other, then its groups.
struct Item {
  std::int64_t image = 0, images = 0, group = 0, tile = 0;

  Item() = default;
  Item(std::int64_t index, const Conv2dGeometry& g, std::int64_t tiles,
       std::int64_t images_of_an_item)
      : image(index / tiles / g.groups * images_of_an_item),
        images(std::min(images_of_an_item, g.batch - image)),
        group(index / tiles % g.groups),
        tile(index % tiles) {}

  /// The number of this group among those of all images.
  std::int64_t image_group(const Conv2dGeometry& g) const { return image * g.groups + group; }
};

std::int64_t items(const Conv2dGeometry& g, std::int64_t tiles, std::int64_t images_of_an_item) {
  return ceil_div(g.batch, images_of_an_item) * g.groups * tiles;
}

/// The weight gradient's sums of one group over a few small images, or over a tile of one, in
/// vectors of filters: kept packed in panels.
template <class T> class SumsAlongFilters {
 public:
  static constexpr Lanes lanes = Lanes::filters;

  SumsAlongFilters(const Conv2dGeometry& g, const ForwardTiles<T>& tiles)
      : g_(g), tiles_(tiles), padded_(filter_lanes<T>().padded_filters(g.group_out_channels())) {
    const TapProductSize& size = tiles.product().size();
    for (std::int64_t row = 0; row < size.rows; ++row) {
      for (std::int64_t column = 0; column < size.columns; ++column)
        windows_.push_back(row * size.row_step + column * size.column_step);
    }
    in_order_.resize(std::max(windows_.size(), static_cast<std::size_t>(g.taps())));
    std::iota(in_order_.begin(), in_order_.end(), 0);
  }

  std::int64_t size() const { return padded_ * g_.taps(); }
  std::int64_t grad_size() const { return padded_ * tiles_.product().size().rows * g_.out_width(); }

  void add(std::int64_t rows, std::int64_t images, const T* x, const T* dy, T* grads,
           T* sums) const {
    const std::int64_t filters = g_.group_out_channels();
    const std::int64_t outputs = rows * g_.out_width();
    for (std::int64_t k = 0; k < images; ++k) {
      filter_lanes<T>().pack(filters, outputs, dy + k * g_.out_channels * g_.out_plane(),
                             g_.out_plane(), grads + k * grad_size(), outputs, 0);
    }
    filter_lanes<T>().multiply({.filters = filters,
                                .count = g_.taps(),
                                .at = tiles_.product().offsets().data(),
                                .place = in_order_.data(),
                                .run = g_.dilation_w == 1 ? run_of(g_.kernel_w) : 1,
                                .length = outputs,
                                .step = windows_.data(),
                                .row = in_order_.data(),
                                .images = images,
                                .image_step = tiles_.image_step(),
                                .rows_step = grad_size(),
                                .packed_rows = outputs,
                                .packed_sums = g_.taps()},
                               x, grads, nullptr, sums);
  }

  void write(const T* sums, T* dw) const {
    filter_lanes<T>().unpack(g_.group_out_channels(), g_.taps(), sums, false, dw, g_.taps());
  }

 private:
  const Conv2dGeometry& g_;
  const ForwardTiles<T>& tiles_;
  std::int64_t padded_;
  std::vector<std::int64_t> windows_, in_order_;
};

/// The same in vectors of outputs: kept as the weights are.
template <class T> class SumsAlongOutputs {
 public:
  static constexpr Lanes lanes = Lanes::outputs;

  SumsAlongOutputs(const Conv2dGeometry& g, const ForwardTiles<T>& tiles) : g_(g), tiles_(tiles) {}

  std::int64_t size() const { return g_.group_out_channels() * g_.taps(); }
  std::int64_t grad_size() const {
    return g_.group_out_channels() * line(tiles_.product().size().rows);
  }

  void add(std::int64_t rows, std::int64_t images, const T* x, const T* dy, T* grads,
           T* sums) const {
    const std::int64_t filters = g_.group_out_channels();
    for (std::int64_t k = 0; k < images; ++k) {
      shifted_dots<T>().spread_rows(
          filters, rows, g_.out_width(), dy + k * g_.out_channels * g_.out_plane(), g_.out_plane(),
          tiles_.product().size().row_step, line(rows), grads + k * filters * line(rows));
    }
    shifted_dots<T>().add({.filters = filters,
                           .taps = g_.taps(),
                           .offset = tiles_.product().offsets().data(),
                           .length = line(rows),
                           .images = images,
                           .image_step = tiles_.image_step()},
                          x, grads, sums);
  }

  void write(const T* sums, T* dw) const { std::copy_n(sums, size(), dw); }

 private:
  /// Of so many rows of outputs and the gaps between them.
  std::int64_t line(std::int64_t rows) const {
    const std::int64_t length = (rows - 1) * tiles_.product().size().row_step + g_.out_width();
    return ceil_div(length, line_multiple) * line_multiple;
  }

  const Conv2dGeometry& g_;
  const ForwardTiles<T>& tiles_;
};

template <class Sums, class T>
void weight_grad(const Conv2dGeometry& g, const T* x, const T* dy, T* dw) {
  const auto plan =
      gradus::detail::recent<ForwardTiles<T>>(g, Sums::lanes, Conv2dPass::weight_grad);
  const ForwardTiles<T>& tiles = *plan;
  const Sums kernel(g, tiles);
  // Small images are summed over together: the sums leave the registers less often.
  const std::int64_t together =
      tiles.count() > 1 ? 1 : std::max<std::int64_t>(1, outputs_per_sum / g.out_plane());
  const std::int64_t x_group = g.group_in_channels() * g.in_plane();
  const std::int64_t dy_group = g.group_out_channels() * g.out_plane();

  // A part: some images and tiles, of one group; its sums are kept apart and added in order.
  const PartialSums split = plan_partial_sums(g, g.batch * tiles.count(), sizeof(T));
  if (split.parts == 0) return clear(g.weight_size(), dw);
  Workspace<T> partials(split.parts * g.groups * kernel.size());
  const std::int64_t grain = items_per_chunk(tiles.work() * split.items_per_part);
  parallel_for(split.parts * g.groups, grain, [&](std::int64_t begin, std::int64_t end) {
    Workspace<T> patches(together * tiles.patch_size());
    Workspace<T> grads(together * kernel.grad_size());
    for (std::int64_t index = begin; index < end; ++index) {
      const std::int64_t group = index % g.groups;
      const std::int64_t from = index / g.groups * split.items_per_part;
      const std::int64_t to = std::min(from + split.items_per_part, g.batch * tiles.count());
      T* sums = partials.data() + index * kernel.size();
      std::fill_n(sums, kernel.size(), T{0});
      for (std::int64_t first = from; first < to; first += together) {  // (image, tile)
        const std::int64_t images = std::min(together, to - first);
        const std::int64_t tile = first % tiles.count();
        const std::int64_t image_group = first / tiles.count() * g.groups + group;
        const T* read = tiles.read(x + image_group * x_group, images, tile, patches.data());
        kernel.add(tiles.rows(tile), images, read,
                   dy + image_group * dy_group + tiles.first_row(tile) * g.out_width(),
                   grads.data(), sums);
      }
    }
  });
  add_partial_sums(split.parts, g.groups * kernel.size(), partials.data());
  for (std::int64_t group = 0; group < g.groups; ++group) {
    kernel.write(partials.data() + group * kernel.size(),
                 dw + group * g.group_out_channels() * g.taps());
  }
}

}  // namespace

template <class T>
void implicit_gemm_forward(const Conv2dGeometry& geometry, const T* x, const T* w,
                           const Epilogue<T>& epilogue, T* y) {
  const Conv2dGeometry g = in_one_line(geometry);
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const auto plan = gradus::detail::recent<ForwardTiles<T>>(g, ForwardTiles<T>::best_lanes(g));
  const ForwardTiles<T>& tiles = *plan;
  const TapProduct<T>& product = tiles.product();

  const bool packs = product.lanes() == Lanes::filters;
  Workspace<T> packed(packs ? g.groups * product.weight_size() : 0);
  for (std::int64_t group = 0; packs && group < g.groups; ++group) {
    filter_lanes<T>().pack(filters, g.taps(), w + group * filters * g.taps(), g.taps(),
                           packed.data() + group * product.weight_size(), g.taps(), 0);
  }
  const T* weights = packs ? packed.data() : w;
  const std::int64_t together = tiles.groups_together();
  parallel_for(items(g, tiles.count(), tiles.images()), items_per_chunk(tiles.work()),
               [&](std::int64_t begin, std::int64_t end) {
                 Workspace<T> patches(std::max(tiles.images(), together) * tiles.patch_size());
                 Item item;
                 const T* read = nullptr;
                 std::int64_t groups = 0;  // that have been read, from this one on
                 for (std::int64_t index = begin; index < end; ++index) {
                   if (groups == 0) {
                     item = Item(index, g, tiles.count(), tiles.images());
                     groups = std::min({together, end - index, g.groups - item.group});
                     read = tiles.read(x + item.image_group(g) * channels * g.in_plane(),
                                       item.images, item.tile, patches.data(), groups);
                   }
                   product.multiply(tiles.rows(item.tile), item.images, read,
                                    weights + item.group * product.weight_size(),
                                    epilogue.from(item.group * filters),
                                    y + item.image_group(g) * filters * g.out_plane() +
                                        tiles.first_row(item.tile) * g.out_width());
                   read += tiles.group_step();
                   ++item.group;
                   --groups;
                 }
               });
}

template <class T>
void implicit_gemm_input_grad(const Conv2dGeometry& geometry, const T* dy, const T* w, T* dx) {
  const Conv2dGeometry g = in_one_line(geometry);
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const auto plan = gradus::detail::recent<InputTiles<T>>(g);
  const InputTiles<T>& tiles = *plan;
  Workspace<T> weights(g.groups * tiles.weight_size());
  for (std::int64_t group = 0; group < g.groups; ++group)
    tiles.pack(w + group * filters * g.taps(), weights.data() + group * tiles.weight_size());
  if (tiles.leaves_gaps()) clear(g.input_size(), dx);
  parallel_for(items(g, tiles.count(), tiles.images()), items_per_chunk(tiles.work()),
               [&](std::int64_t begin, std::int64_t end) {
                 Workspace<T> patches(tiles.images() * tiles.patch_size());
                 Workspace<T> pixels(tiles.images() * tiles.pixels_size());
                 for (std::int64_t index = begin; index < end; ++index) {
                   const Item item(index, g, tiles.count(), tiles.images());
                   tiles.compute(item.tile, item.images,
                                 dy + item.image_group(g) * filters * g.out_plane(),
                                 weights.data() + item.group * tiles.weight_size(), patches.data(),
                                 pixels.data(), dx + item.image_group(g) * channels * g.in_plane());
                 }
               });
}

Conv2dGeometry in_one_line(const Conv2dGeometry& g) {
  constexpr std::int64_t small_plane = 1024;
  if (!pointwise_supports(g) || g.in_plane() > small_plane) return g;
  Conv2dGeometry line = g;
  line.in_height = 1;
  line.in_width = g.in_plane();
  return line;
}

Lanes weight_grad_lanes(const Conv2dGeometry& g) {
  return g.group_out_channels() < few_filters ? Lanes::outputs : Lanes::filters;
}

template <class T>
void implicit_gemm_weight_grad(const Conv2dGeometry& geometry, const T* x, const T* dy, T* dw) {
  const Conv2dGeometry g = in_one_line(geometry);
  if (weight_grad_lanes(g) == Lanes::outputs) return weight_grad<SumsAlongOutputs<T>>(g, x, dy, dw);
  weight_grad<SumsAlongFilters<T>>(g, x, dy, dw);
}

template void implicit_gemm_forward(const Conv2dGeometry&, const float*, const float*,
                                    const Epilogue<float>&, float*);
template void implicit_gemm_forward(const Conv2dGeometry&, const double*, const double*,
                                    const Epilogue<double>&, double*);
template void implicit_gemm_input_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void implicit_gemm_input_grad(const Conv2dGeometry&, const double*, const double*,
                                       double*);
template void implicit_gemm_weight_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void implicit_gemm_weight_grad(const Conv2dGeometry&, const double*, const double*,
                                        double*);

}  // namespace gradus::kernels
