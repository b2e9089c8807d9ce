// Depthwise convolution, row by row. See conv2d_depthwise.h.
#include <gradus/core/kernels/conv2d/depthwise.h>

#include <algorithm>
#include <concepts>
#include <vector>

#include <gradus/core/kernels/conv2d/patch.h>
#include <gradus/core/kernels/conv2d/tap_plane.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

constexpr std::int64_t multiply_adds_per_chunk =
    30'000;  // these loops run at a few GFLOP/s: about 10 microseconds

/// The output positions [begin, end) at which one kernel tap meets the image, and where: input =
/// output·stride + shift.
struct Meeting {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t shift;

  Meeting(std::int64_t tap, std::int64_t dilation, std::int64_t padding, std::int64_t stride,
          std::int64_t in_size, std::int64_t out_size)
      : shift(tap * dilation - padding) {
    begin = shift >= 0 ? 0 : std::min(out_size, (-shift + stride - 1) / stride);
    end = in_size > shift ? std::clamp((in_size - shift - 1) / stride + 1, begin, out_size) : begin;
  }
};

Meeting rows_of_tap(const Conv2dGeometry& g, std::int64_t i) {
  return {i, g.dilation_h, g.padding_h, g.stride_h, g.in_height, g.out_height()};
}

Meeting columns_of_tap(const Conv2dGeometry& g, std::int64_t j) {
  return {j, g.dilation_w, g.padding_w, g.stride_w, g.in_width, g.out_width()};
}

std::int64_t planes_per_chunk(const Conv2dGeometry& g) {
  return multiply_adds_per_chunk / (g.kernel_plane() * g.out_plane()) + 1;
}

/// to[k] += factor·from[k·stride]
template <class T>
void add_gathered(T factor, const T* __restrict from, std::int64_t stride, std::int64_t count,
                  T* __restrict to) {
  if (stride == 1) {
    for (std::int64_t k = 0; k < count; ++k) to[k] += factor * from[k];
  } else {
    for (std::int64_t k = 0; k < count; ++k) to[k] += factor * from[k * stride];
  }
}

/// to[k·stride] += factor·from[k]
template <class T>
void add_scattered(T factor, const T* __restrict from, std::int64_t count, T* __restrict to,
                   std::int64_t stride) {
  if (stride == 1) {
    for (std::int64_t k = 0; k < count; ++k) to[k] += factor * from[k];
  } else {
    for (std::int64_t k = 0; k < count; ++k) to[k * stride] += factor * from[k];
  }
}

