// Compiled once for each kind of CPU, by Highway's including this file again; the last part only
// once. See depthwise.h.
#include <gradus/core/kernels/conv2d/depthwise.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d/partial_sums.h>
#include <gradus/core/kernels/conv2d/patch.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>
#include <gradus/core/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/core/kernels/conv2d/depthwise.cpp"
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
constexpr DepthwiseKernels<T> kernels{lanes<T>, &correlate_any<T>, &correlate_grad_any<T>};
const DepthwiseKernels<float>* float_kernels() { return &kernels<float>; }
const DepthwiseKernels<double>* double_kernels() { return &kernels<double>; }

}  // namespace
}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {

GRADUS_EXPORT_KERNELS(DepthwiseKernels, depthwise_kernels)

namespace {

// Pixels that wait for those of other phases stay in L2.
constexpr std::int64_t bytes_together = 64 * 1024;

PlaneCorrelation forward_correlation(const Conv2dGeometry& g) {
  return {.rows = {.inputs = g.in_height,
                   .outputs = g.out_height(),
                   .taps = g.kernel_h,
                   .stride = g.stride_h,
                   .first = -g.padding_h},
          .columns = {.inputs = g.in_width,
                      .outputs = g.out_width(),
                      .taps = g.kernel_w,
                      .stride = g.stride_w,
                      .first = -g.padding_w}};
}

/// The pixels of an axis from `pixel` on, `stride` apart, and the taps that reach them, backwards:
/// pixel + k·stride = o·stride − padding + tap, so o grows by one with k, and by one from a tap to
/// the next.
struct AxisPhase {
  std::int64_t pixel = 0;
  std::vector<std::int64_t> taps{};
  PlaneAxis axis{};  // from the outputs of the convolution to these pixels
};

std::vector<AxisPhase> axis_phases(const PlaneAxis& forward) {
  std::vector<AxisPhase> phases;
  for (std::int64_t pixel = 0; pixel < std::min(forward.stride, forward.inputs); ++pixel) {
    AxisPhase phase{.pixel = pixel};
    for (std::int64_t tap = forward.taps - 1; tap >= 0; --tap) {
      const std::int64_t distance = pixel - forward.first - tap;
      if (distance % forward.stride != 0) continue;
      if (phase.taps.empty()) phase.axis.first = distance / forward.stride;
      phase.taps.push_back(tap);
    }
    phase.axis.inputs = forward.outputs;
    phase.axis.outputs = ceil_div(forward.inputs - pixel, forward.stride);
    phase.axis.taps = static_cast<std::int64_t>(phase.taps.size());
    phases.push_back(std::move(phase));
  }
  return phases;
}

/// The pixels of a plane that are some strides apart, and the taps that reach them.
struct PlanePhase {
  std::int64_t row = 0, column = 0;  // of its first pixel
  std::vector<std::int64_t> taps{};  // i·kw + j, in the order in which they are added
  PlaneCorrelation correlation{};
  std::int64_t weights_at = 0;  // [channels, taps] among those of all phases

  std::int64_t pixels() const { return correlation.rows.outputs * correlation.columns.outputs; }
};

/// All phases, by row, then by column.
std::vector<PlanePhase> plane_phases(const Conv2dGeometry& g) {
  const PlaneCorrelation forward = forward_correlation(g);
  const std::vector<AxisPhase> columns = axis_phases(forward.columns);
  std::vector<PlanePhase> phases;
  std::int64_t weights = 0;
  for (const AxisPhase& row : axis_phases(forward.rows)) {
    for (const AxisPhase& column : columns) {
      PlanePhase phase{.row = row.pixel,
                       .column = column.pixel,
                       .correlation = {row.axis, column.axis},
                       .weights_at = weights};
      for (const std::int64_t i : row.taps) {
        for (const std::int64_t j : column.taps) phase.taps.push_back(i * g.kernel_w + j);
      }
      weights += g.groups * static_cast<std::int64_t>(phase.taps.size());
      phases.push_back(std::move(phase));
    }
  }
  return phases;
}

/// w [channels, kh·kw] -> [phases, channels, taps of the phase]
template <class T>
void sort_weights(const Conv2dGeometry& g, const std::vector<PlanePhase>& phases, const T* w,
                  T* sorted) {
  for (const PlanePhase& phase : phases) {
    for (std::int64_t channel = 0; channel < g.groups; ++channel) {
      for (const std::int64_t tap : phase.taps) *sorted++ = w[channel * g.kernel_plane() + tap];
    }
  }
}

/// Some planes of dx, a row of phases after the other: their pixels first, then to where they belong.
template <class T>
void interleave_phases(const Conv2dGeometry& g, const std::vector<PlanePhase>& phases,
                       const PlaneRange& planes, const T* dy, const T* weights, T* pixels, T* dx) {
  const auto in_a_row = std::min(g.stride_w, g.in_width);
  Workspace<RowPhase<T>> workspace(in_a_row);
  RowPhase<T>* const sources = workspace.data();
  for (std::size_t k = 0; k < phases.size();) {
    const PlanePhase& first = phases[k];
    T* to = pixels;
    for (std::int64_t i = 0; i < in_a_row; ++i, ++k) {
      const PlanePhase& phase = phases[k];
      depthwise_kernels<T>().correlate(phase.correlation, planes, dy, weights + phase.weights_at,
                                       {}, to);
      sources[i] = {.first = phase.column,
                    .columns = phase.correlation.columns.outputs,
                    .pixels = to,
                    .plane = phase.pixels()};
      to += planes.count * phase.pixels();
    }
    patch_copies<T>().interleave({.planes = planes.count,
                                  .rows = first.correlation.rows.outputs,
                                  .stride = g.stride_w,
                                  .plane_step = g.in_plane(),
                                  .row_step = g.stride_h * g.in_width},
                                 in_a_row, sources, dx + first.row * g.in_width);
  }
}

}  // namespace

bool depthwise_supports(const Conv2dGeometry& g) {
  const bool planes = g.groups > 1 && g.group_in_channels() == 1 && g.group_out_channels() == 1;
  const bool kernel = g.kernel_h == 3 && g.kernel_w == 3 && g.dilation_h == 1 && g.dilation_w == 1;
  return planes && kernel && g.stride_h == g.stride_w && g.stride_h <= 2;
}

std::int64_t depthwise_work(const Conv2dGeometry& g) {
  constexpr std::int64_t per_number = 4;
  return g.out_plane() * g.kernel_plane() + per_number * (g.in_plane() + g.out_plane());
}

template <class T> std::int64_t depthwise_planes_together(const Conv2dGeometry& g) {
  const std::int64_t bytes = g.in_plane() * static_cast<std::int64_t>(sizeof(T));
  return std::max<std::int64_t>(1, bytes_together / bytes);
}

template <class T>
void depthwise_forward(const Conv2dGeometry& g, const T* x, const T* w, const Epilogue<T>& epilogue,
                       T* y) {
  const PlaneCorrelation p = forward_correlation(g);
  parallel_for(g.batch * g.groups, items_per_chunk(depthwise_work(g)),
               [&](std::int64_t begin, std::int64_t end) {
                 depthwise_kernels<T>().correlate(p, {begin, end - begin, g.groups},
                                                  x + begin * g.in_plane(), w, epilogue,
                                                  y + begin * g.out_plane());
               });
}

template <class T>
void depthwise_input_grad(const Conv2dGeometry& g, const T* dy, const T* w, T* dx) {
  const std::vector<PlanePhase> phases = plane_phases(g);
  Workspace<T> weights(g.weight_size());
  sort_weights(g, phases, w, weights.data());
  const std::int64_t together = depthwise_planes_together<T>(g);
  parallel_for(g.batch * g.groups, items_per_chunk(depthwise_work(g)),
               [&](std::int64_t begin, std::int64_t end) {
                 if (phases.size() == 1) {
                   return depthwise_kernels<T>().correlate(
                       phases[0].correlation, {begin, end - begin, g.groups},
                       dy + begin * g.out_plane(), weights.data(), {}, dx + begin * g.in_plane());
                 }
                 Workspace<T> pixels(std::min(together, end - begin) * g.in_plane());
                 for (std::int64_t plane = begin; plane < end; plane += together) {
                   interleave_phases(g, phases, {plane, std::min(together, end - plane), g.groups},
                                     dy + plane * g.out_plane(), weights.data(), pixels.data(),
                                     dx + plane * g.in_plane());
                 }
               });
}

template <class T>
void depthwise_weight_grad(const Conv2dGeometry& g, const T* x, const T* dy, T* dw) {
  const PlaneCorrelation p = forward_correlation(g);
  // A part: some images of all channels.
  const PartialSums split = plan_partial_sums(g, g.batch, sizeof(T));
  Workspace<T> partials(std::max<std::int64_t>(split.parts, 1) * g.weight_size());
  std::fill_n(partials.data(), g.weight_size(), T{0});  // of no images
  const std::int64_t grain = items_per_chunk(depthwise_work(g) * split.items_per_part);
  parallel_for(split.parts * g.groups, grain, [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {  // (part, channel)
      const std::int64_t image = begin / g.groups * split.items_per_part;
      const std::int64_t channel = begin % g.groups;
      const std::int64_t channels = std::min(end - begin, g.groups - channel);
      const std::int64_t plane = image * g.groups + channel;
      depthwise_kernels<T>().correlate_grad(
          p,
          {.channels = channels,
           .images = std::min(split.items_per_part, g.batch - image),
           .in_step = g.groups * g.in_plane(),
           .grad_step = g.groups * g.out_plane()},
          x + plane * g.in_plane(), dy + plane * g.out_plane(),
          partials.data() + begin * g.kernel_plane());
      begin += channels;
    }
  });
  add_partial_sums(split.parts, g.weight_size(), partials.data());
  std::copy_n(partials.data(), g.weight_size(), dw);
}

template std::int64_t depthwise_planes_together<float>(const Conv2dGeometry&);
template std::int64_t depthwise_planes_together<double>(const Conv2dGeometry&);
template void depthwise_forward(const Conv2dGeometry&, const float*, const float*,
                                const Epilogue<float>&, float*);
template void depthwise_forward(const Conv2dGeometry&, const double*, const double*,
                                const Epilogue<double>&, double*);
template void depthwise_input_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void depthwise_input_grad(const Conv2dGeometry&, const double*, const double*, double*);
template void depthwise_weight_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void depthwise_weight_grad(const Conv2dGeometry&, const double*, const double*, double*);

}  // namespace gradus::kernels
#endif
