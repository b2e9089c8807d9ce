// Compiled once for each kind of CPU, by Highway's including this file again; the last part only
// once. See winograd.h.
#include <gradus/core/kernels/conv2d/winograd_transforms.h>

#include <algorithm>

// Outside of the part that is compiled again and again.
#ifndef GRADUS_CORE_KERNELS_WINOGRAD_MATRICES
#define GRADUS_CORE_KERNELS_WINOGRAD_MATRICES
namespace gradus::kernels {

constexpr int m = winograd_output_side;
constexpr int n = winograd_input_side;

// From the points 0, 1, -1, 2, -2, ∞.
constexpr double winograd_b_t[n][n] = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0},
                                       {0, 4, -4, -1, 1, 0}, {0, -2, -1, 2, 1, 0},
                                       {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
constexpr double winograd_g[n][3] = {
    {1.0 / 4, 0, 0},
    {-1.0 / 6, -1.0 / 6, -1.0 / 6},
    {-1.0 / 6, 1.0 / 6, -1.0 / 6},
    {1.0 / 24, 1.0 / 12, 1.0 / 6},
    {1.0 / 24, -1.0 / 12, 1.0 / 6},
    {0, 0, 1},
};
constexpr double winograd_a_t[m][n] = {
    {1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}};

// The five matrices a transform may multiply with from both sides: [rows, columns].
struct InputMatrix {  // Bᵀ
  static constexpr int rows = n, columns = n;
  static constexpr double at(int r, int c) { return winograd_b_t[r][c]; }
};
struct OutputMatrix {  // Aᵀ
  static constexpr int rows = m, columns = n;
  static constexpr double at(int r, int c) { return winograd_a_t[r][c]; }
};
struct OutputAdjoint {  // A
  static constexpr int rows = n, columns = m;
  static constexpr double at(int r, int c) { return winograd_a_t[c][r]; }
};
struct WeightMatrix {  // G
  static constexpr int rows = n, columns = 3;
  static constexpr double at(int r, int c) { return winograd_g[r][c]; }
};
struct WeightAdjoint {  // Gᵀ
  static constexpr int rows = 3, columns = n;
  static constexpr double at(int r, int c) { return winograd_g[c][r]; }
};

}  // namespace gradus::kernels
#endif

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/conv2d/winograd_transforms.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <gradus/core/detail/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {
namespace {  // the same names stand in other files

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;
template <class T> using Tag = hn::ScalableTag<T>;
template <class T> using Vector = hn::Vec<Tag<T>>;
template <class T> constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(Tag<T>()));

// ---- The one transform: M x Mᵀ ----

/// Σ_c M(row, c)·x[c·step]. The numbers are known to the compiler: a zero is no operation.
template <class M, class T, int row, int c = 0>
HWY_INLINE Vector<T> row_times(const Vector<T>* x, int step, Vector<T> sum = hn::Zero(Tag<T>()),
                               bool started = false) {
  if constexpr (c == M::columns) {
    return sum;
  } else {
    constexpr auto factor = static_cast<T>(M::at(row, c));
    if constexpr (factor != 0) {
      const Vector<T> value = x[c * step];
      if constexpr (factor == 1) {
        sum = started ? hn::Add(sum, value) : value;
      } else if constexpr (factor == -1) {
        sum = started ? hn::Sub(sum, value) : hn::Neg(value);
      } else {
        const Vector<T> scale = hn::Set(Tag<T>(), factor);
        sum = started ? hn::MulAdd(scale, value, sum) : hn::Mul(scale, value);
      }
      started = true;
    }
    return row_times<M, T, row, c + 1>(x, step, sum, started);
  }
}

template <class M, class T, int row = 0>
HWY_INLINE void column_times(const Vector<T>* x, int x_step, Vector<T>* y, int y_step) {
  if constexpr (row < M::rows) {
    y[row * y_step] = row_times<M, T, row>(x, x_step);
    column_times<M, T, row + 1>(x, x_step, y, y_step);
  }
}

/// y = M x Mᵀ for a vector of tiles: x [columns, columns], y [rows, rows].
template <class M, class T> HWY_INLINE void sandwich(const Vector<T>* x, Vector<T>* y) {
  Vector<T> half[M::rows * M::columns];
  HWY_UNROLL(1)
  for (int c = 0; c < M::columns; ++c) column_times<M, T>(x + c, M::columns, half + c, M::columns);
  HWY_UNROLL(1)
  for (int r = 0; r < M::rows; ++r)
    column_times<M, T>(half + r * M::columns, 1, y + r * M::rows, 1);
}

// ---- Input ----

/// The tiles' pixels, sorted by their place: phase (i, j) holds row i and column j, both mod m, of
/// all tiles; so place (i, j) of neighbouring tiles stands side by side. [m, m, rows + 1, step]
template <class T> struct Phases {
  std::int64_t step;   // from one row of tiles to the next: one more than there are tiles
  std::int64_t phase;  // from one phase to the next, with room for a vector too much
  explicit Phases(const TileGrid& grid)
      : step(grid.columns + 1), phase((grid.rows + 1) * step + 4) {}
  std::int64_t size() const { return m * m * phase; }
  std::int64_t line() const { return step * m + lanes<T>; }
  std::int64_t at(int i, int j) const { return (i % m * m + j % m) * phase + i / m * step + j / m; }
};

/// line [quads·m] -> m rows, phase_step apart: to[j·phase_step + q] = line[q·m + j].
template <class T>
HWY_INLINE void deal(const T* line, std::int64_t quads, std::int64_t phase_step, T* to) {
  constexpr hn::CappedTag<T, 16 / sizeof(T)> few;
  using Few = hn::Vec<decltype(few)>;
  for (std::int64_t q = 0; q < quads; q += static_cast<std::int64_t>(hn::Lanes(few))) {
    Few a, b, c, d;
    hn::LoadInterleaved4(few, line + 4 * q, a, b, c, d);
    hn::StoreU(a, few, to + q);
    hn::StoreU(b, few, to + phase_step + q);
    hn::StoreU(c, few, to + 2 * phase_step + q);
    hn::StoreU(d, few, to + 3 * phase_step + q);
  }
}

template <class T>
void sort_pixels(const TileGrid& grid, const TileView& view, const T* image, T* line, T* to) {
  const Phases<T> phases(grid);
  const std::int64_t columns = phases.step * m;
  const std::int64_t begin = std::clamp<std::int64_t>(-view.left, 0, columns);
  const std::int64_t end = std::clamp<std::int64_t>(view.width - view.left, begin, columns);
  simd::clear_row(phases.line(), line);
  for (std::int64_t h = 0; h < grid.rows * m + 2; ++h) {
    const std::int64_t row = view.top + h;
    T* out = to + h % m * m * phases.phase + h / m * phases.step;
    if (row < 0 || row >= view.height) {
      for (int j = 0; j < m; ++j) simd::clear_row(phases.step, out + j * phases.phase);
      continue;
    }
    const T* from = image + row * view.width + view.left;
    simd::copy_row(from + begin, end - begin, line + begin);
    deal<T>(line, phases.step, phases.phase, out);
  }
}

template <class T>
void input_tiles(const TileGrid& grid, const TileView& view, const T* image, T* scratch,
                 T* transformed, std::int64_t place_step) {
  const Phases<T> phases(grid);
  T* pixels = scratch + phases.line();
  sort_pixels<T>(grid, view, image, scratch, pixels);
  // In one line across the rows of tiles; at the end of each stands one that is no tile.
  const std::int64_t length = (grid.rows - 1) * phases.step + grid.columns;
  std::int64_t column = 0;
  std::int64_t done = 0;
  for (std::int64_t p = 0; p < length; p += lanes<T>) {
    HWY_ALIGN T counts[lanes<T>];
    const std::int64_t before = done;
    for (std::int64_t lane = 0; lane < lanes<T>; ++lane) {
      const bool is_tile = column < grid.columns && p + lane < length;
      counts[lane] = is_tile ? T{1} : T{0};
      done += is_tile;
      if (++column == phases.step) column = 0;
    }
    const auto valid = hn::Gt(hn::Load(Tag<T>(), counts), hn::Zero(Tag<T>()));
    Vector<T> x[n * n];
    Vector<T> v[n * n];
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < n; ++j) x[i * n + j] = hn::LoadU(Tag<T>(), pixels + phases.at(i, j) + p);
    }
    sandwich<InputMatrix, T>(x, v);
    for (int e = 0; e < n * n; ++e) {
      T* to = transformed + e * place_step + before;
      if (done - before == lanes<T>) {
        hn::StoreU(v[e], Tag<T>(), to);
      } else {
        simd::store_first(hn::Compress(v[e], valid), Tag<T>(), done - before, to);
      }
    }
  }
}

