// Compiled once for each kind of CPU, by Highway's including this file again; the last part only
// once. See tap_product.h.
#include <gradus/core/kernels/tap_product.h>

#include <algorithm>

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/tap_product.cpp"
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

// Sums that are kept in registers: of 32, or of 16.
constexpr bool many_registers = lanes == 16;
constexpr std::int64_t most = many_registers ? 8 : 4;  // filters, or taps
constexpr int vector_block = 3;

/// How many filters, or taps, come next: 8, 6, 4, 2 or 1.
HWY_INLINE std::int64_t next_count(std::int64_t left) {
  for (const std::int64_t size : {8, 6, 4, 2}) {
    if (size <= most && size <= left) return size;
  }
  return 1;
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
  explicit Spots(const TapProduct& p)
      : rows_(p.rows),
        columns_(p.columns),
        step_(p.row_step),
        line_((rows_ - 1) * step_ + columns_) {
    const std::int64_t by_rows = rows_ * ((columns_ + lanes - 1) / lanes);
    in_line_ = (line_ + lanes - 1) / lanes < by_rows;
  }

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

  std::int64_t rows_, columns_, step_, line_;
  bool in_line_;
  std::int64_t row_ = 0, column_ = 0, position_ = 0, done_ = 0;
};

/// `filters` filters times `vectors` vectors of outputs: all sums in registers.
template <int filters, int vectors>
HWY_NOINLINE void block_product(const TapProduct& p, const Spot* spot,
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
void all_filters(const TapProduct& p, const Spot* spot, const float* patch, const float* packed,
                 const float* bias, bool relu, float* output) {
  for (std::int64_t f = 0; f < p.filters;) {
    const std::int64_t count = next_count(p.filters - f);
    auto block = &block_product<1, vectors>;
    if (count == 2) block = &block_product<2, vectors>;
    if (count == 4) block = &block_product<4, vectors>;
    if constexpr (many_registers) {
      if (count == 6) block = &block_product<6, vectors>;
      if (count == 8) block = &block_product<8, vectors>;
    }
    block(p, spot, patch, packed + f * p.taps, bias == nullptr ? nullptr : bias + f, relu,
          output + f * p.output_plane);
    f += count;
  }
}

void multiply(const TapProduct& p, const float* patch, const float* packed, const float* bias,
              bool relu, float* output) {
  Spots spots(p);
  Spot block[vector_block];
  for (;;) {
    int count = 0;
    while (count < vector_block && spots.next(block[count])) ++count;
    if (count == 3) all_filters<3>(p, block, patch, packed, bias, relu, output);
    if (count == 2) all_filters<2>(p, block, patch, packed, bias, relu, output);
    if (count == 1) all_filters<1>(p, block, patch, packed, bias, relu, output);
    if (count < vector_block) return;
  }
}

// ---- The adjoint for the weights ----
//
// The same block of sums in registers, with other roles: vectors of filters, times the patch under
// a few taps, added up over the outputs. So the gradient is needed with filters innermost, packed
// as [block of filters][outputs][lanes of the block].

// Outputs that one block of sums runs over: their gradients, of one block of filters, stay in L1.
constexpr std::int64_t outputs_per_sum = 128;

/// Vectors of the next block of filters: 3, but 2 + 2 rather than 3 + 1.
HWY_INLINE std::int64_t next_vectors(std::int64_t left) {
  return left == 4 || left == 2 ? 2 : std::min<std::int64_t>(left, vector_block);
}

std::int64_t padded(std::int64_t filters) { return (filters + lanes - 1) / lanes * lanes; }

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

/// to[p·width + f] = from[f·plane + p] for 4 f and 4 p, within [f_end, p_end): a transposition.
HWY_INLINE void transpose_4x4(const float* HWY_RESTRICT from, std::int64_t plane,
                              std::int64_t f_end, std::int64_t p_end, float* HWY_RESTRICT to,
                              std::int64_t width) {
#if HWY_TARGET != HWY_SCALAR
  if (f_end >= 4 && p_end >= 4) {
    constexpr hn::Full128<float> four;
    constexpr hn::Full128<double> pairs;
    const auto a = hn::LoadU(four, from);
    const auto b = hn::LoadU(four, from + plane);
    const auto c = hn::LoadU(four, from + 2 * plane);
    const auto d = hn::LoadU(four, from + 3 * plane);
    const auto ab_lower = hn::BitCast(pairs, hn::InterleaveLower(four, a, b));
    const auto ab_upper = hn::BitCast(pairs, hn::InterleaveUpper(four, a, b));
    const auto cd_lower = hn::BitCast(pairs, hn::InterleaveLower(four, c, d));
    const auto cd_upper = hn::BitCast(pairs, hn::InterleaveUpper(four, c, d));
    const auto store = [&](auto rows, std::int64_t p)
                           HWY_ATTR { hn::StoreU(hn::BitCast(four, rows), four, to + p * width); };
    store(hn::InterleaveLower(pairs, ab_lower, cd_lower), 0);
    store(hn::InterleaveUpper(pairs, ab_lower, cd_lower), 1);
    store(hn::InterleaveLower(pairs, ab_upper, cd_upper), 2);
    store(hn::InterleaveUpper(pairs, ab_upper, cd_upper), 3);
    return;
  }
#endif
  for (std::int64_t f = 0; f < std::min<std::int64_t>(f_end, 4); ++f) {
    for (std::int64_t p = 0; p < std::min<std::int64_t>(p_end, 4); ++p)
      to[p * width + f] = from[f * plane + p];
  }
}

void pack_grads(std::int64_t filters, std::int64_t outputs, const float* HWY_RESTRICT grad,
                std::int64_t plane, float* HWY_RESTRICT packed) {
  for_each_block(filters, [&](std::int64_t first, std::int64_t width) HWY_ATTR {
    const std::int64_t count = std::min(width, filters - first);
    for (std::int64_t k = 0; count < width && k < outputs * width; k += lanes)
      hn::StoreU(hn::Zero(floats), floats, packed + k);
    for (std::int64_t p = 0; p < outputs; p += 4) {
      for (std::int64_t f = 0; f < count; f += 4) {
        transpose_4x4(grad + (first + f) * plane + p, plane, count - f, outputs - p,
                      packed + p * width + f, width);
      }
    }
    packed += outputs * width;
  });
}

void unpack_sums(std::int64_t filters, std::int64_t taps, const float* HWY_RESTRICT sums,
                 float* HWY_RESTRICT grad) {
  for_each_block(filters, [&](std::int64_t first, std::int64_t width) {
    for (std::int64_t lane = 0; lane < std::min(width, filters - first); ++lane) {
      for (std::int64_t t = 0; t < taps; ++t)
        grad[(first + lane) * taps + t] = sums[t * width + lane];
    }
    sums += taps * width;
  });
}

/// `taps` taps times `vectors` vectors of filters, over some rows of outputs of each image.
template <int taps, int vectors>
HWY_NOINLINE void block_grad(const TapProduct& p, const TapImages& images, std::int64_t rows,
                             const std::int64_t* offset, const float* HWY_RESTRICT patch,
                             const float* HWY_RESTRICT packed, float* HWY_RESTRICT sums) {
  Vector sum[taps][vectors];
  for (int t = 0; t < taps; ++t) {
    for (int v = 0; v < vectors; ++v)
      sum[t][v] = hn::LoadU(floats, sums + (t * vectors + v) * lanes);
  }
  for (std::int64_t image = 0; image < images.count; ++image) {
    const float* window[taps];
    for (int t = 0; t < taps; ++t) window[t] = patch + image * images.patch_step + offset[t];
    const float* HWY_RESTRICT grad = packed + image * images.grad_step;
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < p.columns; ++column, grad += vectors * lanes) {
        Vector g[vectors];
        for (int v = 0; v < vectors; ++v) g[v] = hn::LoadU(floats, grad + v * lanes);
        for (int t = 0; t < taps; ++t) {
          const Vector x = hn::Set(floats, window[t][column]);
          for (int v = 0; v < vectors; ++v) sum[t][v] = hn::MulAdd(x, g[v], sum[t][v]);
        }
      }
      for (int t = 0; t < taps; ++t) window[t] += p.row_step;
    }
  }
  for (int t = 0; t < taps; ++t) {
    for (int v = 0; v < vectors; ++v)
      hn::StoreU(sum[t][v], floats, sums + (t * vectors + v) * lanes);
  }
}

