// ConvolutionCall: what a recorded conv2d tells of itself, for who draws it.
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

}  // namespace gradus
