// The choice of a convolution algorithm, and the dispatch to it. See conv2d_select.h.
#include <gradus/core/kernels/conv2d/select.h>

#include <algorithm>
#include <concepts>

#include <gradus/core/kernels/conv2d/depthwise.h>
#include <gradus/core/kernels/conv2d/direct.h>
#include <gradus/core/kernels/conv2d/im2col.h>
#include <gradus/core/kernels/conv2d/implicit_gemm.h>
#include <gradus/core/kernels/conv2d/pointwise.h>
#include <gradus/core/kernels/conv2d/winograd.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

/// The numbers are measured. Transforming a tile costs as much as some 40 channels of its products,
/// transforming the kernels, in each call, as much as some 1000 outputs; more so in the weight
/// gradient, where it competes with the faster loop.
bool winograd_pays(const Conv2dGeometry& g, Conv2dPass pass) {
  constexpr std::int64_t many_channels = 48;
  constexpr std::int64_t many_outputs = 2048;
  constexpr std::int64_t much_work = 200'000;  // outputs times channels
  constexpr std::int64_t many_outputs_for_weights = 8192;
  if (!winograd_supports(g)) return false;
  const std::int64_t channels = std::min(g.group_in_channels(), g.group_out_channels());
  const std::int64_t outputs = g.batch * g.out_plane();
  if (channels < many_channels) return false;
  if (pass == Conv2dPass::weight_grad) return outputs >= many_outputs_for_weights;
  return outputs >= many_outputs && outputs * channels >= much_work;
}

/// A dense 1x1 is a matrix product without copies; BLAS is at its best when the matrices are large.
/// It packs them for each image, which weighs the more the smaller those are, and to sum over
/// images it goes through the sums in memory once for each.
bool blas_pays(const Conv2dGeometry& g, Conv2dPass pass) {
  constexpr std::int64_t few_weights = 512;
  constexpr std::int64_t small_plane = 256;
  if (!supports<float>(Conv2dAlgorithm::pointwise, g) || g.stride_h > 1 || g.stride_w > 1)
    return false;
  if (g.group_out_channels() * g.group_in_channels() < few_weights) return true;
  return pass != Conv2dPass::weight_grad && g.out_plane() >= small_plane;
}

Conv2dAlgorithm choose_float(const Conv2dGeometry& g, Conv2dPass pass, bool winograd) {
  if (blas_pays(g, pass)) return Conv2dAlgorithm::pointwise;
  if (winograd && winograd_pays(g, pass)) return Conv2dAlgorithm::winograd_4x4;
  // Each pixel meets all taps, also those outside of dy: much waste when dy is much smaller than x.
  if (pass == Conv2dPass::input_grad &&
      2 * g.in_plane() > 3 * g.out_plane() * g.stride_h * g.stride_w)
    return Conv2dAlgorithm::im2col;
  // Its vectors are vectors of filters.
  constexpr std::int64_t few_filters = 12;
  if (pass == Conv2dPass::weight_grad && g.group_out_channels() < few_filters)
    return Conv2dAlgorithm::im2col;
  return Conv2dAlgorithm::implicit_gemm;
}

WinogradTile tile_of(Conv2dAlgorithm algorithm) {
  return algorithm == Conv2dAlgorithm::winograd_2x2 ? WinogradTile::two : WinogradTile::four;
}

template <class T> void relu_in_place(std::int64_t count, T* y) {
  constexpr std::int64_t grain = 65536;
  parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = y[i] < T{0} ? T{0} : y[i];
  });
}

}  // namespace

std::string_view to_string(Conv2dAlgorithm algorithm) {
  switch (algorithm) {
    case Conv2dAlgorithm::direct:
      return "direct";
    case Conv2dAlgorithm::im2col:
      return "im2col";
    case Conv2dAlgorithm::pointwise:
      return "pointwise";
    case Conv2dAlgorithm::depthwise:
      return "depthwise";
    case Conv2dAlgorithm::implicit_gemm:
      return "implicit_gemm";
    case Conv2dAlgorithm::winograd_2x2:
      return "winograd_2x2";
    case Conv2dAlgorithm::winograd_4x4:
      return "winograd_4x4";
  }
  return "unknown";
}

template <class T> bool supports(Conv2dAlgorithm algorithm, const Conv2dGeometry& g) {
  switch (algorithm) {
    case Conv2dAlgorithm::direct:
    case Conv2dAlgorithm::im2col:
      return true;
    case Conv2dAlgorithm::pointwise:
      return g.kernel_plane() == 1 && g.padding_h == 0 && g.padding_w == 0;
    case Conv2dAlgorithm::depthwise:
      return g.groups == g.in_channels;
    case Conv2dAlgorithm::implicit_gemm:
      return std::same_as<T, float>;
    case Conv2dAlgorithm::winograd_2x2:
    case Conv2dAlgorithm::winograd_4x4:
      return std::same_as<T, float> && winograd_supports(g);
  }
  return false;
}

