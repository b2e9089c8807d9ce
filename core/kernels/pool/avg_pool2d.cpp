// Average pooling, fixed and adaptive, and its adjoint. See pool2d.h.
#include <gradus/core/kernels/pool/pool2d.h>

#include <algorithm>
#include <type_traits>

#include <gradus/core/kernels/norm/batch_norm.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

constexpr std::int64_t additions_per_chunk = 20'000;  // about 10 microseconds

/// One division after the other: the product of all may be beyond int64.
std::int64_t planes_per_chunk(std::int64_t outputs_per_plane, std::int64_t additions_per_output) {
  return additions_per_chunk / additions_per_output / std::max<std::int64_t>(outputs_per_plane, 1) +
         1;
}

/// The part of a window that lies in the image, along one axis, and the length that
/// counts for the mean.
struct Window {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t counted;
};

/// A divisor that is given is the rows' alone.
Window fixed_window(std::int64_t output, std::int64_t kernel, std::int64_t stride,
                    std::int64_t padding, std::int64_t size, bool count_include_pad,
                    std::int64_t divisor) {
  const std::int64_t start = output * stride - padding;
  const std::int64_t stop = std::min(start + kernel, size + padding);
  const std::int64_t begin = std::max<std::int64_t>(start, 0);
  const std::int64_t end = std::max(begin, std::min(stop, size));
  if (divisor != 0) return {begin, end, divisor};
  return {begin, end, count_include_pad ? stop - start : end - begin};
}

Window adaptive_window(std::int64_t output, std::int64_t out_size, std::int64_t size) {
  const std::int64_t begin = bin_begin(output, out_size, size);
  const std::int64_t end = bin_end(output, out_size, size);
  return {begin, end, end - begin};
}

/// Calls visit(output, rows, columns) for each output of a plane; pool2d.h has two ways to
/// lay the windows.
template <class Visit>
void for_each_window(const Pool2dGeometry& g, const PoolDivisor& divisor, Visit&& visit) {
  const std::int64_t out_height = g.out_height();
  const std::int64_t out_width = g.out_width();
  for (std::int64_t oh = 0; oh < out_height; ++oh) {
    const Window rows = fixed_window(oh, g.kernel_h, g.stride_h, g.padding_h, g.in_height,
                                     divisor.count_include_pad, divisor.fixed);
    for (std::int64_t ow = 0; ow < out_width; ++ow) {
      visit(oh * out_width + ow, rows,
            fixed_window(ow, g.kernel_w, g.stride_w, g.padding_w, g.in_width,
                         divisor.count_include_pad, divisor.fixed == 0 ? 0 : 1));
    }
  }
}

template <class Visit> void for_each_window(const AdaptivePool2dGeometry& g, Visit&& visit) {
  for (std::int64_t oh = 0; oh < g.out_height; ++oh) {
    const Window rows = adaptive_window(oh, g.out_height, g.in_height);
    for (std::int64_t ow = 0; ow < g.out_width; ++ow) {
      visit(oh * g.out_width + ow, rows, adaptive_window(ow, g.out_width, g.in_width));
    }
  }
}

/// Row by row: a sum of row sums rounds less than one long sum.
template <class T>
T mean(const T* plane, std::int64_t width, const Window& rows, const Window& columns) {
  T sum = 0;
  for (std::int64_t h = rows.begin; h < rows.end; ++h) {
    T row_sum = 0;
    for (std::int64_t w = columns.begin; w < columns.end; ++w) row_sum += plane[h * width + w];
    sum += row_sum;
  }
  return sum / static_cast<T>(rows.counted * columns.counted);
}

template <class T>
void spread(T grad, T* plane, std::int64_t width, const Window& rows, const Window& columns) {
  const T share = grad / static_cast<T>(rows.counted * columns.counted);
  for (std::int64_t h = rows.begin; h < rows.end; ++h) {
    for (std::int64_t w = columns.begin; w < columns.end; ++w) plane[h * width + w] += share;
  }
}

}  // namespace

