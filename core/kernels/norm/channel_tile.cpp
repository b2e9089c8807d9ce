// Compiled once for each kind of CPU, by Highway's including this file again; the last part, with
// the plain loops, only once. See channel_tile.h.
#include <gradus/core/kernels/norm/channel_tile.h>

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/norm/channel_tile.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Doubles = hn::ScalableTag<double>;
using Halves = hn::Rebind<float, Doubles>;  // as many floats as a vector has doubles
constexpr Floats floats;
constexpr Doubles doubles;
constexpr Halves halves;

/// The numbers of one channel.
struct Channel {
  float mean, scale, bias;

  Channel(const ChannelMap<float>& map, std::int64_t c)
      : mean(map.mean[c]), scale(map.scale[c]), bias(map.bias_of(c)) {}
};

// Vectors and single numbers have the same arithmetic; runs end with single ones.
template <class D, class V> HWY_INLINE V mapped(D d, const Channel& c, V x) {
  const V scaled = hn::Mul(hn::Sub(x, hn::Set(d, c.mean)), hn::Set(d, c.scale));
  return hn::Add(scaled, hn::Set(d, c.bias));
}
HWY_INLINE float mapped(const Channel& c, float x) { return (x - c.mean) * c.scale + c.bias; }

template <bool relu, class D, class V> HWY_INLINE V masked(D d, const Channel& c, V dy, V x) {
  if constexpr (!relu) return dy;
  return hn::IfThenZeroElse(hn::Le(mapped(d, c, x), hn::Zero(d)), dy);
}
template <bool relu> HWY_INLINE float masked(const Channel& c, float dy, float x) {
  return relu && mapped(c, x) <= 0 ? 0 : dy;
}

/// Sums are kept in two chains, so that one addition need not wait for the other.
HWY_INLINE double total_of(const hn::Vec<Doubles> (&chains)[2]) {
  return hn::GetLane(hn::SumOfLanes(doubles, hn::Add(chains[0], chains[1])));
}

void moments(const ChannelTile& b, const float* HWY_RESTRICT shift, const float* HWY_RESTRICT x,
             double* HWY_RESTRICT sum, double* HWY_RESTRICT square) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(doubles));
  for (std::int64_t c = 0; c < b.channels; ++c) sum[c] = square[c] = 0;
  for (std::int64_t image = 0; image < b.images; ++image) {
    for (std::int64_t c = 0; c < b.channels; ++c) {
      const float* run = x + image * b.image_step + c * b.channel_step;
      const double from = shift[c];
      const auto origin = hn::Set(doubles, from);
      hn::Vec<Doubles> first[2] = {hn::Zero(doubles), hn::Zero(doubles)};
      hn::Vec<Doubles> second[2] = {hn::Zero(doubles), hn::Zero(doubles)};
      std::int64_t i = 0;
      for (; i + 2 * lanes <= b.length; i += 2 * lanes) {
        for (int chain = 0; chain < 2; ++chain) {
          const auto values = hn::LoadU(halves, run + i + chain * lanes);
          const auto d = hn::Sub(hn::PromoteTo(doubles, values), origin);
          first[chain] = hn::Add(first[chain], d);
          second[chain] = hn::MulAdd(d, d, second[chain]);
        }
      }
      double run_sum = total_of(first);
      double run_square = total_of(second);
      for (; i < b.length; ++i) {
        const double d = run[i] - from;
        run_sum += d;
        run_square += d * d;
      }
      sum[c] += run_sum;
      square[c] += run_square;
    }
  }
}

template <bool relu>
void map_runs(const ChannelTile& b, const ChannelMap<float>& map, const float* HWY_RESTRICT x,
              float* HWY_RESTRICT y) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(floats));
  for (std::int64_t image = 0; image < b.images; ++image) {
    for (std::int64_t c = 0; c < b.channels; ++c) {
      const std::int64_t start = image * b.image_step + c * b.channel_step;
      const float* from = x + start;
      float* to = y + start;
      const Channel channel(map, c);
      std::int64_t i = 0;
      for (; i + lanes <= b.length; i += lanes) {
        auto z = mapped(floats, channel, hn::LoadU(floats, from + i));
        // Not Max: that would drop a NaN.
        if constexpr (relu) z = hn::IfThenZeroElse(hn::Lt(z, hn::Zero(floats)), z);
        hn::StoreU(z, floats, to + i);
      }
      for (; i < b.length; ++i) {
        const float z = mapped(channel, from[i]);
        to[i] = relu && z < 0 ? 0 : z;
      }
    }
  }
}

