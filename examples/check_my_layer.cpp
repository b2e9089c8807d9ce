// A layer of one's own, gradient-checked; and the same with a bug, caught.
//
// The op is swish, y = x·σ(x). Its derivative is σ + y·(1 - σ). The wrong one forgets the first
// term, which training alone would hardly show: the loss still falls, only more slowly.
#include <gradus/gradus.h>

#include <iostream>

using namespace gradus;

namespace {

/// y = x·σ(x)        dL/dx = dL/dy·(σ + y·(1 - σ)),   σ = 1/(1+e⁻ˣ)
struct Swish : Op {
  static constexpr std::string_view name = "swish";
  Variable x;

  Tensor forward(const Variable& input) {
    x = input;
    return core::mul(input.value(), core::sigmoid(input.value()));
  }

  Variables backward(const Variable& dy) override {
    const Variable s = sigmoid(x);
    return {dy * (s + x * s * (1.0 - s))};
  }
};

/// The same, with a slip in the derivative.
struct WrongSwish final : Swish {
  static constexpr std::string_view name = "wrong_swish";

  Variables backward(const Variable& dy) override {
    const Variable s = sigmoid(x);
    return {dy * (x * s * (1.0 - s))};  // the product rule has two terms
  }
};

/// A layer with a parameter: y = swish(x·scale).
struct ScaledSwish : Module {
  Variable scale{ones({4}, float64), true};

  void visit(Visitor& v) override { v("scale", scale); }
  Variable forward(const Variable& x) override { return gradus::apply(Swish(), x * scale); }
};

}  // namespace

int main() {
  Generator generator(3);
  const Variable x(randn({2, 4}, generator, float64), true);

  const auto right = [](const Variables& v) { return gradus::apply(Swish(), v[0]); };
  std::cout << "swish, first order:  " << gradcheck(right, {x}).to_string() << "\n";
  std::cout << "swish, second order: " << gradgradcheck(right, {x}).to_string() << "\n";

  // A layer: its input and its parameter are both inputs of the check.
  ScaledSwish layer;
  const auto with_scale = [&layer](const Variables& v) {
    layer.scale = v[1];
    return layer(v[0]);
  };
  const GradcheckReport good = gradcheck(with_scale, {x, layer.scale});
  std::cout << "the layer:           " << good.to_string() << "\n";

  const auto wrong = [](const Variables& v) { return gradus::apply(WrongSwish(), v[0]); };
  const GradcheckReport bad = gradcheck(wrong, {x});
  std::cout << "wrong swish:         " << bad.to_string() << "\n";
  return good.passed() && !bad.passed() ? 0 : 1;
}
