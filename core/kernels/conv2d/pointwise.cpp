// The 1x1 convolution as GEMM over channels. See conv2d_pointwise.h.
#include <gradus/core/kernels/conv2d/pointwise.h>

#include <algorithm>

#include <gradus/core/kernels/conv2d/partial_sums.h>
#include <gradus/core/kernels/matmul/gemm.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// Columns of one GEMM. Short enough that [64,64]·[64,240] still takes OpenBLAS's path for small
// matrices, which packs nothing (up to 10^6 products): 118 GFLOP/s, where a whole image of 1024
// pixels runs at 70.
constexpr std::int64_t pixels_per_tile = 240;

/// With stride 1 the pixels that the kernel touches are the image itself.
bool is_dense(const Conv2dGeometry& g) { return g.stride_h == 1 && g.stride_w == 1; }

/// Room for the touched pixels of one image and group; none when they need no copy.
std::int64_t compact_size(const Conv2dGeometry& g) {
  return is_dense(g) ? 0 : g.group_in_channels() * g.out_plane();
}

std::int64_t images_per_chunk(const Conv2dGeometry& g) {
  return items_per_chunk(g.group_out_channels() * g.group_in_channels() * g.out_plane());
}

/// x [channels,H,W] -> compact [channels,OH,OW]: the pixels at multiples of the stride.
template <class T> void gather_pixels(const Conv2dGeometry& g, const T* x, T* compact) {
  for (std::int64_t c = 0; c < g.group_in_channels(); ++c) {
    for (std::int64_t oh = 0; oh < g.out_height(); ++oh) {
      const T* in = x + (c * g.in_height + oh * g.stride_h) * g.in_width;
      for (std::int64_t ow = 0, width = g.out_width(); ow < width; ++ow)
        *compact++ = in[ow * g.stride_w];
    }
  }
}

/// The adjoint: compact [channels,OH,OW] -> x [channels,H,W], zero between the pixels.
template <class T> void scatter_pixels(const Conv2dGeometry& g, const T* compact, T* x) {
  std::fill_n(x, g.group_in_channels() * g.in_plane(), T{0});
  for (std::int64_t c = 0; c < g.group_in_channels(); ++c) {
    for (std::int64_t oh = 0; oh < g.out_height(); ++oh) {
      T* out = x + (c * g.in_height + oh * g.stride_h) * g.in_width;
      for (std::int64_t ow = 0, width = g.out_width(); ow < width; ++ow)
        out[ow * g.stride_w] = *compact++;
    }
  }
}

template <class T> const T* touched_pixels(const Conv2dGeometry& g, const T* x, T* compact) {
  if (is_dense(g)) return x;
  gather_pixels(g, x, compact);
  return compact;
}

}  // namespace

template <class T>
void conv2d_pointwise_forward(const Conv2dGeometry& g, const T* x, const T* w, const T* bias,
                              T* y) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t pixels = g.out_plane();
  parallel_for(g.batch * g.groups, images_per_chunk(g), [&](std::int64_t begin, std::int64_t end) {
    Workspace<T> compact(compact_size(g));
    for (std::int64_t item = begin; item < end; ++item) {  // item = (image, group)
      const std::int64_t first_filter = item % g.groups * filters;
      const T* filter = w + first_filter * channels;
      const T* in = touched_pixels(g, x + item * channels * g.in_plane(), compact.data());
      T* out = y + item * filters * pixels;
      // Parallel when the batch is a single image, inline otherwise.
      parallel_for(pixels, pixels_per_tile, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t co = 0; bias != nullptr && co < filters; ++co) {
          std::fill(out + co * pixels + first, out + co * pixels + last, bias[first_filter + co]);
        }
        // [filters,channels]·[channels,tile]
        gemm(Transpose::no, Transpose::no, filters, last - first, channels, T{1}, filter, channels,
             in + first, pixels, bias != nullptr ? T{1} : T{0}, out + first, pixels);
      });
    }
  });
}

template <class T>
void conv2d_pointwise_input_grad(const Conv2dGeometry& g, const T* dy, const T* w, T* dx) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t pixels = g.out_plane();
  parallel_for(g.batch * g.groups, images_per_chunk(g), [&](std::int64_t begin, std::int64_t end) {
    Workspace<T> compact(compact_size(g));
    for (std::int64_t item = begin; item < end; ++item) {  // item = (image, group)
      const T* filter = w + item % g.groups * filters * channels;
      const T* grad = dy + item * filters * pixels;
      T* image = dx + item * channels * g.in_plane();
      T* out = is_dense(g) ? image : compact.data();
      parallel_for(pixels, pixels_per_tile, [&](std::int64_t first, std::int64_t last) {
        // [filters,channels]ᵀ·[filters,tile]
        gemm(Transpose::yes, Transpose::no, channels, last - first, filters, T{1}, filter, channels,
             grad + first, pixels, T{0}, out + first, pixels);
      });
      if (!is_dense(g)) scatter_pixels(g, out, image);
    }
  });
}

template <class T>
void conv2d_pointwise_weight_grad(const Conv2dGeometry& g, const T* x, const T* dy, T* dw) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t pixels = g.out_plane();
  const auto plan = plan_partial_sums(g, g.batch, sizeof(T));
  Workspace<T> partials(plan.parts * g.weight_size());
  parallel_for(g.batch, plan.items_per_part, [&](std::int64_t begin, std::int64_t end) {
    Workspace<T> compact(compact_size(g));
    T* sum = partials.data() + begin / plan.items_per_part * g.weight_size();
    std::fill_n(sum, g.weight_size(), T{0});
    for (std::int64_t item = begin * g.groups; item < end * g.groups;
         ++item) {  // item = (image, group)
      const T* in = touched_pixels(g, x + item * channels * g.in_plane(), compact.data());
      // [channels,pixels]·[filters,pixels]ᵀ; split when the batch is a single image, inline
      // otherwise.
      gemm_parallel(Transpose::no, Transpose::yes, channels, filters, pixels, T{1}, in, pixels,
                    dy + item * filters * pixels, pixels, T{1},
                    sum + item % g.groups * channels * filters, filters);
    }
  });
  add_partial_sums(g, plan.parts, partials.data(), dw);
}

template void conv2d_pointwise_forward(const Conv2dGeometry&, const float*, const float*,
                                       const float*, float*);
template void conv2d_pointwise_forward(const Conv2dGeometry&, const double*, const double*,
                                       const double*, double*);
template void conv2d_pointwise_input_grad(const Conv2dGeometry&, const float*, const float*,
                                          float*);
template void conv2d_pointwise_input_grad(const Conv2dGeometry&, const double*, const double*,
                                          double*);
template void conv2d_pointwise_weight_grad(const Conv2dGeometry&, const float*, const float*,
                                           float*);
template void conv2d_pointwise_weight_grad(const Conv2dGeometry&, const double*, const double*,
                                           double*);

}  // namespace gradus::kernels