/// Σ a[k·stride]·b[k], in eight interleaved sums: a vector of them where the compiler sees one, and
/// less rounding.
template <class T> T dot(const T* a, std::int64_t stride, const T* b, std::int64_t count) {
  constexpr std::int64_t lanes = 8;
  T sums[lanes] = {};
  std::int64_t k = 0;
  for (; k + lanes <= count; k += lanes) {
    for (std::int64_t lane = 0; lane < lanes; ++lane)
      sums[lane] += a[(k + lane) * stride] * b[k + lane];
  }
  for (; k < count; ++k) sums[k % lanes] += a[k * stride] * b[k];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

// ---- float32: patches and vectors ----

// The vectors do some 20 GFLOP/s: about 10 microseconds.
constexpr std::int64_t vector_multiply_adds_per_chunk = 100'000;

/// The patch of a channel: with all pixels, also those that no window reads.
class PlanePatch {
 public:
  explicit PlanePatch(const Conv2dGeometry& g)
      : g_(g),
        layout_({.rows = std::max(
                     (g.out_height() - 1) * g.stride_h + g.dilation_h * (g.kernel_h - 1) + 1,
                     g.in_height + g.padding_h),
                 .columns = std::max(
                     (g.out_width() - 1) * g.stride_w + g.dilation_w * (g.kernel_w - 1) + 1,
                     g.in_width + g.padding_w),
                 .stride_h = g.stride_h,
                 .stride_w = g.stride_w}) {
    for (std::int64_t i = 0; i < g.kernel_h; ++i) {
      for (std::int64_t j = 0; j < g.kernel_w; ++j)
        offsets_.push_back(layout_.at(i * g.dilation_h, j * g.dilation_w));
    }
  }

  std::int64_t size() const { return layout_.size(1); }
  TapPlane taps() const {
    return {.rows = g_.out_height(),
            .columns = g_.out_width(),
            .row_step = layout_.row_step(),
            .taps = g_.kernel_plane(),
            .offset = offsets_.data()};
  }

  void fill(const float* image, float* patch) const {
    layout_.fill({.image_height = g_.in_height,
                  .image_width = g_.in_width,
                  .top = -g_.padding_h,
                  .left = -g_.padding_w},
                 1, image, patch);
  }

  /// The pixels of the image, back from the patch.
  void read(const float* patch, float* image) const {
    for (std::int64_t h = 0; h < g_.in_height; ++h, image += g_.in_width) {
      for (std::int64_t first = 0; first < std::min(g_.stride_w, g_.in_width); ++first) {
        const float* from = patch + layout_.at(h + g_.padding_h, first + g_.padding_w);
        if (g_.stride_w == 1) {
          std::copy_n(from, g_.in_width, image);
        } else {
          for (std::int64_t w = first; w < g_.in_width; w += g_.stride_w) image[w] = *from++;
        }
      }
    }
  }

 private:
  const Conv2dGeometry& g_;
  Patch layout_;
  std::vector<std::int64_t> offsets_;
};

std::int64_t vector_planes_per_chunk(const Conv2dGeometry& g, std::int64_t planes) {
  return vector_multiply_adds_per_chunk / (planes * g.kernel_plane() * g.out_plane()) + 1;
}

void forward_by_patches(const Conv2dGeometry& g, const float* x, const float* w, const float* bias,
                        float* y) {
  const std::int64_t multiplier = g.group_out_channels();
  const PlanePatch layout(g);
  const TapPlane taps = layout.taps();
  parallel_for(g.batch * g.in_channels, vector_planes_per_chunk(g, multiplier),
               [&](std::int64_t begin, std::int64_t end) {
                 Workspace<float> patch(layout.size());
                 for (std::int64_t plane = begin; plane < end; ++plane) {  // (image, channel)
                   layout.fill(x + plane * g.in_plane(), patch.data());
                   for (std::int64_t f = 0; f < multiplier; ++f) {
                     const std::int64_t co = plane % g.in_channels * multiplier + f;
                     gather_taps(taps, patch.data(), w + co * g.kernel_plane(),
                                 bias == nullptr ? 0.0F : bias[co],
                                 y + (plane * multiplier + f) * g.out_plane());
                   }
                 }
               });
}

/// With stride 1 and one filter a channel, dx is dy correlated with the kernel turned by 180°: the
/// same loops, which write each output once, where the general way adds to it tap by tap.
bool is_turned_forward(const Conv2dGeometry& g) {
  return g.stride_h == 1 && g.stride_w == 1 && g.group_out_channels() == 1 &&
         g.padding_h <= g.dilation_h * (g.kernel_h - 1) &&
         g.padding_w <= g.dilation_w * (g.kernel_w - 1);
}

void turned_forward(const Conv2dGeometry& g, const float* dy, const float* w, float* dx) {
  Conv2dGeometry back = g;  // from dy to dx
  back.in_height = g.out_height();
  back.in_width = g.out_width();
  back.padding_h = g.dilation_h * (g.kernel_h - 1) - g.padding_h;
  back.padding_w = g.dilation_w * (g.kernel_w - 1) - g.padding_w;
  Workspace<float> turned(g.weight_size());
  for (std::int64_t channel = 0; channel < g.in_channels; ++channel) {
    const float* kernel = w + channel * g.kernel_plane();
    std::reverse_copy(kernel, kernel + g.kernel_plane(),
                      turned.data() + channel * g.kernel_plane());
  }
  forward_by_patches(back, dy, turned.data(), nullptr, dx);
}

void input_grad_by_patches(const Conv2dGeometry& g, const float* dy, const float* w, float* dx) {
  if (is_turned_forward(g)) return turned_forward(g, dy, w, dx);
  const std::int64_t multiplier = g.group_out_channels();
  const PlanePatch layout(g);
  const TapPlane taps = layout.taps();
  parallel_for(g.batch * g.in_channels, vector_planes_per_chunk(g, multiplier),
               [&](std::int64_t begin, std::int64_t end) {
                 Workspace<float> patch(layout.size());
                 for (std::int64_t plane = begin; plane < end; ++plane) {  // (image, channel)
                   std::fill_n(patch.data(), layout.size(), 0.0F);
                   for (std::int64_t f = 0; f < multiplier; ++f) {
                     const std::int64_t co = plane % g.in_channels * multiplier + f;
                     scatter_taps(taps, dy + (plane * multiplier + f) * g.out_plane(),
                                  w + co * g.kernel_plane(), patch.data());
                   }
                   layout.read(patch.data(), dx + plane * g.in_plane());
                 }
               });
}

void weight_grad_by_patches(const Conv2dGeometry& g, const float* x, const float* dy, float* dw) {
  const std::int64_t multiplier = g.group_out_channels();
  const PlanePatch layout(g);
  const TapPlane taps = layout.taps();
  parallel_for(g.in_channels, 1, [&](std::int64_t begin, std::int64_t end) {
    Workspace<float> patch(layout.size());
    std::fill_n(dw + begin * multiplier * g.kernel_plane(),
                (end - begin) * multiplier * g.kernel_plane(), 0.0F);
    for (std::int64_t channel = begin; channel < end; ++channel) {
      for (std::int64_t n = 0; n < g.batch; ++n) {
        const std::int64_t plane = n * g.in_channels + channel;
        layout.fill(x + plane * g.in_plane(), patch.data());
        for (std::int64_t f = 0; f < multiplier; ++f) {
          correlate_taps(taps, patch.data(), dy + (plane * multiplier + f) * g.out_plane(),
                         dw + (channel * multiplier + f) * g.kernel_plane());
        }
      }
    }
  });
}

}  // namespace

