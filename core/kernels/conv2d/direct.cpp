// The seven loops, once for each pass. See conv2d_direct.h.
#include <gradus/core/kernels/conv2d/direct.h>

#include <algorithm>

#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

bool inside(std::int64_t index, std::int64_t size) { return index >= 0 && index < size; }

/// Whether output position o and kernel tap t meet at input position i.
struct Axis {
  std::int64_t stride;
  std::int64_t padding;
  std::int64_t dilation;

  std::int64_t input(std::int64_t o, std::int64_t t) const {
    return o * stride - padding + t * dilation;
  }
};

Axis vertical(const Conv2dGeometry& g) { return {g.stride_h, g.padding_h, g.dilation_h}; }
Axis horizontal(const Conv2dGeometry& g) { return {g.stride_w, g.padding_w, g.dilation_w}; }

}  // namespace

// y[n,co,oh,ow] = bias[co] + Σ_{ci,i,j} x[n,ci,h,w] · w[co,ci,i,j]
template <class T>
void conv2d_direct_forward(const Conv2dGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  const Axis rows = vertical(g);
  const Axis columns = horizontal(g);
  const std::int64_t channels = g.group_in_channels();
  parallel_for(g.batch * g.out_channels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const std::int64_t n = plane / g.out_channels;
      const std::int64_t co = plane % g.out_channels;
      const std::int64_t first_channel = co / g.group_out_channels() * channels;
      T* out = y + plane * g.out_plane();
      for (std::int64_t oh = 0; oh < g.out_height(); ++oh) {
        for (std::int64_t ow = 0; ow < g.out_width(); ++ow) {
          T sum = bias == nullptr ? T{0} : bias[co];
          for (std::int64_t ci = 0; ci < channels; ++ci) {
            for (std::int64_t i = 0; i < g.kernel_h; ++i) {
              for (std::int64_t j = 0; j < g.kernel_w; ++j) {
                const std::int64_t ih = rows.input(oh, i);
                const std::int64_t iw = columns.input(ow, j);
                if (!inside(ih, g.in_height) || !inside(iw, g.in_width)) continue;
                sum +=
                    x[((n * g.in_channels + first_channel + ci) * g.in_height + ih) * g.in_width +
                      iw] *
                    w[((co * channels + ci) * g.kernel_h + i) * g.kernel_w + j];
              }
            }
          }
          out[oh * g.out_width() + ow] = sum;
        }
      }
    }
  });
}

// dx[n,ci,h,w] = Σ_{co,oh,ow,i,j} dy[n,co,oh,ow] · w[co,ci,i,j]   over the (oh,ow,i,j) that meet at
// (h,w)
template <class T>
void conv2d_direct_input_grad(const Conv2dGeometry& g, const T* dy, const T* w, T* dx) {
  const Axis rows = vertical(g);
  const Axis columns = horizontal(g);
  const std::int64_t channels = g.group_in_channels();
  parallel_for(g.batch * g.in_channels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const std::int64_t n = plane / g.in_channels;
      const std::int64_t ci = plane % g.in_channels % channels;
      const std::int64_t first_out = plane % g.in_channels / channels * g.group_out_channels();
      T* out = dx + plane * g.in_plane();
      std::fill_n(out, g.in_plane(), T{0});
      for (std::int64_t co = first_out; co < first_out + g.group_out_channels(); ++co) {
        for (std::int64_t oh = 0; oh < g.out_height(); ++oh) {
          for (std::int64_t ow = 0; ow < g.out_width(); ++ow) {
            for (std::int64_t i = 0; i < g.kernel_h; ++i) {
              for (std::int64_t j = 0; j < g.kernel_w; ++j) {
                const std::int64_t ih = rows.input(oh, i);
                const std::int64_t iw = columns.input(ow, j);
                if (!inside(ih, g.in_height) || !inside(iw, g.in_width)) continue;
                out[ih * g.in_width + iw] +=
                    dy[((n * g.out_channels + co) * g.out_height() + oh) * g.out_width() + ow] *
                    w[((co * channels + ci) * g.kernel_h + i) * g.kernel_w + j];
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
void conv2d_direct_weight_grad(const Conv2dGeometry& g, const T* x, const T* dy, T* dw) {
  const Axis rows = vertical(g);
  const Axis columns = horizontal(g);
  const std::int64_t channels = g.group_in_channels();
  parallel_for(g.out_channels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t co = begin; co < end; ++co) {
      const std::int64_t first_channel = co / g.group_out_channels() * channels;
      for (std::int64_t ci = 0; ci < channels; ++ci) {
        for (std::int64_t i = 0; i < g.kernel_h; ++i) {
          for (std::int64_t j = 0; j < g.kernel_w; ++j) {
            T sum = 0;
            for (std::int64_t n = 0; n < g.batch; ++n) {
              for (std::int64_t oh = 0; oh < g.out_height(); ++oh) {
                for (std::int64_t ow = 0; ow < g.out_width(); ++ow) {
                  const std::int64_t ih = rows.input(oh, i);
                  const std::int64_t iw = columns.input(ow, j);
                  if (!inside(ih, g.in_height) || !inside(iw, g.in_width)) continue;
                  sum +=
                      x[((n * g.in_channels + first_channel + ci) * g.in_height + ih) * g.in_width +
                        iw] *
                      dy[((n * g.out_channels + co) * g.out_height() + oh) * g.out_width() + ow];
                }
              }
            }
            dw[((co * channels + ci) * g.kernel_h + i) * g.kernel_w + j] = sum;
          }
        }
      }
    }
  });
}

template void conv2d_direct_forward(const Conv2dGeometry&, const float*, const float*, const float*,
                                    float*);
template void conv2d_direct_forward(const Conv2dGeometry&, const double*, const double*,
                                    const double*, double*);
template void conv2d_direct_input_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void conv2d_direct_input_grad(const Conv2dGeometry&, const double*, const double*,
                                       double*);
template void conv2d_direct_weight_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void conv2d_direct_weight_grad(const Conv2dGeometry&, const double*, const double*,
                                        double*);

}  // namespace gradus::kernels
