// Recurrent nets and attention as nodes.
//
// ONNX's RNN, LSTM and GRU have their gates in another order than PyTorch and Gradus, and both directions in one
// tensor. The parameters stay as they are: nodes that any program computes once put them in ONNX's order.
#include <gradus/interchange/detail/layer_writing.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/attention.h>
#include <gradus/layers/recurrent.h>

#include <cmath>

namespace gradus::interchange::detail {
namespace {

// ---- RNN, LSTM, GRU -------------------------------------------------------------------------------

/// What ONNX says of one of the three.
struct RecurrentForm {
  const char* op;
  std::vector<std::size_t> gates;  // where each of ONNX's stands among ours
  std::vector<Attribute> attributes;
};

RecurrentForm form_of(const Recurrent& layer) {
  const std::size_t directions = layer.options().bidirectional ? 2 : 1;
  if (dynamic_cast<const LSTM*>(&layer) != nullptr)
    return {"LSTM", {0, 3, 1, 2}, {}};  // i f g o -> i o f c
  if (dynamic_cast<const GRU*>(&layer) != nullptr)
    return {"GRU", {1, 0, 2}, {integer("linear_before_reset", 1)}};  // r z n -> z r h
  const bool relu = dynamic_cast<const RNN&>(layer).nonlinearity() == Nonlinearity::relu;
  const std::vector<std::string> all(directions, relu ? "Relu" : "Tanh");
  return {"RNN", {0}, {texts("activations", all)}};
}

std::string in_order_of(GraphWriter& w, const std::string& path, const RecurrentForm& form,
                        const Variable& weight) {
  const std::string name = w.state(weight.value());
  if (form.gates.size() == 1) return name;
  const std::vector<std::string> ours =
      w.node_of(static_cast<int>(form.gates.size()), "Split", path, {name}, {integer("axis", 0)});
  std::vector<std::string> theirs;
  for (const std::size_t gate : form.gates) theirs.push_back(ours[gate]);
  return w.node("Concat", path, theirs, {integer("axis", 0)});
}

/// One tensor for all directions, [D, ..]: `each` gives that of one.
template <class Each>
std::string of_directions(GraphWriter& w, const std::string& path, bool both, const Each& each) {
  const std::string axis = w.list(path, "axis", {0});
  const std::string forth = w.node("Unsqueeze", path, {each(false), axis});
  if (!both) return forth;
  const std::string back = w.node("Unsqueeze", path, {each(true), axis});
  return w.node("Concat", path, {forth, back}, {integer("axis", 0)});
}

/// One layer: x [L,N,in] -> {y [L,N,D·H], last states [D,N,H] each}
std::vector<std::string> write_recurrent_layer(GraphWriter& w, const std::string& path,
                                               const Recurrent& layer, const RecurrentForm& form,
                                               std::int64_t k, const std::string& x) {
  const RecurrentOptions& o = layer.options();
  const auto all = [&](Variable RecurrentWeights::*which) {
    return of_directions(w, path, o.bidirectional, [&](bool reverse) {
      return in_order_of(w, path, form, layer.weights(k, reverse).*which);
    });
  };
  std::vector<std::string> inputs = {x, all(&RecurrentWeights::weight_ih),
                                     all(&RecurrentWeights::weight_hh)};
  if (o.bias) {
    inputs.push_back(w.node("Concat", path,
                            {all(&RecurrentWeights::bias_ih), all(&RecurrentWeights::bias_hh)},
                            {integer("axis", 1)}));
  }
  std::vector<Attribute> attributes = form.attributes;
  attributes.push_back(text("direction", o.bidirectional ? "bidirectional" : "forward"));
  attributes.push_back(integer("hidden_size", layer.hidden_size()));
  const int outputs = form.gates.size() == 4 ? 3 : 2;
  std::vector<std::string> results = w.node_of(outputs, form.op, path, inputs, attributes);
  if (o.bidirectional) {  // [L,D,N,H] -> [L,N,D·H]
    const std::string turned =
        w.node("Transpose", path, {results[0]}, {integers("perm", {0, 2, 1, 3})});
    results[0] = w.reshape(path, turned, Ints{0, 0, 2 * layer.hidden_size()});
  } else {
    results[0] = w.node("Squeeze", path, {results[0], w.list(path, "axis", {1})});
  }
  return results;
}

// ---- Attention ------------------------------------------------------------------------------------

std::string write_drops(GraphWriter& w, const std::string& path, const std::string& input, double p,
                        DType dtype) {
  return p == 0 ? input : w.node("Dropout", path, {input, w.number(path, "ratio", p, dtype)});
}

/// Attention between three values [L,N,E], or [N,L,E]: the result, and the weights [N,heads,L,S].
std::pair<std::string, std::string> write_heads(GraphWriter& w, const std::string& path,
                                                MultiheadAttention& layer,
                                                const std::vector<std::string>& inputs,
                                                DType dtype) {
  const bool batch_first = layer.options().batch_first;
  const std::int64_t features = layer.in_proj_weight.size(1);
  const std::int64_t width = features / layer.num_heads();
  const Ints by_head = batch_first ? Ints{0, 2, 1, 3} : Ints{1, 2, 0, 3};
  const Ints by_head_turned = batch_first ? Ints{0, 2, 3, 1} : Ints{1, 2, 3, 0};
  const std::vector<std::string> weights =
      w.node_of(3, "Split", path, {w.state(layer.in_proj_weight.value())}, {integer("axis", 0)});
  std::vector<std::string> biases(3);
  if (layer.in_proj_bias.defined()) {
    biases =
        w.node_of(3, "Split", path, {w.state(layer.in_proj_bias.value())}, {integer("axis", 0)});
  }
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string all = w.linear(path, inputs[i], weights[i], biases[i]);
    const std::string heads = w.reshape(path, all, Ints{0, 0, layer.num_heads(), width});
    parts.push_back(
        w.node("Transpose", path, {heads}, {integers("perm", i == 1 ? by_head_turned : by_head)}));
  }
  const std::string scale =
      w.number(path, "scale", 1 / std::sqrt(static_cast<double>(width)), dtype);
  const std::string query = w.node("Mul", path, {parts[0], scale});
  const std::string scores = w.node("MatMul", path, {query, parts[1]});
  const std::string shares = w.node("Softmax", path, {scores}, {integer("axis", -1)});
  const std::string dropped = write_drops(w, path, shares, layer.options().dropout, dtype);
  const std::string gathered = w.node("MatMul", path, {dropped, parts[2]});
  const std::string back =
      w.node("Transpose", path, {gathered},
             {integers("perm", batch_first ? Ints{0, 2, 1, 3} : Ints{2, 0, 1, 3})});
  const std::string joined = w.reshape(path, back, Ints{0, 0, features});
  const Linear& out = layer.out_proj;
  const std::string result =
      w.linear(path.empty() ? "out_proj" : path + ".out_proj", joined, w.state(out.weight.value()),
               out.bias.defined() ? w.state(out.bias.value()) : "");
  return {result, dropped};
}

/// A layer within a TransformerEncoderLayer.
class EncoderParts {
 public:
  EncoderParts(GraphWriter& w, const LayerPlace& at, TransformerEncoderLayer& layer)
      : w_(w), at_(at), layer_(layer) {}

