// Compiled once for each kind of CPU, by Highway's including this file again; the last part only
// once. See winograd.h.
#include <gradus/core/kernels/conv2d/winograd_transforms.h>

#include <algorithm>

#include <gradus/core/kernels/conv2d/tap_product.h>

// Outside of the part that is compiled again and again.
#ifndef GRADUS_CORE_KERNELS_WINOGRAD_MATRICES
#define GRADUS_CORE_KERNELS_WINOGRAD_MATRICES
namespace gradus::kernels {

/// F(4x4, 3x3), from the points 0, 1, -1, 2, -2, ∞.
struct FourByFour {
  static constexpr int m = 4;
  static constexpr int n = 6;
  static constexpr float b_t[n][n] = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0},
                                      {0, 4, -4, -1, 1, 0}, {0, -2, -1, 2, 1, 0},
                                      {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
  static constexpr float g[n][3] = {
      {1.0F / 4, 0, 0},
      {-1.0F / 6, -1.0F / 6, -1.0F / 6},
      {-1.0F / 6, 1.0F / 6, -1.0F / 6},
      {1.0F / 24, 1.0F / 12, 1.0F / 6},
      {1.0F / 24, -1.0F / 12, 1.0F / 6},
      {0, 0, 1},
  };
  static constexpr float a_t[m][n] = {
      {1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}};
};

/// F(2x2, 3x3), from the points 0, 1, -1, ∞.
struct TwoByTwo {
  static constexpr int m = 2;
  static constexpr int n = 4;
  static constexpr float b_t[n][n] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
  static constexpr float g[n][3] = {{1, 0, 0}, {0.5F, 0.5F, 0.5F}, {0.5F, -0.5F, 0.5F}, {0, 0, 1}};
  static constexpr float a_t[m][n] = {{1, 1, 1, 0}, {0, 1, -1, -1}};
};

// The five matrices a transform may multiply with from both sides: [rows, columns].
template <class F> struct InputMatrix {  // Bᵀ
  static constexpr int rows = F::n, columns = F::n;
  static constexpr float at(int r, int c) { return F::b_t[r][c]; }
};
template <class F> struct OutputMatrix {  // Aᵀ
  static constexpr int rows = F::m, columns = F::n;
  static constexpr float at(int r, int c) { return F::a_t[r][c]; }
};
template <class F> struct OutputAdjoint {  // A
  static constexpr int rows = F::n, columns = F::m;
  static constexpr float at(int r, int c) { return F::a_t[c][r]; }
};
template <class F> struct WeightMatrix {  // G
  static constexpr int rows = F::n, columns = 3;
  static constexpr float at(int r, int c) { return F::g[r][c]; }
};
template <class F> struct WeightAdjoint {  // Gᵀ
  static constexpr int rows = 3, columns = F::n;
  static constexpr float at(int r, int c) { return F::g[c][r]; }
};

}  // namespace gradus::kernels
#endif

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/conv2d/winograd_transforms.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <gradus/core/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;
using Mask = hn::Mask<Floats>;
constexpr Floats floats;
constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(floats));

// ---- The one transform: M x Mᵀ ----

/// Σ_c M(row, c)·x[c·step]. The numbers are known to the compiler: a zero is no operation.
template <class M, int row, int c = 0>
HWY_INLINE Vector row_times(const Vector* x, int step, Vector sum = hn::Zero(floats),
                            bool started = false) {
  if constexpr (c == M::columns) {
    return sum;
  } else {
    constexpr float factor = M::at(row, c);
    if constexpr (factor != 0) {
      const Vector value = x[c * step];
      if constexpr (factor == 1) {
        sum = started ? hn::Add(sum, value) : value;
      } else if constexpr (factor == -1) {
        sum = started ? hn::Sub(sum, value) : hn::Neg(value);
      } else {
        const Vector scale = hn::Set(floats, factor);
        sum = started ? hn::MulAdd(scale, value, sum) : hn::Mul(scale, value);
      }
      started = true;
    }
    return row_times<M, row, c + 1>(x, step, sum, started);
  }
}

template <class M, int row = 0>
HWY_INLINE void column_times(const Vector* x, int x_step, Vector* y, int y_step) {
  if constexpr (row < M::rows) {
    y[row * y_step] = row_times<M, row>(x, x_step);
    column_times<M, row + 1>(x, x_step, y, y_step);
  }
}

