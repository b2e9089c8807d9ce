// How an implicit GEMM (implicit_gemm.h) cuts an image into tiles, and the products of a tile. What
// is cut where depends on the geometry, the type and the kind of CPU alone.
//
// A tile is some rows of an image; where an image is a single small tile, several images make one
// item of work, so that weights are fetched once for all of them. T is float or double.
#pragma once

#include <cstdint>
#include <vector>

#include <gradus/core/kernels/conv2d/algorithm.h>
#include <gradus/core/kernels/conv2d/geometry.h>
#include <gradus/core/kernels/conv2d/patch.h>
#include <gradus/core/kernels/conv2d/tap_product.h>

namespace gradus::kernels {

/// Whether the zero-padded images that the tiles read are in proportion to the images themselves.
/// With a padding, a dilation or a stride that is far larger than the image they would be nearly
/// all zeros, or larger than memory.
bool patches_in_proportion(const Conv2dGeometry& g);

/// Tiles of the output.
template <class T> class ForwardTiles {
 public:
  /// The lanes that the outputs of this geometry are computed in.
  static Lanes best_lanes(const Conv2dGeometry& g);

  /// The weight gradient reads what the forward pass reads, but multiplies by itself.
  ForwardTiles(const Conv2dGeometry& g, Lanes lanes, Conv2dPass pass = Conv2dPass::forward);

  std::int64_t count() const;                                     ///< of tiles, for each image
  std::int64_t images() const { return product_.size().images; }  ///< of an item of work
  std::int64_t first_row(std::int64_t tile) const { return tile * rows_; }
  std::int64_t rows(std::int64_t tile) const;
  std::int64_t work() const;  ///< of an item, in multiply-adds

  /// The product of a whole item.
  const TapProduct<T>& product() const { return product_; }

  /// Whether the image needs no copy: vectors of filters mind no stride, only padding.
  bool in_place() const { return in_place_; }
  std::int64_t patch_size() const { return in_place_ ? 0 : layout_.size(g_.group_in_channels()); }

  /// From one image's patch, or from one image, to the next one's.
  std::int64_t image_step() const {
    return in_place_ ? g_.in_channels * g_.in_plane() : patch_size();
  }

  /// Neighbouring groups of an image whose patches are worth filling at once, group_step() apart:
  /// those of a channel or two are too small to be filled one by one.
  std::int64_t groups_together() const;
  std::int64_t group_step() const { return g_.group_in_channels() * layout_.channel(); }

  /// What the product reads of `images` images, of one group [channels of a group, H, W] each: a
  /// part of them, or `patches`, filled. Of one image it may be several groups.
  const T* read(const T* image, std::int64_t images, std::int64_t tile, T* patches,
                std::int64_t groups = 1) const;

 private:
  std::int64_t row_work() const;
  Patch<T> patch(std::int64_t rows, Lanes lanes) const;

  Conv2dGeometry g_;
  bool in_place_;
  std::int64_t rows_;  // of output, of a tile
  Patch<T> layout_;
  TapProduct<T> product_;
};

/// Tiles of the input gradient. Pixel (h, w) is reached by the taps (i, j) for which h + padding −
/// i·dilation is a multiple of the stride, and so is its neighbour `stride` further on: the pixels
/// are sorted into phases by their remainder, and each phase is a product of the taps that reach it
/// with dy,
///
///   dx[q·stride + r] = Σ_i w[i]·dy[q − i'],   i·dilation = i'·stride + r
///
/// (padding left out), whose channels are the filters of the convolution, and the other way round.
/// A tile is some rows of q. Only phases that a tap reaches are there.
template <class T> class InputTiles {
 public:
  explicit InputTiles(const Conv2dGeometry& g);

  std::int64_t count() const;                      ///< of tiles, for each image
  std::int64_t images() const { return images_; }  ///< of an item of work
  std::int64_t work() const;                       ///< of an item, in multiply-adds

  /// Whether a pixel may be reached by no tap: then dx must be cleared first.
  bool leaves_gaps() const { return leaves_gaps_; }

  /// Of the weights of a group, for all phases.
  std::int64_t weight_size() const { return weight_size_; }
  /// w [filters, channels, kh, kw] of a group -> weights, as the products read them.
  void pack(const T* w, T* weights) const;

  std::int64_t patch_size() const { return in_place_ ? 0 : layout_.size(g_.group_out_channels()); }
  std::int64_t pixels_size() const;
  /// The pixels of a tile of `images` images, of one group [channels of a group, H, W] each, from
  /// dy, [filters of a group, OH, OW] each. patches and pixels are scratch memory, of those sizes
  /// for each image.
  void compute(std::int64_t tile, std::int64_t images, const T* dy, const T* weights, T* patches,
               T* pixels, T* image) const;

  struct Phase {
    std::int64_t row = 0, column = 0;    ///< of the phase's first pixel in the image
    std::int64_t rows = 0, columns = 0;  ///< pixels: (row + k·stride_h, column + l·stride_w)
    std::int64_t first_q = 0,
                 left_q = 0;           ///< (row + padding)/stride, the dy that pixel begins with
    std::vector<std::int64_t> taps{};  ///< i·kw + j of those that reach it
    TapProduct<T> product{};
    std::int64_t weights_at = 0;  ///< where its weights are among those of all phases
  };
  const std::vector<Phase>& phases() const { return phases_; }

 private:
  std::int64_t row_work() const;
  bool is_dense() const { return g_.stride_h == 1 && g_.stride_w == 1; }
  Patch<T> patch(std::int64_t rows) const;
  void find_phases();
  TapProductSize product_size(const Phase& phase) const;
  void plan_products();
  void compute_phases(std::size_t first, std::size_t last, std::int64_t tile_q, std::int64_t images,
                      const T* read, const T* weights, T* pixels, T* image) const;

  Conv2dGeometry g_;
  // The patch of dy reaches back by as much as the last tap: dy[q - reach .. q].
  std::int64_t reach_h_, reach_w_;
  std::int64_t first_q_, left_q_;  // the least of all phases
  std::int64_t q_rows_, q_columns_;
  std::int64_t rows_;        // of q, of a tile
  std::int64_t images_ = 1;  // of an item
  bool in_place_;            // dy is read without a copy
  Patch<T> layout_;
  std::vector<Phase> phases_;  // by row, then by column
  bool leaves_gaps_ = false;
  std::int64_t weight_size_ = 0;
};

}  // namespace gradus::kernels
