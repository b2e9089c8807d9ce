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

/// f(image·groups + group) for each image and group: on several threads, or, of one alone, on this
/// one, and its product on several.
template <class F> void for_each_image_group(const Conv2dGeometry& g, const F& f) {
  const std::int64_t grain = items_per_chunk(
      saturating_product({g.group_out_channels(), g.group_in_channels(), g.in_plane()}));
  parallel_for(g.batch * g.groups, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image_group = begin; image_group < end; ++image_group) f(image_group);
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
  for_each_image_group(g, [&](std::int64_t image_group) {
    const std::int64_t group = image_group % g.groups;
    gemm<T>({.m = filters,
             .n = g.in_plane(),
             .k = channels,
             .a = w + group * filters * channels,
             .lda = channels,
             .b = x + image_group * channels * g.in_plane(),
             .ldb = g.in_plane(),
             .c = y + image_group * filters * g.in_plane(),
             .ldc = g.in_plane(),
             .epilogue = epilogue.from(group * filters)});
  });
}

template <class T>
void pointwise_input_grad(const Conv2dGeometry& g, const T* dy, const T* w, T* dx) {
  const std::int64_t channels = g.group_in_channels();
  const std::int64_t filters = g.group_out_channels();
  for_each_image_group(g, [&](std::int64_t image_group) {
    gemm<T>({.m = channels,
             .n = g.in_plane(),
             .k = filters,
             .a = w + image_group % g.groups * filters * channels,
             .lda = channels,
             .b = dy + image_group * filters * g.in_plane(),
             .ldb = g.in_plane(),
             .c = dx + image_group * channels * g.in_plane(),
             .ldc = g.in_plane(),
             .transpose_a = Transpose::yes});
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
      gemm<T>({.m = filters,
               .n = channels,
               .k = pixels,
               .a = dy + image_group * filters * pixels,
               .lda = pixels,
               .b = x + image_group * channels * pixels,
               .ldb = pixels,
               .c = sums + image_group % g.groups * filters * channels,
               .ldc = channels,
               .transpose_b = Transpose::yes,
               .add = image_group >= (begin + 1) * g.groups});
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