/// y = M x Mᵀ for a vector of tiles: x [columns, columns], y [rows, rows].
template <class M> HWY_INLINE void sandwich(const Vector* x, Vector* y) {
  Vector half[M::rows * M::columns];
  for (int c = 0; c < M::columns; ++c) column_times<M>(x + c, M::columns, half + c, M::columns);
  for (int r = 0; r < M::rows; ++r) column_times<M>(half + r * M::columns, 1, y + r * M::rows, 1);
}

// ---- Input ----

/// The tiles' pixels, sorted by their place: phase (i, j) holds row i and column j, both mod m, of
/// all tiles; so place (i, j) of neighbouring tiles stands side by side. [m, m, rows + 1, step]
template <class F> struct Phases {
  std::int64_t step;   // from one row of tiles to the next: one more than there are tiles
  std::int64_t phase;  // from one phase to the next, with room for a vector too much
  explicit Phases(const TileGrid& grid)
      : step(grid.columns + 1), phase((grid.rows + 1) * step + 4) {}
  std::int64_t size() const { return F::m * F::m * phase; }
  std::int64_t line() const { return step * F::m + lanes; }
  std::int64_t at(int i, int j) const {
    return (i % F::m * F::m + j % F::m) * phase + i / F::m * step + j / F::m;
  }
};

/// line [quads·m] -> m rows, phase_step apart: to[j·phase_step + q] = line[q·m + j].
template <class F>
HWY_INLINE void deal(const float* line, std::int64_t quads, std::int64_t phase_step, float* to) {
  constexpr hn::CappedTag<float, 4> few;
  using Few = hn::Vec<decltype(few)>;
  for (std::int64_t q = 0; q < quads; q += static_cast<std::int64_t>(hn::Lanes(few))) {
    Few a, b, c, d;
    if constexpr (F::m == 4) {
      hn::LoadInterleaved4(few, line + 4 * q, a, b, c, d);
      hn::StoreU(c, few, to + 2 * phase_step + q);
      hn::StoreU(d, few, to + 3 * phase_step + q);
    } else {
      hn::LoadInterleaved2(few, line + 2 * q, a, b);
    }
    hn::StoreU(a, few, to + q);
    hn::StoreU(b, few, to + phase_step + q);
  }
}

template <class F>
void sort_pixels(const TileGrid& grid, const TileView& view, const float* image, float* line,
                 float* to) {
  const Phases<F> phases(grid);
  const std::int64_t columns = phases.step * F::m;
  const std::int64_t begin = std::clamp<std::int64_t>(-view.left, 0, columns);
  const std::int64_t end = std::clamp<std::int64_t>(view.width - view.left, begin, columns);
  simd::clear_row(phases.line(), line);
  for (std::int64_t h = 0; h < grid.rows * F::m + 2; ++h) {
    const std::int64_t row = view.top + h;
    float* out = to + h % F::m * F::m * phases.phase + h / F::m * phases.step;
    if (row < 0 || row >= view.height) {
      for (int j = 0; j < F::m; ++j) simd::clear_row(phases.step, out + j * phases.phase);
      continue;
    }
    const float* from = image + row * view.width + view.left;
    simd::copy_row(from + begin, end - begin, line + begin);
    deal<F>(line, phases.step, phases.phase, out);
  }
}

template <class F>
void input_tiles(const TileGrid& grid, const TileView& view, const float* image, float* scratch,
                 float* transformed, std::int64_t place_step) {
  const Phases<F> phases(grid);
  float* pixels = scratch + phases.line();
  sort_pixels<F>(grid, view, image, scratch, pixels);
  // In one line across the rows of tiles; at the end of each stands one that is no tile.
  const std::int64_t length = (grid.rows - 1) * phases.step + grid.columns;
  std::int64_t column = 0;
  std::int64_t done = 0;
  for (std::int64_t p = 0; p < length; p += lanes) {
    HWY_ALIGN float counts[lanes];
    const std::int64_t before = done;
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      const bool is_tile = column < grid.columns && p + lane < length;
      counts[lane] = is_tile ? 1.0F : 0.0F;
      done += is_tile;
      if (++column == phases.step) column = 0;
    }
    const Mask valid = hn::Gt(hn::Load(floats, counts), hn::Zero(floats));
    Vector x[F::n * F::n];
    Vector v[F::n * F::n];
    for (int i = 0; i < F::n; ++i) {
      for (int j = 0; j < F::n; ++j)
        x[i * F::n + j] = hn::LoadU(floats, pixels + phases.at(i, j) + p);
    }
    sandwich<InputMatrix<F>>(x, v);
    for (int e = 0; e < F::n * F::n; ++e) {
      float* to = transformed + e * place_step + before;
      if (done - before == lanes) {
        hn::StoreU(v[e], floats, to);
      } else {
        simd::store_first(hn::Compress(v[e], valid), floats, done - before, to);
      }
    }
  }
}

