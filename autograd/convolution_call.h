// What a recorded conv2d, or conv2d_input_grad, tells of itself, for who draws it and counts what it costs.
#pragma once

#include <gradus/core/conv.h>

namespace gradus {

/// Base, beside Op, of the ops conv2d and conv2d_input_grad (which a transposed convolution is made of):
/// dynamic_cast<const ConvolutionCall*>(node.op.get()) finds them on the tape, node.name says which it is.
class ConvolutionCall {
 public:
  virtual ~ConvolutionCall() = default;
  /// Those of the convolution, or of that whose gradient it is, with a padding of sizes and the activation
  /// that is fused.
  virtual Conv2dOptions convolution() const = 0;
};

}  // namespace gradus
