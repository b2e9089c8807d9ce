// See depthwise.h.
#include <gradus/core/kernels/conv2d/depthwise.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d/partial_sums.h>
#include <gradus/core/kernels/conv2d/patch.h>
#include <gradus/core/kernels/conv2d/plane_correlation.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
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
      plane_kernels<T>().correlate(phase.correlation, planes, dy, weights + phase.weights_at, {},
                                   to);
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
                 plane_kernels<T>().correlate(p, {begin, end - begin, g.groups},
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
                   return plane_kernels<T>().correlate(
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
      plane_kernels<T>().correlate_grad(p,
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
