// Compiled once for each kind of CPU, by Highway's including this file again; the last part only
// once. See max_pool_2x2.h.
//
// Rows are shorter than vectors more often than not. So each row is read and written in whole
// vectors; what hangs over its end is overwritten by the rows and planes after it. Only the last
// rows of the last plane, beyond which the memory is somebody else's, go by way of a buffer.
#include <gradus/core/kernels/pool/max_pool_2x2.h>

#include <algorithm>

#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/pool/max_pool_2x2.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Ints = hn::RebindToSigned<Floats>;
using Bytes = hn::Rebind<std::uint8_t, Floats>;  // as many as there are floats in a vector
using Vector = hn::Vec<Floats>;
using Places = hn::Vec<Ints>;
constexpr Floats floats;
constexpr Ints ints;
constexpr Bytes bytes;

constexpr std::size_t most_lanes = HWY_MAX_BYTES / sizeof(float);

/// A later element replaces the best so far where it is greater, or NaN: the first maximum wins, a
/// NaN always does.
HWY_INLINE void meet(Vector value, int place, Vector& best, Places& places) {
  const auto wins = hn::Or(hn::Gt(value, best), hn::IsNaN(value));
  best = hn::IfThenElse(wins, value, best);
  places = hn::IfThenElse(hn::RebindMask(ints, wins), hn::Set(ints, place), places);
}

/// One vector of windows: reads two vectors from each row.
HWY_INLINE void choose(const float* HWY_RESTRICT upper, const float* HWY_RESTRICT lower,
                       float* HWY_RESTRICT y, std::uint8_t* HWY_RESTRICT places) {
  Vector best, right, below, last;
  hn::LoadInterleaved2(floats, upper, best, right);
  hn::LoadInterleaved2(floats, lower, below, last);
  Places place = hn::Zero(ints);
  meet(right, 1, best, place);
  meet(below, 2, best, place);
  meet(last, 3, best, place);
  hn::StoreU(best, floats, y);
  hn::StoreU(hn::DemoteTo(bytes, place), bytes, places);
}

void choose_all(std::int64_t planes, std::int64_t height, std::int64_t width, const float* x,
                float* y, std::uint8_t* places) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(floats));
  const std::int64_t rows = height / 2;
  const std::int64_t columns = width / 2;
  for (; planes > 0; --planes, x += height * width, y += rows * columns, places += rows * columns) {
    const std::int64_t inputs = planes * height * width;  // from here to the end
    const std::int64_t outputs = planes * rows * columns;
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < columns; column += lanes) {
        const std::int64_t from = 2 * row * width + 2 * column;
        const std::int64_t to = row * columns + column;
        if (from + width + 2 * lanes <= inputs && to + lanes <= outputs) {
          choose(x + from, x + from + width, y + to, places + to);
          continue;
        }
        const std::int64_t count = std::min(lanes, columns - column);
        float upper[2 * most_lanes] = {};
        float lower[2 * most_lanes] = {};
        float best[most_lanes];
        std::uint8_t place[most_lanes];
        std::copy_n(x + from, 2 * count, upper);
        std::copy_n(x + from + width, 2 * count, lower);
        choose(upper, lower, best, place);
        std::copy_n(best, count, y + to);
        std::copy_n(place, count, places + to);
      }
    }
  }
}

/// One vector of windows, of which a row of dx sees two places, `left` and the one after it.
HWY_INLINE void spread(const float* HWY_RESTRICT dy, const std::uint8_t* HWY_RESTRICT places,
                       int left, float* HWY_RESTRICT dx) {
  const Places place = hn::PromoteTo(ints, hn::LoadU(bytes, places));
  // As 0 + dy: a sum over no more than one window, in which -0 becomes 0.
  const Vector slope = hn::Add(hn::LoadU(floats, dy), hn::Zero(floats));
  const auto at_left = hn::RebindMask(floats, hn::Eq(place, hn::Set(ints, left)));
  const auto at_right = hn::RebindMask(floats, hn::Eq(place, hn::Set(ints, left + 1)));
  hn::StoreInterleaved2(hn::IfThenElseZero(at_left, slope), hn::IfThenElseZero(at_right, slope),
                        floats, dx);
}

void spread_all(std::int64_t planes, std::int64_t height, std::int64_t width, const float* dy,
                const std::uint8_t* places, float* dx) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(floats));
  const std::int64_t rows = height / 2;
  const std::int64_t columns = width / 2;
  for (; planes > 0;
       --planes, dx += height * width, dy += rows * columns, places += rows * columns) {
    const std::int64_t inputs = planes * height * width;  // from here to the end
    const std::int64_t outputs = planes * rows * columns;
    for (std::int64_t line = 0; line < 2 * rows; ++line) {
      const int left = line % 2 == 0 ? 0 : 2;
      for (std::int64_t column = 0; column < columns; column += lanes) {
        const std::int64_t from = line / 2 * columns + column;
        const std::int64_t to = line * width + 2 * column;
        if (from + lanes <= outputs && to + 2 * lanes <= inputs) {
          spread(dy + from, places + from, left, dx + to);
          continue;
        }
        const std::int64_t count = std::min(lanes, columns - column);
        float slopes[most_lanes] = {};
        std::uint8_t place[most_lanes] = {};
        float pairs[2 * most_lanes];
        std::copy_n(dy + from, count, slopes);
        std::copy_n(places + from, count, place);
        spread(slopes, place, left, pairs);
        std::copy_n(pairs, 2 * count, dx + to);
      }
      if (width % 2 != 0) dx[line * width + width - 1] = 0;
    }
    if (height % 2 != 0) std::fill_n(dx + (height - 1) * width, width, 0.0F);
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

[[maybe_unused]] static const bool simd_limited = limit_simd();

HWY_EXPORT(choose_all);
HWY_EXPORT(spread_all);

void max_pool_2x2(std::int64_t planes, std::int64_t height, std::int64_t width, const float* x,
                  float* y, std::uint8_t* places) {
  HWY_DYNAMIC_DISPATCH(choose_all)(planes, height, width, x, y, places);
}
void max_pool_2x2_scatter(std::int64_t planes, std::int64_t height, std::int64_t width,
                          const float* dy, const std::uint8_t* places, float* dx) {
  HWY_DYNAMIC_DISPATCH(spread_all)(planes, height, width, dy, places, dx);
}

}  // namespace gradus::kernels
#endif