  std::string norm(const std::string& name, LayerNorm& norm, const std::string& x) {
    return w_.node("LayerNormalization", below(name),
                   {x, w_.state(norm.weight.value()), w_.state(norm.bias.value())},
                   {integer("axis", -1), real("epsilon", norm.options().eps)});
  }
  std::string attended(const std::string& x) {
    return drops("self_attn",
                 write_heads(w_, below("self_attn"), layer_.self_attn, {x, x, x}, at_.dtype).first);
  }
  std::string perceived(const std::string& x) {
    std::string y = linear("linear1", layer_.linear1, x);
    if (layer_.options().activation == TransformerActivation::relu) {
      y = w_.node("Relu", at_.path, {y});
    } else {
      GELU gelu;
      LayerPlace inner = at_;
      inner.input = y;
      y = writers_of_activations().at(typeid(GELU))(w_, inner, gelu);
    }
    return drops("linear2", linear("linear2", layer_.linear2, drops("linear1", y)));
  }
  std::string sum(const std::string& a, const std::string& b) {
    return w_.node("Add", at_.path, {a, b});
  }

 private:
  std::string below(const std::string& name) const {
    return at_.path.empty() ? name : at_.path + "." + name;
  }
  std::string linear(const std::string& name, Linear& part, const std::string& x) {
    return w_.linear(below(name), x, w_.state(part.weight.value()), w_.state(part.bias.value()));
  }
  std::string drops(const std::string& name, const std::string& x) {
    return write_drops(w_, below(name), x, layer_.options().dropout, at_.dtype);
  }