// ---- Output ----

/// to[k·m + j] = rows[j][k]
template <class T> HWY_INLINE void collect(const Vector<T>* rows, T* to) {
  hn::StoreInterleaved4(rows[0], rows[1], rows[2], rows[3], Tag<T>(), to);
}

template <class T>
void output_tiles(const TileGrid& grid, const TileView& view, const T* products,
                  std::int64_t place_step, T bias, bool relu, T* output) {
  const std::int64_t tiles = grid.rows * grid.columns;
  for (std::int64_t first = 0; first < tiles; first += lanes<T>) {
    Vector<T> x[n * n];
    Vector<T> y[m * m];
    for (int e = 0; e < n * n; ++e) x[e] = hn::LoadU(Tag<T>(), products + e * place_step + first);
    sandwich<OutputMatrix, T>(x, y);
    HWY_ALIGN T pixels[m][lanes<T> * m];
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < m; ++j) {
        Vector<T>& value = y[i * m + j];
        value = hn::Add(value, hn::Set(Tag<T>(), bias));
        if (relu) value = hn::IfThenZeroElse(hn::Lt(value, hn::Zero(Tag<T>())), value);
      }
      collect<T>(y + i * m, pixels[i]);
    }
    const std::int64_t end = std::min(first + lanes<T>, tiles);
    for (std::int64_t t = first; t < end;) {  // runs of tiles in one row
      const std::int64_t row = t / grid.columns;
      const std::int64_t column = t % grid.columns;
      const std::int64_t run = std::min(end - t, grid.columns - column);
      const std::int64_t left = view.left + column * m;
      const std::int64_t count = std::min(run * m, view.width - left);
      for (int i = 0; i < m; ++i) {
        const std::int64_t h = view.top + row * m + i;
        if (h < view.height)
          simd::copy_row(pixels[i] + (t - first) * m, count, output + h * view.width + left);
      }
      t += run;
    }
  }
}