// ---- Output ----

/// to[k·m + j] = rows[j][k]
template <class F> HWY_INLINE void collect(const Vector* rows, float* to) {
  if constexpr (F::m == 4) {
    hn::StoreInterleaved4(rows[0], rows[1], rows[2], rows[3], floats, to);
  } else {
    hn::StoreInterleaved2(rows[0], rows[1], floats, to);
  }
}

template <class F>
void output_tiles(const TileGrid& grid, const TileView& view, const float* products,
                  std::int64_t place_step, float bias, bool relu, float* output) {
  const std::int64_t tiles = grid.rows * grid.columns;
  for (std::int64_t first = 0; first < tiles; first += lanes) {
    Vector x[F::n * F::n];
    Vector y[F::m * F::m];
    for (int e = 0; e < F::n * F::n; ++e)
      x[e] = hn::LoadU(floats, products + e * place_step + first);
    sandwich<OutputMatrix<F>>(x, y);
    HWY_ALIGN float pixels[F::m][lanes * F::m];
    for (int i = 0; i < F::m; ++i) {
      for (int j = 0; j < F::m; ++j) {
        Vector& value = y[i * F::m + j];
        value = hn::Add(value, hn::Set(floats, bias));
        if (relu) value = hn::IfThenZeroElse(hn::Lt(value, hn::Zero(floats)), value);
      }
      collect<F>(y + i * F::m, pixels[i]);
    }
    const std::int64_t end = std::min(first + lanes, tiles);
    for (std::int64_t t = first; t < end;) {  // runs of tiles in one row
      const std::int64_t row = t / grid.columns;
      const std::int64_t column = t % grid.columns;
      const std::int64_t run = std::min(end - t, grid.columns - column);
      const std::int64_t left = view.left + column * F::m;
      const std::int64_t count = std::min(run * F::m, view.width - left);
      for (int i = 0; i < F::m; ++i) {
        const std::int64_t h = view.top + row * F::m + i;
        if (h < view.height)
          simd::copy_row(pixels[i] + (t - first) * F::m, count, output + h * view.width + left);
      }
      t += run;
    }
  }
}

template <class F>
void output_grad_tiles(const TileGrid& grid, const TileView& view, std::int64_t width,
                       const float* packed, float* transformed, std::int64_t place_step) {
  for (std::int64_t t = 0; t < grid.rows * grid.columns; ++t) {
    const std::int64_t top = view.top + t / grid.columns * F::m;
    const std::int64_t left = view.left + t % grid.columns * F::m;
    for (std::int64_t f = 0; f < width; f += lanes) {
      Vector y[F::m * F::m];
      Vector x[F::n * F::n];
      for (int i = 0; i < F::m; ++i) {
        for (int j = 0; j < F::m; ++j) {
          const bool inside = top + i < view.height && left + j < view.width;
          y[i * F::m + j] =
              inside ? hn::LoadU(floats, packed + ((top + i) * view.width + left + j) * width + f)
                     : hn::Zero(floats);
        }
      }
      sandwich<OutputAdjoint<F>>(y, x);
      for (int e = 0; e < F::n * F::n; ++e)
        hn::StoreU(x[e], floats, transformed + e * place_step + t * width + f);
    }
  }
}

// ---- Weights ----

template <class F> void weights(std::int64_t count, const float* kernels, float* transformed) {
  for (std::int64_t k = 0; k < count; k += lanes) {
    const std::int64_t some = std::min(lanes, count - k);
    HWY_ALIGN float columns[9][lanes] = {};
    for (std::int64_t i = 0; i < some; ++i) {
      for (int e = 0; e < 9; ++e) columns[e][i] = kernels[(k + i) * 9 + e];
    }
    Vector g[9];
    Vector u[F::n * F::n];
    for (int e = 0; e < 9; ++e) g[e] = hn::Load(floats, columns[e]);
    sandwich<WeightMatrix<F>>(g, u);
    for (int e = 0; e < F::n * F::n; ++e) {
      HWY_ALIGN float values[lanes];
      hn::Store(u[e], floats, values);
      std::copy_n(values, some, transformed + e * count + k);
    }
  }
}

