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

// Sums that are kept in registers: 8·3 of 32, or 4·3 of 16.
constexpr int most_filters = lanes == 16 ? 8 : 4;
constexpr int most_vectors = 3;

/// How many filters come next, so that all blocks have (nearly) the same size.
HWY_INLINE std::int64_t next_count(std::int64_t left) {
  return ceil_div(left, ceil_div(left, most_filters));
}

void pack(std::int64_t filters, std::int64_t taps, const float* HWY_RESTRICT weight,
          float* HWY_RESTRICT packed) {
  for (std::int64_t first = 0; first < filters;) {
    const std::int64_t count = next_count(filters - first);
    for (std::int64_t t = 0; t < taps; ++t) {
      for (std::int64_t f = 0; f < count; ++f) *packed++ = weight[(first + f) * taps + t];
    }
    first += count;
  }
}

/// One vector of outputs: where its window is, where it goes, and which lanes, how many, are
/// outputs.
struct Spot {
  std::int64_t from;
  std::int64_t to;
  std::int64_t count;
  Mask valid;
};

/// All vectors of a tile, in order. Row by row, or where rows are short, in one line across them:
/// then the lanes between two rows are no outputs.
class Spots {
 public:
  explicit Spots(const OutputLanes& p)
      : rows_(p.rows),
        columns_(p.columns),
        step_(p.row_step),
        line_((rows_ - 1) * step_ + columns_),
        by_rows_(rows_ * ceil_div(columns_, lanes)),
        in_line_(ceil_div(line_, lanes) < by_rows_) {}

  /// Vectors in all.
  std::int64_t count() const { return in_line_ ? ceil_div(line_, lanes) : by_rows_; }

  bool next(Spot& spot) { return in_line_ ? next_in_line(spot) : next_of_row(spot); }

 private:
  HWY_INLINE bool next_of_row(Spot& spot) {
    if (row_ == rows_) return false;
    const std::int64_t count = std::min(lanes, columns_ - column_);
    spot = {row_ * step_ + column_, row_ * columns_ + column_, count,
            hn::FirstN(floats, static_cast<std::size_t>(count))};
    column_ += count;
    if (column_ == columns_) {
      column_ = 0;
      ++row_;
    }
    return true;
  }

  HWY_INLINE bool next_in_line(Spot& spot) {
    if (position_ >= line_) return false;
    HWY_ALIGN float valid[lanes];
    const std::int64_t before = done_;
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      const bool counts = column_ < columns_ && position_ + lane < line_;
      valid[lane] = counts ? 1.0F : 0.0F;
      done_ += counts;
      if (++column_ == step_) column_ = 0;
    }
    spot = {position_, before, done_ - before, hn::Ne(hn::Load(floats, valid), hn::Zero(floats))};
    position_ += lanes;
    return true;
  }

  std::int64_t rows_, columns_, step_, line_, by_rows_;
  bool in_line_;
  std::int64_t row_ = 0, column_ = 0, position_ = 0, done_ = 0;
};

/// `filters` filters times `vectors` vectors of outputs: all sums in registers.
template <int filters, int vectors>
HWY_NOINLINE void block_product(const OutputLanes& p, const Spot* spot,
                                const float* HWY_RESTRICT patch, const float* HWY_RESTRICT packed,
                                const float* bias, bool relu, float* HWY_RESTRICT output) {
  Vector sum[filters][vectors];
  for (int f = 0; f < filters; ++f) {
    const Vector start = bias == nullptr ? hn::Zero(floats) : hn::Set(floats, bias[f]);
    for (int v = 0; v < vectors; ++v) sum[f][v] = start;
  }
  const float* window[vectors];
  for (int v = 0; v < vectors; ++v) window[v] = patch + spot[v].from;
  const std::int64_t* const end = p.offset + p.taps;
  for (const std::int64_t* offset = p.offset; offset != end; ++offset, packed += filters) {
    Vector x[vectors];
    for (int v = 0; v < vectors; ++v) x[v] = hn::LoadU(floats, window[v] + *offset);
    for (int f = 0; f < filters; ++f) {
      const Vector w = hn::Set(floats, packed[f]);
      for (int v = 0; v < vectors; ++v) sum[f][v] = hn::MulAdd(w, x[v], sum[f][v]);
    }
  }
  for (int f = 0; f < filters; ++f) {
    for (int v = 0; v < vectors; ++v) {
      Vector y = sum[f][v];
      if (relu) y = hn::IfThenZeroElse(hn::Lt(y, hn::Zero(floats)), y);
      float* to = output + f * p.output_plane + spot[v].to;
      if (spot[v].count == lanes) {
        hn::StoreU(y, floats, to);
      } else {
        simd::store_first(hn::Compress(y, spot[v].valid), floats, spot[v].count, to);
      }
    }
  }
}

template <int vectors>
void all_filters(const OutputLanes& p, const Spot* spot, const float* patch, const float* packed,
                 const float* bias, bool relu, float* output) {
  constexpr auto block_of = []<int... f>(std::integer_sequence<int, f...>) {
    return std::array{&block_product<f + 1, vectors>...};
  }
  (std::make_integer_sequence<int, most_filters>());
  for (std::int64_t f = 0; f < p.filters;) {
    const std::int64_t count = next_count(p.filters - f);
    block_of[static_cast<std::size_t>(count - 1)](p, spot, patch, packed + f * p.taps,
                                                  bias == nullptr ? nullptr : bias + f, relu,
                                                  output + f * p.output_plane);
    f += count;
  }
}

std::int64_t count_lanes(const OutputLanes& p) { return Spots(p).count() * lanes; }

void multiply(const OutputLanes& p, const float* patch, const float* packed, const float* bias,
              bool relu, float* output) {
  Spots spots(p);
  Spot block[most_vectors];
  for (;;) {
    int count = 0;
    while (count < most_vectors && spots.next(block[count])) ++count;
    if (count == 3) all_filters<3>(p, block, patch, packed, bias, relu, output);
    if (count == 2) all_filters<2>(p, block, patch, packed, bias, relu, output);
    if (count == 1) all_filters<1>(p, block, patch, packed, bias, relu, output);
    if (count < most_vectors) return;
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

[[maybe_unused]] static const bool simd_limited = limit_simd();

HWY_EXPORT(pack);
HWY_EXPORT(multiply);
HWY_EXPORT(count_lanes);

void pack_weights(std::int64_t filters, std::int64_t taps, const float* weight, float* packed) {
  HWY_DYNAMIC_DISPATCH(pack)(filters, taps, weight, packed);
}
std::int64_t padded_outputs(const OutputLanes& product) {
  return HWY_DYNAMIC_DISPATCH(count_lanes)(product);
}
void output_lanes_product(const OutputLanes& product, const float* patch, const float* packed,
                          const float* bias, bool relu, float* output) {
  HWY_DYNAMIC_DISPATCH(multiply)(product, patch, packed, bias, relu, output);
}

}  // namespace gradus::kernels
#endif