void sums(const ChannelTile& b, const float* HWY_RESTRICT x, double* HWY_RESTRICT sum) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(doubles));
  for (std::int64_t c = 0; c < b.channels; ++c) sum[c] = 0;
  for (std::int64_t image = 0; image < b.images; ++image) {
    for (std::int64_t c = 0; c < b.channels; ++c) {
      const float* run = x + image * b.image_step + c * b.channel_step;
      hn::Vec<Doubles> total[2] = {hn::Zero(doubles), hn::Zero(doubles)};
      std::int64_t i = 0;
      for (; i + 2 * lanes <= b.length; i += 2 * lanes) {
        for (int chain = 0; chain < 2; ++chain) {
          const auto values = hn::LoadU(halves, run + i + chain * lanes);
          total[chain] = hn::Add(total[chain], hn::PromoteTo(doubles, values));
        }
      }
      double run_sum = total_of(total);
      for (; i < b.length; ++i) run_sum += run[i];
      sum[c] += run_sum;
    }
  }
}

template <bool relu>
void sum_runs(const ChannelTile& b, const ChannelMap<float>& map, const float* HWY_RESTRICT dy,
              const float* HWY_RESTRICT x, double* HWY_RESTRICT total, double* HWY_RESTRICT along) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(doubles));
  for (std::int64_t c = 0; c < b.channels; ++c) total[c] = along[c] = 0;
  for (std::int64_t image = 0; image < b.images; ++image) {
    for (std::int64_t c = 0; c < b.channels; ++c) {
      const Channel channel(map, c);
      const std::int64_t start = image * b.image_step + c * b.channel_step;
      const std::int64_t end = start + b.length;
      auto run_totals = hn::Zero(doubles);
      auto run_products = hn::Zero(doubles);
      std::int64_t i = start;
      // Widening is most of the work: it is done once for four vectors.
      for (; i + 4 * lanes <= end; i += 4 * lanes) {
        hn::Vec<Halves> g[4];
        hn::Vec<Halves> product[4];
        for (int v = 0; v < 4; ++v) {
          const auto values = hn::LoadU(halves, x + i + v * lanes);
          g[v] = masked<relu>(halves, channel, hn::LoadU(halves, dy + i + v * lanes), values);
          product[v] = hn::Mul(g[v], hn::Sub(values, hn::Set(halves, channel.mean)));
        }
        const auto four = hn::Add(hn::Add(g[0], g[1]), hn::Add(g[2], g[3]));
        const auto products =
            hn::Add(hn::Add(product[0], product[1]), hn::Add(product[2], product[3]));
        run_totals = hn::Add(run_totals, hn::PromoteTo(doubles, four));
        run_products = hn::Add(run_products, hn::PromoteTo(doubles, products));
      }
      for (; i + lanes <= end; i += lanes) {
        const auto values = hn::LoadU(halves, x + i);
        const auto g = masked<relu>(halves, channel, hn::LoadU(halves, dy + i), values);
        const auto product = hn::Mul(g, hn::Sub(values, hn::Set(halves, channel.mean)));
        run_totals = hn::Add(run_totals, hn::PromoteTo(doubles, g));
        run_products = hn::Add(run_products, hn::PromoteTo(doubles, product));
      }
      double run_total = hn::GetLane(hn::SumOfLanes(doubles, run_totals));
      double run_along = hn::GetLane(hn::SumOfLanes(doubles, run_products));
      for (; i < end; ++i) {
        const float g = masked<relu>(channel, dy[i], x[i]);
        run_total += g;
        run_along += g * (x[i] - channel.mean);
      }
      total[c] += run_total;
      along[c] += run_along;
    }
  }
}

