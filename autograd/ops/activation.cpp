// Functions of one number: exponentials, roots, and the activations. Those whose derivative is
// simplest in terms of their own output keep the output.
#include <gradus/autograd/ops/chapter.h>

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

/// y = ln 1/(1+e⁻ˣ)        dL/dx = dL/dy·sigmoid(-x)
struct LogSigmoid final : Op {
  static constexpr std::string_view name = "logsigmoid";
  Variable x;

  Tensor forward(const Variable& input) {
    if (needs(0)) x = input;
    return core::logsigmoid(input.value());
  }

  Variables backward(const Variable& dy) override { return {mul(dy, sigmoid(neg(x)))}; }

  /// y = min(x, 0) - ln(1 + e) with e = e^-|x|: the logarithm's relative error is no greater than that of
  /// e, then its own and that of the difference, and |y| is no less than either part. The slope is a
  /// sigmoid, (2L + 2) roundings as above, and a product.
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
Variable logsigmoid(const Operand& x) { return apply(ops::LogSigmoid(), x); }
Variable relu(const Operand& x) { return apply(ops::Relu(), x); }

Variable relu_grad(const Operand& dy, const Tensor& y) { return apply(ops::ReluGrad(y), dy); }

Variable dropout(const Operand& x, double p, Generator& generator) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>("dropout: p must be in 0..1, got ", p);
  dispatch_floating("dropout", x->dtype(), []<class T>() {});
  if (p == 0) return x;
  const Tensor kept = core::ge(rand(x->shape(), generator, x->dtype()), p).to(x->dtype());
  return mul(x, p < 1 ? core::div(kept, 1 - p) : kept);
}

}  // namespace gradus
