// The 1x1 convolution as GEMM over channels. See pointwise.h.
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

/// f(image_group, first, last) for tiles of pixels of each image and group. Parallel inside an
/// image when the batch is a single one, inline otherwise.
template <class F> void for_each_tile(const Conv2dGeometry& g, const F& f) {
  const std::int64_t grain = items_per_chunk(
      saturating_product({g.group_out_channels(), g.group_in_channels(), g.in_plane()}));
  parallel_for(g.batch * g.groups, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image_group = begin; image_group < end; ++image_group) {
      parallel_for(g.in_plane(), pixels_per_tile,
                   [&](std::int64_t first, std::int64_t last) { f(image_group, first, last); });
    }
  });
}

}  // namespace

bool pointwise_supports(const Conv2dGeometry& g) {
  return g.kernel_h == 1 && g.kernel_w == 1 && g.padding_h == 0 && g.padding_w == 0 &&
         g.stride_h == 1 && g.stride_w == 1;
}

template <class T>
void pointwise_forward(const Conv2dGeometry& g, const T* x, const T* w, const Epilogue<T>& epilogue,
                       T* y) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t pixels = g.in_plane();
  for_each_tile(g, [&](std::int64_t image_group, std::int64_t first, std::int64_t last) {
    const std::int64_t first_filter = image_group % g.groups * filters;
    const T* bias = epilogue.from(first_filter).bias;
    T* out = y + image_group * filters * pixels + first;
    for (std::int64_t f = 0; bias != nullptr && f < filters; ++f)
      std::fill_n(out + f * pixels, last - first, bias[f]);
    // [filters,channels]·[channels,tile]
    gemm(Transpose::no, Transpose::no, filters, last - first, channels, T{1},
         w + first_filter * channels, channels, x + image_group * channels * pixels + first, pixels,
         bias != nullptr ? T{1} : T{0}, out, pixels);
    for (std::int64_t f = 0; epilogue.relu && f < filters; ++f) {
      for (std::int64_t p = 0; p < last - first; ++p) {
        T& value = out[f * pixels + p];
        value = value < T{0} ? T{0} : value;
      }
    }
  });
}

template <class T>
void pointwise_input_grad(const Conv2dGeometry& g, const T* dy, const T* w, T* dx) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t pixels = g.in_plane();
  for_each_tile(g, [&](std::int64_t image_group, std::int64_t first, std::int64_t last) {
    // [filters,channels]ᵀ·[filters,tile]
    gemm(Transpose::yes, Transpose::no, channels, last - first, filters, T{1},
         w + image_group % g.groups * filters * channels, channels,
         dy + image_group * filters * pixels + first, pixels, T{0},
         dx + image_group * channels * pixels + first, pixels);
  });
}

template <class T>
void pointwise_weight_grad(const Conv2dGeometry& g, const T* x, const T* dy, T* dw) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  const std::int64_t pixels = g.in_plane();
  const PartialSums split = plan_partial_sums(g, g.batch, sizeof(T));
  Workspace<T> partials(std::max<std::int64_t>(split.parts, 1) * g.weight_size());
  std::fill_n(partials.data(), g.weight_size(), T{0});
  parallel_for(g.batch, split.items_per_part, [&](std::int64_t begin, std::int64_t end) {
    T* sums = partials.data() + begin / split.items_per_part * g.weight_size();
    for (std::int64_t image_group = begin * g.groups; image_group < end * g.groups; ++image_group) {
      // [filters,pixels]·[channels,pixels]ᵀ; split when the batch is a single image, inline
      // otherwise.
      gemm_parallel(Transpose::no, Transpose::yes, filters, channels, pixels, T{1},
                    dy + image_group * filters * pixels, pixels,
                    x + image_group * channels * pixels, pixels,
                    image_group < (begin + 1) * g.groups ? T{0} : T{1},
                    sums + image_group % g.groups * filters * channels, channels);
    }
  });
  add_partial_sums(split.parts, g.weight_size(), partials.data());
  std::copy_n(partials.data(), g.weight_size(), dw);
}

template void pointwise_forward(const Conv2dGeometry&, const float*, const float*,
                                const Epilogue<float>&, float*);
template void pointwise_forward(const Conv2dGeometry&, const double*, const double*,
                                const Epilogue<double>&, double*);
template void pointwise_input_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void pointwise_input_grad(const Conv2dGeometry&, const double*, const double*, double*);
template void pointwise_weight_grad(const Conv2dGeometry&, const float*, const float*, float*);
template void pointwise_weight_grad(const Conv2dGeometry&, const double*, const double*, double*);

}  // namespace gradus::kernels
