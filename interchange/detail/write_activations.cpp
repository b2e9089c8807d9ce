// Activations as nodes: one where ONNX has it by that name, else the formula.
#include <gradus/interchange/detail/layer_writing.h>
#include <gradus/layers/activation.h>

#include <cmath>
#include <numbers>

namespace gradus::interchange::detail {
namespace {

/// A node of that operator and no more.
LayerWriters::value_type plain_writer(std::type_index type, std::string op) {
  return {type, [op](GraphWriter& w, const LayerPlace& at, Module&) {
            return w.node(op, at.path, {at.input});
          }};
}

std::string write_clip(GraphWriter& w, const LayerPlace& at, double low, double high) {
  return w.node("Clip", at.path,
                {at.input, w.number(at.path, "min", low, at.dtype),
                 w.number(at.path, "max", high, at.dtype)});
}

std::string write_relu6(GraphWriter& w, const LayerPlace& at, ReLU6&) {
  return write_clip(w, at, 0, 6);
}

std::string write_hardtanh(GraphWriter& w, const LayerPlace& at, Hardtanh& layer) {
  return write_clip(w, at, layer.min_val(), layer.max_val());
}

std::string write_hardsigmoid(GraphWriter& w, const LayerPlace& at, Hardsigmoid&) {
  return w.node("HardSigmoid", at.path, {at.input}, {real("alpha", 1.0 / 6), real("beta", 0.5)});
}

std::string write_leaky_relu(GraphWriter& w, const LayerPlace& at, LeakyReLU& layer) {
  return w.node("LeakyRelu", at.path, {at.input}, {real("alpha", layer.negative_slope())});
}

std::string write_elu(GraphWriter& w, const LayerPlace& at, ELU& layer) {
  return w.node("Elu", at.path, {at.input}, {real("alpha", layer.alpha())});
}

/// A slope for each channel needs ones behind it, [C,1,1], to meet [N,C,H,W].
std::string write_prelu(GraphWriter& w, const LayerPlace& at, PReLU& layer) {
  std::string slope = w.state(layer.weight.value());
  if (layer.weight.numel() > 1 && at.in.rank() > 2) {
    Ints sizes(static_cast<std::size_t>(at.in.rank() - 1), 1);
    sizes[0] = layer.weight.numel();
    slope = w.reshape(at.path, slope, sizes);
  }
  return w.node("PRelu", at.path, {at.input, slope});
}

/// x·(1 + bell)/2
std::string write_half_of(GraphWriter& w, const LayerPlace& at, const std::string& bell) {
  const std::string one = w.number(at.path, "one", 1, at.dtype);
  const std::string half = w.number(at.path, "half", 0.5, at.dtype);
  const std::string more = w.node("Add", at.path, {bell, one});
  return w.node("Mul", at.path, {w.node("Mul", at.path, {at.input, more}), half});
}

std::string write_gelu(GraphWriter& w, const LayerPlace& at, GELU& layer) {
  if (layer.approximate() == Gelu::none) {
    const std::string root = w.number(at.path, "root", std::numbers::sqrt2, at.dtype);
    return write_half_of(w, at, w.node("Erf", at.path, {w.node("Div", at.path, {at.input, root})}));
  }
  // tanh(√(2/π)·(x + 0.044715·x³))
  const std::string square = w.node("Mul", at.path, {at.input, at.input});
  const std::string cube = w.node("Mul", at.path, {square, at.input});
  const std::string part = w.number(at.path, "part", 0.044715, at.dtype);
  const std::string scale =
      w.number(at.path, "scale", std::sqrt(2 * std::numbers::inv_pi), at.dtype);
  const std::string sum = w.node("Add", at.path, {at.input, w.node("Mul", at.path, {cube, part})});
  return write_half_of(w, at, w.node("Tanh", at.path, {w.node("Mul", at.path, {sum, scale})}));
}

std::string write_silu(GraphWriter& w, const LayerPlace& at, SiLU&) {
  return w.node("Mul", at.path, {at.input, w.node("Sigmoid", at.path, {at.input})});
}

std::string write_softplus(GraphWriter& w, const LayerPlace& at, Softplus& layer) {
  std::string scaled = at.input;
  const std::string beta =
      layer.beta() == 1 ? "" : w.number(at.path, "beta", layer.beta(), at.dtype);
  if (!beta.empty()) scaled = w.node("Mul", at.path, {at.input, beta});
  std::string y = w.node("Softplus", at.path, {scaled});
  if (!beta.empty()) y = w.node("Div", at.path, {y, beta});
  // Beyond the threshold it is x: log(1 + eˣ) rounds to that by itself from 17 on in float32.
  if (at.dtype == float32 && layer.threshold() >= 17) return y;
  const std::string threshold = w.number(at.path, "threshold", layer.threshold(), at.dtype);
  const std::string beyond = w.node("Greater", at.path, {scaled, threshold});
  return w.node("Where", at.path, {beyond, at.input, y});
}

/// -log(1 + e⁻ˣ), which does not take the logarithm of 0.
std::string write_log_sigmoid(GraphWriter& w, const LayerPlace& at, LogSigmoid&) {
  const std::string turned = w.node("Neg", at.path, {at.input});
  return w.node("Neg", at.path, {w.node("Softplus", at.path, {turned})});
}

std::string write_softmax(GraphWriter& w, const LayerPlace& at, Softmax& layer) {
  return w.node("Softmax", at.path, {at.input}, {integer("axis", layer.dim())});
}

std::string write_log_softmax(GraphWriter& w, const LayerPlace& at, LogSoftmax& layer) {
  return w.node("LogSoftmax", at.path, {at.input}, {integer("axis", layer.dim())});
}

}  // namespace

LayerWriters writers_of_activations() {
  return {plain_writer(typeid(ReLU), "Relu"),
          plain_writer(typeid(Tanh), "Tanh"),
          plain_writer(typeid(Sigmoid), "Sigmoid"),
          plain_writer(typeid(SELU), "Selu"),
          plain_writer(typeid(Softsign), "Softsign"),
          plain_writer(typeid(Hardswish), "HardSwish"),
          writes<ReLU6>(write_relu6),
          writes<Hardtanh>(write_hardtanh),
          writes<Hardsigmoid>(write_hardsigmoid),
          writes<LeakyReLU>(write_leaky_relu),
          writes<ELU>(write_elu),
          writes<PReLU>(write_prelu),
          writes<GELU>(write_gelu),
          writes<SiLU>(write_silu),
          writes<Softplus>(write_softplus),
          writes<LogSigmoid>(write_log_sigmoid),
          writes<Softmax>(write_softmax),
          writes<LogSoftmax>(write_log_softmax)};
}

}  // namespace gradus::interchange::detail