template <class T>
void avg_pool2d_forward(const Pool2dGeometry& g, const PoolDivisor& divisor, const T* x, T* y) {
  const std::int64_t grain = planes_per_chunk(g.out_plane(), g.kernel_h * g.kernel_w);
  parallel_for(g.planes, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const T* in = x + plane * g.in_plane();
      T* out = y + plane * g.out_plane();
      for_each_window(g, divisor,
                      [&](std::int64_t output, const Window& rows, const Window& columns) {
                        out[output] = mean(in, g.in_width, rows, columns);
                      });
    }
  });
}

template <class T>
void avg_pool2d_input_grad(const Pool2dGeometry& g, const PoolDivisor& divisor, const T* dy,
                           T* dx) {
  const std::int64_t grain = planes_per_chunk(g.out_plane(), g.kernel_h * g.kernel_w);
  parallel_for(g.planes, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const T* grad = dy + plane * g.out_plane();
      T* out = dx + plane * g.in_plane();
      std::fill_n(out, g.in_plane(), T{0});
      for_each_window(g, divisor,
                      [&](std::int64_t output, const Window& rows, const Window& columns) {
                        spread(grad[output], out, g.in_width, rows, columns);
                      });
    }
  });
}

template <class T>
void adaptive_avg_pool2d_forward(const AdaptivePool2dGeometry& g, const T* x, T* y) {
  const std::int64_t in_plane = g.in_height * g.in_width;
  const std::int64_t out_plane = g.out_height * g.out_width;
  if (std::is_same_v<T, float> && out_plane == 1) {  // the whole plane: a sum in double
    Workspace<double> sums(g.planes);
    channel_sums({1, g.planes, in_plane}, x, sums.data());
    for (std::int64_t plane = 0; plane < g.planes; ++plane)
      y[plane] = static_cast<T>(sums.data()[plane] / static_cast<double>(in_plane));
    return;
  }
  const std::int64_t grain = planes_per_chunk(in_plane + out_plane, 1);
  parallel_for(g.planes, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const T* in = x + plane * in_plane;
      T* out = y + plane * out_plane;
      for_each_window(g, [&](std::int64_t output, const Window& rows, const Window& columns) {
        out[output] = mean(in, g.in_width, rows, columns);
      });
    }
  });
}

template <class T>
void adaptive_avg_pool2d_input_grad(const AdaptivePool2dGeometry& g, const T* dy, T* dx) {
  const std::int64_t in_plane = g.in_height * g.in_width;
  const std::int64_t out_plane = g.out_height * g.out_width;
  const std::int64_t grain = planes_per_chunk(in_plane + out_plane, 1);
  parallel_for(g.planes, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const T* grad = dy + plane * out_plane;
      T* out = dx + plane * in_plane;
      if (out_plane == 1) {  // the same share for all
        std::fill_n(out, in_plane, *grad / static_cast<T>(in_plane));
        continue;
      }
      std::fill_n(out, in_plane, T{0});
      for_each_window(g, [&](std::int64_t output, const Window& rows, const Window& columns) {
        spread(grad[output], out, g.in_width, rows, columns);
      });
    }
  });
}

template void avg_pool2d_forward(const Pool2dGeometry&, const PoolDivisor&, const float*, float*);
template void avg_pool2d_forward(const Pool2dGeometry&, const PoolDivisor&, const double*, double*);
template void avg_pool2d_input_grad(const Pool2dGeometry&, const PoolDivisor&, const float*,
                                    float*);
template void avg_pool2d_input_grad(const Pool2dGeometry&, const PoolDivisor&, const double*,
                                    double*);
template void adaptive_avg_pool2d_forward(const AdaptivePool2dGeometry&, const float*, float*);
template void adaptive_avg_pool2d_forward(const AdaptivePool2dGeometry&, const double*, double*);
template void adaptive_avg_pool2d_input_grad(const AdaptivePool2dGeometry&, const float*, float*);
template void adaptive_avg_pool2d_input_grad(const AdaptivePool2dGeometry&, const double*, double*);

}  // namespace gradus::kernels
