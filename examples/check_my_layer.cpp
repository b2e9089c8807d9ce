// A layer of one's own, gradient-checked: right, and with five classic mistakes.
//
// The op is a linear layer, y = x·Wᵀ + b. Each mistake is one that training alone would hardly
// show: the loss still falls, only more slowly.
// The checker catches all of them, and says what they are.
#include <gradus/gradus.h>

#include <iostream>

using namespace gradus;

namespace {

enum class Mistake {
  none,
  weight_transposed,  // xᵀ·dy in the place of dyᵀ·x: for a square weight the shape still fits
  bias_not_summed,    // the bias is added to every row, but only the first row comes back
  averaged_over_rows,  // a mean where the chain rule has a sum
  gradient_kept,       // the weight's gradient is added to that of the last call
  input_kept_by_layer  // backward reads the layer's last input, not that of its own forward
};

/// What a layer must not have: memory that outlives a call.
struct Memory {
  Variable last_input;
  Tensor last_gradient;
};

/// y = x·Wᵀ + b        dL/dx = dL/dy·W,   dL/dW = dL/dyᵀ·x,   dL/db = Σ_rows dL/dy
struct MyLinear final : Op {
  static constexpr std::string_view name = "my_linear";
  Mistake mistake;
  Memory& memory;
  Variable x, w;

  MyLinear(Mistake m, Memory& shared) : mistake(m), memory(shared) {}

  Tensor forward(const Variable& input, const Variable& weight, const Variable& bias) {
    x = memory.last_input = input;
    w = weight;
    return core::add(core::matmul(input.value(), weight.value().transpose()), bias.value());
  }

  Variables backward(const Variable& dy) override {
    Variable dx = matmul(dy, w);             // [N,out]·[out,in] -> [N,in]
    Variable dw = matmul(transpose(dy), x);  // [out,N]·[N,in] -> [out,in]
    Variable db = sum(dy, {0});              // [N,out] -> [out]
    switch (mistake) {
      case Mistake::none:
        break;
      case Mistake::weight_transposed:
        dw = matmul(transpose(x), dy);
        break;
      case Mistake::bias_not_summed:
        db = select(dy, 0, 0);
        break;
      case Mistake::averaged_over_rows:
        dw = dw / static_cast<double>(dy.size(0));
        break;
      case Mistake::gradient_kept:
        if (memory.last_gradient.defined()) dw = dw + memory.last_gradient;
        memory.last_gradient = dw.value();
        break;
      case Mistake::input_kept_by_layer:
        dw = matmul(transpose(dy), memory.last_input);
        break;
    }
    return {dx, dw, db};
  }
};

/// The layer: y = tanh(x·Wᵀ + b).  [N,4] -> [N,4]
struct MyLayer : Module {
  Variable weight, bias;
  Mistake mistake;
  Memory memory;

  explicit MyLayer(Mistake m) : mistake(m) {
    Generator generator(3);
    weight = Variable(randn({4, 4}, generator), true);
    bias = Variable(randn({4}, generator), true);
  }
  void visit(Visitor& v) override {
    v("weight", weight);
    v("bias", bias);
  }
  Variable forward(const Variable& x) override {
    return tanh(gradus::apply(MyLinear(mistake, memory), x, weight, bias));
  }
};

GradcheckReport check(const char* what, Mistake mistake, const Tensor& x) {
  MyLayer layer(mistake);
  const GradcheckReport report = gradcheck(layer, x, {.worst = 1, .subject = what});
  std::cout << report << "\n\n";
  return report;
}

}  // namespace

int main() {
  Generator generator(5);
  const Tensor x = randn({3, 4}, generator);

  const bool right = check("as it should be", Mistake::none, x).passed();
  bool all_caught = true;
  const auto catches = [&](const char* what, Mistake mistake, Pattern pattern) {
    const GradcheckReport report = check(what, mistake, x);
    all_caught = all_caught && !report.diagnoses.empty() && report.diagnoses[0].pattern == pattern;
  };
  catches("1. weight transposed", Mistake::weight_transposed, Pattern::transposed);
  catches("2. bias not summed", Mistake::bias_not_summed, Pattern::missing_sum);
  catches("3. averaged over rows", Mistake::averaged_over_rows, Pattern::constant_factor);
  catches("4. gradient kept", Mistake::gradient_kept, Pattern::stale_accumulation);
  catches("5. input kept by the layer", Mistake::input_kept_by_layer, Pattern::stale_value);
  return right && all_caught ? 0 : 1;
}
