// The seven loops, once for each pass. See direct.h.
#include <gradus/core/kernels/conv2d/direct.h>

#include <algorithm>
#include <utility>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

/// One axis: output position o and kernel tap t meet at input position o·stride + t·dilation −
/// padding, where that is inside.
struct Axis {
  std::int64_t inputs, outputs, taps;
  std::int64_t stride, padding, dilation;

  std::int64_t input(std::int64_t o, std::int64_t t) const {
    return o * stride - padding + t * dilation;
  }
  /// The taps [begin, end) that meet the input at output o.
  std::pair<std::int64_t, std::int64_t> taps_at(std::int64_t o) const {
    const std::int64_t start = input(o, 0);
    const std::int64_t begin = start < 0 ? ceil_div(-start, dilation) : 0;
    const std::int64_t end = inputs > start ? (inputs - 1 - start) / dilation + 1 : 0;
    return {std::min(begin, taps), std::min(end, taps)};
  }
  /// The outputs [begin, end) at which tap t meets the input.
  std::pair<std::int64_t, std::int64_t> outputs_of(std::int64_t t) const {
    const std::int64_t start = input(0, t);
    const std::int64_t begin = start < 0 ? ceil_div(-start, stride) : 0;
    const std::int64_t end = inputs > start ? (inputs - 1 - start) / stride + 1 : 0;
    return {std::min(begin, outputs), std::min(end, outputs)};
  }
};

Axis vertical(const Conv2dGeometry& g) {
  return {g.in_height, g.out_height(), g.kernel_h, g.stride_h, g.padding_h, g.dilation_h};
}
Axis horizontal(const Conv2dGeometry& g) {
  return {g.in_width, g.out_width(), g.kernel_w, g.stride_w, g.padding_w, g.dilation_w};
}

}  // namespace

// y[n,co,oh,ow] = bias[co] + Σ_{ci,i,j} x[n,ci,h,w] · w[co,ci,i,j]
template <class T>
void direct_forward(const Conv2dGeometry& g, const T* x, const T* w, const Epilogue<T>& epilogue,
                    T* y) {
  const Axis rows = vertical(g);
  const Axis columns = horizontal(g);
  const std::int64_t channels = g.group_in_channels();
  parallel_for(g.batch * g.out_channels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {  // (n, co)
      const std::int64_t n = plane / g.out_channels;
      const std::int64_t co = plane % g.out_channels;
      const std::int64_t first_channel = co / g.group_out_channels() * channels;
      const T* image = x + (n * g.in_channels + first_channel) * g.in_plane();
      const T* kernel = w + co * g.taps();
      for (std::int64_t oh = 0; oh < rows.outputs; ++oh) {
        const auto [first_i, last_i] = rows.taps_at(oh);
        for (std::int64_t ow = 0; ow < columns.outputs; ++ow) {
          const auto [first_j, last_j] = columns.taps_at(ow);
          T sum = epilogue.bias == nullptr ? T{0} : epilogue.bias[co];
          for (std::int64_t ci = 0; ci < channels; ++ci) {
            for (std::int64_t i = first_i; i < last_i; ++i) {
              for (std::int64_t j = first_j; j < last_j; ++j) {
                sum += image[(ci * g.in_height + rows.input(oh, i)) * g.in_width +
                             columns.input(ow, j)] *
                       kernel[(ci * g.kernel_h + i) * g.kernel_w + j];
              }
            }
          }
          y[(plane * rows.outputs + oh) * columns.outputs + ow] =
              epilogue.relu && sum < 0 ? T{0} : sum;
        }
      }
    }
  });
}

// dx[n,ci,h,w] = Σ_{co,oh,ow,i,j} dy[n,co,oh,ow] · w[co,ci,i,j]   over the (oh,ow,i,j) that meet at
// (h,w)
template <class T> void direct_input_grad(const Conv2dGeometry& g, const T* dy, const T* w, T* dx) {
  const Axis rows = vertical(g);
  const Axis columns = horizontal(g);
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  parallel_for(g.batch * g.in_channels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {  // (n, group, ci)
      const std::int64_t ci = plane % channels;
      const std::int64_t n_group = plane / channels;
      T* out = dx + plane * g.in_plane();
      std::fill_n(out, g.in_plane(), T{0});
      for (std::int64_t f = 0; f < filters; ++f) {
        const std::int64_t co = n_group % g.groups * filters + f;
        const T* grad = dy + (n_group * filters + f) * g.out_plane();
        const T* kernel = w + (co * channels + ci) * g.kernel_plane();
        for (std::int64_t oh = 0; oh < rows.outputs; ++oh) {
          const auto [first_i, last_i] = rows.taps_at(oh);
          for (std::int64_t ow = 0; ow < columns.outputs; ++ow) {
            const auto [first_j, last_j] = columns.taps_at(ow);
            for (std::int64_t i = first_i; i < last_i; ++i) {
              for (std::int64_t j = first_j; j < last_j; ++j) {
                out[rows.input(oh, i) * g.in_width + columns.input(ow, j)] +=
                    grad[oh * columns.outputs + ow] * kernel[i * g.kernel_w + j];
              }
            }
          }
        }
      }
    }
  });
}

// dw[co,ci,i,j] = Σ_{n,oh,ow} x[n,ci,h,w] · dy[n,co,oh,ow]
template <class T>
void direct_weight_grad(const Conv2dGeometry& g, const T* x, const T* dy, T* dw) {
  const Axis rows = vertical(g);
  const Axis columns = horizontal(g);
  const std::int64_t channels = g.group_in_channels();
  parallel_for(g.out_channels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t weight = begin * g.taps(); weight < end * g.taps(); ++weight) {
      const std::int64_t co = weight / g.taps();  // (co, ci, i, j)
      const std::int64_t ci = weight % g.taps() / g.kernel_plane();
      const std::int64_t i = weight / g.kernel_w % g.kernel_h;
      const std::int64_t j = weight % g.kernel_w;
      const std::int64_t channel = co / g.group_out_channels() * channels + ci;
      const auto [first_oh, last_oh] = rows.outputs_of(i);
      const auto [first_ow, last_ow] = columns.outputs_of(j);
      T sum = 0;
      for (std::int64_t n = 0; n < g.batch; ++n) {
        const T* image = x + (n * g.in_channels + channel) * g.in_plane();
        const T* grad = dy + (n * g.out_channels + co) * g.out_plane();
        for (std::int64_t oh = first_oh; oh < last_oh; ++oh) {
          for (std::int64_t ow = first_ow; ow < last_ow; ++ow) {
            sum += image[rows.input(oh, i) * g.in_width + columns.input(ow, j)] *
                   grad[oh * columns.outputs + ow];
          }
        }
      }
      dw[weight] = sum;
    }
  });
}

template void direct_forward(const Conv2dGeometry&, const float*, const float*,
                             const Epilogue<float>&, float*);
template void direct_forward(const Conv2dGeometry&, const double*, const double*,
                             const Epilogue<double>&, double*);
template void direct_input_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void direct_input_grad(const Conv2dGeometry&, const double*, const double*, double*);
template void direct_weight_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void direct_weight_grad(const Conv2dGeometry&, const double*, const double*, double*);

}  // namespace gradus::kernels
