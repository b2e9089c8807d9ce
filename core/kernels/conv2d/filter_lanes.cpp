// Compiled once for each kind of CPU, by Highway's including this file again; the last part only
// once. See filter_lanes.h.
#include <gradus/core/kernels/conv2d/filter_lanes.h>

#include <algorithm>
#include <array>
#include <utility>

#include <gradus/core/kernels/ceil_div.h>

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/conv2d/filter_lanes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <gradus/core/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;
constexpr Floats floats;
constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(floats));

constexpr std::int64_t most_vectors = 3;

// Sums that are kept in registers: of 32, or of 16.
constexpr int most_registers = lanes == 16 ? 25 : 12;
// With one vector of filters it is the processor's other registers that run out, of which each run
// of positions takes one.
constexpr int most_runs = lanes == 16 ? 10 : 8;

// The rows of a block of filters that sums run over before they go to memory: half of L1.
constexpr std::int64_t numbers_per_pass = 24 * 1024 / sizeof(float);

/// Vectors of the next block of filters: 3, but 2 + 2 rather than 3 + 1.
HWY_INLINE std::int64_t next_vectors(std::int64_t left) {
  return left == 4 || left == 2 ? 2 : std::min<std::int64_t>(left, most_vectors);
}

std::int64_t padded(std::int64_t filters) { return ceil_div(filters, lanes) * lanes; }

/// Lanes of the next block, with `left` lanes to go.
std::int64_t block_width(std::int64_t left) { return next_vectors(left / lanes) * lanes; }

/// f(first filter, lanes of the block)
template <class F> HWY_INLINE void for_each_block(std::int64_t filters, const F& f) {
  const std::int64_t end = padded(filters);
  for (std::int64_t first = 0; first < end;) {
    const std::int64_t width = block_width(end - first);
    f(first, width);
    first += width;
  }
}

#if HWY_TARGET != HWY_SCALAR
/// The columns of 4 rows of `from`: of each block of four lanes, which interleaving keeps to
/// itself. columns[c] holds columns c, c + 4, ..., a block each. max(·, 0) with `relu`.
template <class D>
HWY_INLINE std::array<hn::Vec<D>, 4> columns_of_4_rows(D d, const float* from, std::int64_t step,
                                                       bool relu) {
  const hn::Repartition<double, D> pairs;
  const auto load = [&](std::int64_t r) HWY_ATTR {
    const auto row = hn::LoadU(d, from + r * step);
    return relu ? hn::IfThenZeroElse(hn::Lt(row, hn::Zero(d)), row) : row;
  };
  const auto row_0 = load(0);
  const auto row_1 = load(1);
  const auto row_2 = load(2);
  const auto row_3 = load(3);
  const auto lower_01 = hn::BitCast(pairs, hn::InterleaveLower(d, row_0, row_1));
  const auto upper_01 = hn::BitCast(pairs, hn::InterleaveUpper(d, row_0, row_1));
  const auto lower_23 = hn::BitCast(pairs, hn::InterleaveLower(d, row_2, row_3));
  const auto upper_23 = hn::BitCast(pairs, hn::InterleaveUpper(d, row_2, row_3));
  return {hn::BitCast(d, hn::InterleaveLower(pairs, lower_01, lower_23)),
          hn::BitCast(d, hn::InterleaveUpper(pairs, lower_01, lower_23)),
          hn::BitCast(d, hn::InterleaveLower(pairs, upper_01, upper_23)),
          hn::BitCast(d, hn::InterleaveUpper(pairs, upper_01, upper_23))};
}

