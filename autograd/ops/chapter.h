// What every chapter of ops needs: the ops' base, and the functions gradients are made of.
#pragma once

#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <string_view>
#include <utility>

namespace gradus::ops {

/// f(x) for x of `rank`, the first dimension of which counts a batch; x without that dimension is a
/// batch of one, and so is its result.
template <class F> Variable batched(std::string_view op, int rank, const Operand& x, const F& f) {
  if (x->rank() == rank) return f(x);
  if (x->rank() != rank - 1) {
    fail<ShapeError>(op, ": input must have rank ", rank, ", or without a batch ", rank - 1,
                     ", got ", describe(x->value()));
  }
  const Variable y = f(Operand(unsqueeze(x, 0), x.at()));
  return squeeze({y, x.at()}, 0);
}

/// relu_grad() for backward(): written over dy where nobody else can see that.
Variable relu_backward(const Variable& dy, const Tensor& y);

/// The activation inside an op: forward() keeps the output where backward() will ask for it, and
/// backward() begins with the gradient of what stood before the activation.
struct Epilogue {
  Activation activation = Activation::none;
  Tensor y{};  // defined only with an activation

  /// `output`, of which a handle is kept where there is an activation.
  Tensor kept(Tensor output) {
    if (activation != Activation::none) y = output;
    return output;
  }
  /// The gradient before the activation, from dy behind it.
  Variable backward(const Variable& dy) const { return y.defined() ? relu_backward(dy, y) : dy; }
  /// Which it was; from now on there is none.
  Activation take() { return std::exchange(activation, Activation::none); }
};

}  // namespace gradus::ops
