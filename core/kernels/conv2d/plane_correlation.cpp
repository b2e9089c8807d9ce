// Compiled once for each kind of CPU, by Highway's including this file again; the last part only
// once. See plane_correlation.h.
#include <gradus/core/kernels/conv2d/plane_correlation.h>

#include <algorithm>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/conv2d/plane_correlation.cpp"
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

// Rows of outputs that are computed together: the first and the last two rows of inputs are loaded for
// two blocks.
constexpr int block = 8;

/// Taps and stride of both axes, known when compiling.
template <int taps_h, int taps_w, int both_strides> struct Unrolled {
  static constexpr int height = taps_h, width = taps_w, stride = both_strides;
  static constexpr int rows = (block - 1) * stride + height;  // of inputs, for a block
};

/// x[b] = every stride-th number of a row from tap b on; first(b) and second(b) load a vector from
/// there, and the next one.
template <class T, class Shape, class First, class Second>
HWY_INLINE void load_taps(const First& first, const Second& second, Vector<T> (&x)[Shape::width]) {
  static_cast<void>(second);
  GRADUS_UNROLL
  for (int b = 0; b < Shape::width; ++b) {
#if HWY_TARGET != HWY_SCALAR
    if constexpr (Shape::stride == 2) {
      if (b % 2 == 1) continue;  // done together with the tap before
      const Vector<T> lower = first(b);
      const Vector<T> upper = second(b);
      x[b] = hn::ConcatEven(Tag<T>(), upper, lower);
      if (b + 1 < Shape::width) x[b + 1] = hn::ConcatOdd(Tag<T>(), upper, lower);
      continue;
    }
#endif
    x[b] = first(b);
  }
}

/// What the taps meet where some of it lies outside of the row: zeros.
template <class T, class Shape> class Window {
 public:
  /// The first tap's first input.
  Window(std::int64_t column, std::int64_t inputs) : column_(column) {
    for (int b = 0; b < Shape::width; ++b) {
      const std::int64_t from = column + b;
      first_[b] = simd::Range<T>(-from, inputs - from);
      second_[b] = simd::Range<T>(-from - lanes<T>, inputs - from - lanes<T>);
    }
  }

  HWY_INLINE void load(const T* row, Vector<T> (&x)[Shape::width]) const {
    const T* from = row + column_;
    load_taps<T, Shape>([&](int b) HWY_ATTR { return first_[b].load(from + b); },
                        [&](int b) HWY_ATTR { return second_[b].load(from + b + lanes<T>); }, x);
  }

 private:
  std::int64_t column_;
  simd::Range<T> first_[Shape::width], second_[Shape::width];
};

