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

  static std::vector<Sample> samples() {
    return unary_samples([](const Variables& v) { return exp(v[0]); });
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return exp(v[0]); });
  }
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

  static std::vector<Sample> samples() {
    const auto f = [](const Variables& v) { return log(v[0]); };
    return unary_samples(f, above_zero, {{"small numbers", {spread({4}, 5, {0.05, 0.5})}, f}});
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return log(v[0]); }, above_zero);
  }
};

/// y = √x        dL/dx = dL/dy/(2y)
struct Sqrt final : Op {
  static constexpr std::string_view name = "sqrt";
  Tensor y;

  Tensor forward(const Variable& x) { return y = core::sqrt(x.value()); }

  Variables backward(const Variable& dy) override { return {div(dy, mul(reattach(y), 2))}; }

  /// Division and root are rounded once each.
  Rounding rounding() const { return elementwise(1, 2); }

  static std::vector<Sample> samples() {
    return unary_samples([](const Variables& v) { return sqrt(v[0]); }, above_zero,
                         {{"a sum of squares", {spread({2, 3}, 5)}, [](const Variables& v) {
                             return sqrt(sum(v[0] * v[0], {1}));
                           }}});
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return sqrt(v[0]); }, above_zero);
  }
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

  static std::vector<Sample> samples() {
    return unary_samples([](const Variables& v) { return abs(v[0]); });
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return abs(v[0]); });
  }
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

  static std::vector<Sample> samples() {
    return unary_samples([](const Variables& v) { return tanh(v[0]); });
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return tanh(v[0]); }, {-6, 6});
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

  static std::vector<Sample> samples() {
    const auto f = [](const Variables& v) { return sigmoid(v[0]); };
    return unary_samples(f, {}, {{"far from zero", {spread({4}, 5, {-6, 6})}, f}});
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return sigmoid(v[0]); }, {-6, 6});
  }
};

/// y = dy where the kept output is positive, else 0        dL/d(dy) = dL/dy under the same mask
struct ReluGrad final : Op {
  static constexpr std::string_view name = "relu_grad";
  Tensor output;  // of the relu

  explicit ReluGrad(Tensor relu_output) : output(std::move(relu_output)) {}

  Tensor forward(const Variable& dy) { return core::relu_grad(dy.value(), output); }

  Variables backward(const Variable& dy) override { return {apply(ReluGrad(output), dy)}; }

  void recast(const Variables& inputs) { output = output.to(inputs[0].dtype()); }

  Rounding rounding() const { return elementwise(0, 0); }

  static Variable masked(const Variables& v) {
    const Tensor positive_part = core::relu(spread(v[0].shape(), 5).value());
    return apply(ReluGrad(positive_part.to(v[0].dtype())), v[0]);
  }

  static std::vector<Sample> samples() { return unary_samples(masked); }

  static std::vector<Sample> training_samples() { return unary_training_samples(masked); }
};

Variable relu_grad(const Variable& dy, const Tensor& y) {
  // The largest tensors of a network come by here: dy is masked where it lies when the engine is
  // the only one to see it (and it does not look again).
  if (!grad_enabled() && dy.is_unshared() && dy.value().is_contiguous()) {
    core::relu_grad_(dy.value(), y);
    count_bytes(2 * bytes_of(dy.value()) + bytes_of(y));
    return dy;
  }
  return apply(ReluGrad(y), dy);
}

/// y = max(x, 0)        dL/dx = dL/dy where y > 0, else 0
struct Relu final : Op {
  static constexpr std::string_view name = "relu";
  Tensor y;

  Tensor forward(const Variable& x) { return y = core::relu(x.value()); }

  Variables backward(const Variable& dy) override { return {relu_grad(dy, y)}; }

  Rounding rounding() const { return elementwise(0, 0); }

  static std::vector<Sample> samples() {
    const auto f = [](const Variables& v) { return relu(v[0]); };
    return unary_samples(f, {},
                         {{"a strided view",
                           {spread({4, 3}, 5)},
                           [](const Variables& v) { return relu(slice(v[0], 1, 0, 3, 2)); }},
                          {"all positive", {positive({3, 4}, 6)}, f}});
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return relu(v[0]); });
  }
};

/// y = x·mask/(1-p), mask random        dL/dx = dL/dy·mask/(1-p)
struct Dropout {
  static constexpr std::string_view name = "dropout";

  static std::vector<Sample> samples() {
    const auto with = [](double p) {
      return [p](const Variables& v) {
        Generator generator(7);
        return dropout(v[0], p, generator);
      };
    };
    return unary_samples(with(0.5), {},
                         {{"little", {spread({3, 4}, 5)}, with(0.1)},
                          {"nothing dropped", {spread({4}, 6)}, with(0)},
                          {"everything dropped", {spread({4}, 7)}, with(1)}});
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) {
      Generator generator(7);
      return dropout(v[0], 0.3, generator);
    });
  }
};

template OpInfo op_info<Exp>();
template OpInfo op_info<Log>();
template OpInfo op_info<Sqrt>();
template OpInfo op_info<Abs>();
template OpInfo op_info<Tanh>();
template OpInfo op_info<Sigmoid>();
template OpInfo op_info<ReluGrad>();
template OpInfo op_info<Relu>();
template OpInfo op_info<Dropout>();

}  // namespace ops

Variable exp(const Variable& x) { return apply(ops::Exp(), x); }
Variable log(const Variable& x) { return apply(ops::Log(), x); }
Variable sqrt(const Variable& x) { return apply(ops::Sqrt(), x); }
Variable abs(const Variable& x) { return apply(ops::Abs(), x); }
Variable tanh(const Variable& x) { return apply(ops::Tanh(), x); }
Variable sigmoid(const Variable& x) { return apply(ops::Sigmoid(), x); }
Variable relu(const Variable& x) { return apply(ops::Relu(), x); }

Variable dropout(const Variable& x, double p, Generator& generator) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>("dropout: p must be in 0..1, got ", p);
  dispatch_floating("dropout", x.dtype(), []<class T>() {});
  if (p == 0) return x;
  const Tensor kept = core::ge(rand(x.shape(), generator, x.dtype()), p).to(x.dtype());
  return mul(x, p < 1 ? core::div(kept, 1 - p) : kept);
}

}  // namespace gradus
