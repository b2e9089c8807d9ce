// Compiled once for each kind of CPU, by Highway's including this file again; the last part only
// once. See unpacked_gemm.h.
#include <gradus/core/kernels/matmul/unpacked_gemm.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/matmul/unpacked_gemm.cpp"
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
// Sums are finished and stored in groups of 16 bytes; without vectors one by one.
template <class T> constexpr int group = HWY_TARGET == HWY_SCALAR ? 1 : 16 / sizeof(T);
template <class T> using GroupTag = hn::FixedTag<T, group<T>>;
template <class T> using Group = hn::Vec<GroupTag<T>>;

// A block of the result is as large as the registers allow (AVX-512 has 32, its predecessors 16), with what is read for it.
constexpr bool many_registers = HWY_MAX_BYTES == 64;

// ---- Rows against rows: each sum runs along memory, one vector of partial sums per result ----

constexpr int row_block = many_registers ? 4 : 3;  // rows of x
constexpr int column_block = 4;                    // rows of w

#if HWY_TARGET == HWY_SCALAR
template <class T> HWY_INLINE Vector<T> group_sums(const Vector<T>* sum) { return sum[0]; }
#else
/// The sum of all blocks of 16 bytes.
template <class T, class D, class V> HWY_INLINE Group<T> sum_of_blocks(D d, V v) {
  if constexpr (std::is_same_v<V, Group<T>>) {
    static_cast<void>(d);
    return v;
  } else {
    const hn::Half<D> half;
    return sum_of_blocks<T>(half, hn::Add(hn::UpperHalf(half, v), hn::LowerHalf(half, v)));
  }
}

/// The sums of as many vectors as a group has numbers, side by side. Every step adds what a shuffle
/// has brought together.
template <class T> HWY_INLINE Group<T> group_sums(const Vector<T>* sum) {
  constexpr Tag<T> d;
  const auto add_pairs = [&](Vector<T> a, Vector<T> b) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  };
  if constexpr (group<T> == 2) {
    return sum_of_blocks<T>(d, add_pairs(sum[0], sum[1]));
  } else {
    return sum_of_blocks<T>(d, add_pairs(add_pairs(sum[0], sum[2]), add_pairs(sum[1], sum[3])));
  }
}
#endif

/// sum[r][c] += x[r, ...]·of[c][p, ...], a vector of each.
template <class T, int rows, int columns, class Load>
HWY_INLINE void add_products(Vector<T> (&sum)[rows][columns], const T* x, std::int64_t ldx,
                             const T* const (&of)[columns], std::int64_t p, const Load& load) {
  Vector<T> left[rows];
  GRADUS_UNROLL
  for (int r = 0; r < rows; ++r) left[r] = load(x + r * ldx);
  GRADUS_UNROLL
  for (int c = 0; c < columns; ++c) {
    const Vector<T> right = load(of[c] + p);
    GRADUS_UNROLL
    for (int r = 0; r < rows; ++r) sum[r][c] = hn::MulAdd(left[r], right, sum[r][c]);
  }
}

/// Up to `columns` results in each of `rows` rows; where fewer than that are wanted, the last row
/// of w stands in for the missing.
template <class T, int rows, int columns>
HWY_INLINE void rows_block(std::int64_t wanted, std::int64_t k, const T* x, std::int64_t ldx,
                           const T* w, std::int64_t ldw, const T* bias, bool add, bool relu, T* y,
                           std::int64_t ldy) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag<T>()));
  const T* of[columns];
  for (int c = 0; c < columns; ++c) of[c] = w + std::min<std::int64_t>(c, wanted - 1) * ldw;
  Vector<T> sum[rows][columns];
  GRADUS_UNROLL
  for (int r = 0; r < rows; ++r) {
    GRADUS_UNROLL
    for (int c = 0; c < columns; ++c) sum[r][c] = hn::Zero(Tag<T>());
  }
  std::int64_t p = 0;
  for (; p + lanes <= k; p += lanes) {
    add_products(sum, x + p, ldx, of, p,
                 [](const T* from) HWY_ATTR { return hn::LoadU(Tag<T>(), from); });
  }
  if (p < k) {
    const std::int64_t rest = k - p;
    add_products(sum, x + p, ldx, of, p,
                 [=](const T* from) HWY_ATTR { return simd::load_first(Tag<T>(), rest, from); });
  }
  GRADUS_UNROLL
  for (int c = 0; c < columns; c += group<T>) {
    const std::int64_t count = std::clamp<std::int64_t>(wanted - c, 0, group<T>);
    GRADUS_UNROLL
    for (int r = 0; r < rows; ++r) {
      auto total = group_sums<T>(sum[r] + c);
      if (bias != nullptr) total = hn::Add(total, simd::load_first(GroupTag<T>(), count, bias + c));
      if (add) total = hn::Add(total, simd::load_first(GroupTag<T>(), count, y + r * ldy + c));
      const auto zero = hn::Zero(GroupTag<T>());
      if (relu) total = hn::IfThenElse(hn::Lt(total, zero), zero, total);
      simd::store_first(total, GroupTag<T>(), count, y + r * ldy + c);
    }
  }
}

template <class T>
void rows(std::int64_t m, std::int64_t n, std::int64_t k, const T* x, std::int64_t ldx, const T* w,
          std::int64_t ldw, bool add, const Epilogue<T>& epilogue, T* y, std::int64_t ldy) {
  for (std::int64_t j = 0; j < n; j += column_block) {
    const std::int64_t wanted = std::min<std::int64_t>(n - j, column_block);
    const T* bias = epilogue.bias == nullptr ? nullptr : epilogue.bias + j;
    std::int64_t i = 0;
    for (; i + row_block <= m; i += row_block) {
      rows_block<T, row_block, column_block>(wanted, k, x + i * ldx, ldx, w + j * ldw, ldw, bias,
                                             add, epilogue.relu, y + i * ldy + j, ldy);
    }
    for (; i < m; ++i) {
      rows_block<T, 1, column_block>(wanted, k, x + i * ldx, ldx, w + j * ldw, ldw, bias, add,
                                     epilogue.relu, y + i * ldy + j, ldy);
    }
  }
}

