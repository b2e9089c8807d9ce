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

#include <gradus/core/detail/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {
namespace {  // the same names stand in other files

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;

template <class T> using Tag = hn::ScalableTag<T>;
template <class T> using Vector = hn::Vec<Tag<T>>;
template <class T> constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(Tag<T>()));

constexpr std::int64_t most_vectors = 3;

// Sums that are kept in registers: of 32, or of 16.
constexpr bool many_registers = HWY_MAX_BYTES == 64;
constexpr bool wide = HWY_MAX_BYTES >= 32;
constexpr int most_registers = many_registers ? 25 : 12;
// With one vector of filters it is the processor's other registers that run out, of which each run
// of positions takes one.
constexpr int most_runs = many_registers ? 10 : 8;

// The rows of a panel that sums run over before they go to memory stay in half of L1, each with the
// line of the cache that its number of the image lies in.
constexpr std::int64_t bytes_per_pass = 16 * 1024;
constexpr std::int64_t bytes_of_a_line = 64;

// ---- Panels ----

/// Vectors of the next panel: 3, but 2 + 2 rather than 3 + 1.
HWY_INLINE std::int64_t next_vectors(std::int64_t left) {
  return left == 4 || left == 2 ? 2 : std::min<std::int64_t>(left, most_vectors);
}

template <class T> std::int64_t padded(std::int64_t filters) {
  return ceil_div(filters, lanes<T>) * lanes<T>;
}

template <class T> std::int64_t width_of_panel(std::int64_t left) {
  return next_vectors(left / lanes<T>) * lanes<T>;
}

/// f(first filter, width of the panel)
template <class T, class F> HWY_INLINE void for_each_panel(std::int64_t filters, const F& f) {
  const std::int64_t end = padded<T>(filters);
  for (std::int64_t first = 0; first < end;) {
    const std::int64_t width = width_of_panel<T>(end - first);
    f(first, width);
    first += width;
  }
}

// ---- Transposing ----

#if HWY_TARGET != HWY_SCALAR
/// Numbers of a block of 16 bytes, which interleaving keeps to itself: 4 floats or 2 doubles.
template <class T> constexpr int block = 16 / sizeof(T);

/// Rows of `from`, as many as a block has numbers, with each block turned: columns[c] holds columns
/// c, c + block, ..., a block of rows each. max(·, 0) with `relu`.
template <class D, class T>
HWY_INLINE void turn_blocks(D d, const T* from, std::int64_t step, bool relu,
                            hn::Vec<D> (&columns)[block<T>]) {
  const auto load = [&](std::int64_t r) HWY_ATTR {
    const auto row = hn::LoadU(d, from + r * step);
    return relu ? hn::IfThenZeroElse(hn::Lt(row, hn::Zero(d)), row) : row;
  };
  const auto row_0 = load(0);
  const auto row_1 = load(1);
  if constexpr (block<T> == 2) {
    columns[0] = hn::InterleaveLower(d, row_0, row_1);
    columns[1] = hn::InterleaveUpper(d, row_0, row_1);
  } else {
    const hn::Repartition<double, D> pairs;
    const auto row_2 = load(2);
    const auto row_3 = load(3);
    const auto lower_01 = hn::BitCast(pairs, hn::InterleaveLower(d, row_0, row_1));
    const auto upper_01 = hn::BitCast(pairs, hn::InterleaveUpper(d, row_0, row_1));
    const auto lower_23 = hn::BitCast(pairs, hn::InterleaveLower(d, row_2, row_3));
    const auto upper_23 = hn::BitCast(pairs, hn::InterleaveUpper(d, row_2, row_3));
    columns[0] = hn::BitCast(d, hn::InterleaveLower(pairs, lower_01, lower_23));
    columns[1] = hn::BitCast(d, hn::InterleaveUpper(pairs, lower_01, lower_23));
    columns[2] = hn::BitCast(d, hn::InterleaveLower(pairs, upper_01, upper_23));
    columns[3] = hn::BitCast(d, hn::InterleaveUpper(pairs, upper_01, upper_23));
  }
}

