// Activations, and what is like them: softmax along an axis, dropout.
#include <gradus/interchange/operators/call.h>

#include <limits>

namespace gradus::interchange {

Variable softplus_of(const Operand& x) {
  return softplus(x, 1, std::numeric_limits<double>::infinity());
}

Variable thresholded_relu_of(const Variable& x, double alpha) {
  return where(core::gt(x.value(), alpha), x, 0.0);
}

Variable hard_sigmoid_of(const Variable& x, double alpha, double beta) {
  return clamp(add(mul(x, alpha), beta), 0.0, 1.0);
}

namespace {

template <Variable (*F)(const Operand&)> Variables plain(const Call& call) {
  return {F(call.in(0))};
}

Variables elu_node(const Call& call) { return {elu(call.in(0), call.real("alpha", 1))}; }

/// max(0,x) + min(0, alpha·(e^(x/alpha) - 1))
Variables celu_node(const Call& call) {
  const double alpha = call.real("alpha", 1);
  return {mul(elu(div(call.in(0), alpha), 1), alpha)};
}

/// gamma·elu(x, alpha)
Variables selu_node(const Call& call) {
  const double alpha = call.real("alpha", 1.67326319217681884765625);
  return {mul(elu(call.in(0), alpha), call.real("gamma", 1.05070102214813232421875))};
}

Variables leaky_relu_node(const Call& call) {
  return {leaky_relu(call.in(0), call.real("alpha", 0.01))};
}

Variables thresholded_relu_node(const Call& call) {
  return {thresholded_relu_of(call.in(0), call.real("alpha", 1))};
}

Variables hard_sigmoid_node(const Call& call) {
  return {hard_sigmoid_of(call.in(0), call.real("alpha", 0.2), call.real("beta", 0.5))};
}

/// The slope broadcasts; before opset 7 it was one number or one for each channel.
Variables prelu_node(const Call& call) {
  const Variable& x = call.in(0);
  Variable slope = call.in(1);
  if (call.opset < 7 && slope.value().rank() == 1 && x.value().rank() > 1) {
    Shape shape = Shape::filled(x.value().rank() - 1, 1);
    shape[0] = slope.value().numel();
    slope = reshape(slope, shape);
  }
  return {where(core::lt(x.value(), 0.0), mul(x, slope), x)};
}

/// x + bias below -lambd, x - bias above lambd, 0 between.
Variables shrink_node(const Call& call) {
  const Variable& x = call.in(0);
  const double bias = call.real("bias", 0);
  const double lambd = call.real("lambd", 0.5);
  const Variable above = where(core::gt(x.value(), lambd), add(x, -bias), 0.0);
  return {where(core::lt(x.value(), -lambd), add(x, bias), above)};
}

/// x as rows along the axis: since opset 13 the axis alone, -1 unless given; before, all axes from 1, unless given, on.
template <class F> Variable along_axis(const Call& call, const F& f) {
  const Variable& x = call.in(0);
  const int rank = x.value().rank();
  const std::int64_t axis =
      axis_of(call, call.integer("axis", call.opset >= 13 || rank < 2 ? -1 : 1), rank);
  if (call.opset >= 13) return f(x, axis);
  const Shape shape = x.value().shape();
  std::int64_t rows = 1;
  for (int d = 0; d < axis; ++d) rows *= shape[d];
  std::int64_t columns = 1;
  for (int d = static_cast<int>(axis); d < rank; ++d) columns *= shape[d];
  return reshape(f(reshape(x, {rows, columns}), 1), shape);
}

Variables softmax_node(const Call& call) {
  return {along_axis(call, [](const Variable& x, std::int64_t d) { return softmax(x, d); })};
}

Variables log_softmax_node(const Call& call) {
  return {along_axis(call, [](const Variable& x, std::int64_t d) { return log_softmax(x, d); })};
}

/// 1 where the first greatest is, 0 elsewhere.
Variables hardmax_node(const Call& call) {
  return {along_axis(call, [](const Variable& x, std::int64_t d) -> Variable {
    const Tensor first = core::argmax(x.value(), d, true);
    return core::scatter_add(x.value().shape(), d, first, ones(first.shape(), x.value().dtype()));
  })};
}

/// The identity unless the net, or the node itself, is training.
Variables dropout_node(const Call& call) {
  const Variable& x = call.in(0);
  double p = call.real("ratio", 0.5);
  bool training = call.training;
  if (call.opset >= 12) {
    p = call.has(1) ? call.in(1).value().to(float64).item() : 0.5;
    training = training || (call.has(2) && call.in(2).value().item() != 0);
  }
  const DType mask_type = call.opset < 10 ? x.value().dtype() : boolean;
  if (!training || p == 0) return {x, ones(x.value().shape(), mask_type)};
  const Variable mask = dropout(ones(x.value().shape(), x.value().dtype()), p);
  return {mul(x, mask), core::ne(mask.value(), 0.0).to(mask_type)};
}

}  // namespace

std::vector<OperatorEntry> activation_operators() {
  return {{"Celu", celu_node},
          {"Dropout", dropout_node},
          {"Elu", elu_node},
          {"HardSigmoid", hard_sigmoid_node},
          {"HardSwish", plain<hardswish>},
          {"Hardmax", hardmax_node},
          {"LeakyRelu", leaky_relu_node},
          {"LogSoftmax", log_softmax_node},
          {"PRelu", prelu_node},
          {"Relu", plain<relu>},
          {"Selu", selu_node},
          {"Shrink", shrink_node},
          {"Sigmoid", plain<sigmoid>},
          {"Softmax", softmax_node},
          {"Softplus", plain<softplus_of>},
          {"Softsign", plain<softsign>},
          {"Tanh", plain<tanh>},
          {"ThresholdedRelu", thresholded_relu_node}};
}

}  // namespace gradus::interchange
