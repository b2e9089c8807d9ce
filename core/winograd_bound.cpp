// The transforms are products with |Bᵀ|⊗|Bᵀ| and its like: all tiles of all images at once, so that
// the bound costs about what the convolution does.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/rounding.h>
#include <gradus/core/winograd_bound.h>

#include <algorithm>

namespace gradus {
namespace {

constexpr std::int64_t out_side = 4;            // m, of an output tile
constexpr std::int64_t in_side = out_side + 2;  // n, of an input tile

/// The matrices of F(4x4, 3x3), without signs. A. Lavin, S. Gray, "Fast algorithms for convolutional
/// neural networks", CVPR 2016.
struct Magnitudes {
  Tensor b = Tensor::from({{4, 0, 5, 0, 1, 0},
                           {0, 4, 4, 1, 1, 0},
                           {0, 4, 4, 1, 1, 0},
                           {0, 2, 1, 2, 1, 0},
                           {0, 2, 1, 2, 1, 0},
                           {0, 4, 0, 5, 0, 1}},
                          float64);  // |Bᵀ| [n,n]
  Tensor g = Tensor::from({{1. / 4, 0, 0},
                           {1. / 6, 1. / 6, 1. / 6},
                           {1. / 6, 1. / 6, 1. / 6},
                           {1. / 24, 1. / 12, 1. / 6},
                           {1. / 24, 1. / 12, 1. / 6},
                           {0, 0, 1}},
                          float64);  // |G| [n,3]
  Tensor a =
      Tensor::from({{1, 1, 1, 1, 1, 0}, {0, 1, 1, 2, 2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, 1, 8, 8, 1}},
                   float64);  // |Aᵀ| [m,n]
};

/// M⊗M: [r,c] -> [r·r,c·c], so that (M X Mᵀ) laid flat is (M⊗M)·(X laid flat).
Tensor on_both_sides(const Tensor& matrix) {
  const std::int64_t r = matrix.size(0);
  const std::int64_t c = matrix.size(1);
  return core::mul(matrix.reshape({r, 1, c, 1}), matrix.reshape({1, r, 1, c}))
      .reshape({r * r, c * c});
}

/// x[.., top.. , left..] of size [height,width], zeros outside.
Tensor window(const Tensor& x, std::int64_t top, std::int64_t left, std::int64_t height,
              std::int64_t width) {
  const Tensor out = zeros({x.size(0), x.size(1), height, width}, float64);
  const std::int64_t first_row = std::max<std::int64_t>(top, 0);
  const std::int64_t first_column = std::max<std::int64_t>(left, 0);
  const std::int64_t rows = std::min(top + height, x.size(2)) - first_row;
  const std::int64_t columns = std::min(left + width, x.size(3)) - first_column;
  if (rows <= 0 || columns <= 0) return out;
  out.narrow(2, first_row - top, rows)
      .narrow(3, first_column - left, columns)
      .copy_(x.narrow(2, first_row, rows).narrow(3, first_column, columns));
  return out;
}

struct Grid {
  std::int64_t rows, columns;  // of tiles
};

/// |x| [N,C,H,W] -> [side², groups, C/groups, N·tiles]: tiles of `side`, `step` apart, the first at
/// (-padding).
Tensor tiles_of(const Tensor& x, std::int64_t side, std::int64_t step, const Grid& grid,
                Pair padding, std::int64_t groups) {
  const Tensor wide = window(core::abs(x), -padding.height, -padding.width,
                             (grid.rows - 1) * step + side, (grid.columns - 1) * step + side);
  std::vector<Tensor> places;
  for (std::int64_t i = 0; i < side; ++i) {
    for (std::int64_t j = 0; j < side; ++j) {
      const Tensor place = wide.slice(2, i, i + (grid.rows - 1) * step + 1, step)
                               .slice(3, j, j + (grid.columns - 1) * step + 1, step);
      places.push_back(place.permute({1, 0, 2, 3}));
    }
  }
  const std::int64_t images = x.size(0) * grid.rows * grid.columns;
  return core::stack(places, 0).reshape({side * side, groups, x.size(1) / groups, images});
}

/// matrix·x over the first dimension.
Tensor transformed(const Tensor& matrix, const Tensor& x) {
  Shape shape = x.shape();
  const std::int64_t rest = x.numel() / shape[0];
  shape[0] = matrix.size(0);
  return core::matmul(matrix, x.reshape({x.size(0), rest})).reshape(shape);
}

/// Of x [N,C,H,W] with w [O,C/groups,3,3], to [N,O,height,width]; without the factor.
Tensor correlation(const Magnitudes& f, const Tensor& x, const Tensor& w, const Shape& result,
                   Pair padding, std::int64_t groups) {
  const Grid grid{(result[2] + out_side - 1) / out_side, (result[3] + out_side - 1) / out_side};
  const Tensor v =
      transformed(on_both_sides(f.b), tiles_of(x, in_side, out_side, grid, padding, groups));
  const std::int64_t filters = w.size(0) / groups;
  const Tensor taps = core::abs(w).reshape({w.size(0) * w.size(1), 9}).transpose(0, 1);
  const Tensor u = transformed(on_both_sides(f.g), taps.contiguous())
                       .reshape({in_side * in_side, groups, filters, w.size(1)});
  const Tensor y = transformed(on_both_sides(f.a), core::matmul(u, v));  // [m²,groups,O/groups,N·T]
  const Tensor placed =
      y.reshape({out_side, out_side, w.size(0), x.size(0), grid.rows, grid.columns})
          .permute({3, 2, 4, 0, 5, 1})
          .reshape({x.size(0), w.size(0), grid.rows * out_side, grid.columns * out_side});
  return placed.narrow(2, 0, result[2]).narrow(3, 0, result[3]).contiguous();
}

/// w [O,C/groups,3,3] for the way back: [C,O/groups,3,3], turned by 180 degrees.
Tensor turned(const Tensor& w, std::int64_t groups) {
  const std::int64_t filters = w.size(0) / groups;
  const Tensor swapped = w.reshape({groups, filters, w.size(1), 3, 3})
                             .permute({0, 2, 1, 3, 4})
                             .reshape({groups * w.size(1), filters, 3, 3});
  const Tensor back = Tensor::from({2, 1, 0});
  return core::index_select(core::index_select(swapped, 2, back), 3, back);
}

}  // namespace

Tensor winograd_bound(Conv2dPass pass, const Tensor& first, const Tensor& second,
                      const Shape& result, const Conv2dOptions& options) {
  constexpr double eps = 2 * unit_roundoff;
  constexpr std::int64_t transform_roundings = 32;
  const Magnitudes f;
  const std::int64_t groups = options.groups;
  const auto scaled = [&](const Tensor& sums, std::int64_t terms) {
    return core::mul(sums, static_cast<double>(terms + transform_roundings) * eps);
  };
  if (pass == Conv2dPass::forward) {
    return scaled(correlation(f, first, second, result, options.padding, groups), second.size(1));
  }
  if (pass == Conv2dPass::input_grad) {
    const Pair padding{2 - options.padding.height, 2 - options.padding.width};
    return scaled(correlation(f, first, turned(second, groups), result, padding, groups),
                  second.size(0) / groups);
  }
  const Grid grid{(first.size(2) + out_side - 1) / out_side,
                  (first.size(3) + out_side - 1) / out_side};
  const Tensor u = transformed(on_both_sides(f.a.transpose().contiguous()),
                               tiles_of(first, out_side, out_side, grid, 0, groups));
  const Tensor v = transformed(on_both_sides(f.b),
                               tiles_of(second, in_side, out_side, grid, options.padding, groups));
  const Tensor sums = core::matmul(u, v.transpose(-2, -1));  // [n²,groups,O/groups,C/groups]
  const Tensor dw = transformed(on_both_sides(f.g.transpose().contiguous()), sums);
  return scaled(dw.reshape({9, result[0] * result[1]}).transpose(0, 1).reshape(result).contiguous(),
                first.size(0) * grid.rows * grid.columns);
}

}  // namespace gradus
