// The table of algorithms, and the choice among them. See conv2d.h.
#include <gradus/core/kernels/conv2d/conv2d.h>

#include <algorithm>
#include <array>
#include <concepts>

#include <gradus/core/kernels/conv2d/depthwise.h>
#include <gradus/core/kernels/conv2d/direct.h>
#include <gradus/core/kernels/conv2d/implicit_gemm.h>
#include <gradus/core/kernels/conv2d/output_lanes.h>
#include <gradus/core/kernels/conv2d/pointwise.h>
#include <gradus/core/kernels/conv2d/tiles.h>
#include <gradus/core/kernels/conv2d/winograd.h>
#include <gradus/core/kernels/matmul/unpacked_gemm.h>
#include <gradus/core/kernels/work.h>

namespace gradus::kernels {
namespace {

bool supports_any(const Conv2dGeometry&) { return true; }

/// Its three passes for one type.
template <class T> struct Passes {
  void (*forward)(const Conv2dGeometry&, const T*, const T*, const Epilogue<T>&, T*);
  void (*input_grad)(const Conv2dGeometry&, const T*, const T*, T*);
  void (*weight_grad)(const Conv2dGeometry&, const T*, const T*, T*);
};

struct Algorithm {
  std::string_view name;
  bool (*supports)(const Conv2dGeometry&);
  Passes<float> floats;
  Passes<double> doubles;