  GraphWriter& w_;
  const LayerPlace& at_;
  TransformerEncoderLayer& layer_;
};

std::string write_encoder_layer(GraphWriter& w, const LayerPlace& at,
                                TransformerEncoderLayer& layer) {
  const int batch_axis = layer.options().batch_first ? 0 : 1;
  if (at.in.rank() != 3 || at.batch_axis != batch_axis) {
    at.refuse("TransformerEncoderLayer", "its batch stands at dimension ", batch_axis,
              " of three, that of the input at ", at.batch_axis, " of ", at.in.rank());
  }
  EncoderParts parts(w, at, layer);
  if (layer.options().norm_first) {
    const std::string seen =
        parts.sum(at.input, parts.attended(parts.norm("norm1", layer.norm1, at.input)));
    return parts.sum(seen, parts.perceived(parts.norm("norm2", layer.norm2, seen)));
  }
  const std::string seen =
      parts.norm("norm1", layer.norm1, parts.sum(at.input, parts.attended(at.input)));
  return parts.norm("norm2", layer.norm2, parts.sum(seen, parts.perceived(seen)));
}

}  // namespace

LayerWriters writers_of_sequences() {
  return {writes<TransformerEncoderLayer>(write_encoder_layer)};
}

bool write_recurrent(GraphWriter& w, const LayerPlace& at, Module& module,
                     std::vector<std::string>& outputs) {
  const auto* layer = dynamic_cast<const Recurrent*>(&module);
  if (layer == nullptr) return false;
  const RecurrentOptions& o = layer->options();
  const int batch_axis = o.batch_first ? 0 : 1;
  if (at.in.rank() != 3 || at.batch_axis != batch_axis) {
    at.refuse(module.kind(), "its batch stands at dimension ", batch_axis,
              " of three, that of the input at ", at.batch_axis, " of ", at.in.rank());
  }
  const RecurrentForm form = form_of(*layer);
  const auto turned = [&](const std::string& value) {
    return w.node("Transpose", at.path, {value}, {integers("perm", {1, 0, 2})});
  };
  std::string x = o.batch_first ? turned(at.input) : at.input;
  std::vector<std::vector<std::string>> states(form.gates.size() == 4 ? 2 : 1);
  for (std::int64_t k = 0; k < o.num_layers; ++k) {
    if (k > 0) x = write_drops(w, at.path, x, o.dropout, at.dtype);
    const std::vector<std::string> results = write_recurrent_layer(w, at.path, *layer, form, k, x);
    x = results[0];
    for (std::size_t s = 0; s < states.size(); ++s) states[s].push_back(results[s + 1]);
  }
  outputs = {o.batch_first ? turned(x) : x};
  for (const std::vector<std::string>& all : states) {
    outputs.push_back(all.size() == 1 ? all[0]
                                      : w.node("Concat", at.path, all, {integer("axis", 0)}));
  }
  return true;
}

bool write_attention(GraphWriter& w, const LayerPlace& at, Module& module,
                     const std::vector<std::string>& inputs, std::vector<std::string>& outputs) {
  auto* layer = dynamic_cast<MultiheadAttention*>(&module);
  if (layer == nullptr) return false;
  const int batch_axis = layer->options().batch_first ? 0 : 1;
  if (at.in.rank() != 3 || at.batch_axis != batch_axis) {
    at.refuse("MultiheadAttention", "its batch stands at dimension ", batch_axis,
              " of three, that of the input at ", at.batch_axis, " of ", at.in.rank());
  }
  const auto [result, weights] = write_heads(w, at.path, *layer, inputs, at.dtype);
  outputs = {result, w.node("ReduceMean", at.path, {weights},
                            {integers("axes", {1}), integer("keepdims", 0)})};
  return true;
}

}  // namespace gradus::interchange::detail