/// What is the same for all planes: how vectors cover a row of outputs, each of them a strip of a
/// block and the last one moved back, and what they meet at the borders.
template <class T, class Shape> class Plan {
 public:
  explicit Plan(const PlaneCorrelation& correlation)
      : p(correlation),
        strips(ceil_div(p.columns.outputs, lanes<T>)),
        first_inner_(left_edges()),
        last_inner_(strips - right_edges()),
        windows_(strips - (last_inner_ - first_inner_)),
        zeros_(p.columns.inputs) {
    std::fill_n(zeros_.data(), p.columns.inputs, T{0});
    Window<T, Shape>* window = windows_.data();
    for (std::int64_t strip = 0; strip < strips; ++strip) {
      if (!is_inner(strip)) *window++ = Window<T, Shape>(input(strip), p.columns.inputs);
    }
  }

  /// The first output of a strip.
  std::int64_t column(std::int64_t strip) const {
    return std::max<std::int64_t>(0, std::min(strip * lanes<T>, p.columns.outputs - lanes<T>));
  }

  /// Finds the rows of the plane that `rows` rows of outputs from `first` on meet: zeros outside.
  void find_rows(const T* in, std::int64_t first, std::int64_t rows) {
    const std::int64_t top = first * Shape::stride + p.rows.first;
    for (std::int64_t k = 0; k < (rows - 1) * Shape::stride + Shape::height; ++k) {
      const bool inside = top + k >= 0 && top + k < p.rows.inputs;
      rows_[k] = inside ? in + (top + k) * p.columns.inputs : zeros_.data();
    }
  }

  /// Calls add(r, a, b, x) where row r of a block's outputs meets the inputs x at tap (a, b): from row
  /// to row of the inputs; begin(r) before the first time and finish(r) after the last; until finish
  /// returns false.
  template <class Begin, class Add, class Finish>
  HWY_INLINE void meet(std::int64_t strip, const Begin& begin, const Add& add,
                       const Finish& finish) const {
    if (is_inner(strip)) {
      const std::int64_t from = input(strip);
      const auto load = [&](const T* row, Vector<T>(&x)[Shape::width]) HWY_ATTR {
        row += from;
        load_taps<T, Shape>([&](int b) HWY_ATTR { return hn::LoadU(Tag<T>(), row + b); },
                            [&](int b) HWY_ATTR { return hn::LoadU(Tag<T>(), row + b + lanes<T>); },
                            x);
      };
      walk(load, begin, add, finish);
    } else {
      const std::int64_t edge = strip < first_inner_ ? strip : strip - last_inner_ + first_inner_;
      const Window<T, Shape>& window = windows_.data()[edge];
      const auto load = [&](const T* row, Vector<T>(&x)[Shape::width])
                            HWY_ATTR { window.load(row, x); };
      walk(load, begin, add, finish);
    }
  }

  const PlaneCorrelation& p;
  const std::int64_t strips;

 private:
  /// The first input of a strip, at tap 0.
  std::int64_t input(std::int64_t strip) const {
    return column(strip) * Shape::stride + p.columns.first;
  }
  /// Strips that have inputs left of the row, and others that have some right of it.
  std::int64_t left_edges() const {
    std::int64_t count = 0;
    while (count < strips && input(count) < 0) ++count;
    return count;
  }
  std::int64_t right_edges() const {
    constexpr std::int64_t reach = Shape::width - 1 + lanes<T> * Shape::stride;
    std::int64_t count = 0;
    while (strips - count > first_inner_ && input(strips - count - 1) + reach > p.columns.inputs)
      ++count;
    return count;
  }
  bool is_inner(std::int64_t strip) const { return strip >= first_inner_ && strip < last_inner_; }

  template <class Load, class Begin, class Add, class Finish>
  HWY_INLINE void walk(const Load& load, const Begin& begin, const Add& add,
                       const Finish& finish) const {
    HWY_UNROLL(32)
    for (int k = 0; k < Shape::rows; ++k) {
      if (k % Shape::stride == 0 && k / Shape::stride < block) begin(k / Shape::stride);
      Vector<T> x[Shape::width];
      load(rows_[k], x);
      GRADUS_UNROLL
      for (int b = 0; b < Shape::width; ++b) {
        GRADUS_UNROLL
        for (int a = 0; a < Shape::height; ++a) {
          const int r = (k - a) / Shape::stride;
          if (k >= a && r < block && r * Shape::stride == k - a) add(r, a, b, x[b]);
        }
      }
      const int done = k - Shape::height + 1;
      if (done >= 0 && done % Shape::stride == 0 && !finish(done / Shape::stride)) return;
    }
  }

  std::int64_t first_inner_, last_inner_;  // strips
  Workspace<Window<T, Shape>> windows_;  // of the others; aligned, as vectors of any width want it
  Workspace<T> zeros_;
  const T* rows_[Shape::rows];
};

template <class T, class Shape>
void correlate(const PlaneCorrelation& p, const PlaneRange& planes, const T* in, const T* w,
               const Epilogue<T>& epilogue, T* out) {
  constexpr Tag<T> d;
  Plan<T, Shape> plan(p);
  const std::int64_t columns = p.columns.outputs;
  for (std::int64_t k = 0; k < planes.count; ++k) {
    const std::int64_t channel = (planes.first + k) % planes.channels;
    const T* kernel = w + channel * Shape::height * Shape::width;
    const auto bias = hn::Set(d, epilogue.bias == nullptr ? T{0} : epilogue.bias[channel]);
    Vector<T> weight[Shape::height][Shape::width];
    GRADUS_UNROLL
    for (int a = 0; a < Shape::height; ++a) {
      GRADUS_UNROLL
      for (int b = 0; b < Shape::width; ++b)
        weight[a][b] = hn::Set(d, kernel[a * Shape::width + b]);
    }
    for (std::int64_t first = 0; first < p.rows.outputs; first += block) {
      const std::int64_t rows = std::min<std::int64_t>(block, p.rows.outputs - first);
      plan.find_rows(in, first, rows);
      for (std::int64_t strip = 0; strip < plan.strips; ++strip) {
        T* const to = out + first * columns + plan.column(strip);
        // Each row of the kernel by itself, so that one addition need not wait for so many others.
        Vector<T> part[block][Shape::height];
        Vector<T> sum[block];
        plan.meet(
            strip, [&](int r) HWY_ATTR { sum[r] = bias; },
            [&](int r, int a, int b, Vector<T> x) HWY_ATTR {
              part[r][a] =
                  b == 0 ? hn::Mul(weight[a][b], x) : hn::MulAdd(weight[a][b], x, part[r][a]);
              if (b + 1 == Shape::width) sum[r] = hn::Add(sum[r], part[r][a]);
            },
            [&](int r) HWY_ATTR {
              const auto negative = hn::Lt(sum[r], hn::Zero(d));
              const auto y = epilogue.relu ? hn::IfThenZeroElse(negative, sum[r]) : sum[r];
              if (columns >= lanes<T>) {
                hn::StoreU(y, d, to + r * columns);
              } else {
                simd::store_first(y, d, columns, to + r * columns);
              }
              return r + 1 < rows;
            });
      }
    }
    in += p.rows.inputs * p.columns.inputs;
    out += p.rows.outputs * columns;
  }
}

