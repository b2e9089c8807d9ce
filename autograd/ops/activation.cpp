// Functions of one number: exponentials, roots, and the activations. Those whose derivative is
// simplest in terms of their own output keep the output. Most activations are made of others; where
// two branches meet, the slope is PyTorch's.
#include <gradus/autograd/ops/chapter.h>

#include <cmath>
#include <numbers>

namespace gradus {
namespace ops {

/// y = eˣ        dL/dx = dL/dy·y
struct Exp final : Op {
  static constexpr std::string_view name = "exp";
  Tensor y;

  Tensor forward(const Variable& x) { return y = core::exp(x.value()); }

  Variables backward(const Variable& dy) override { return {mul(dy, reattach(y))}; }

  Rounding rounding() const { return elementwise(library_roundings, library_roundings + 1); }
};

/// y = ln x        dL/dx = dL/dy/x
struct Log final : Op {
  static constexpr std::string_view name = "log";
  Variable x;

  Tensor forward(const Variable& input) {
    if (needs(0)) x = input;
    return core::log(input.value());
  }

  Variables backward(const Variable& dy) override { return {div(dy, x)}; }

  Rounding rounding() const { return elementwise(library_roundings, 1); }
};

/// y = √x        dL/dx = dL/dy/(2y)
struct Sqrt final : Op {
  static constexpr std::string_view name = "sqrt";
  Tensor y;

  Tensor forward(const Variable& x) { return y = core::sqrt(x.value()); }

  Variables backward(const Variable& dy) override { return {div(dy, mul(reattach(y), 2))}; }

  /// Division and root are rounded once each.
  Rounding rounding() const { return elementwise(1, 2); }
};

/// y = |x|        dL/dx = dL/dy·sign(x), 0 at 0
struct Abs final : Op {
  static constexpr std::string_view name = "abs";
  Tensor x;

  Tensor forward(const Variable& input) {
    if (needs(0)) x = input.value();
    return core::abs(input.value());
  }

  Variables backward(const Variable& dy) override { return {mul(dy, core::sign(x))}; }

  Rounding rounding() const { return elementwise(0, 0); }
};

/// y = tanh x        dL/dx = dL/dy·(1-y²)
struct Tanh final : Op {
  static constexpr std::string_view name = "tanh";
  Tensor y;

  Tensor forward(const Variable& x) { return y = core::tanh(x.value()); }

  Variables backward(const Variable& dy) override {
    const Variable output = reattach(y);
    return {mul(dy, 1.0 - output * output)};
  }

  /// With y off by L·u·|y|, y² is off by (2L + 1)·u·y², which is much where 1 - y² is little; the
  /// difference and the product are rounded once more each.
  Rounding rounding() const {
    return elementwise({.value =
                            [](const ElementwiseCall& call) {
                              return core::mul(core::abs(call.y), library_roundings);
                            },
                        .slopes =
                            [](const ElementwiseCall& call) {
                              const Tensor square = core::mul(call.y, call.y);
                              return std::vector<Tensor>{
                                  core::add(core::mul(square, 2 * library_roundings + 1),
                                            core::mul(core::abs(call.slopes[0]), 2))};
                            }});
  }
};

/// y = 1/(1+e⁻ˣ)        dL/dx = dL/dy·y·(1-y)
struct Sigmoid final : Op {
  static constexpr std::string_view name = "sigmoid";
  Tensor y;

  Tensor forward(const Variable& x) { return y = core::sigmoid(x.value()); }

  Variables backward(const Variable& dy) override {
    const Variable output = reattach(y);
    return {mul(dy, output * (1.0 - output))};
  }

  /// y = n/(1 + e) with e = e^-|x|, n = 1 or e: e twice, a sum and a quotient: (2L + 2)·u·|y|. The
  /// slope y·(1-y) takes that error once as a factor and once, as it is, in 1 - y, and rounds three
  /// times.
  Rounding rounding() const {
    constexpr double relative = 2 * library_roundings + 2;
    return elementwise(
        {.value =
             [](const ElementwiseCall& call) { return core::mul(core::abs(call.y), relative); },
         .slopes =
             [](const ElementwiseCall& call) {
               const Tensor square = core::mul(call.y, call.y);
               return std::vector<Tensor>{
                   core::add(core::mul(core::abs(call.slopes[0]), relative + 3),
                             core::mul(square, relative))};
             }});
  }
};

/// y = ln(1/(1+e⁻ˣ))        dL/dx = dL/dy·sigmoid(-x)
/// An op, for the sake of its slope: that of min(x,0) - ln(1 + e^-|x|), made of functions, is wrong
/// at 0, and any other form overflows somewhere.
struct LogSigmoid final : Op {
  static constexpr std::string_view name = "logsigmoid";
  Variable x;

