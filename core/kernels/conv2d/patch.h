// The zero-padded part of an image that a tile of outputs reads, laid out so that neither a border
// nor a stride is left to look after.
//
// Rows and columns with the same remainder of a division by the stride lie together, in a phase:
//
//   patch[c, h % stride_h, w % stride_w, h / stride_h, w / stride_w] = image[c, top + h, left + w]
//
// so that the windows of neighbouring outputs start one element apart, and those of one output row
// row_step() further than those of the row above, whatever the stride. With stride 2:
//
//   image row  a b c d e f g      phase 0  a c e g
//                                 phase 1  b d f
//
// T is float or double: a channel is a number of whole cache lines.
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// Where a patch lies in the image: its corner, negative inside the padding. The same of several
/// images at once.
struct PatchView {
  std::int64_t image_height = 0;
  std::int64_t image_width = 0;
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t images = 1;
  std::int64_t image_step = 0;  ///< elements from one image to the next
};

/// All that filling a patch needs to know.
struct PatchFill {
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t phases_h = 1, phases_w = 1;
  std::int64_t phase_rows = 0, phase_columns = 0;
  std::int64_t channel = 0;  ///< elements from one channel to the next
  PatchView view = {};
};

template <class T> class Patch {
 public:
  /// The layout of a patch of rows x columns. Phases that no tap reads (only the first is read by a
  /// kernel of size 1) need not be there.
  struct Size {
    std::int64_t rows;
    std::int64_t columns;
    std::int64_t stride_h = 1;
    std::int64_t stride_w = 1;
    bool all_rows = true;     ///< false: only rows at multiples of stride_h
    bool all_columns = true;  ///< likewise
  };
  explicit Patch(const Size& size);

  /// The layout of an image [channels, H, W] itself, where no padding is needed.
  static Patch image(std::int64_t height, std::int64_t width);

  /// Elements from one channel to the next: a multiple of a cache line, but never of a large power
  /// of two, which would put all channels into the same few lines of the cache.
  std::int64_t channel() const { return fill_.channel; }
  std::int64_t row_step() const { return fill_.phase_columns; }
  /// Elements of `channels` channels, with room for vectors that reach beyond the last output.
  std::int64_t size(std::int64_t channels) const;
  /// Where (h, w) stands in a channel.
  std::int64_t at(std::int64_t h, std::int64_t w) const {
    const std::int64_t phase = h % fill_.stride_h * fill_.phases_w + w % fill_.stride_w;
    return (phase * fill_.phase_rows + h / fill_.stride_h) * fill_.phase_columns +
           w / fill_.stride_w;
  }

  /// images [channels, H, W] -> patches, one behind the other, every element of them (zeros outside
  /// of the image).
  /// Highway's vectors, chosen at run time: rows of small images are too short for memcpy.
  void fill(const PatchView& view, std::int64_t channels, const T* images, T* patches) const;

 private:
  Patch() = default;

  PatchFill fill_;
};

/// The way back for an image that was computed phase by phase: rows of pixels, every stride-th of
/// which comes from the same phase.
struct PhaseRows {
  std::int64_t planes = 0, rows = 0;
  std::int64_t stride = 1;                    ///< from one pixel of a phase to the next
  std::int64_t plane_step = 0, row_step = 0;  ///< of the image
};

/// One phase of such rows: first pixel, and how many in each row.
template <class T> struct RowPhase {
  std::int64_t first = 0;
  std::int64_t columns = 0;
  const T* pixels = nullptr;  ///< [planes, rows, columns], rows dense
  std::int64_t plane = 0;     ///< elements from one plane to the next
};

template <class T> struct PatchCopies {
  /// What Patch::fill does.
  void (*fill)(const PatchFill& p, std::int64_t channels, const T* images, T* patch);

  /// image[plane, row, first + k·stride] = pixels[plane, row, k] for each of the phases; other
  /// pixels are left as they are.
  void (*interleave)(const PhaseRows& rows, std::int64_t phases, const RowPhase<T>* phase,
                     T* image);
};

/// The copies for the vectors in use.
template <class T> const PatchCopies<T>& patch_copies();

}  // namespace gradus::kernels
