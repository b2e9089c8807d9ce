// The names of the ways to compute a convolution; conv2d.h tells what they are.
#pragma once

#include <string_view>

namespace gradus::kernels {

enum class Conv2dAlgorithm { direct, pointwise, depthwise, implicit_gemm, winograd };

/// The three passes of a convolution; each may have another best algorithm.
enum class Conv2dPass { forward, input_grad, weight_grad };

/// "direct", "pointwise", "depthwise", "implicit_gemm", "winograd"; "forward", "input_grad", "weight_grad".
std::string_view to_string(Conv2dAlgorithm algorithm);
std::string_view to_string(Conv2dPass pass);

}  // namespace gradus::kernels
