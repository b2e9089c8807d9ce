// Winograd's minimal filtering F(4x4, 3x3): the transforms, in the widest vectors of the CPU.
//
// An output tile of 4x4 is computed from an input tile of 6x6 with 36 products where the direct sum
// takes 144.
//
//   y = Aᵀ[(G g Gᵀ) ∘ (Bᵀ d B)]A          g the kernel [3,3], d the input tile, y the output tile
//
// Summed over channels, the products of one place of the 36 are a matrix product, over all tiles.
// The three matrices come from polynomials that are multiplied by their values at the points
// 0, ±1, ±2 and ∞. Source: A. Lavin, S. Gray, "Fast algorithms for convolutional neural
// networks", CVPR 2016. The numbers in Bᵀ and Aᵀ, up to 5 and 8, cost accuracy. Each output is
// within
//
//   (C + 32)·eps·|Aᵀ|[Σ_c (|G||g||Gᵀ|) ∘ (|Bᵀ||d||B|)]|A|
//
// of the exact sum over C channels: C additions, and not more than 32 roundings on the way through
// the transforms.
//
// T is float or double. The adjoint for the weights uses the same matrices transposed: dg = Gᵀ[(A dy Aᵀ) ∘ (Bᵀ d B)]G.
#pragma once

#include <cstdint>

namespace gradus::kernels {

constexpr std::int64_t winograd_output_side = 4;
constexpr std::int64_t winograd_input_side = winograd_output_side + 2;
/// The number of matrix products.
constexpr std::int64_t winograd_places = winograd_input_side * winograd_input_side;

/// Some rows of tiles of an image.
struct TileGrid {
  std::int64_t rows = 0;     ///< of tiles
  std::int64_t columns = 0;  ///< of tiles
};

/// Where the first tile lies in an image of one channel; outside of it are zeros.
struct TileView {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t top = 0;
  std::int64_t left = 0;
};

template <class T> struct WinogradTransforms {
  /// Elements of scratch memory that `input` needs.
  std::int64_t (*scratch)(const TileGrid& grid);

  /// Bᵀ d B of all tiles of one channel: tile t's place e goes to transformed[e·place_step + t].
  void (*input)(const TileGrid& grid, const TileView& view, const T* image, T* scratch,
                T* transformed, std::int64_t place_step);

  /// Aᵀ M A of all tiles of one filter, plus bias, then max(·, 0) with `relu`: written to the rows
  /// and columns of `output` that lie inside the view.
  void (*output)(const TileGrid& grid, const TileView& view, const T* products,
                 std::int64_t place_step, T bias, bool relu, T* output);

  /// A dy Aᵀ, the adjoint of `output`, for one panel of filters: packed [height, width, panel] as
  /// filter_lanes.h packs it; tile t's place e goes to transformed[e·place_step + t·panel ...].
  void (*output_grad)(const TileGrid& grid, const TileView& view, std::int64_t panel,
                      const T* packed, T* transformed, std::int64_t place_step);

  /// G g Gᵀ of `count` kernels: kernels [count,3,3] -> transformed [36,count].
  void (*weights)(std::int64_t count, const T* kernels, T* transformed);

  /// Gᵀ u G, the adjoint of `weights`: transformed [36,count] -> kernels [count,3,3].
  void (*weights_grad)(std::int64_t count, const T* transformed, T* kernels);
};

/// The transforms for the vectors in use.
template <class T> const WinogradTransforms<T>& winograd_transforms();

}  // namespace gradus::kernels