template <class T, class Shape>
void correlate_grad(const PlaneCorrelation& p, const PlaneSeries& series, const T* in,
                    const T* grad, T* sums) {
  constexpr Tag<T> d;
  Plan<T, Shape> plan(p);
  const std::int64_t columns = p.columns.outputs;
  // Of the last strip, those that the strip before has not had.
  const std::int64_t last = plan.column(plan.strips - 1);
  const simd::Range<T> rest((plan.strips - 1) * lanes<T> - last, columns - last);
  for (std::int64_t channel = 0; channel < series.channels; ++channel) {
    Vector<T> sum[Shape::height][Shape::width];
    for (auto& row : sum) {
      for (Vector<T>& tap : row) tap = hn::Zero(d);
    }
    for (std::int64_t k = 0; k < series.images; ++k) {
      const T* plane = grad + k * series.grad_step;
      for (std::int64_t first = 0; first < p.rows.outputs; first += block) {
        const std::int64_t rows = std::min<std::int64_t>(block, p.rows.outputs - first);
        plan.find_rows(in + k * series.in_step, first, rows);
        for (std::int64_t strip = 0; strip < plan.strips; ++strip) {
          const T* from = plane + first * columns + plan.column(strip);
          Vector<T> dy[block];
          plan.meet(
              strip,
              [&](int r) HWY_ATTR {
                dy[r] = hn::Zero(d);
                if (r >= rows) return;
                dy[r] = strip + 1 < plan.strips ? hn::LoadU(d, from + r * columns)
                                                : rest.load(from + r * columns);
              },
              [&](int r, int a, int b, Vector<T> x)
                  HWY_ATTR { sum[a][b] = hn::MulAdd(dy[r], x, sum[a][b]); },
              [&](int r) HWY_ATTR { return r + 1 < rows; });
        }
      }
    }
    for (const auto& row : sum) {
      for (const Vector<T>& tap : row) *sums++ = hn::GetLane(hn::SumOfLanes(d, tap));
    }
    in += p.rows.inputs * p.columns.inputs;
    grad += p.rows.outputs * columns;
  }
}

/// f(Unrolled) for this correlation: what depthwise_supports() lets pass, and its phases.
template <class F> void with_shape(const PlaneCorrelation& p, const F& f) {
  if (p.rows.stride == 2) return f(Unrolled<3, 3, 2>());
  if (p.rows.taps == 3) return f(Unrolled<3, 3, 1>());
  if (p.rows.taps == 2)
    return p.columns.taps == 2 ? f(Unrolled<2, 2, 1>()) : f(Unrolled<2, 1, 1>());
  p.columns.taps == 2 ? f(Unrolled<1, 2, 1>()) : f(Unrolled<1, 1, 1>());
}

template <class T>
void correlate_any(const PlaneCorrelation& p, const PlaneRange& planes, const T* in, const T* w,
                   const Epilogue<T>& epilogue, T* out) {
  with_shape(p,
             [&](auto shape) { correlate<T, decltype(shape)>(p, planes, in, w, epilogue, out); });
}

template <class T>
void correlate_grad_any(const PlaneCorrelation& p, const PlaneSeries& series, const T* in,
                        const T* grad, T* sums) {
  if (p.rows.stride == 2) return correlate_grad<T, Unrolled<3, 3, 2>>(p, series, in, grad, sums);
  correlate_grad<T, Unrolled<3, 3, 1>>(p, series, in, grad, sums);
}

template <class T>
constexpr PlaneKernels<T> kernels{lanes<T>, &correlate_any<T>, &correlate_grad_any<T>};
const PlaneKernels<float>* float_kernels() { return &kernels<float>; }
const PlaneKernels<double>* double_kernels() { return &kernels<double>; }

}  // namespace
}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

GRADUS_EXPORT_KERNELS(PlaneKernels, plane_kernels)

}  // namespace gradus::kernels
#endif