template <class T>
void conv2d_depthwise_forward(const Conv2dGeometry& g, const T* x, const T* w, const T* bias,
                              T* y) {
  if constexpr (std::same_as<T, float>) return forward_by_patches(g, x, w, bias, y);
  const std::int64_t multiplier = g.group_out_channels();
  parallel_for(
      g.batch * g.out_channels, planes_per_chunk(g), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t plane = begin; plane < end;
             ++plane) {  // plane = (image, channel, filter)
          const std::int64_t co = plane % g.out_channels;
          const T* in = x + plane / multiplier * g.in_plane();
          T* out = y + plane * g.out_plane();
          std::fill_n(out, g.out_plane(), bias == nullptr ? T{0} : bias[co]);
          for (std::int64_t i = 0; i < g.kernel_h; ++i) {
            const Meeting rows = rows_of_tap(g, i);
            for (std::int64_t j = 0; j < g.kernel_w; ++j) {
              const Meeting columns = columns_of_tap(g, j);
              const T weight = w[(co * g.kernel_h + i) * g.kernel_w + j];
              for (std::int64_t oh = rows.begin; oh < rows.end; ++oh) {
                const T* from = in + (oh * g.stride_h + rows.shift) * g.in_width + columns.shift;
                add_gathered(weight, from + columns.begin * g.stride_w, g.stride_w,
                             columns.end - columns.begin, out + oh * g.out_width() + columns.begin);
              }
            }
          }
        }
      });
}

template <class T>
void conv2d_depthwise_input_grad(const Conv2dGeometry& g, const T* dy, const T* w, T* dx) {
  if constexpr (std::same_as<T, float>) return input_grad_by_patches(g, dy, w, dx);
  const std::int64_t multiplier = g.group_out_channels();
  const std::int64_t taps = g.kernel_plane();
  parallel_for(
      g.batch * g.in_channels, planes_per_chunk(g), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t plane = begin; plane < end; ++plane) {  // plane = (image, channel)
          T* out = dx + plane * g.in_plane();
          std::fill_n(out, g.in_plane(), T{0});
          for (std::int64_t tap = 0; tap < multiplier * taps; ++tap) {  // tap = (filter, i, j)
            const std::int64_t filter = tap / taps;
            const T weight = w[plane % g.in_channels * multiplier * taps + tap];
            const T* grad = dy + (plane * multiplier + filter) * g.out_plane();
            const Meeting rows = rows_of_tap(g, tap % taps / g.kernel_w);
            const Meeting columns = columns_of_tap(g, tap % g.kernel_w);
            for (std::int64_t oh = rows.begin; oh < rows.end; ++oh) {
              T* to = out + (oh * g.stride_h + rows.shift) * g.in_width + columns.shift;
              add_scattered(weight, grad + oh * g.out_width() + columns.begin,
                            columns.end - columns.begin, to + columns.begin * g.stride_w,
                            g.stride_w);
            }
          }
        }
      });
}

template <class T>
void conv2d_depthwise_weight_grad(const Conv2dGeometry& g, const T* x, const T* dy, T* dw) {
  if constexpr (std::same_as<T, float>) return weight_grad_by_patches(g, x, dy, dw);
  const std::int64_t multiplier = g.group_out_channels();
  parallel_for(g.out_channels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t tap = begin * g.kernel_plane(); tap < end * g.kernel_plane();
         ++tap) {  // tap = (co, i, j)
      const std::int64_t co = tap / g.kernel_plane();
      const Meeting rows = rows_of_tap(g, tap % g.kernel_plane() / g.kernel_w);
      const Meeting columns = columns_of_tap(g, tap % g.kernel_w);
      T sum = 0;
      for (std::int64_t n = 0; n < g.batch; ++n) {
        const T* in = x + (n * g.in_channels + co / multiplier) * g.in_plane();
        const T* grad = dy + (n * g.out_channels + co) * g.out_plane();
        T image_sum = 0;
        for (std::int64_t oh = rows.begin; oh < rows.end; ++oh) {
          const T* from = in + (oh * g.stride_h + rows.shift) * g.in_width + columns.shift;
          image_sum += dot(from + columns.begin * g.stride_w, g.stride_w,
                           grad + oh * g.out_width() + columns.begin, columns.end - columns.begin);
        }
        sum += image_sum;
      }
      dw[tap] = sum;
    }
  });
}

template void conv2d_depthwise_forward(const Conv2dGeometry&, const float*, const float*,
                                       const float*, float*);
template void conv2d_depthwise_forward(const Conv2dGeometry&, const double*, const double*,
                                       const double*, double*);
template void conv2d_depthwise_input_grad(const Conv2dGeometry&, const float*, const float*,
                                          float*);
template void conv2d_depthwise_input_grad(const Conv2dGeometry&, const double*, const double*,
                                          double*);
template void conv2d_depthwise_weight_grad(const Conv2dGeometry&, const float*, const float*,
                                           float*);
template void conv2d_depthwise_weight_grad(const Conv2dGeometry&, const double*, const double*,
                                           double*);

}  // namespace gradus::kernels
