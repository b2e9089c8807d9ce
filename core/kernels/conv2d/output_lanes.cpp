// Compiled once for each kind of CPU, by Highway's including this file again; the last part only
// once. See output_lanes.h.
#include <gradus/core/kernels/conv2d/output_lanes.h>

#include <algorithm>
#include <array>
#include <utility>

#include <gradus/core/kernels/ceil_div.h>

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/conv2d/output_lanes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <gradus/core/detail/simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {
namespace {  // the same names stand in other files

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = gradus::simd::HWY_NAMESPACE;

// Sums that are kept in registers, of 32 or of 16: filters for so many vectors. Where vectors are
// narrow, smaller kernels do: each size is compiled for each kind of CPU.
constexpr bool many_registers = HWY_MAX_BYTES == 64;
constexpr bool wide = HWY_MAX_BYTES >= 32;
constexpr int most_filters(int vectors) {
  if (many_registers) return 8;
  return wide && vectors == 2 ? 6 : 4;
}

// Taps that are packed, for at least so many filters: three vectors of them take 24 KB of L1.
// Of vectors of 64 bytes 128 taps fit, which are not worth it: with these nothing is packed.
constexpr std::int64_t most_packed = 24 * 1024 / (3 * (HWY_MAX_BYTES < 32 ? 32 : HWY_MAX_BYTES));
constexpr std::int64_t fewest_packed = 192;
constexpr std::int64_t fewest_filters = 32;

template <class T>
constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(hn::ScalableTag<T>()));

template <class D, class V> HWY_INLINE V finished(D d, V sum, bool relu) {
  return relu ? hn::IfThenZeroElse(hn::Lt(sum, hn::Zero(d)), sum) : sum;
}

/// The outputs among the lanes of a vector, for each filter: sums [filters, lanes].
template <class T>
HWY_NOINLINE void store_some(const OutputLanes& p, const OutputVector& to, std::int64_t filters,
                             const T* sums, bool relu, T* output) {
  constexpr hn::ScalableTag<T> d;
  const auto valid = hn::LoadMaskBits(d, reinterpret_cast<const std::uint8_t*>(&to.outputs));
  for (std::int64_t f = 0; f < filters; ++f) {
    const auto y = finished(d, hn::Load(d, sums + f * lanes<T>), relu);
    simd::store_first(hn::Compress(y, valid), d, to.count, output + f * p.output_plane + to.to);
  }
}

/// `filters` filters times `vectors` vectors of outputs: all sums in registers.
template <class T, int filters, int vectors>
HWY_NOINLINE void micro_kernel(const OutputLanes& p, const OutputVector* at,
                               const T* HWY_RESTRICT patch, const T* HWY_RESTRICT weight,
                               const Epilogue<T>& epilogue, T* HWY_RESTRICT output) {
  constexpr hn::ScalableTag<T> d;
  using Vector = hn::Vec<decltype(d)>;
  Vector sum[filters][vectors];
  GRADUS_UNROLL
  for (int f = 0; f < filters; ++f) {
    const Vector start = epilogue.bias == nullptr ? hn::Zero(d) : hn::Set(d, epilogue.bias[f]);
    GRADUS_UNROLL
    for (int v = 0; v < vectors; ++v) sum[f][v] = start;
  }
  const T* window[vectors];
  GRADUS_UNROLL
  for (int v = 0; v < vectors; ++v) window[v] = patch + at[v].from;
  // Three rows of weights share a pointer, which saves registers for addresses.
  const T* rows[3];
  GRADUS_UNROLL
  for (int r = 0; r < 3; ++r) rows[r] = weight + std::min(3 * r, filters - 1) * p.filter_step;
  for (std::int64_t t = 0; t < p.taps; ++t) {
    Vector x[vectors];
    const std::int64_t offset = p.offset[t];
    const std::int64_t tap = p.tap[t];
    GRADUS_UNROLL
    for (int v = 0; v < vectors; ++v) x[v] = hn::LoadU(d, window[v] + offset);
    GRADUS_UNROLL
    for (int f = 0; f < filters; ++f) {
      const Vector w = hn::Set(d, rows[f / 3][f % 3 * p.filter_step + tap]);
      GRADUS_UNROLL
      for (int v = 0; v < vectors; ++v) sum[f][v] = hn::MulAdd(w, x[v], sum[f][v]);
    }
  }
  GRADUS_UNROLL
  for (int v = 0; v < vectors; ++v) {
    const OutputVector& to = at[v];
    if (to.count == lanes<T>) {
      GRADUS_UNROLL
      for (int f = 0; f < filters; ++f)
        hn::StoreU(finished(d, sum[f][v], epilogue.relu), d, output + f * p.output_plane + to.to);
    } else {
      HWY_ALIGN T some[filters * lanes<T>];
      GRADUS_UNROLL
      for (int f = 0; f < filters; ++f) hn::Store(sum[f][v], d, some + f * lanes<T>);
      store_some(p, to, filters, some, epilogue.relu, output);
    }
  }
}

/// The next block of `left`: of the last two neither is small.
HWY_INLINE std::int64_t next_block(std::int64_t left, std::int64_t most) {
  return left >= 2 * most ? most : left > most ? (left + 1) / 2 : left;
}

/// All filters, block by block.
template <class T, int vectors>
void all_filters(const OutputLanes& p, const OutputVector* at, const T* patch, const T* weight,
                 const Epilogue<T>& epilogue, T* output) {
  constexpr auto kernel_of = []<int... f>(std::integer_sequence<int, f...>) {
    return std::array{&micro_kernel<T, f + 1, vectors>...};
  }
  (std::make_integer_sequence<int, most_filters(vectors)>());
  for (std::int64_t f = 0; f < p.filters;) {
    const std::int64_t count = next_block(p.filters - f, most_filters(vectors));
    kernel_of[static_cast<std::size_t>(count - 1)](p, at, patch, weight + f * p.filter_step,
                                                   epilogue.from(f), output + f * p.output_plane);
    f += count;
  }
}

/// The same, with what the vectors read packed first, a line for each tap: from a patch each tap is
/// a line of the cache or two of its own, more than L1 holds.
template <class T, int vectors>
void all_filters_packed(const OutputLanes& p, const OutputVector* at, const T* patch,
                        const T* weight, const Epilogue<T>& epilogue, T* output) {
  constexpr hn::ScalableTag<T> d;
  HWY_ALIGN T packed[most_packed * vectors * lanes<T>];
  std::int64_t offset[most_packed];
  for (std::int64_t t = 0; t < p.taps; ++t) {
    offset[t] = t * vectors * lanes<T>;
    GRADUS_UNROLL
    for (int v = 0; v < vectors; ++v)
      hn::Store(hn::LoadU(d, patch + at[v].from + p.offset[t]), d,
                packed + offset[t] + v * lanes<T>);
  }
  OutputVector packed_at[vectors];
  for (int v = 0; v < vectors; ++v) {
    packed_at[v] = at[v];
    packed_at[v].from = v * lanes<T>;
  }
  OutputLanes product = p;
  product.offset = offset;
  all_filters<T, vectors>(product, packed_at, packed, weight, epilogue, output);
}

bool packs(std::int64_t filters, std::int64_t taps) {
  return filters >= fewest_filters && taps >= fewest_packed && taps <= most_packed;
}

template <class T>
void multiply(const OutputLanes& p, const T* patch, const T* weight, const Epilogue<T>& epilogue,
              T* output) {
  const OutputVector* at = p.vector;
  const OutputVector* const end = at + p.vectors;
  if (p.filters == 1) {
    // Alone, it takes more vectors, so that one addition need not wait for another.
    constexpr int most = many_registers ? 8 : wide ? 6 : 4;
    constexpr auto kernel_of = []<int... v>(std::integer_sequence<int, v...>) {
      return std::array{&micro_kernel<T, 1, v + 1>...};
    }
    (std::make_integer_sequence<int, most>());
    while (at != end) {
      const std::int64_t count = next_block(end - at, most);
      kernel_of[static_cast<std::size_t>(count - 1)](p, at, patch, weight, epilogue, output);
      at += count;
    }
    return;
  }
  // Six filters times two vectors keep more sums going than twice three times three.
  const bool in_pairs = wide && !many_registers && (p.filters == 5 || p.filters == 6);
  for (; end - at >= 2 && in_pairs; at += 2)
    all_filters<T, 2>(p, at, patch, weight, epilogue, output);
  const bool packed = packs(p.filters, p.taps);
  const auto all_of_three = packed ? &all_filters_packed<T, 3> : &all_filters<T, 3>;
  for (; end - at >= 3; at += 3) all_of_three(p, at, patch, weight, epilogue, output);
  if (end - at == 2) all_filters<T, 2>(p, at, patch, weight, epilogue, output);
  if (end - at == 1) all_filters<T, 1>(p, at, patch, weight, epilogue, output);
}

template <class T> constexpr OutputLanesKernels<T> kernels{lanes<T>, &packs, &multiply<T>};
const OutputLanesKernels<float>* float_kernels() { return &kernels<float>; }
const OutputLanesKernels<double>* double_kernels() { return &kernels<double>; }

}  // namespace
}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