template <class T> Conv2dAlgorithm choose(const Conv2dGeometry& g, Conv2dPass pass, bool winograd) {
  // One input channel without groups is "depthwise" in name only: with several filters a matrix
  // product has work to do.
  if (g.groups > 1 && supports<T>(Conv2dAlgorithm::depthwise, g)) return Conv2dAlgorithm::depthwise;
  if constexpr (std::same_as<T, float>) return choose_float(g, pass, winograd);
  if (supports<T>(Conv2dAlgorithm::pointwise, g)) return Conv2dAlgorithm::pointwise;
  return Conv2dAlgorithm::im2col;
}

template <class T>
void conv2d_forward(Conv2dAlgorithm algorithm, const Conv2dGeometry& g, const T* x, const T* w,
                    const T* bias, T* y, bool relu) {
  switch (algorithm) {
    case Conv2dAlgorithm::direct:
      conv2d_direct_forward(g, x, w, bias, y);
      break;
    case Conv2dAlgorithm::im2col:
      conv2d_im2col_forward(g, x, w, bias, y);
      break;
    case Conv2dAlgorithm::pointwise:
      conv2d_pointwise_forward(g, x, w, bias, y);
      break;
    case Conv2dAlgorithm::depthwise:
      conv2d_depthwise_forward(g, x, w, bias, y);
      break;
    case Conv2dAlgorithm::implicit_gemm:
      if constexpr (std::same_as<T, float>) return conv2d_implicit_forward(g, x, w, bias, relu, y);
      break;
    case Conv2dAlgorithm::winograd_2x2:
    case Conv2dAlgorithm::winograd_4x4:
      if constexpr (std::same_as<T, float>)
        return conv2d_winograd_forward(tile_of(algorithm), g, x, w, bias, relu, y);
      break;
  }
  if (relu) relu_in_place(g.output_size(), y);
}

template <class T>
void conv2d_input_grad(Conv2dAlgorithm algorithm, const Conv2dGeometry& g, const T* dy, const T* w,
                       T* dx) {
  switch (algorithm) {
    case Conv2dAlgorithm::direct:
      return conv2d_direct_input_grad(g, dy, w, dx);
    case Conv2dAlgorithm::im2col:
      return conv2d_im2col_input_grad(g, dy, w, dx);
    case Conv2dAlgorithm::pointwise:
      return conv2d_pointwise_input_grad(g, dy, w, dx);
    case Conv2dAlgorithm::depthwise:
      return conv2d_depthwise_input_grad(g, dy, w, dx);
    case Conv2dAlgorithm::implicit_gemm:
      if constexpr (std::same_as<T, float>) return conv2d_implicit_input_grad(g, dy, w, dx);
      break;
    case Conv2dAlgorithm::winograd_2x2:
    case Conv2dAlgorithm::winograd_4x4:
      if constexpr (std::same_as<T, float>)
        return conv2d_winograd_input_grad(tile_of(algorithm), g, dy, w, dx);
  }
}

template <class T>
void conv2d_weight_grad(Conv2dAlgorithm algorithm, const Conv2dGeometry& g, const T* x, const T* dy,
                        T* dw) {
  switch (algorithm) {
    case Conv2dAlgorithm::direct:
      return conv2d_direct_weight_grad(g, x, dy, dw);
    case Conv2dAlgorithm::im2col:
      return conv2d_im2col_weight_grad(g, x, dy, dw);
    case Conv2dAlgorithm::pointwise:
      return conv2d_pointwise_weight_grad(g, x, dy, dw);
    case Conv2dAlgorithm::depthwise:
      return conv2d_depthwise_weight_grad(g, x, dy, dw);
    case Conv2dAlgorithm::implicit_gemm:
      if constexpr (std::same_as<T, float>) return conv2d_implicit_weight_grad(g, x, dy, dw);
      break;
    case Conv2dAlgorithm::winograd_2x2:
    case Conv2dAlgorithm::winograd_4x4:
      if constexpr (std::same_as<T, float>)
        return conv2d_winograd_weight_grad(tile_of(algorithm), g, x, dy, dw);
  }
}

template bool supports<float>(Conv2dAlgorithm, const Conv2dGeometry&);
template bool supports<double>(Conv2dAlgorithm, const Conv2dGeometry&);
template Conv2dAlgorithm choose<float>(const Conv2dGeometry&, Conv2dPass, bool);
template Conv2dAlgorithm choose<double>(const Conv2dGeometry&, Conv2dPass, bool);
template void conv2d_forward(Conv2dAlgorithm, const Conv2dGeometry&, const float*, const float*,
                             const float*, float*, bool);
template void conv2d_forward(Conv2dAlgorithm, const Conv2dGeometry&, const double*, const double*,
                             const double*, double*, bool);
template void conv2d_input_grad(Conv2dAlgorithm, const Conv2dGeometry&, const float*, const float*,
                                float*);
template void conv2d_input_grad(Conv2dAlgorithm, const Conv2dGeometry&, const double*,
                                const double*, double*);
template void conv2d_weight_grad(Conv2dAlgorithm, const Conv2dGeometry&, const float*, const float*,
                                 float*);
template void conv2d_weight_grad(Conv2dAlgorithm, const Conv2dGeometry&, const double*,
                                 const double*, double*);

}  // namespace gradus::kernels
