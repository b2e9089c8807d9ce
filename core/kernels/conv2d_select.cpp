// The choice of a convolution algorithm, and the dispatch to it. See conv2d_select.h.
#include <gradus/core/kernels/conv2d_select.h>

#include <gradus/core/kernels/conv2d_depthwise.h>
#include <gradus/core/kernels/conv2d_direct.h>
#include <gradus/core/kernels/conv2d_im2col.h>
#include <gradus/core/kernels/conv2d_pointwise.h>

namespace gradus::kernels {

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
  }
  return "unknown";
}

bool supports(Conv2dAlgorithm algorithm, const Conv2dGeometry& g) {
  switch (algorithm) {
    case Conv2dAlgorithm::direct:
    case Conv2dAlgorithm::im2col:
      return true;
    case Conv2dAlgorithm::pointwise:
      return g.kernel_plane() == 1 && g.padding_h == 0 && g.padding_w == 0;
    case Conv2dAlgorithm::depthwise:
      return g.groups == g.in_channels;
  }
  return false;
}

Conv2dAlgorithm choose(const Conv2dGeometry& g) {
  // One input channel without groups is "depthwise" in name only: with several filters GEMM
  // has work to do.
  if (g.groups > 1 && supports(Conv2dAlgorithm::depthwise, g)) return Conv2dAlgorithm::depthwise;
  if (supports(Conv2dAlgorithm::pointwise, g)) return Conv2dAlgorithm::pointwise;
  return Conv2dAlgorithm::im2col;
}

template <class T>
void conv2d_forward(Conv2dAlgorithm algorithm, const Conv2dGeometry& g, const T* x, const T* w,
                    const T* bias, T* y) {
  switch (algorithm) {
    case Conv2dAlgorithm::direct:
      return conv2d_direct_forward(g, x, w, bias, y);
    case Conv2dAlgorithm::im2col:
      return conv2d_im2col_forward(g, x, w, bias, y);
    case Conv2dAlgorithm::pointwise:
      return conv2d_pointwise_forward(g, x, w, bias, y);
    case Conv2dAlgorithm::depthwise:
      return conv2d_depthwise_forward(g, x, w, bias, y);
  }
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
  }
}

template void conv2d_forward(Conv2dAlgorithm, const Conv2dGeometry&, const float*, const float*,
                             const float*, float*);
template void conv2d_forward(Conv2dAlgorithm, const Conv2dGeometry&, const double*, const double*,
                             const double*, double*);
template void conv2d_input_grad(Conv2dAlgorithm, const Conv2dGeometry&, const float*, const float*,
                                float*);
template void conv2d_input_grad(Conv2dAlgorithm, const Conv2dGeometry&, const double*,
                                const double*, double*);
template void conv2d_weight_grad(Conv2dAlgorithm, const Conv2dGeometry&, const float*, const float*,
                                 float*);
template void conv2d_weight_grad(Conv2dAlgorithm, const Conv2dGeometry&, const double*,
                                 const double*, double*);

}  // namespace gradus::kernels