  Tensor forward(const Variable& input) {
    if (needs(0)) x = input;
    return core::logsigmoid(input.value());
  }

  Variables backward(const Variable& dy) override { return {mul(dy, sigmoid(neg(x)))}; }

  /// y = min(x,0) - ln(1+e), e = e^-|x|. The logarithm takes the relative error of e at most once, for
  /// |d ln(1+e)| = de/(1+e) <= ln(1+e)·de/e, and has the library's own: 2L of it; both parts of y
  /// have its sign, so that is 2L of y at most, and the difference is rounded. The slope is a sigmoid's
  /// (2L + 2, as told there) and a product.
  Rounding rounding() const {
    return elementwise(2 * library_roundings + 1, 2 * library_roundings + 3);
  }
};

/// y = dy where the kept output is positive, else 0        dL/d(dy) = dL/dy under the same mask
struct ReluGrad final : Op {
  static constexpr std::string_view name = "relu_grad";
  Tensor output;  // of the relu

  explicit ReluGrad(Tensor relu_output) : output(std::move(relu_output)) {}

  Tensor forward(const Variable& dy) {
    keeps(output, "relu's output");
    return core::relu_grad(dy.value(), output);
  }

  Variables backward(const Variable& dy) override { return {apply(ReluGrad(output), dy)}; }

  void recast(const Variables& inputs) { output = output.to(inputs[0].dtype()); }

  Rounding rounding() const { return elementwise(0, 0); }
};

Variable relu_backward(const Variable& dy, const Tensor& y) {
  // The largest tensors of a network come by here: dy is masked where it lies when the engine is
  // the only one to see it (and it does not look again).
  if (!grad_enabled() && dy.is_unshared() && dy.value().is_contiguous()) {
    core::relu_grad_(dy.value(), y);
    count_bytes(2 * bytes_of(dy.value()) + bytes_of(y));
    return dy;
  }
  return relu_grad(dy, y);
}

/// y = max(x, 0)        dL/dx = dL/dy where y > 0, else 0
struct Relu final : Op {
  static constexpr std::string_view name = "relu";
  Tensor y;

  Tensor forward(const Variable& x) { return y = core::relu(x.value()); }

  Variables backward(const Variable& dy) override { return {relu_backward(dy, y)}; }

  Rounding rounding() const { return elementwise(0, 0); }
};

}  // namespace ops

Variable exp(const Operand& x) { return apply(ops::Exp(), x); }
Variable log(const Operand& x) { return apply(ops::Log(), x); }
Variable sqrt(const Operand& x) { return apply(ops::Sqrt(), x); }
Variable abs(const Operand& x) { return apply(ops::Abs(), x); }
Variable tanh(const Operand& x) { return apply(ops::Tanh(), x); }
Variable sigmoid(const Operand& x) { return apply(ops::Sigmoid(), x); }
Variable relu(const Operand& x) { return apply(ops::Relu(), x); }

Variable relu_grad(const Operand& dy, const Tensor& y) { return apply(ops::ReluGrad(y), dy); }

namespace ops {
namespace {

/// Drops what a mask of `shape` tells, which broadcasts to x.
Variable masked(std::string_view op, const Operand& x, const Shape& shape, double p,
                Generator& generator) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>(op, ": p must be in 0..1, got ", p);
  dispatch_floating(op, x->dtype(), []<class T>() {});
  if (p == 0) return x;
  const Tensor kept = core::ge(rand(shape, generator, x->dtype()), p).to(x->dtype());
  return mul(x, p < 1 ? core::div(kept, 1 - p) : kept);
}

/// For functions of a part of the line: x > 0.
Tensor positive(std::string_view op, const Operand& x) {
  dispatch_floating(op, x->dtype(), []<class T>() {});
  return core::gt(x->value(), 0);
}

/// x, but 0 where it is positive: so that what is not chosen is finite, and its gradient 0 and no NaN.
Variable negative_part(const Tensor& positive, const Operand& x) { return where(positive, 0, x); }

/// Where x <= low or x >= high, that bound, as a constant; and NaN where x is NaN.
Variable between(std::string_view op, const Operand& x, double low, double high) {
  if (!(low < high))
    fail<ValueError>(op, ": min_val must be below max_val, got ", low, " and ", high);
  dispatch_floating(op, x->dtype(), []<class T>() {});
  const Tensor inside = core::logical_and(core::gt(x->value(), low), core::lt(x->value(), high));
  return where(inside, x, Variable(core::clamp(x->value(), low, high)));
}

}  // namespace
}  // namespace ops

