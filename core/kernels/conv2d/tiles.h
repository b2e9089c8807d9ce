// How the implicit convolutions (conv2d_implicit.h) cut an image into tiles, and the products of a
// tile. What is cut where depends on the geometry and the kind of CPU alone.
#pragma once

#include <cstdint>
#include <vector>

#include <gradus/core/kernels/conv2d/geometry.h>
#include <gradus/core/kernels/conv2d/patch.h>
#include <gradus/core/kernels/conv2d/tap_product.h>

namespace gradus::kernels {

/// Tiles of the output: some rows of an image each.
class ForwardTiles {
 public:
  /// The lanes that the outputs of this geometry are computed in.
  static Lanes best_lanes(const Conv2dGeometry& g);

  /// `g` must live as long.
  ForwardTiles(const Conv2dGeometry& g, Lanes lanes);
  ForwardTiles(const ForwardTiles&) = delete;  // the product points into the object
  ForwardTiles& operator=(const ForwardTiles&) = delete;

  /// Of an image.
  std::int64_t count() const;
  /// How many images make an item of work: several where each is a single small tile, so that
  /// weights are fetched once for all of them.
  std::int64_t images() const { return product_.images; }
  std::int64_t first_row(std::int64_t tile) const { return tile * rows_; }
  std::int64_t work() const { return row_work() * rows_ * images(); }  ///< multiply-adds of an item

  /// The product of a whole item.
  const TapProduct& product() const { return product_; }
  /// That of the last tile, which may have fewer rows, and of fewer images.
  TapProduct product(std::int64_t tile, std::int64_t images) const;

  /// Whether the image needs no copy: vectors of filters mind no stride, only padding.
  bool in_place() const { return in_place_; }
  std::int64_t patch_size() const { return in_place_ ? 0 : layout_.size(g_.group_in_channels()); }

  /// From one image's patch, or from one image, to the next one's.
  std::int64_t image_step() const {
    return in_place_ ? g_.in_channels * g_.in_plane() : patch_size();
  }

  /// What the product reads of `images` images, of one group [channels of a group, H, W] each: a
  /// part of them, or `patches`, filled.
  const float* read(const float* image, std::int64_t images, std::int64_t tile,
                    float* patches) const;

 private:
  std::int64_t row_work() const;
  Patch patch(std::int64_t rows, Lanes lanes) const;

  const Conv2dGeometry& g_;
  bool in_place_;
  std::int64_t rows_;  // of output, of a tile
  Patch layout_;
  std::vector<std::int64_t> offsets_;
  std::vector<std::int64_t> windows_;
  TapProduct product_;
};

/// Tiles of the input gradient. Pixel (h, w) is reached by the taps (i, j) for which h + padding −
/// i·dilation is a multiple of the stride, and so is its neighbour `stride` further on: the pixels
/// are sorted into phases by their remainder, and each phase is a product of the taps that reach it
/// with dy,
///
///   dx[q·stride + r] = Σ_i w[i]·dy[q − i'],   i·dilation = i'·stride + r
///
/// (padding left out), whose channels are the filters of the convolution, and the other way round.
/// A tile is some rows of q.
class InputTiles {
 public:
  /// `g` must live as long.
  explicit InputTiles(const Conv2dGeometry& g);

  /// Of an image.
  std::int64_t count() const;
  /// How many images make an item of work.
  std::int64_t images() const { return images_; }
  std::int64_t work() const;  ///< multiply-adds of an item

  /// Whether a pixel may be reached by no tap: then dx must be cleared first.
  bool leaves_gaps() const;

  /// Of the weights of a group, for all phases.
  std::int64_t packed_size() const { return packed_size_; }
  /// w [filters, channels, kh, kw] of a group -> packed.
  void pack(const float* w, float* packed) const;

  std::int64_t patch_size() const { return in_place_ ? 0 : layout_.size(g_.group_out_channels()); }
  std::int64_t pixels_size() const;
  /// The pixels of a tile of `images` images, of one group [channels of a group, H, W] each, from
  /// dy, [filters of a group, OH, OW] each. patches and pixels are scratch memory, of those sizes
  /// for each image.
  void compute(std::int64_t tile, std::int64_t images, const float* dy, const float* packed,
               float* patches, float* pixels, float* image) const;

 private:
  struct Phase {
    std::int64_t row, column;        // of the phase's first pixel in the image
    std::int64_t rows, columns;      // pixels: (row + k·stride_h, column + l·stride_w)
    std::int64_t first_q, left_q;    // (row + padding)/stride, the dy that pixel begins with
    std::vector<std::int64_t> taps;  // i·kw + j of those that reach it
    std::vector<std::int64_t> offsets;
    std::vector<std::int64_t> windows;
    TapProduct product;
    std::int64_t packed_at;  // where its weights are among the packed ones
  };

  std::int64_t row_work() const;
  Patch patch(std::int64_t rows) const;
  void add_phase(std::int64_t phase_h, std::int64_t phase_w);
  void plan_product(Phase& phase);
  void plan_images();

  const Conv2dGeometry& g_;
  // The patch of dy reaches back by as much as the last tap: dy[q - reach .. q].
  std::int64_t reach_h_, reach_w_;
  std::int64_t first_q_, left_q_;  // the least of all phases
  std::int64_t q_rows_, q_columns_;
  std::int64_t rows_;        // of q, of a tile
  std::int64_t images_ = 1;  // of an item
  bool in_place_;            // dy is read without a copy
  Patch layout_;
  std::vector<Phase> phases_;
  std::int64_t packed_size_ = 0;
};

}  // namespace gradus::kernels