GRADUS_EXPORT_KERNELS(OutputLanesKernels, output_lanes)

namespace {

/// From the first window to the end of the last one.
std::int64_t line_of(std::int64_t rows, std::int64_t columns, std::int64_t row_step) {
  return (rows - 1) * row_step + columns;
}

}  // namespace

std::int64_t padded_outputs(std::int64_t lanes, std::int64_t rows, std::int64_t columns,
                            std::int64_t row_step) {
  return lanes * std::min(rows * ceil_div(columns, lanes),
                          ceil_div(line_of(rows, columns, row_step), lanes));
}

std::vector<OutputVector> output_vectors(std::int64_t lanes, std::int64_t rows,
                                         std::int64_t columns, std::int64_t row_step) {
  const std::int64_t line = line_of(rows, columns, row_step);
  const bool in_line = ceil_div(line, lanes) < rows * ceil_div(columns, lanes);
  std::vector<OutputVector> vectors;
  const auto add = [&](std::int64_t from, std::int64_t last) {  // a vector of windows [from, last)
    OutputVector vector{.from = from};
    vector.to = from / row_step * columns + std::min(from % row_step, columns);
    for (std::int64_t lane = 0; lane < std::min(lanes, last - from); ++lane) {
      if ((from + lane) % row_step >= columns) continue;
      vector.outputs |= std::uint64_t{1} << lane;
      ++vector.count;
    }
    if (vector.count > 0) vectors.push_back(vector);
  };
  if (in_line) {
    for (std::int64_t from = 0; from < line; from += lanes) add(from, line);
  } else {
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t from = 0; from < columns; from += lanes)
        add(row * row_step + from, row * row_step + columns);
    }
  }
  return vectors;
}

}  // namespace gradus::kernels
#endif
