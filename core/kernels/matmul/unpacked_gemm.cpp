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

#include <gradus/core/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;
constexpr Floats floats;
using simd::repeat;
// Sums are finished and stored in groups of four; without vectors one by one.
constexpr int group = HWY_TARGET == HWY_SCALAR ? 1 : 4;
using Group = hn::FixedTag<float, group>;
constexpr Group group_tag;

// A block of the result is as large as the registers allow: AVX-512 has 32, its predecessors 16.
constexpr bool many_registers = HWY_MAX_BYTES == 64;

// ---- Rows against rows: each sum runs along memory, one vector of partial sums per result ----

constexpr int row_block = many_registers ? 4 : 2;  // rows of x
constexpr int column_block = 4;                    // rows of w

#if HWY_TARGET == HWY_SCALAR
template <int first> HWY_INLINE Vector group_sums(const Vector* sum) { return sum[first]; }
#else
/// The sum of all blocks of four lanes.
template <class D, class V> HWY_INLINE hn::Vec<Group> sum_of_blocks(D d, V v) {
  if constexpr (std::is_same_v<V, hn::Vec<Group>>) {
    static_cast<void>(d);
    return v;
  } else {
    const hn::Half<D> half;
    return sum_of_blocks(half, hn::Add(hn::UpperHalf(half, v), hn::LowerHalf(half, v)));
  }
}

/// The sums of four vectors, side by side. Every step adds what a shuffle has brought together.
template <int c> HWY_INLINE hn::Vec<Group> group_sums(const Vector* sum) {
  const Vector ac = hn::Add(hn::InterleaveLower(floats, sum[c], sum[c + 2]),
                            hn::InterleaveUpper(floats, sum[c], sum[c + 2]));
  const Vector bd = hn::Add(hn::InterleaveLower(floats, sum[c + 1], sum[c + 3]),
                            hn::InterleaveUpper(floats, sum[c + 1], sum[c + 3]));
  return sum_of_blocks(
      floats, hn::Add(hn::InterleaveLower(floats, ac, bd), hn::InterleaveUpper(floats, ac, bd)));
}
#endif

/// sum[r][c] += x[r, ...]·of[c][p, ...], a vector of each.
template <int rows, int columns, class Load>
HWY_INLINE void add_products(Vector (&sum)[rows][columns], const float* x, std::int64_t ldx,
                             const float* const (&of)[columns], std::int64_t p, const Load& load) {
  Vector left[rows];
  Vector right[columns];
  repeat<rows>([&](auto r) HWY_ATTR { left[r] = load(x + r * ldx); });
  repeat<columns>([&](auto c) HWY_ATTR {
    right[c] = load(of[c] + p);
    repeat<rows>([&](auto r) HWY_ATTR { sum[r][c] = hn::MulAdd(left[r], right[c], sum[r][c]); });
  });
}

/// Up to `columns` results in each of `rows` rows; where fewer than that are wanted, the last row
/// of w stands in for the missing.
template <int rows, int columns>
HWY_INLINE void rows_block(std::int64_t wanted, std::int64_t k, const float* x, std::int64_t ldx,
                           const float* w, std::int64_t ldw, const float* bias, bool relu, float* y,
                           std::int64_t ldy) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(floats));
  const float* of[columns];
  for (int c = 0; c < columns; ++c) of[c] = w + std::min<std::int64_t>(c, wanted - 1) * ldw;
  Vector sum[rows][columns];
  repeat<rows>([&](auto r) HWY_ATTR {
    repeat<columns>([&](auto c) HWY_ATTR { sum[r][c] = hn::Zero(floats); });
  });
  std::int64_t p = 0;
  for (; p + lanes <= k; p += lanes) {
    add_products(sum, x + p, ldx, of, p,
                 [](const float* from) HWY_ATTR { return hn::LoadU(floats, from); });
  }
  if (p < k) {
    const std::int64_t rest = k - p;
    add_products(sum, x + p, ldx, of, p,
                 [=](const float* from) HWY_ATTR { return simd::load_first(floats, rest, from); });
  }
  repeat<columns / group>([&](auto g) HWY_ATTR {
    constexpr int c = g * group;
    const std::int64_t count = std::clamp<std::int64_t>(wanted - c, 0, group);
    repeat<rows>([&](auto r) HWY_ATTR {
      auto total = group_sums<c>(sum[r]);
      if (bias != nullptr) total = hn::Add(total, simd::load_first(group_tag, count, bias + c));
      const auto zero = hn::Zero(group_tag);
      if (relu) total = hn::IfThenElse(hn::Lt(total, zero), zero, total);
      simd::store_first(total, group_tag, count, y + r * ldy + c);
    });
  });
}

void rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, std::int64_t ldx,
          const float* w, std::int64_t ldw, const GemmEpilogue& epilogue, float* y,
          std::int64_t ldy) {
  for (std::int64_t j = 0; j < n; j += column_block) {
    const std::int64_t wanted = std::min<std::int64_t>(n - j, column_block);
    const float* bias = epilogue.bias == nullptr ? nullptr : epilogue.bias + j;
    std::int64_t i = 0;
    for (; i + row_block <= m; i += row_block) {
      rows_block<row_block, column_block>(wanted, k, x + i * ldx, ldx, w + j * ldw, ldw, bias,
                                          epilogue.relu, y + i * ldy + j, ldy);
    }
    for (; i < m; ++i) {
      rows_block<1, column_block>(wanted, k, x + i * ldx, ldx, w + j * ldw, ldw, bias,
                                  epilogue.relu, y + i * ldy + j, ldy);
    }
  }
}

// ---- A number against a row: each vector holds neighbouring results ----

constexpr int number_block = many_registers ? 6 : 3;  // rows of c
constexpr int vector_block = 4;                       // vectors of a row of c, the last one partial

template <int numbers, int vectors>
void columns_block(std::int64_t last_lanes, std::int64_t k, const float* a, std::int64_t row_step,
                   std::int64_t inner_step, const float* b, std::int64_t ldb, float* c,
                   std::int64_t ldc) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(floats));
  Vector sum[numbers][vectors];
  repeat<numbers>([&](auto i) HWY_ATTR {
    repeat<vectors>([&](auto v) HWY_ATTR { sum[i][v] = hn::Zero(floats); });
  });
  for (std::int64_t p = 0; p < k; ++p) {
    Vector row[vectors];
    repeat<vectors - 1>([&](auto v)
                            HWY_ATTR { row[v] = hn::LoadU(floats, b + p * ldb + v * lanes); });
    row[vectors - 1] = simd::load_first(floats, last_lanes, b + p * ldb + (vectors - 1) * lanes);
    repeat<numbers>([&](auto i) HWY_ATTR {
      const Vector number = hn::Set(floats, a[i * row_step + p * inner_step]);
      repeat<vectors>([&](auto v) HWY_ATTR { sum[i][v] = hn::MulAdd(number, row[v], sum[i][v]); });
    });
  }
  repeat<numbers>([&](auto i) HWY_ATTR {
    repeat<vectors - 1>([&](auto v)
                            HWY_ATTR { hn::StoreU(sum[i][v], floats, c + i * ldc + v * lanes); });
    simd::store_first(sum[i][vectors - 1], floats, last_lanes, c + i * ldc + (vectors - 1) * lanes);
  });
}

/// A panel of `vectors` vectors, from the top to the bottom of c.
template <int vectors>
void panel(std::int64_t last_lanes, std::int64_t m, std::int64_t k, const float* a,
           std::int64_t row_step, std::int64_t inner_step, const float* b, std::int64_t ldb,
           float* c, std::int64_t ldc) {
  std::int64_t i = 0;
  const auto take = [&](auto count) HWY_ATTR {
    constexpr int numbers = decltype(count)::value;
    for (; i + numbers <= m; i += numbers) {
      columns_block<numbers, vectors>(last_lanes, k, a + i * row_step, row_step, inner_step, b, ldb,
                                      c + i * ldc, ldc);
    }
  };
  take(std::integral_constant<int, number_block>());
  if constexpr (many_registers) take(std::integral_constant<int, 4>());
  take(std::integral_constant<int, 2>());
  take(std::integral_constant<int, 1>());
}

void columns(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t row_step,
             std::int64_t inner_step, const float* b, std::int64_t ldb, float* c,
             std::int64_t ldc) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(floats));
  for (std::int64_t j = 0; j < n; j += vector_block * lanes) {
    const std::int64_t width = std::min(n - j, vector_block * lanes);
    const std::int64_t vectors = (width + lanes - 1) / lanes;
    const std::int64_t last_lanes = width - (vectors - 1) * lanes;
    const auto run = vectors == 4   ? panel<4>
                     : vectors == 3 ? panel<3>
                     : vectors == 2 ? panel<2>
                                    : panel<1>;
    run(last_lanes, m, k, a, row_step, inner_step, b + j, ldb, c + j, ldc);
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

[[maybe_unused]] static const bool simd_limited = limit_simd();

HWY_EXPORT(rows);
HWY_EXPORT(columns);

void unpacked_gemm_nt(std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                      std::int64_t ldx, const float* w, std::int64_t ldw,
                      const GemmEpilogue& epilogue, float* y, std::int64_t ldy) {
  HWY_DYNAMIC_DISPATCH(rows)(m, n, k, x, ldx, w, ldw, epilogue, y, ldy);
}
void unpacked_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                   std::int64_t row_step, std::int64_t inner_step, const float* b, std::int64_t ldb,
                   float* c, std::int64_t ldc) {
  HWY_DYNAMIC_DISPATCH(columns)(m, n, k, a, row_step, inner_step, b, ldb, c, ldc);
}

}  // namespace gradus::kernels
#endif
