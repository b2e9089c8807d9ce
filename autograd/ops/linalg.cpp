// Matrix products. Vectors are made matrices first, so the op itself knows matrices only.
#include <gradus/autograd/ops/chapter.h>

namespace gradus {
namespace ops {

/// C = A·B        dL/dA = dL/dC·Bᵀ,   dL/dB = Aᵀ·dL/dC
struct MatMul final : Op {
  static constexpr std::string_view name = "matmul";
  Variable a, b;
  bool b_lies_transposed = false;  // in memory, as in x·Wᵀ: made likewise, dL/dW needs no copy

  Tensor forward(const Variable& left, const Variable& right) {
    if (needs(1)) a = left;
    if (needs(0)) b = right;
    b_lies_transposed = right.value().transpose(-2, -1).is_contiguous();
    Tensor product = core::matmul(left.value(), right.value());
    count_flops(2 * product.numel() * left.value().size(-1));
    return product;
  }

  Variables backward(const Variable& dc) override {
    const auto gradient_of_b = [&] {
      return b_lies_transposed ? transpose(matmul(transpose(dc), a)) : matmul(transpose(a), dc);
    };
    return {needs(0) ? sum_to(matmul(dc, transpose(b)), input_shape(0)) : Variable(),
            needs(1) ? sum_to(gradient_of_b(), input_shape(1)) : Variable()};
  }

  Rounding rounding() const { return bilinear(); }
};

/// y = x·Wᵀ + b        dL/dx = dL/dy·W,   dL/dW = dL/dyᵀ·x,   dL/db = Σ dL/dy over the rows
struct Linear final : Op {
  static constexpr std::string_view name = "linear";
  Variable x, w;
  Epilogue epilogue;

  explicit Linear(Activation activation) : epilogue{activation} {}

  Tensor forward(const Variable& input, const Variable& weight, const Variable& bias) {
    if (needs(1)) x = input;
    if (needs(0)) w = weight;
    const Tensor y = core::linear(input.value(), weight.value(),
                                  bias.defined() ? bias.value() : Tensor(), epilogue.activation);
    count_flops(2 * y.numel() * input.size(-1));
    return epilogue.kept(y);
  }

  Variables backward(const Variable& dy) override {
    const Variable g = epilogue.backward(dy);
    const auto rows = [](const Variable& v) {
      if (v.rank() == 2) return v;
      std::int64_t count = 1;  // not numel()/in: `in` may be 0
      for (int d = 0; d < v.rank() - 1; ++d) count *= v.size(d);
      return reshape(v, {count, v.size(-1)});
    };
    return {needs(0) ? matmul(g, w) : Variable(),
            needs(1) ? matmul(transpose(rows(g)), rows(x)) : Variable(),
            needs(2) ? sum_to(g, input_shape(2)) : Variable()};
  }

  Activation take_activation() { return epilogue.take(); }

  Rounding rounding() const { return bilinear(); }
};

}  // namespace ops

Variable matmul(const Operand& a, const Variable& b) {
  if (a->rank() > 1 && b.rank() > 1) return apply(ops::MatMul(), a, b);
  const bool fits = a->rank() > 0 && b.rank() > 0 && a->dtype() == b.dtype() &&
                    a->size(-1) == b.size(b.rank() == 1 ? 0 : -2);
  if (!fits) return core::matmul(a->value(), b.value());  // throws, naming the shapes as they came
  const Place at = a.at();
  Variable product = apply(ops::MatMul(), Operand(a->rank() == 1 ? unsqueeze(a, 0) : *a, at),
                           b.rank() == 1 ? unsqueeze({b, at}, -1) : b);
  if (b.rank() == 1) product = squeeze({product, at}, -1);
  if (a->rank() == 1) product = squeeze({product, at}, b.rank() == 1 ? -1 : -2);
  return product;
}

Variable linear(const Operand& x, const Variable& weight, const Variable& bias,
                Activation activation) {
  return apply(ops::Linear(activation), x, weight, bias);
}

}  // namespace gradus