template <class F> void weights_grad(std::int64_t count, const float* transformed, float* kernels) {
  for (std::int64_t k = 0; k < count; k += lanes) {
    const std::int64_t some = std::min(lanes, count - k);
    Vector u[F::n * F::n];
    Vector g[9];
    for (int e = 0; e < F::n * F::n; ++e) {
      HWY_ALIGN float values[lanes] = {};
      std::copy_n(transformed + e * count + k, some, values);
      u[e] = hn::Load(floats, values);
    }
    sandwich<WeightAdjoint<F>>(u, g);
    for (int e = 0; e < 9; ++e) {
      HWY_ALIGN float values[lanes];
      hn::Store(g[e], floats, values);
      for (std::int64_t i = 0; i < some; ++i) kernels[(k + i) * 9 + e] = values[i];
    }
  }
}

// ---- The two sizes ----

template <class Call> HWY_INLINE auto for_tile(WinogradTile tile, const Call& call) {
  return tile == WinogradTile::four ? call(FourByFour()) : call(TwoByTwo());
}

std::int64_t scratch_size(WinogradTile tile, const TileGrid& grid) {
  return for_tile(tile, [&]<class F>(F) {
    const Phases<F> phases(grid);
    return phases.line() + phases.size() + lanes;
  });
}
void input(WinogradTile tile, const TileGrid& grid, const TileView& view, const float* image,
           float* scratch, float* transformed, std::int64_t place_step) {
  for_tile(tile, [&]<class F>(F) {
    input_tiles<F>(grid, view, image, scratch, transformed, place_step);
  });
}
void output(WinogradTile tile, const TileGrid& grid, const TileView& view, const float* products,
            std::int64_t place_step, float bias, bool relu, float* out) {
  for_tile(tile,
           [&]<class F>(F) { output_tiles<F>(grid, view, products, place_step, bias, relu, out); });
}
void output_grad(WinogradTile tile, const TileGrid& grid, const TileView& view, std::int64_t width,
                 const float* packed, float* transformed, std::int64_t place_step) {
  for_tile(tile, [&]<class F>(F) {
    output_grad_tiles<F>(grid, view, width, packed, transformed, place_step);
  });
}
void weights_any(WinogradTile tile, std::int64_t count, const float* kernels, float* transformed) {
  for_tile(tile, [&]<class F>(F) { weights<F>(count, kernels, transformed); });
}
void weights_grad_any(WinogradTile tile, std::int64_t count, const float* transformed,
                      float* kernels) {
  for_tile(tile, [&]<class F>(F) { weights_grad<F>(count, transformed, kernels); });
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

[[maybe_unused]] static const bool simd_limited = limit_simd();

HWY_EXPORT(scratch_size);
HWY_EXPORT(input);
HWY_EXPORT(output);
HWY_EXPORT(output_grad);
HWY_EXPORT(weights_any);
HWY_EXPORT(weights_grad_any);

std::int64_t winograd_scratch(WinogradTile tile, const TileGrid& grid) {
  return HWY_DYNAMIC_DISPATCH(scratch_size)(tile, grid);
}
void winograd_input(WinogradTile tile, const TileGrid& grid, const TileView& view,
                    const float* image, float* scratch, float* transformed,
                    std::int64_t place_step) {
  HWY_DYNAMIC_DISPATCH(input)(tile, grid, view, image, scratch, transformed, place_step);
}
void winograd_output(WinogradTile tile, const TileGrid& grid, const TileView& view,
                     const float* products, std::int64_t place_step, float bias, bool relu,
                     float* out) {
  HWY_DYNAMIC_DISPATCH(output)(tile, grid, view, products, place_step, bias, relu, out);
}
void winograd_output_grad(WinogradTile tile, const TileGrid& grid, const TileView& view,
                          std::int64_t width, const float* packed, float* transformed,
                          std::int64_t place_step) {
  HWY_DYNAMIC_DISPATCH(output_grad)(tile, grid, view, width, packed, transformed, place_step);
}
void winograd_weights(WinogradTile tile, std::int64_t count, const float* kernels,
                      float* transformed) {
  HWY_DYNAMIC_DISPATCH(weights_any)(tile, count, kernels, transformed);
}
void winograd_weights_grad(WinogradTile tile, std::int64_t count, const float* transformed,
                           float* kernels) {
  HWY_DYNAMIC_DISPATCH(weights_grad_any)(tile, count, transformed, kernels);
}

}  // namespace gradus::kernels
#endif
