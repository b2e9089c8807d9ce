// What every chapter of ops needs: the ops' base, and the functions gradients are made of.
#pragma once

#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <utility>

namespace gradus::ops {

/// relu_grad() for backward(): written over dy where nobody else can see that.
Variable relu_backward(const Variable& dy, const Tensor& y);

/// The activation inside an op: forward() keeps the output where backward() will ask for it, and
/// backward() begins with the gradient of what stood before the activation.
struct Epilogue {
  Activation activation = Activation::none;
  Tensor y{};  // defined only with an activation

  Tensor kept(Tensor output) {
    if (activation != Activation::none) y = output;
    return output;
  }
  Variable backward(const Variable& dy) const { return y.defined() ? relu_backward(dy, y) : dy; }
  /// Which it was; from now on there is none.
  Activation take() { return std::exchange(activation, Activation::none); }
};

}  // namespace gradus::ops