// ---- A number against a row: each vector holds neighbouring results ----

constexpr int number_block = 6;                       // rows of c
constexpr int vector_block = many_registers ? 4 : 2;  // vectors of a row of c

/// `whole`: the last vector of a row is, too. Loading a part costs a third of the speed where the CPU has no registers for
/// masks.
template <class T, int numbers, int vectors, bool whole>
void columns_block(std::int64_t last_lanes, std::int64_t k, const T* a, std::int64_t row_step,
                   std::int64_t inner_step, const T* b, std::int64_t ldb, bool add,
                   const Epilogue<T>& epilogue, T* c, std::int64_t ldc) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag<T>()));
  const auto load = [=](const T* from, int v) HWY_ATTR {
    return whole || v < vectors - 1 ? hn::LoadU(Tag<T>(), from)
                                    : simd::load_first(Tag<T>(), last_lanes, from);
  };
  Vector<T> sum[numbers][vectors];
  GRADUS_UNROLL
  for (int i = 0; i < numbers; ++i) {
    const auto start = hn::Set(Tag<T>(), epilogue.bias == nullptr ? T{0} : epilogue.bias[i]);
    GRADUS_UNROLL
    for (int v = 0; v < vectors; ++v) sum[i][v] = start;
  }
  for (std::int64_t p = 0; p < k; ++p) {
    Vector<T> row[vectors];
    GRADUS_UNROLL
    for (int v = 0; v < vectors; ++v) row[v] = load(b + p * ldb + v * lanes, v);
    GRADUS_UNROLL
    for (int i = 0; i < numbers; ++i) {
      const Vector<T> number = hn::Set(Tag<T>(), a[i * row_step + p * inner_step]);
      GRADUS_UNROLL
      for (int v = 0; v < vectors; ++v) sum[i][v] = hn::MulAdd(number, row[v], sum[i][v]);
    }
  }
  GRADUS_UNROLL
  for (int i = 0; i < numbers; ++i) {
    GRADUS_UNROLL
    for (int v = 0; v < vectors; ++v) {
      T* to = c + i * ldc + v * lanes;
      if (add) sum[i][v] = hn::Add(sum[i][v], load(to, v));
      const auto zero = hn::Zero(Tag<T>());
      if (epilogue.relu) sum[i][v] = hn::IfThenElse(hn::Lt(sum[i][v], zero), zero, sum[i][v]);
      if (whole || v < vectors - 1) {
        hn::StoreU(sum[i][v], Tag<T>(), to);
      } else {
        simd::store_first(sum[i][v], Tag<T>(), last_lanes, to);
      }
    }
  }
}

/// A panel of `vectors` vectors, from the top to the bottom of c.
template <class T, int vectors, bool whole>
void panel(std::int64_t last_lanes, std::int64_t m, std::int64_t k, const T* a,
           std::int64_t row_step, std::int64_t inner_step, const T* b, std::int64_t ldb, bool add,
           const Epilogue<T>& epilogue, T* c, std::int64_t ldc) {
  std::int64_t i = 0;
  const auto take = [&](auto count) HWY_ATTR {
    constexpr int numbers = decltype(count)::value;
    for (; i + numbers <= m; i += numbers) {
      columns_block<T, numbers, vectors, whole>(last_lanes, k, a + i * row_step, row_step,
                                                inner_step, b, ldb, add, epilogue.from(i),
                                                c + i * ldc, ldc);
    }
  };
  take(std::integral_constant<int, number_block>());
  take(std::integral_constant<int, 4>());
  take(std::integral_constant<int, 2>());
  take(std::integral_constant<int, 1>());
}

template <class T>
void columns(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t row_step,
             std::int64_t inner_step, const T* b, std::int64_t ldb, bool add,
             const Epilogue<T>& epilogue, T* c, std::int64_t ldc) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag<T>()));
  for (std::int64_t j = 0; j < n; j += vector_block * lanes) {
    const std::int64_t width = std::min(n - j, vector_block * lanes);
    const std::int64_t vectors = (width + lanes - 1) / lanes;
    const std::int64_t last_lanes = width - (vectors - 1) * lanes;
    auto run = panel<T, 1, false>;
    if (vectors == 2) run = panel<T, 2, false>;
    if constexpr (many_registers) {
      if (vectors == 3) run = panel<T, 3, false>;
      if (vectors == 4) run = panel<T, 4, false>;
    }
    if (width == vector_block * lanes) run = panel<T, vector_block, true>;
    run(last_lanes, m, k, a, row_step, inner_step, b + j, ldb, add, epilogue, c + j, ldc);
  }
}

template <class T>
constexpr UnpackedGemm<T> kernels{&rows<T>, &columns<T>, vector_block* hn::MaxLanes(Tag<T>()),
                                  8 * hn::MaxLanes(Tag<T>()), HWY_MAX_BYTES >= 32};
const UnpackedGemm<float>* float_kernels() { return &kernels<float>; }
const UnpackedGemm<double>* double_kernels() { return &kernels<double>; }

}  // namespace
}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

GRADUS_EXPORT_KERNELS(UnpackedGemm, unpacked_gemm)

}  // namespace gradus::kernels
#endif