  template <class T> const Passes<T>& passes() const {
    if constexpr (std::same_as<T, float>) {
      return floats;
    } else {
      return doubles;
    }
  }
};

/// In the order of Conv2dAlgorithm.
constexpr std::array<Algorithm, 5> algorithms{{
    {"direct",
     supports_any,
     {direct_forward, direct_input_grad, direct_weight_grad},
     {direct_forward, direct_input_grad, direct_weight_grad}},
    {"pointwise",
     pointwise_supports,
     {pointwise_forward, pointwise_input_grad, pointwise_weight_grad},
     {pointwise_forward, pointwise_input_grad, pointwise_weight_grad}},
    {"depthwise",
     depthwise_supports,
     {depthwise_forward, depthwise_input_grad, depthwise_weight_grad},
     {depthwise_forward, depthwise_input_grad, depthwise_weight_grad}},
    {"implicit_gemm",
     patches_in_proportion,
     {implicit_gemm_forward, implicit_gemm_input_grad, implicit_gemm_weight_grad},
     {implicit_gemm_forward, implicit_gemm_input_grad, implicit_gemm_weight_grad}},
    {"winograd",
     winograd_supports,
     {winograd_forward, winograd_input_grad, winograd_weight_grad},
     {winograd_forward, winograd_input_grad, winograd_weight_grad}},
}};

const Algorithm& entry(Conv2dAlgorithm algorithm) {
  return algorithms.at(static_cast<std::size_t>(algorithm));
}

/// The numbers are measured. Transforming a tile costs as much as some 40 channels of its products,
/// transforming the kernels, in each call, as much as some 1000 outputs; more so in the weight
/// gradient, where it competes with the faster loop.
bool winograd_pays(const Conv2dGeometry& g, Conv2dPass pass) {
  constexpr std::int64_t many_channels = 48;
  constexpr std::int64_t many_outputs = 2048;
  // Outputs times channels; with vectors of eight numbers and fewer, on CPUs of another kind, it pays
  // later.
  const std::int64_t much_work = output_lanes<float>().lanes < 16 ? 500'000 : 200'000;
  constexpr std::int64_t many_outputs_for_weights = 8192;
  if (!winograd_supports(g)) return false;
  const std::int64_t channels = std::min(g.group_in_channels(), g.group_out_channels());
  const std::int64_t outputs = g.batch * g.out_plane();
  if (channels < many_channels) return false;
  if (pass == Conv2dPass::weight_grad) return outputs >= many_outputs_for_weights;
  return outputs >= many_outputs && saturating_product({outputs, channels}) >= much_work;
}

/// Measured. What a product of matrices costs for each image weighs the more the smaller those are,
/// most of all where BLAS packs them anew, and to sum over images it goes through the sums in memory
/// once for each.
bool product_pays(const Conv2dGeometry& g, Conv2dPass pass) {
  constexpr std::int64_t few_weights = 512;
  constexpr std::int64_t many_weights = 16'384;
  if (!pointwise_supports(g)) return false;
  if (g.group_out_channels() == 1 && g.group_in_channels() == 1) return false;  // one number
  const std::int64_t weights = g.group_out_channels() * g.group_in_channels();
  if (unpacked_gemm<float>().beats_blas) return g.out_plane() >= (weights < many_weights ? 16 : 64);
  if (weights < few_weights) return true;
  if (pass == Conv2dPass::weight_grad) return false;
  return g.out_plane() >= (weights < many_weights ? 256 : 48);
}

/// Why no other algorithm takes a convolution from implicit_gemm.
std::string_view why_implicit_gemm(const Conv2dGeometry& g, bool winograd) {
  if (pointwise_supports(g))
    return "a 1x1 kernel, but with matrices so small that a product for each image costs more than "
           "the windows of several together";
  if (!winograd_supports(g))
    return "the general way: the windows are the columns of a matrix that is never written down";
  if (!winograd)
    return "the windows as the columns of a matrix; Winograd's way, which rounds worse, is not "
           "allowed here";
  return "a 3x3 kernel, but too few channels or outputs to pay for Winograd's transforms";
}

}  // namespace

std::string_view to_string(Conv2dAlgorithm algorithm) { return entry(algorithm).name; }

std::string_view to_string(Conv2dPass pass) {
  constexpr std::array<std::string_view, 3> names{"forward", "input_grad", "weight_grad"};
  return names.at(static_cast<std::size_t>(pass));
}

bool supports(Conv2dAlgorithm algorithm, const Conv2dGeometry& g) {
  return entry(algorithm).supports(g);
}

template <class T> Conv2dChoice explain(const Conv2dGeometry& g, Conv2dPass pass, bool winograd) {
  if (product_pays(g, pass)) {
    return {Conv2dAlgorithm::pointwise,
            "a 1x1 kernel makes it a product of two matrices that lie in memory already, of a size "
            "at which that is fast"};
  }
  if (!patches_in_proportion(g)) {
    return {Conv2dAlgorithm::direct,
            "padding, dilation or stride are out of proportion to the image: the loops of the "
            "definition need no padded copy of it"};
  }
  if (depthwise_supports(g)) {
    return {
        Conv2dAlgorithm::depthwise,
        "each channel has a 3x3 filter of its own: a number is used nine times only, so rows of "
        "the image go straight to registers"};
  }
  const bool may = std::same_as<T, float> && winograd;
  if (may && winograd_pays(g, pass)) {
    return {Conv2dAlgorithm::winograd,
            "a 3x3 kernel with stride 1, many channels and many outputs: a quarter of the products "
            "pays for the transforms"};
  }
  return {Conv2dAlgorithm::implicit_gemm, why_implicit_gemm(g, may)};
}

template <class T> Conv2dAlgorithm choose(const Conv2dGeometry& g, Conv2dPass pass, bool winograd) {
  return explain<T>(g, pass, winograd).algorithm;
}

template <class T>
void conv2d_forward(Conv2dAlgorithm algorithm, const Conv2dGeometry& g, const T* x, const T* w,
                    const Epilogue<T>& epilogue, T* y) {
  entry(algorithm).passes<T>().forward(g, x, w, epilogue, y);
}

template <class T>
void conv2d_input_grad(Conv2dAlgorithm algorithm, const Conv2dGeometry& g, const T* dy, const T* w,
                       T* dx) {
  entry(algorithm).passes<T>().input_grad(g, dy, w, dx);
}

template <class T>
void conv2d_weight_grad(Conv2dAlgorithm algorithm, const Conv2dGeometry& g, const T* x, const T* dy,
                        T* dw) {
  entry(algorithm).passes<T>().weight_grad(g, x, dy, dw);
}

template Conv2dChoice explain<float>(const Conv2dGeometry&, Conv2dPass, bool);
template Conv2dChoice explain<double>(const Conv2dGeometry&, Conv2dPass, bool);
template Conv2dAlgorithm choose<float>(const Conv2dGeometry&, Conv2dPass, bool);
template Conv2dAlgorithm choose<double>(const Conv2dGeometry&, Conv2dPass, bool);
template void conv2d_forward(Conv2dAlgorithm, const Conv2dGeometry&, const float*, const float*,
                             const Epilogue<float>&, float*);
template void conv2d_forward(Conv2dAlgorithm, const Conv2dGeometry&, const double*, const double*,
                             const Epilogue<double>&, double*);
template void conv2d_input_grad(Conv2dAlgorithm, const Conv2dGeometry&, const float*, const float*,
                                float*);
template void conv2d_input_grad(Conv2dAlgorithm, const Conv2dGeometry&, const double*,
                                const double*, double*);
template void conv2d_weight_grad(Conv2dAlgorithm, const Conv2dGeometry&, const float*, const float*,
                                 float*);
template void conv2d_weight_grad(Conv2dAlgorithm, const Conv2dGeometry&, const double*,
                                 const double*, double*);

}  // namespace gradus::kernels
