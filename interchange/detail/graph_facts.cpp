// Who takes which value, how many dimensions values have, and which constants a gradient may train.
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/interchange/detail/layers_of_graph.h>

#include <algorithm>

namespace gradus::interchange {
namespace {

using OperatorNames = std::set<std::string, std::less<>>;

/// Operators whose constants are weights, at every input but the first.
const OperatorNames weighted = {"Conv",
                                "ConvTranspose",
                                "Gemm",
                                "MatMul",
                                "PRelu",
                                "Einsum",
                                "LayerNormalization",
                                "InstanceNormalization"};
/// Plain arithmetic, where a constant may be a weight or just a number.
const OperatorNames arithmetic = {"Add", "Sub", "Mul", "Div", "Concat", "Expand", "Sum"};
/// Operators that move the numbers of an input and leave them what they are: a weight before is one behind.
const OperatorNames moving = {"Concat", "Expand",  "Flatten", "Identity",  "Reshape",  "Slice",
                              "Split",  "Squeeze", "Tile",    "Transpose", "Unsqueeze"};

/// Does a node answer with whole numbers, through which no gradient comes back?
bool ends_gradients(const GraphNode& node) {
  if (node.op == "Cast") {
    const std::int64_t to = node.integer("to", 1);  // float32, float16, float64, bfloat16
    return to != 1 && to != 10 && to != 11 && to != 16;
  }
  return node.op == "Shape" || node.op == "Size" || node.op == "ArgMax" || node.op == "ArgMin";
}

/// Is that input of that node where weights stand? Of a recurrent one lengths and first states stand between them.
bool takes_weight(const GraphNode& node, std::size_t input) {
  if (node.op == "BatchNormalization") return input == 1 || input == 2;
  if (node.op == "Gather") return input == 0;
  if (node.op == "RNN" || node.op == "GRU" || node.op == "LSTM")
    return (input >= 1 && input <= 3) || input == 7;
  return weighted.contains(node.op) &&
         (input > 0 || node.op == "MatMul" || node.op == "Einsum" || node.op == "Gemm");
}

/// A constant of plain arithmetic: is it more than a number of the formula?
bool looks_like_weight(const Tensor& constant, const std::string& name) {
  return constant.rank() > 0 && !name.starts_with("onnx::") &&
         core::all(core::isfinite(constant)).item() != 0;
}

}  // namespace

GraphFacts::GraphFacts(const Graph& graph) {
  for (const auto& [name, tensor] : graph.constants) {
    constants_[name] = &tensor;
    learn_numbers(name, tensor);
  }
  for (const GraphValue& output : graph.outputs) outputs_.insert(output.name);
  for (const GraphValue& input : graph.inputs) {
    if (input.has_shape) ranks_[input.name] = static_cast<int>(input.shape.size());
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string& input : graph.nodes[i].inputs) users_[input].push_back(i);
    const std::string place = place_of(graph.nodes[i], i);
    const ErrorScope scope(place);
    infer(graph.nodes[i]);
  }
}

const Tensor* GraphFacts::constant(const std::string& name) const {
  const auto found = constants_.find(name);
  return found == constants_.end() ? nullptr : found->second;
}

const Tensor* GraphFacts::own_constant(const std::string& name) const {
  const auto users = users_.find(name);
  if (users == users_.end() || users->second.size() != 1 || outputs_.contains(name)) return nullptr;
  return constant(name);
}

std::optional<int> GraphFacts::rank(const std::string& name) const {
  const auto found = ranks_.find(name);
  if (found == ranks_.end()) return std::nullopt;
  return found->second;
}

bool GraphFacts::is_used(const std::string& name) const {
  return users_.contains(name) || outputs_.contains(name);
}

std::int64_t GraphFacts::only_user(const std::string& name) const {
  const auto users = users_.find(name);
  if (users == users_.end() || users->second.size() != 1 || outputs_.contains(name)) return -1;
  return static_cast<std::int64_t>(users->second[0]);
}