template <int vectors>
void all_taps(const TapProduct& p, const TapImages& images, std::int64_t rows, const float* patch,
              const float* grad, float* sums) {
  for (std::int64_t t = 0; t < p.taps;) {
    const std::int64_t count = next_count(p.taps - t);
    auto block = &block_grad<1, vectors>;
    if (count == 2) block = &block_grad<2, vectors>;
    if (count == 4) block = &block_grad<4, vectors>;
    if constexpr (many_registers) {
      if (count == 6) block = &block_grad<6, vectors>;
      if (count == 8) block = &block_grad<8, vectors>;
    }
    block(p, images, rows, p.offset + t, patch, grad, sums + t * vectors * lanes);
    t += count;
  }
}

void weight_grad(const TapProduct& p, const TapImages& images, const float* patch,
                 const float* packed, float* sums) {
  const std::int64_t rows = std::max<std::int64_t>(1, outputs_per_sum / p.columns);
  for (std::int64_t row = 0; row < p.rows; row += rows) {
    const std::int64_t count = std::min(rows, p.rows - row);
    const float* window = patch + row * p.row_step;
    for_each_block(p.filters, [&](std::int64_t first, std::int64_t width) {
      const float* grad = packed + (first * p.rows + row * width) * p.columns;
      float* sum = sums + first * p.taps;
      if (width == 3 * lanes) all_taps<3>(p, images, count, window, grad, sum);
      if (width == 2 * lanes) all_taps<2>(p, images, count, window, grad, sum);
      if (width == 1 * lanes) all_taps<1>(p, images, count, window, grad, sum);
    });
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

[[maybe_unused]] static const bool simd_limited = limit_simd();

HWY_EXPORT(pack);
HWY_EXPORT(multiply);
HWY_EXPORT(padded);
HWY_EXPORT(block_width);
HWY_EXPORT(pack_grads);
HWY_EXPORT(weight_grad);
HWY_EXPORT(unpack_sums);

void pack_weights(std::int64_t filters, std::int64_t taps, const float* weight, float* packed) {
  HWY_DYNAMIC_DISPATCH(pack)(filters, taps, weight, packed);
}
void tap_product(const TapProduct& product, const float* patch, const float* packed,
                 const float* bias, bool relu, float* output) {
  HWY_DYNAMIC_DISPATCH(multiply)(product, patch, packed, bias, relu, output);
}
std::int64_t padded_filters(std::int64_t filters) { return HWY_DYNAMIC_DISPATCH(padded)(filters); }
std::int64_t filter_block(std::int64_t left) { return HWY_DYNAMIC_DISPATCH(block_width)(left); }
void pack_filter_grads(std::int64_t filters, std::int64_t outputs, const float* grad,
                       std::int64_t plane, float* packed) {
  HWY_DYNAMIC_DISPATCH(pack_grads)(filters, outputs, grad, plane, packed);
}
void tap_product_weight_grad(const TapProduct& product, const TapImages& images, const float* patch,
                             const float* packed, float* sums) {
  HWY_DYNAMIC_DISPATCH(weight_grad)(product, images, patch, packed, sums);
}
void unpack_weight_grad(std::int64_t filters, std::int64_t taps, const float* sums, float* grad) {
  HWY_DYNAMIC_DISPATCH(unpack_sums)(filters, taps, sums, grad);
}

}  // namespace gradus::kernels
#endif
