// What a recorded conv2d, or conv2d_input_grad, tells of itself, for who draws it and counts what it costs.
#pragma once

#include <gradus/core/conv.h>

namespace gradus {

/// Base, beside Op, of the op conv2d: dynamic_cast<const ConvolutionCall*>(node.op.get()) finds it on the
/// tape.
class ConvolutionCall {
 public:
  virtual ~ConvolutionCall() = default;
  /// Those of the call, with a padding of sizes and the activation that is fused.
  virtual Conv2dOptions convolution() const = 0;
};

/// The same of the op conv2d_input_grad, which a transposed convolution is made of.
class InputGradCall {
 public:
  virtual ~InputGradCall() = default;
  /// Those of the convolution whose gradient it is.
  virtual Conv2dOptions convolution() const = 0;
};

}  // namespace gradus
