// The two linear maps of convolution by GEMM: windows of an image laid out as columns, and the adjoint of that.
//
//   gather:   columns[(c,i,j), (r,ow)] = patch[c, r·stride_h + i·dilation_h, ow·stride_w + j·dilation_w]
//   scatter:  patch[c, r·stride_h + i·dilation_h, ow·stride_w + j·dilation_w] += columns[(c,i,j), (r,ow)]
//
// A patch is the part of the zero-padded image that a tile of output rows reads, copied out first: after that no loop
// has a border to look after, and every row of the columns is a plain copy.
#pragma once

#include <cstdint>

#include <gradus/core/kernels/conv2d_geometry.h>

namespace gradus::kernels {

/// A range of output rows.
struct RowTile {
  std::int64_t first;
  std::int64_t count;
};

/// Rows are copied in whole vectors: a patch and a columns buffer need this many elements beyond their size.
constexpr std::int64_t copy_slack = 16;

/// Rows and columns of the padded image that `output_rows` rows of output read.
constexpr std::int64_t patch_height(const Conv2dGeometry& g, std::int64_t output_rows) {
  return (output_rows - 1) * g.stride_h + g.dilation_h * (g.kernel_h - 1) + 1;
}
constexpr std::int64_t patch_width(const Conv2dGeometry& g) {
  return (g.out_width() - 1) * g.stride_w + g.dilation_w * (g.kernel_w - 1) + 1;
}

/// The patch under a tile, zeros where it leaves the image. x [channels,H,W] -> patch
/// [channels,patch_height,patch_width].
template <class T>
void copy_to_patch(const Conv2dGeometry& g, std::int64_t channels, RowTile tile, const T* x, T* patch);

/// The part of a whole image's patch that is image. patch [channels,patch_height,patch_width] -> x [channels,H,W];
/// elements that no window reads become zero.
template <class T>
void copy_from_patch(const Conv2dGeometry& g, std::int64_t channels, const T* patch, T* x);

/// patch [channels,patch_height(rows),patch_width] -> columns [channels·kh·kw, rows·OW].
template <class T>
void gather_columns(const Conv2dGeometry& g, std::int64_t channels, std::int64_t rows, const T* patch, T* columns);

/// The adjoint, into the patch of a whole image: columns [channels·kh·kw, tile.count·OW] are added to
/// patch [channels,patch_height(OH),patch_width].
template <class T>
void scatter_columns(const Conv2dGeometry& g, std::int64_t channels, RowTile tile, const T* columns, T* patch);

}  // namespace gradus::kernels
