// A tile of a convolution as a matrix product W·X whose right matrix is never written down.
//
// Row t of X, what tap t = (channel, i, j) meets at each output, is the image itself, read
// `offset[t]` further on:
//
//   output[f, row, column] =
//       bias[f] + Σ_t weight[f, t] · image[row·row_step + column·column_step + offset[t]]
//
// There are two ways to spread it over the lanes of vectors: along the outputs (output_lanes.h) or
// along the filters (filter_lanes.h). A vector of 16 outputs is badly filled by rows of 10, one of
// 16 filters by 6 of them. Both give the same bits.
//
// Where a tile is a whole image, taps that meet only the padding are left out: outputs are sorted
// into parts whose taps are the same. In an image of 4x4, a 3x3 kernel with padding 1 loses three
// tenths of its products that way.
#pragma once

#include <cstdint>
#include <vector>

#include <gradus/core/kernels/conv2d/output_lanes.h>
#include <gradus/core/kernels/epilogue.h>

namespace gradus::kernels {

enum class Lanes {
  outputs,  ///< needs column_step 1, and patch_slack elements behind the last window
  filters,
};

/// One axis of a product: at output o, tap k of the kernel meets position o·stride + shift[k] of the
/// input, which is inside from 0 to below `limit`. The taps of a product are those of the kernel,
/// once for each channel.
struct TapAxis {
  std::int64_t stride = 1;
  std::int64_t limit = 0;
  std::vector<std::int64_t> shift{};

  bool meets(std::int64_t output, std::size_t tap) const {
    const std::int64_t position = output * stride + shift[tap];
    return position >= 0 && position < limit;
  }
};

struct TapProductSize {
  std::int64_t rows = 0;         ///< of the output
  std::int64_t last_rows = 0;    ///< of the last tile of an image, which may have fewer
  std::int64_t columns = 0;      ///< of the output
  std::int64_t row_step = 0;     ///< elements from the window of one output row to that of the next
  std::int64_t column_step = 1;  ///< likewise of columns
  std::int64_t taps = 0;
  std::int64_t filters = 0;
  std::int64_t output_plane = 0;  ///< elements from one filter's output to the next one's
  // Small images, together: for Lanes::filters.
  std::int64_t images = 1;
  std::int64_t image_step = 0;   ///< elements from one image to the next one
  std::int64_t output_step = 0;  ///< likewise of the output
  std::int64_t uses = 1;         ///< how often it is multiplied: what planning may cost
};

/// The lanes that promise to be faster for a product of this size, from what is lost in each.
/// sorting: what it takes to bring windows one element apart, in multiply-adds.
template <class T> Lanes choose_lanes(const TapProductSize& size, std::int64_t sorting = 0);

template <class T> class TapProduct {
 public:
  /// Outputs whose taps are the same: some rows times, along filters, some columns.
  struct Part {
    std::int64_t first_row = 0, rows = 0;
    std::int64_t first_column = 0, columns = 0;
    std::vector<std::int64_t> taps{}, offsets{};    ///< which, and where they read
    std::vector<OutputVector> vectors{};            ///< Lanes::outputs
    std::vector<std::int64_t> windows{}, places{};  ///< Lanes::filters, of all images in order
  };

  TapProduct() = default;
  /// offsets [taps], elements. With the axes, taps that meet only padding are left out; these are
  /// for tiles that are whole images.
  TapProduct(const TapProductSize& size, Lanes lanes, std::vector<std::int64_t> offsets,
             const TapAxis& vertical = {}, const TapAxis& horizontal = {});

  const TapProductSize& size() const { return size_; }
  Lanes lanes() const { return lanes_; }
  const std::vector<std::int64_t>& offsets() const { return offsets_; }
  const std::vector<Part>& parts() const { return parts_; }

  /// Elements of the weights: [filters, taps], for Lanes::filters packed in panels.
  std::int64_t weight_size() const;

  /// The sum above, finished, for `rows` (all, or those of a last tile) of `images` images.
  /// output: rows are dense, so [filters, rows·columns] with planes output_plane apart.
  void multiply(std::int64_t rows, std::int64_t images, const T* image, const T* weight,
                const Epilogue<T>& epilogue, T* output) const;

 private:
  void plan_whole(std::int64_t rows, std::vector<Part>& parts) const;
  void plan_parts(const TapAxis& vertical, const TapAxis& horizontal);
  void plan_lanes(std::int64_t tile_rows, Part& part) const;
  void multiply_panels(const std::vector<Part>& parts, std::int64_t outputs, std::int64_t plane,
                       const T* image, const T* packed, const Epilogue<T>& epilogue,
                       T* output) const;
  void unpack_outputs(std::int64_t plane, std::int64_t filters, std::int64_t first,
                      std::int64_t count, const T* sums, bool relu, T* output) const;

  TapProductSize size_;
  Lanes lanes_ = Lanes::outputs;
  std::vector<std::int64_t> offsets_;
  std::vector<Part> parts_;
  std::vector<Part> last_;  // of a last tile with fewer rows
};

}  // namespace gradus::kernels