/// A square of `lanes` rows and columns: first the blocks are turned, then they change places. Whole
/// lines of the result are written, so it does not matter how far apart they are.
template <class T>
HWY_INLINE void transpose_square(const T* HWY_RESTRICT from, std::int64_t from_step, bool relu,
                                 T* HWY_RESTRICT to, std::int64_t to_step) {
  constexpr Tag<T> d;
  constexpr std::int64_t side = block<T>;
  constexpr std::int64_t blocks = lanes<T> / side;
  Vector<T> part[blocks][side];
  GRADUS_UNROLL
  for (std::int64_t k = 0; k < blocks; ++k)
    turn_blocks(d, from + side * k * from_step, from_step, relu, part[k]);
  GRADUS_UNROLL
  for (std::int64_t c = 0; c < side; ++c) {
    const auto store = [&](Vector<T> column, std::int64_t place)
                           HWY_ATTR { hn::StoreU(column, d, to + (side * place + c) * to_step); };
    if constexpr (blocks == 1) {
      store(part[0][c], 0);
    } else if constexpr (blocks == 2) {
      store(hn::ConcatLowerLower(d, part[1][c], part[0][c]), 0);
      store(hn::ConcatUpperUpper(d, part[1][c], part[0][c]), 1);
    } else {
      const auto even = [&](int k) HWY_ATTR {  // blocks 0 of two parts, then blocks 2
        return hn::OddEvenBlocks(hn::SwapAdjacentBlocks(part[k + 1][c]), part[k][c]);
      };
      const auto odd = [&](int k) HWY_ATTR {  // blocks 1, then blocks 3
        return hn::OddEvenBlocks(part[k + 1][c], hn::SwapAdjacentBlocks(part[k][c]));
      };
      store(hn::ConcatLowerLower(d, even(2), even(0)), 0);
      store(hn::ConcatLowerLower(d, odd(2), odd(0)), 1);
      store(hn::ConcatUpperUpper(d, even(2), even(0)), 2);
      store(hn::ConcatUpperUpper(d, odd(2), odd(0)), 3);
    }
  }
}
#endif

/// The same for fewer rows and columns than a square has.
template <class T>
HWY_INLINE void transpose_corner(const T* HWY_RESTRICT from, std::int64_t from_step,
                                 std::int64_t rows, std::int64_t columns, bool relu,
                                 T* HWY_RESTRICT to, std::int64_t to_step) {
  constexpr std::int64_t side = 4;
  for (std::int64_t r = 0; r < rows; r += side) {
    for (std::int64_t c = 0; c < columns; c += side) {
      const T* corner = from + r * from_step + c;
      T* turned = to + c * to_step + r;
#if HWY_TARGET != HWY_SCALAR
      if constexpr (block<T> == side) {
        if (r + side <= rows && c + side <= columns) {
          constexpr hn::Full128<T> d;
          hn::Vec<hn::Full128<T>> four[side];
          turn_blocks(d, corner, from_step, relu, four);
          GRADUS_UNROLL
          for (std::int64_t k = 0; k < side; ++k) hn::StoreU(four[k], d, turned + k * to_step);
          continue;
        }
      }
#endif
      for (std::int64_t i = 0; i < std::min(side, rows - r); ++i) {
        for (std::int64_t j = 0; j < std::min(side, columns - c); ++j) {
          const T value = corner[i * from_step + j];
          turned[j * to_step + i] = relu && value < 0 ? T{0} : value;
        }
      }
    }
  }
}