Variable dropout(const Operand& x, double p, Generator& generator) {
  return ops::masked("dropout", x, x->shape(), p, generator);
}
Variable dropout2d(const Operand& x, double p, Generator& generator) {
  if (x->rank() < 2) fail<ShapeError>("dropout2d: expects input [N,C,...], got ", x->shape());
  Shape channels = Shape::filled(x->rank(), 1);
  for (int d = 0; d < 2; ++d) channels[d] = x->size(d);
  return ops::masked("dropout2d", x, channels, p, generator);
}

Variable leaky_relu(const Operand& x, double negative_slope) {
  const Tensor positive = ops::positive("leaky_relu", x);
  return where(positive, x, mul(x, negative_slope));
}

Variable prelu(const Operand& x, const Variable& weight) {
  const Tensor positive = ops::positive("prelu", x);
  const Shape& shape = x->shape();
  const std::int64_t channels = shape.rank() < 2 ? 1 : shape[1];
  if (weight.numel() != 1 && (weight.rank() != 1 || weight.numel() != channels)) {
    fail<ShapeError>("prelu: weight is ", weight.shape(), ", input ", shape, " has ", channels,
                     channels == 1 ? " channel" : " channels");
  }
  if (weight.dtype() != x->dtype()) {
    fail<DTypeError>("prelu: weight is ", describe(weight.value()), ", input is ",
                     describe(x->value()), "; ", cast_to_match(weight.dtype(), x->dtype()));
  }
  Shape beside_x = Shape::filled(shape.rank(), 1);
  if (weight.numel() != 1) beside_x[1] = channels;
  const Variable slope = reshape({weight, x.at()}, beside_x);
  return where(positive, x, mul({ops::negative_part(positive, x), x.at()}, slope));
}

Variable elu(const Operand& x, double alpha) {
  const Tensor positive = ops::positive("elu", x);
  const Place at = x.at();
  return where(positive, x, mul({expm1({ops::negative_part(positive, x), at}), at}, alpha));
}

Variable selu(const Operand& x) {
  // The fixed point of mean 0 and variance 1, from the paper's appendix.
  constexpr double alpha = 1.6732632423543772848170429916717;
  constexpr double scale = 1.0507009873554804934193349852946;
  dispatch_floating("selu", x->dtype(), []<class T>() {});
  return mul({elu(x, alpha), x.at()}, scale);
}

Variable gelu(const Operand& x, Gelu approximate) {
  dispatch_floating("gelu", x->dtype(), []<class T>() {});
  const Place at = x.at();
  Variable odd;  // in -1..1
  if (approximate == Gelu::none) {
    odd = erf({mul(x, std::numbers::sqrt2 / 2), at});
  } else {
    const Variable cube = mul({mul(x, x), at}, x);
    const Variable inner = add(x, mul({cube, at}, 0.044715));
    odd = tanh({mul({inner, at}, std::sqrt(2 / std::numbers::pi)), at});
  }
  return mul({mul(x, 0.5), at}, add({odd, at}, 1));
}

Variable silu(const Operand& x) {
  dispatch_floating("silu", x->dtype(), []<class T>() {});
  return mul(x, sigmoid(x));
}

Variable logsigmoid(const Operand& x) { return apply(ops::LogSigmoid(), x); }

Variable softplus(const Operand& x, double beta, double threshold) {
  if (!(beta != 0) || !std::isfinite(beta))
    fail<ValueError>("softplus: beta must be finite and not 0, got ", beta);
  dispatch_floating("softplus", x->dtype(), []<class T>() {});
  const Place at = x.at();
  const Variable scaled = mul(x, -beta);
  const Tensor linear = core::lt(scaled.value(), -threshold);
  return where(linear, x, div({logsigmoid({scaled, at}), at}, -beta));
}

Variable softsign(const Operand& x) {
  dispatch_floating("softsign", x->dtype(), []<class T>() {});
  return div(x, add({abs(x), x.at()}, 1));
}

Variable hardtanh(const Operand& x, double min_val, double max_val) {
  return ops::between("hardtanh", x, min_val, max_val);
}
Variable relu6(const Operand& x) { return ops::between("relu6", x, 0, 6); }

Variable hardsigmoid(const Operand& x) {
  dispatch_floating("hardsigmoid", x->dtype(), []<class T>() {});
  const Place at = x.at();
  return div({relu6({add(x, 3), at}), at}, 6);
}

Variable hardswish(const Operand& x) {
  dispatch_floating("hardswish", x->dtype(), []<class T>() {});
  const Place at = x.at();
  // clamp's gradient passes at the ends, and so does PyTorch's of this function.
  const Variable gate = div({clamp({add(x, 3), at}, 0, 6), at}, 6);
  return mul(x, gate);
}

}  // namespace gradus