template <class T>
void output_grad_tiles(const TileGrid& grid, const TileView& view, std::int64_t width,
                       const T* packed, T* transformed, std::int64_t place_step) {
  for (std::int64_t t = 0; t < grid.rows * grid.columns; ++t) {
    const std::int64_t top = view.top + t / grid.columns * m;
    const std::int64_t left = view.left + t % grid.columns * m;
    for (std::int64_t f = 0; f < width; f += lanes<T>) {
      Vector<T> y[m * m];
      Vector<T> x[n * n];
      for (int i = 0; i < m; ++i) {
        for (int j = 0; j < m; ++j) {
          const bool inside = top + i < view.height && left + j < view.width;
          y[i * m + j] =
              inside ? hn::LoadU(Tag<T>(), packed + ((top + i) * view.width + left + j) * width + f)
                     : hn::Zero(Tag<T>());
        }
      }
      sandwich<OutputAdjoint, T>(y, x);
      for (int e = 0; e < n * n; ++e)
        hn::StoreU(x[e], Tag<T>(), transformed + e * place_step + t * width + f);
    }
  }
}

// ---- Weights ----

template <class T> void weights(std::int64_t count, const T* kernels, T* transformed) {
  for (std::int64_t k = 0; k < count; k += lanes<T>) {
    const std::int64_t some = std::min(lanes<T>, count - k);
    HWY_ALIGN T columns[9][lanes<T>] = {};
    for (std::int64_t i = 0; i < some; ++i) {
      for (int e = 0; e < 9; ++e) columns[e][i] = kernels[(k + i) * 9 + e];
    }
    Vector<T> g[9];
    Vector<T> u[n * n];
    for (int e = 0; e < 9; ++e) g[e] = hn::Load(Tag<T>(), columns[e]);
    sandwich<WeightMatrix, T>(g, u);
    for (int e = 0; e < n * n; ++e) {
      HWY_ALIGN T values[lanes<T>];
      hn::Store(u[e], Tag<T>(), values);
      std::copy_n(values, some, transformed + e * count + k);
    }
  }
}

template <class T> void weights_grad(std::int64_t count, const T* transformed, T* kernels) {
  for (std::int64_t k = 0; k < count; k += lanes<T>) {
    const std::int64_t some = std::min(lanes<T>, count - k);
    Vector<T> u[n * n];
    Vector<T> g[9];
    for (int e = 0; e < n * n; ++e) {
      HWY_ALIGN T values[lanes<T>] = {};
      std::copy_n(transformed + e * count + k, some, values);
      u[e] = hn::Load(Tag<T>(), values);
    }
    sandwich<WeightAdjoint, T>(u, g);
    for (int e = 0; e < 9; ++e) {
      HWY_ALIGN T values[lanes<T>];
      hn::Store(g[e], Tag<T>(), values);
      for (std::int64_t i = 0; i < some; ++i) kernels[(k + i) * 9 + e] = values[i];
    }
  }
}

// ---- What a kind of CPU offers for one type ----

template <class T> std::int64_t scratch_size(const TileGrid& grid) {
  const Phases<T> phases(grid);
  return phases.line() + phases.size() + lanes<T>;
}

template <class T>
constexpr WinogradTransforms<T> kernels{&scratch_size<T>,      &input_tiles<T>, &output_tiles<T>,
                                        &output_grad_tiles<T>, &weights<T>,     &weights_grad<T>};
const WinogradTransforms<float>* float_kernels() { return &kernels<float>; }
const WinogradTransforms<double>* double_kernels() { return &kernels<double>; }

}  // namespace
}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

GRADUS_EXPORT_KERNELS(WinogradTransforms, winograd_transforms)

}  // namespace gradus::kernels
#endif
