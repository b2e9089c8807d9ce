// Winograd's minimal filtering for 3x3 kernels: the transforms, in the widest vectors of the CPU.
//
// An output tile of m x m is computed from an input tile of n x n, n = m + 2, with n² products
// where the direct sum takes 9m²: 36 for 144 with m = 4, 16 for 36 with m = 2.
//
//   y = Aᵀ[(G g Gᵀ) ∘ (Bᵀ d B)]A          g the kernel [3,3], d the input tile, y the output tile
//
// Summed over channels, the products of one place of the n² are a matrix product, over all tiles.
// The three matrices come from polynomials that are multiplied by their values at the points
// 0, ±1, (±2) and ∞. Source: A. Lavin, S. Gray, "Fast algorithms for convolutional neural
// networks", CVPR 2016. The numbers in Bᵀ and Aᵀ, up to 5 and 8, cost accuracy. Each output is
// within
//
//   (C + 32)·eps·|Aᵀ|[Σ_c (|G||g||Gᵀ|) ∘ (|Bᵀ||d||B|)]|A|
//
// of the exact sum over C channels: C additions, and not more than 32 roundings on the way through
// the transforms.
//
// The adjoint for the weights uses the same matrices transposed: dg = Gᵀ[(A dy Aᵀ) ∘ (Bᵀ d B)]G.
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// The side of an output tile.
enum class WinogradTile { two = 2, four = 4 };

constexpr std::int64_t output_side(WinogradTile tile) { return static_cast<std::int64_t>(tile); }
constexpr std::int64_t input_side(WinogradTile tile) { return output_side(tile) + 2; }
/// n², the number of matrix products.
constexpr std::int64_t winograd_places(WinogradTile tile) {
  return input_side(tile) * input_side(tile);
}

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

/// Floats of scratch memory that winograd_input needs.
std::int64_t winograd_scratch(WinogradTile tile, const TileGrid& grid);

/// Bᵀ d B of all tiles of one channel: tile t's place e goes to transformed[e·place_step + t].
void winograd_input(WinogradTile tile, const TileGrid& grid, const TileView& view,
                    const float* image, float* scratch, float* transformed,
                    std::int64_t place_step);

/// Aᵀ M A of all tiles of one filter, plus bias, then max(·, 0) with `relu`: written to the rows
/// and columns of `output` that lie inside the view.
void winograd_output(WinogradTile tile, const TileGrid& grid, const TileView& view,
                     const float* products, std::int64_t place_step, float bias, bool relu,
                     float* output);

/// G g Gᵀ of `count` kernels: kernels [count,3,3] -> transformed [n²,count].
void winograd_weights(WinogradTile tile, std::int64_t count, const float* kernels,
                      float* transformed);

/// A dy Aᵀ, the adjoint of winograd_output, for one block of filters: packed [height, width, block]
/// as pack_filters gives it; tile t's place e goes to transformed[e·place_step + t·block ...].
void winograd_output_grad(WinogradTile tile, const TileGrid& grid, const TileView& view,
                          std::int64_t block, const float* packed, float* transformed,
                          std::int64_t place_step);

/// Gᵀ u G, the adjoint of winograd_weights: transformed [n²,count] -> kernels [count,3,3].
void winograd_weights_grad(WinogradTile tile, std::int64_t count, const float* transformed,
                           float* kernels);

}  // namespace gradus::kernels