/// to[c·to_step + r] = from[r·from_step + c], then max(·, 0) with `relu`.
template <class T>
HWY_INLINE void turn(const T* HWY_RESTRICT from, std::int64_t from_step, std::int64_t rows,
                     std::int64_t columns, bool relu, T* HWY_RESTRICT to, std::int64_t to_step) {
  // The last square moves back, over what has been done already, so as to be whole.
  const std::int64_t last_row = std::max<std::int64_t>(rows - lanes<T>, 0);
  const std::int64_t last_column = std::max<std::int64_t>(columns - lanes<T>, 0);
  for (std::int64_t next_row = 0; next_row < rows; next_row += lanes<T>) {
    const std::int64_t r = std::min(next_row, last_row);
    for (std::int64_t next_column = 0; next_column < columns; next_column += lanes<T>) {
      const std::int64_t c = std::min(next_column, last_column);
      const T* square = from + r * from_step + c;
      T* turned = to + c * to_step + r;
#if HWY_TARGET != HWY_SCALAR
      if (rows >= lanes<T> && columns >= lanes<T>) {
        transpose_square(square, from_step, relu, turned, to_step);
        continue;
      }
#endif
      transpose_corner(square, from_step, std::min(lanes<T>, rows), std::min(lanes<T>, columns),
                       relu, turned, to_step);
    }
  }
}

template <class T>
void turn_matrix(std::int64_t rows, std::int64_t columns, const T* from, std::int64_t from_step,
                 T* to, std::int64_t to_step) {
  turn(from, from_step, rows, columns, false, to, to_step);
}

template <class T>
void pack(std::int64_t filters, std::int64_t columns, const T* HWY_RESTRICT matrix,
          std::int64_t row_step, T* HWY_RESTRICT packed, std::int64_t packed_columns,
          std::int64_t first_column) {
  for_each_panel<T>(filters, [&](std::int64_t first, std::int64_t width) HWY_ATTR {
    const std::int64_t count = std::min(width, filters - first);
    const T* from = matrix + first * row_step;
    T* to = packed + first * packed_columns + first_column * width;
    if (count < width) simd::clear_row(columns * width, to);
    if (columns == 1 && row_step == 1) {
      simd::copy_row(from, count, to);
    } else {
      turn(from, row_step, count, columns, false, to, width);
    }
  });
}

template <class T>
void unpack(std::int64_t filters, std::int64_t columns, const T* HWY_RESTRICT packed, bool relu,
            T* HWY_RESTRICT matrix, std::int64_t row_step) {
  for_each_panel<T>(filters, [&](std::int64_t first, std::int64_t width) HWY_ATTR {
    const std::int64_t count = std::min(width, filters - first);
    turn(packed + first * columns, width, columns, count, relu, matrix + first * row_step,
         row_step);
  });
}

// ---- The product ----

/// What is the same for all sums of a pass.
template <class T> struct Pass {
  const std::int64_t* step;
  const std::int64_t* row;
  std::int64_t length;
  std::int64_t images, image_step, rows_step;
  const T* start;  // of the panel's filters, or nullptr
};

/// `runs` times `run` sums times `vectors` vectors of filters.
template <class T, int runs, int run, int vectors>
HWY_NOINLINE void micro_kernel(const Pass<T>& p, const std::int64_t* at, const std::int64_t* place,
                               const T* HWY_RESTRICT image, const T* HWY_RESTRICT rows,
                               T* HWY_RESTRICT sums) {
  constexpr Tag<T> d;
  Vector<T> sum[runs][run][vectors];
  const auto for_each_sum = [&](const auto& f) HWY_ATTR {
    GRADUS_UNROLL
    for (int i = 0; i < runs; ++i) {
      GRADUS_UNROLL
      for (int j = 0; j < run; ++j) {
        GRADUS_UNROLL
        for (int v = 0; v < vectors; ++v) {
          f(sum[i][j][v], ((place[i * run] + j) * vectors + v) * lanes<T>, v * lanes<T>);
        }
      }
    }
  };
  for_each_sum([&](Vector<T>& s, std::int64_t to, std::int64_t filter) HWY_ATTR {
    s = hn::LoadU(d, p.start == nullptr ? sums + to : p.start + filter);
  });
  for (std::int64_t k = 0; k < p.images; ++k) {
    const T* window[runs];
    GRADUS_UNROLL
    for (int i = 0; i < runs; ++i) window[i] = image + at[i * run];
    for (std::int64_t l = 0; l < p.length; ++l) {
      const T* HWY_RESTRICT row = rows + p.row[l] * vectors * lanes<T>;
      const std::int64_t step = p.step[l];
      Vector<T> weight[vectors];
      GRADUS_UNROLL
      for (int v = 0; v < vectors; ++v) weight[v] = hn::LoadU(d, row + v * lanes<T>);
      GRADUS_UNROLL
      for (int i = 0; i < runs; ++i) {
        GRADUS_UNROLL
        for (int j = 0; j < run; ++j) {
          const Vector<T> number = hn::Set(d, window[i][step + j]);
          GRADUS_UNROLL
          for (int v = 0; v < vectors; ++v)
            sum[i][j][v] = hn::MulAdd(number, weight[v], sum[i][j][v]);
        }
      }
    }
    image += p.image_step;
    rows += p.rows_step;
  }
  for_each_sum([&](Vector<T>& s, std::int64_t to, std::int64_t)
                   HWY_ATTR { hn::StoreU(s, d, sums + to); });
}