/// A square of `lanes` rows and columns: first its parts of 4 rows, then their blocks. Whole lines
/// of the result are written, so it does not matter how far apart they are.
HWY_INLINE void transpose_square(const float* HWY_RESTRICT from, std::int64_t from_step, bool relu,
                                 float* HWY_RESTRICT to, std::int64_t to_step) {
  constexpr auto blocks = static_cast<int>(lanes / 4);
  std::array<std::array<Vector, 4>, blocks> part;
  simd::repeat<blocks>([&](auto k) HWY_ATTR {
    part[k] = columns_of_4_rows(floats, from + 4 * k * from_step, from_step, relu);
  });
  simd::repeat<4>([&](auto c) HWY_ATTR {
    const auto store = [&](Vector column, std::int64_t block) HWY_ATTR {
      hn::StoreU(column, floats, to + (4 * block + std::int64_t{c}) * to_step);
    };
    if constexpr (blocks == 1) {
      store(part[0][c], 0);
    } else if constexpr (blocks == 2) {
      store(hn::ConcatLowerLower(floats, part[1][c], part[0][c]), 0);
      store(hn::ConcatUpperUpper(floats, part[1][c], part[0][c]), 1);
    } else {
      const auto even = [&](std::size_t k) HWY_ATTR {  // blocks 0 of two parts, then blocks 2
        return hn::OddEvenBlocks(hn::SwapAdjacentBlocks(part[k + 1][c]), part[k][c]);
      };
      const auto odd = [&](std::size_t k) HWY_ATTR {  // blocks 1, then blocks 3
        return hn::OddEvenBlocks(part[k + 1][c], hn::SwapAdjacentBlocks(part[k][c]));
      };
      store(hn::ConcatLowerLower(floats, even(2), even(0)), 0);
      store(hn::ConcatLowerLower(floats, odd(2), odd(0)), 1);
      store(hn::ConcatUpperUpper(floats, even(2), even(0)), 2);
      store(hn::ConcatUpperUpper(floats, odd(2), odd(0)), 3);
    }
  });
}

/// The columns of 4 rows, 4 of them -> rows of 4.
HWY_INLINE void transpose_4x4(const float* HWY_RESTRICT from, std::int64_t from_step, bool relu,
                              float* HWY_RESTRICT to, std::int64_t to_step) {
  constexpr hn::Full128<float> four;
  const auto columns = columns_of_4_rows(four, from, from_step, relu);
  for (std::size_t c = 0; c < 4; ++c)
    hn::StoreU(columns[c], four, to + static_cast<std::int64_t>(c) * to_step);
}
#endif

/// The same for fewer rows and columns than a square has.
HWY_INLINE void transpose_corner(const float* HWY_RESTRICT from, std::int64_t from_step,
                                 std::int64_t rows, std::int64_t columns, bool relu,
                                 float* HWY_RESTRICT to, std::int64_t to_step) {
  for (std::int64_t r = 0; r < rows; r += 4) {
    for (std::int64_t c = 0; c < columns; c += 4) {
      const float* corner = from + r * from_step + c;
      float* turned = to + c * to_step + r;
#if HWY_TARGET != HWY_SCALAR
      if (r + 4 <= rows && c + 4 <= columns) {
        transpose_4x4(corner, from_step, relu, turned, to_step);
        continue;
      }
#endif
      for (std::int64_t i = 0; i < std::min<std::int64_t>(4, rows - r); ++i) {
        for (std::int64_t j = 0; j < std::min<std::int64_t>(4, columns - c); ++j) {
          const float value = corner[i * from_step + j];
          turned[j * to_step + i] = relu && value < 0 ? 0.0F : value;
        }
      }
    }
  }
}

/// to[c·to_step + r] = from[r·from_step + c], then max(·, 0) with `relu`.
HWY_INLINE void transpose(const float* HWY_RESTRICT from, std::int64_t from_step, std::int64_t rows,
                          std::int64_t columns, bool relu, float* HWY_RESTRICT to,
                          std::int64_t to_step) {
  // The last square moves back, over what has been done already, so as to be whole.
  const std::int64_t last_row = std::max<std::int64_t>(rows - lanes, 0);
  const std::int64_t last_column = std::max<std::int64_t>(columns - lanes, 0);
  for (std::int64_t next_row = 0; next_row < rows; next_row += lanes) {
    const std::int64_t r = std::min(next_row, last_row);
    for (std::int64_t next_column = 0; next_column < columns; next_column += lanes) {
      const std::int64_t c = std::min(next_column, last_column);
      const float* square = from + r * from_step + c;
      float* turned = to + c * to_step + r;
#if HWY_TARGET != HWY_SCALAR
      if (rows >= lanes && columns >= lanes) {
        transpose_square(square, from_step, relu, turned, to_step);
        continue;
      }
#endif
      transpose_corner(square, from_step, std::min(lanes, rows), std::min(lanes, columns), relu,
                       turned, to_step);
    }
  }
}