template <bool relu>
void input_grad_runs(const ChannelTile& b, const ChannelMap<float>& map, const float* dy,
                     const float* x, const float* offset, const float* slope, float* dx) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(floats));
  for (std::int64_t image = 0; image < b.images; ++image) {
    for (std::int64_t c = 0; c < b.channels; ++c) {
      const std::int64_t start = image * b.image_step + c * b.channel_step;
      const Channel channel(map, c);
      const float less = offset[c];
      const float tilt = slope[c];
      std::int64_t i = start;
      for (; i + lanes <= start + b.length; i += lanes) {
        const auto values = hn::LoadU(floats, x + i);
        const auto g = masked<relu>(floats, channel, hn::LoadU(floats, dy + i), values);
        const auto centred = hn::Sub(values, hn::Set(floats, channel.mean));
        const auto level = hn::Sub(g, hn::Set(floats, less));
        const auto rest = hn::NegMulAdd(centred, hn::Set(floats, tilt), level);
        hn::StoreU(hn::Mul(rest, hn::Set(floats, channel.scale)), floats, dx + i);
      }
      for (; i < start + b.length; ++i) {
        const float g = masked<relu>(channel, dy[i], x[i]);
        dx[i] = (g - less - (x[i] - channel.mean) * tilt) * channel.scale;
      }
    }
  }
}