/// All sums of a panel: the largest micro-kernel as long as it fits, then smaller ones.
template <class T, int run, int vectors>
void all_runs(const Pass<T>& p, const FilterLanes& product, const T* image, const T* rows,
              T* sums) {
  std::int64_t i = 0;
  const auto take = [&](auto size) HWY_ATTR {
    constexpr int runs = decltype(size)::value;
    for (; i + runs * run <= product.count; i += runs * run) {
      micro_kernel<T, runs, run, vectors>(p, product.at + i, product.place + i, image, rows, sums);
    }
  };
  constexpr int most = std::min(most_runs, most_registers / (run * vectors));
  take(std::integral_constant<int, most>());
  if constexpr (most > 3) take(std::integral_constant<int, most / 2>());
  if constexpr (most > 1) take(std::integral_constant<int, 1>());
}

/// With several vectors of filters the numbers of an image are few loads beside the products.
template <class T, int vectors>
void all_sums(const Pass<T>& p, const FilterLanes& product, const T* image, const T* rows,
              T* sums) {
  auto all = &all_runs<T, 1, vectors>;
  if constexpr (vectors == 1 && wide) {
    constexpr auto all_of = []<int... i>(std::integer_sequence<int, i...>) {
      return std::array{&all_runs<T, i + 1, vectors>...};
    }
    (std::make_integer_sequence<int, most_neighbours>());
    all = all_of[static_cast<std::size_t>(product.run - 1)];
  }
  all(p, product, image, rows, sums);
}

template <class T>
void multiply(const FilterLanes& p, const T* images, const T* rows, const T* start, T* sums) {
  for_each_panel<T>(p.filters, [&](std::int64_t first, std::int64_t width) {
    const std::int64_t rows_per_pass =
        bytes_per_pass / (width * static_cast<std::int64_t>(sizeof(T)) + bytes_of_a_line);
    T* sum = sums + first * p.packed_sums;
    std::int64_t l = 0;
    do {
      const Pass<T> pass{.step = p.step + l,
                         .row = p.row + l,
                         .length = std::min(rows_per_pass, p.length - l),
                         .images = p.images,
                         .image_step = p.image_step,
                         .rows_step = p.rows_step,
                         .start = l == 0 && start != nullptr ? start + first : nullptr};
      const T* row = rows + first * p.packed_rows;
      if (width == 3 * lanes<T>) all_sums<T, 3>(pass, p, images, row, sum);
      if (width == 2 * lanes<T>) all_sums<T, 2>(pass, p, images, row, sum);
      if (width == 1 * lanes<T>) all_sums<T, 1>(pass, p, images, row, sum);
      l += rows_per_pass;
    } while (l < p.length);
  });
}

template <class T>
constexpr FilterLanesKernels<T> kernels{&padded<T>, &width_of_panel<T>, &pack<T>,
                                        &unpack<T>, &turn_matrix<T>,    &multiply<T>};
const FilterLanesKernels<float>* float_kernels() { return &kernels<float>; }
const FilterLanesKernels<double>* double_kernels() { return &kernels<double>; }

}  // namespace
}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

GRADUS_EXPORT_KERNELS(FilterLanesKernels, filter_lanes)

std::int64_t run_of(std::int64_t count) {
  std::int64_t run = most_neighbours;
  while (count % run != 0) --run;
  return run;
}

}  // namespace gradus::kernels
#endif