void pack(std::int64_t filters, std::int64_t columns, const float* HWY_RESTRICT matrix,
          std::int64_t row_step, float* HWY_RESTRICT packed) {
  for_each_block(filters, [&](std::int64_t first, std::int64_t width) HWY_ATTR {
    const std::int64_t count = std::min(width, filters - first);
    for (std::int64_t k = 0; count < width && k < columns * width; k += lanes)
      hn::StoreU(hn::Zero(floats), floats, packed + k);
    transpose(matrix + first * row_step, row_step, count, columns, false, packed, width);
    packed += columns * width;
  });
}

void unpack(std::int64_t filters, std::int64_t columns, const float* HWY_RESTRICT packed, bool relu,
            float* HWY_RESTRICT matrix, std::int64_t row_step) {
  for_each_block(filters, [&](std::int64_t first, std::int64_t width) HWY_ATTR {
    const std::int64_t count = std::min(width, filters - first);
    transpose(packed, width, columns, count, relu, matrix + first * row_step, row_step);
    packed += columns * width;
  });
}

/// What is the same for all sums of a pass.
struct Pass {
  const std::int64_t* step;
  std::int64_t length;
  std::int64_t images, image_step, rows_step;
  const float* start;  // of the block's filters, or nullptr
};

/// `runs` times `run` sums times `vectors` vectors of filters.
template <int runs, int run, int vectors>
HWY_NOINLINE void block_sums(const Pass& p, const std::int64_t* at, const float* HWY_RESTRICT image,
                             const float* HWY_RESTRICT rows, float* HWY_RESTRICT sums) {
  using simd::repeat;
  Vector sum[runs][run][vectors];
  const auto for_each_sum = [&](const auto& f) HWY_ATTR {
    repeat<runs>([&](auto i) HWY_ATTR {
      repeat<run>([&](auto j) HWY_ATTR {
        repeat<vectors>([&](auto v) HWY_ATTR {
          f(sum[i][j][v], ((i * run + j) * vectors + v) * lanes, v * lanes);
        });
      });
    });
  };
  for_each_sum([&](Vector& s, std::int64_t place, std::int64_t filter) HWY_ATTR {
    s = hn::LoadU(floats, p.start == nullptr ? sums + place : p.start + filter);
  });
  const std::int64_t* const end = p.step + p.length;
  for (std::int64_t k = 0; k < p.images; ++k) {
    const float* window[runs];
    repeat<runs>([&](auto i) { window[i] = image + at[i * run]; });
    const float* HWY_RESTRICT row = rows;
    for (const std::int64_t* step = p.step; step != end; ++step, row += vectors * lanes) {
      Vector weight[vectors];
      repeat<vectors>([&](auto v) HWY_ATTR { weight[v] = hn::LoadU(floats, row + v * lanes); });
      repeat<runs>([&](auto i) HWY_ATTR {
        repeat<run>([&](auto j) HWY_ATTR {
          const Vector number = hn::Set(floats, window[i][*step + j]);
          repeat<vectors>(
              [&](auto v) HWY_ATTR { sum[i][j][v] = hn::MulAdd(number, weight[v], sum[i][j][v]); });
        });
      });
    }
    image += p.image_step;
    rows += p.rows_step;
  }
  for_each_sum([&](Vector& s, std::int64_t place, std::int64_t)
                   HWY_ATTR { hn::StoreU(s, floats, sums + place); });
}