std::set<std::string> trained_constants(const Graph& graph) {
  std::map<std::string, const Tensor*> floats;
  for (const auto& [name, tensor] : graph.constants) {
    if (is_floating(tensor.dtype())) floats[name] = &tensor;
  }
  for (const std::string& name : graph.fixed) floats.erase(name);
  std::set<std::string> weights;  // values, of constants and what is made of them
  std::set<std::string> operands;
  std::set<std::string> felt;  // values that a gradient of the outputs reaches
  for (const GraphValue& output : graph.outputs) felt.insert(output.name);
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool is_felt = std::any_of(node->outputs.begin(), node->outputs.end(),
                                     [&](const std::string& v) { return felt.contains(v); });
    const auto index = static_cast<std::size_t>(graph.nodes.rend() - node) - 1;
    const std::string place = place_of(*node, index);
    const ErrorScope scope(place);
    if (!is_felt || ends_gradients(*node)) continue;
    felt.insert(node->inputs.begin(), node->inputs.end());
    const bool moves = moving.contains(node->op);
    const auto goes_to = [&](const std::set<std::string>& values) {
      return moves && std::any_of(node->outputs.begin(), node->outputs.end(),
                                  [&](const std::string& v) { return values.contains(v); });
    };
    const bool to_weights = goes_to(weights);
    const bool to_operands = goes_to(operands);
    for (std::size_t i = 0; i < node->inputs.size(); ++i) {
      const bool moved = i == 0 || node->op == "Concat";  // others are sizes and axes
      if (takes_weight(*node, i) || (to_weights && moved)) weights.insert(node->inputs[i]);
      if (arithmetic.contains(node->op) || (to_operands && moved)) operands.insert(node->inputs[i]);
    }
  }
  std::set<std::string> trained;
  for (const auto& [name, tensor] : floats) {
    if (weights.contains(name) || (operands.contains(name) && looks_like_weight(*tensor, name)))
      trained.insert(name);
  }
  return trained;
}

void hoist_constants(Graph& graph) {
  constexpr std::int64_t small = 64;  // numbers that a description of the graph may hold
  std::set<std::string> outputs;
  for (const GraphValue& output : graph.outputs) outputs.insert(output.name);
  std::set<std::string> weights;  // and running statistics
  for (const GraphNode& node : graph.nodes) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (takes_weight(node, i) || (node.op == "BatchNormalization" && i > 0))
        weights.insert(node.inputs[i]);
    }
  }
  std::map<std::string, Tensor> known(graph.constants.begin(), graph.constants.end());
  std::set<std::string> narrow;  // constants of 16 bits that were widened
  const auto hoisted = [&](const GraphNode& node) {
    if (!node.domain.empty() || node.outputs.size() != 1) return Tensor();
    if (node.op == "Cast" && node.inputs.size() == 1 && !outputs.contains(node.outputs[0])) {
      const auto given = known.find(node.inputs[0]);
      const Attribute* to = node.find("to");
      const bool widens = given != known.end() && is_storage_only(given->second.dtype()) &&
                          to != nullptr && to->kind == Attribute::Kind::integer &&
                          node.integer("to", 1) == 1;
      if (!widens) return Tensor();
      narrow.insert(given->first);
      return given->second.to(float32);
    }
    if (node.op == "Identity" && node.inputs.size() == 1 && !outputs.contains(node.outputs[0])) {
      const auto same = known.find(node.inputs[0]);
      return same == known.end() ? Tensor() : same->second;
    }
    const Attribute* value = node.op == "Constant" ? node.find("value") : nullptr;
    if (value == nullptr || value->kind != Attribute::Kind::tensor) return Tensor();
    const bool is_weight = is_floating(value->tensor.dtype()) && weights.contains(node.outputs[0]);
    const bool is_state = value->tensor.numel() > small || is_weight;
    return is_state ? value->tensor : Tensor();
  };
  std::erase_if(graph.nodes, [&](const GraphNode& node) {
    const Tensor tensor = hoisted(node);
    if (!tensor.defined()) return false;
    graph.constants.emplace_back(node.outputs[0], tensor);
    known.emplace(node.outputs[0], tensor);
    return true;
  });
  std::set<std::string> used = outputs;
  for (const GraphNode& node : graph.nodes) used.insert(node.inputs.begin(), node.inputs.end());
  std::erase_if(graph.constants, [&](const auto& constant) {
    return narrow.contains(constant.first) && !used.contains(constant.first);
  });
}

Tensor member_of(Module& layer, const std::string& name) {
  for (const auto& [known, tensor] : layer.state_dict()) {
    if (known == name) return tensor;
  }
  return {};
}

}  // namespace gradus::interchange
