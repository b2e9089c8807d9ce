// The two linear maps of convolution by GEMM: windows of an image laid out as columns, and the
// adjoint of that.
//
//   gather:   columns[(c,j), h, ow]  = patch[c, h, ow·stride_w + j·dilation_w]
//   scatter:  patch[c, h, ow·stride_w + j·dilation_w] += columns[(c,j), h, ow]
//
// The columns hold a window's width only. Its height needs no copies: what kernel row i reads is
// what kernel row 0 reads, i·dilation_h rows further down, so the matrix [channels·kw, rows·OW] of
// each kernel row starts at another place in the same memory (M. Cho, D. Brand, "MEC:
// memory-efficient convolution for deep neural network", ICML 2017). With a stride the rows that
// one kernel row reads must still be neighbours: h is stored by h mod stride_h first, then by
// h / stride_h.
//
// A patch is the part of the zero-padded image that a tile of output rows reads, copied out first:
// after that no loop has a border to look after, and every row of the columns is a plain copy.
// Without padding the image is its own patch.
#pragma once

#include <cstdint>

#include <gradus/core/kernels/conv2d/geometry.h>

namespace gradus::kernels {

/// A range of output rows.
struct RowTile {
  std::int64_t first;
  std::int64_t count;
};

/// Images of one channel each, somewhere in memory: a patch, or the image itself.
template <class T> struct Planes {
  T* data;
  std::int64_t row;    // elements from one row to the next
  std::int64_t plane;  // and from one channel to the next
};

constexpr bool is_padded(const Conv2dGeometry& g) { return g.padding_h != 0 || g.padding_w != 0; }

/// Rows and columns of the padded image that `output_rows` rows of output read.
constexpr std::int64_t patch_height(const Conv2dGeometry& g, std::int64_t output_rows) {
  return (output_rows - 1) * g.stride_h + g.dilation_h * (g.kernel_h - 1) + 1;
}
constexpr std::int64_t patch_width(const Conv2dGeometry& g) {
  return (g.out_width() - 1) * g.stride_w + g.dilation_w * (g.kernel_w - 1) + 1;
}

/// Columns of a tile of `output_rows`: [channels·kw, stride_h, column_rows, OW].
constexpr std::int64_t column_rows(const Conv2dGeometry& g, std::int64_t output_rows) {
  return (patch_height(g, output_rows) + g.stride_h - 1) / g.stride_h;
}
/// The distance of two rows of that, and so the leading dimension for GEMM.
constexpr std::int64_t column_size(const Conv2dGeometry& g, std::int64_t output_rows) {
  return g.stride_h * column_rows(g, output_rows) * g.out_width();
}
/// Where the matrix [channels·kw, output_rows·OW] of a kernel row starts.
constexpr std::int64_t column_start(const Conv2dGeometry& g, std::int64_t output_rows,
                                    std::int64_t kernel_row) {
  const std::int64_t h = kernel_row * g.dilation_h;
  return (h % g.stride_h * column_rows(g, output_rows) + h / g.stride_h) * g.out_width();
}

/// The patch under a tile, zeros where it leaves the image: x itself, or written to `patch`.
/// x [channels,H,W], patch [channels,patch_height(tile.count),patch_width].
template <class T>
Planes<const T> read_patch(const Conv2dGeometry& g, std::int64_t channels, RowTile tile, const T* x,
                           T* patch);

/// Zeros, the patch of a whole image: x itself, or `patch` [channels,patch_height(OH),patch_width].
template <class T>
Planes<T> clear_patch(const Conv2dGeometry& g, std::int64_t channels, T* x, T* patch);

/// Finishes what clear_patch began: the part of `patch` that is image goes to x; elements that no
/// window reads become zero.
template <class T>
void write_patch(const Conv2dGeometry& g, std::int64_t channels, const T* patch, T* x);

/// The patch of a tile of `rows` output rows -> columns [channels·kw, column_size(rows)].
template <class T>
void gather_columns(const Conv2dGeometry& g, std::int64_t channels, std::int64_t rows,
                    Planes<const T> patch, T* columns);

/// The adjoint: columns [channels·kw, column_size(tile.count)] are added to the patch of the whole
/// image.
template <class T>
void scatter_columns(const Conv2dGeometry& g, std::int64_t channels, RowTile tile, const T* columns,
                     Planes<T> patch);

}  // namespace gradus::kernels