/// All sums of a block of filters, in blocks of (nearly) the same size.
template <int run, int vectors>
void all_runs(const Pass& p, std::int64_t count, const std::int64_t* at, const float* image,
              const float* rows, float* sums) {
  constexpr int most = std::min(most_runs, most_registers / (run * vectors));
  constexpr auto block_of = []<int... i>(std::integer_sequence<int, i...>) {
    return std::array{&block_sums<i + 1, run, vectors>...};
  }
  (std::make_integer_sequence<int, most>());
  for (std::int64_t i = 0; i < count / run;) {
    const std::int64_t left = count / run - i;
    const std::int64_t runs = ceil_div(left, ceil_div(left, most));
    block_of[static_cast<std::size_t>(runs - 1)](p, at + i * run, image, rows,
                                                 sums + i * run * vectors * lanes);
    i += runs;
  }
}

/// With several vectors of filters the numbers of an image are few loads beside the products.
template <int vectors>
void all_sums(const Pass& p, const FilterLanes& product, const float* image, const float* rows,
              float* sums) {
  auto all = &all_runs<1, vectors>;
  if constexpr (vectors == 1) {
    constexpr auto all_of = []<int... i>(std::integer_sequence<int, i...>) {
      return std::array{&all_runs<i + 1, vectors>...};
    }
    (std::make_integer_sequence<int, most_neighbours>());
    all = all_of[static_cast<std::size_t>(product.run - 1)];
  }
  all(p, product.count, product.at, image, rows, sums);
}

void multiply(const FilterLanes& p, const float* images, const float* rows, const float* start,
              float* sums) {
  for_each_block(p.filters, [&](std::int64_t first, std::int64_t width) {
    const std::int64_t rows_per_pass = numbers_per_pass / width;
    float* sum = sums + first * p.count;
    std::int64_t l = 0;
    do {
      const Pass pass{.step = p.step + l,
                      .length = std::min(rows_per_pass, p.length - l),
                      .images = p.images,
                      .image_step = p.image_step,
                      .rows_step = p.rows_step,
                      .start = l == 0 && start != nullptr ? start + first : nullptr};
      const float* row = rows + first * p.length + l * width;
      if (width == 3 * lanes) all_sums<3>(pass, p, images, row, sum);
      if (width == 2 * lanes) all_sums<2>(pass, p, images, row, sum);
      if (width == 1 * lanes) all_sums<1>(pass, p, images, row, sum);
      l += rows_per_pass;
    } while (l < p.length);
  });
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

[[maybe_unused]] static const bool simd_limited = limit_simd();

HWY_EXPORT(padded);
HWY_EXPORT(block_width);
HWY_EXPORT(pack);
HWY_EXPORT(unpack);
HWY_EXPORT(multiply);

std::int64_t padded_filters(std::int64_t filters) { return HWY_DYNAMIC_DISPATCH(padded)(filters); }
std::int64_t filter_block(std::int64_t left) { return HWY_DYNAMIC_DISPATCH(block_width)(left); }
std::int64_t run_of(std::int64_t count) {
  std::int64_t run = most_neighbours;
  while (count % run != 0) --run;
  return run;
}
void pack_filters(std::int64_t filters, std::int64_t columns, const float* matrix,
                  std::int64_t row_step, float* packed) {
  HWY_DYNAMIC_DISPATCH(pack)(filters, columns, matrix, row_step, packed);
}
void unpack_filters(std::int64_t filters, std::int64_t columns, const float* packed, bool relu,
                    float* matrix, std::int64_t row_step) {
  HWY_DYNAMIC_DISPATCH(unpack)(filters, columns, packed, relu, matrix, row_step);
}
void filter_lanes_product(const FilterLanes& product, const float* images, const float* rows,
                          const float* start, float* sums) {
  HWY_DYNAMIC_DISPATCH(multiply)(product, images, rows, start, sums);
}

}  // namespace gradus::kernels
#endif