void map_block(const ChannelTile& b, const ChannelMap<float>& map, const float* x, float* y) {
  map.relu ? map_runs<true>(b, map, x, y) : map_runs<false>(b, map, x, y);
}
void sum_block(const ChannelTile& b, const ChannelMap<float>& map, const float* dy, const float* x,
               double* total, double* along) {
  map.relu ? sum_runs<true>(b, map, dy, x, total, along)
           : sum_runs<false>(b, map, dy, x, total, along);
}
void input_grad_block(const ChannelTile& b, const ChannelMap<float>& map, const float* dy,
                      const float* x, const float* offset, const float* slope, float* dx) {
  map.relu ? input_grad_runs<true>(b, map, dy, x, offset, slope, dx)
           : input_grad_runs<false>(b, map, dy, x, offset, slope, dx);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

namespace {

// ---- The plain loops: float64 whole, and runs of float32 too short for a vector ----

/// Calls f(channel, index) for every element of a block.
template <class F> void for_each_element(const ChannelTile& b, const F& f) {
  for (std::int64_t image = 0; image < b.images; ++image) {
    if (b.length == 1) {  // [N,C]: the channels are the long loop
      for (std::int64_t c = 0; c < b.channels; ++c) f(c, image * b.image_step + c * b.channel_step);
      continue;
    }
    for (std::int64_t c = 0; c < b.channels; ++c) {
      const std::int64_t start = image * b.image_step + c * b.channel_step;
      for (std::int64_t i = start; i < start + b.length; ++i) f(c, i);
    }
  }
}

template <class T> T mapped(const ChannelMap<T>& map, std::int64_t c, T x) {
  return (x - map.mean[c]) * map.scale[c] + map.bias_of(c);
}

template <class T> T masked(const ChannelMap<T>& map, std::int64_t c, T dy, T x) {
  const T kept[2] = {dy, T{0}};  // looked up: no branch could predict the side of 0
  return kept[map.relu && mapped(map, c, x) <= 0];
}

template <class T> void plain_sums(const ChannelTile& block, const T* x, double* sum) {
  for (std::int64_t c = 0; c < block.channels; ++c) sum[c] = 0;
  for_each_element(block, [&](std::int64_t c, std::int64_t i) { sum[c] += x[i]; });
}

template <class T>
void plain_moments(const ChannelTile& block, const T* shift, const T* x, double* sum,
                   double* square) {
  for (std::int64_t c = 0; c < block.channels; ++c) sum[c] = square[c] = 0;
  for_each_element(block, [&](std::int64_t c, std::int64_t i) {
    const double d = static_cast<double>(x[i]) - static_cast<double>(shift[c]);
    sum[c] += d;
    square[c] += d * d;
  });
}

template <class T>
void plain_map(const ChannelTile& block, const ChannelMap<T>& map, const T* x, T* y) {
  for_each_element(block, [&](std::int64_t c, std::int64_t i) {
    const T z = mapped(map, c, x[i]);
    y[i] = map.relu && z < 0 ? T{0} : z;
  });
}

template <class T>
void plain_grad_sums(const ChannelTile& block, const ChannelMap<T>& map, const T* dy, const T* x,
                     double* total, double* along) {
  for (std::int64_t c = 0; c < block.channels; ++c) total[c] = along[c] = 0;
  for_each_element(block, [&](std::int64_t c, std::int64_t i) {
    const T g = masked(map, c, dy[i], x[i]);
    total[c] += g;
    along[c] += g * (x[i] - map.mean[c]);
  });
}

template <class T>
void plain_input_grad(const ChannelTile& block, const ChannelMap<T>& map, const T* dy, const T* x,
                      const T* offset, const T* slope, T* dx) {
  for_each_element(block, [&](std::int64_t c, std::int64_t i) {
    const T g = masked(map, c, dy[i], x[i]);
    dx[i] = (g - offset[c] - (x[i] - map.mean[c]) * slope[c]) * map.scale[c];
  });
}

bool too_short(const ChannelTile& block) { return block.length < 8; }

}  // namespace

// ---- float32 ----

[[maybe_unused]] static const bool simd_limited = limit_simd();

HWY_EXPORT(sums);
HWY_EXPORT(moments);
HWY_EXPORT(map_block);
HWY_EXPORT(sum_block);
HWY_EXPORT(input_grad_block);

void tile_sums(const ChannelTile& block, const float* x, double* sum) {
  if (too_short(block)) return plain_sums(block, x, sum);
  HWY_DYNAMIC_DISPATCH(sums)(block, x, sum);
}
void tile_moments(const ChannelTile& block, const float* shift, const float* x, double* sum,
                  double* square) {
  if (too_short(block)) return plain_moments(block, shift, x, sum, square);
  HWY_DYNAMIC_DISPATCH(moments)(block, shift, x, sum, square);
}
void tile_map(const ChannelTile& block, const ChannelMap<float>& map, const float* x, float* y) {
  if (too_short(block)) return plain_map(block, map, x, y);
  HWY_DYNAMIC_DISPATCH(map_block)(block, map, x, y);
}
void tile_grad_sums(const ChannelTile& block, const ChannelMap<float>& map, const float* dy,
                    const float* x, double* total, double* along) {
  if (too_short(block)) return plain_grad_sums(block, map, dy, x, total, along);
  HWY_DYNAMIC_DISPATCH(sum_block)(block, map, dy, x, total, along);
}
void tile_input_grad(const ChannelTile& block, const ChannelMap<float>& map, const float* dy,
                     const float* x, const float* offset, const float* slope, float* dx) {
  if (too_short(block)) return plain_input_grad(block, map, dy, x, offset, slope, dx);
  HWY_DYNAMIC_DISPATCH(input_grad_block)(block, map, dy, x, offset, slope, dx);
}

// ---- float64 ----

void tile_sums(const ChannelTile& block, const double* x, double* sum) {
  plain_sums(block, x, sum);
}
void tile_moments(const ChannelTile& block, const double* shift, const double* x, double* sum,
                  double* square) {
  plain_moments(block, shift, x, sum, square);
}
void tile_map(const ChannelTile& block, const ChannelMap<double>& map, const double* x, double* y) {
  plain_map(block, map, x, y);
}
void tile_grad_sums(const ChannelTile& block, const ChannelMap<double>& map, const double* dy,
                    const double* x, double* total, double* along) {
  plain_grad_sums(block, map, dy, x, total, along);
}
void tile_input_grad(const ChannelTile& block, const ChannelMap<double>& map, const double* dy,
                     const double* x, const double* offset, const double* slope, double* dx) {
  plain_input_grad(block, map, dy, x, offset, slope, dx);
}

}  // namespace gradus::kernels
#endif
