// How many dimensions each value of a graph has. A Reshape gives as many as its list of sizes is long, so the lengths of lists
// are followed too: exporters write x.view(x.size(0), -1) as Shape, Gather, Unsqueeze, Concat and Reshape.
#include <gradus/interchange/detail/layers_of_graph.h>

#include <algorithm>

namespace gradus::interchange {
namespace {

using RankNames = std::set<std::string, std::less<>>;

/// Results have as many dimensions as the first input.
const RankNames same_rank = {"Abs",
                             "Acos",
                             "Acosh",
                             "Asin",
                             "Asinh",
                             "Atan",
                             "Atanh",
                             "AveragePool",
                             "BatchNormalization",
                             "Cast",
                             "CastLike",
                             "Ceil",
                             "Celu",
                             "Clip",
                             "Concat",
                             "Conv",
                             "ConvInteger",
                             "ConvTranspose",
                             "Cos",
                             "Cosh",
                             "CumSum",
                             "DepthToSpace",
                             "Dropout",
                             "Elu",
                             "Erf",
                             "Exp",
                             "Floor",
                             "GatherElements",
                             "GlobalAveragePool",
                             "GlobalLpPool",
                             "GlobalMaxPool",
                             "HardSigmoid",
                             "HardSwish",
                             "Hardmax",
                             "Identity",
                             "InstanceNormalization",
                             "IsInf",
                             "IsNaN",
                             "LRN",
                             "LayerNormalization",
                             "LeakyRelu",
                             "Log",
                             "LogSoftmax",
                             "LpNormalization",
                             "LpPool",
                             "MaxPool",
                             "MaxUnpool",
                             "MeanVarianceNormalization",
                             "Neg",
                             "Not",
                             "PRelu",
                             "Pad",
                             "QuantizeLinear",
                             "DequantizeLinear",
                             "Reciprocal",
                             "Relu",
                             "Resize",
                             "ReverseSequence",
                             "Round",
                             "Scatter",
                             "ScatterElements",
                             "ScatterND",
                             "Selu",
                             "Shrink",
                             "Sigmoid",
                             "Sign",
                             "Sin",
                             "Sinh",
                             "Slice",
                             "Softmax",
                             "Softplus",
                             "Softsign",
                             "SpaceToDepth",
                             "Split",
                             "Sqrt",
                             "Tan",
                             "Tanh",
                             "ThresholdedRelu",
                             "Tile",
                             "TopK",
                             "Transpose",
                             "Trilu",
                             "Upsample"};
/// Inputs broadcast.
const RankNames broadcasting = {
    "Add", "Sub",  "Mul",   "Div",     "Pow",  "Mod",         "Max",     "Min",
    "Sum", "Mean", "Where", "Equal",   "Less", "LessOrEqual", "Greater", "GreaterOrEqual",
    "And", "Or",   "Xor",   "BitShift"};

const std::string& name_at(const GraphNode& node, std::size_t input) {
  static const std::string none;
  return input < node.inputs.size() ? node.inputs[input] : none;
}

}  // namespace

void GraphFacts::learn_numbers(const std::string& name, const Tensor& tensor) {
  ranks_[name] = tensor.rank();
  if (tensor.rank() > 1) return;
  lengths_[name] = tensor.numel();
  lists_[name] = &tensor;
}

std::optional<std::int64_t> GraphFacts::length(const GraphNode& node, std::size_t input) const {
  const auto found = lengths_.find(name_at(node, input));
  return found == lengths_.end() ? std::nullopt : std::optional(found->second);
}

/// Axes were an attribute, then became the second input. 0: none are named.
std::optional<std::int64_t> GraphFacts::count_of_axes(const GraphNode& node) const {
  if (node.find("axes") != nullptr) return std::ssize(node.integers("axes", {}));
  return name_at(node, 1).empty() ? 0 : length(node, 1);
}

std::optional<int> GraphFacts::broadcast_rank(const GraphNode& node) const {
  int most = 0;
  for (const std::string& input : node.inputs) {
    const auto one = rank(input);
    if (!one) return std::nullopt;
    most = std::max(most, *one);
  }
  return most;
}

/// Of operators that take dimensions away or bring some; `first` is the rank of the first input.
std::optional<int> GraphFacts::rank_of_moved(const GraphNode& node, int first) const {
  if (node.op == "Gather") {
    const auto index = rank(name_at(node, 1));
    return index ? std::optional(first + *index - 1) : std::nullopt;
  }
  if (node.op == "MatMul") {
    const auto second = rank(name_at(node, 1));
    if (!second || first < 1 || *second < 1) return std::nullopt;
    return std::max(std::max(first, *second) - (first == 1 ? 1 : 0) - (*second == 1 ? 1 : 0), 0);
  }
  if (node.op == "ArgMax" || node.op == "ArgMin")
    return node.integer("keepdims", 1) != 0 ? first : first - 1;
  const auto axes = count_of_axes(node);
  if (!axes) return std::nullopt;
  const int count = static_cast<int>(std::min<std::int64_t>(*axes, Shape::max_rank));
  if (node.op == "Unsqueeze") return first + count;
  if (node.op == "Squeeze") return count == 0 ? std::nullopt : std::optional(first - count);
  if (!node.op.starts_with("Reduce")) return std::nullopt;
  if (node.integer("keepdims", 1) != 0 ||
      (count == 0 && node.integer("noop_with_empty_axes", 0) != 0))
    return first;
  return count == 0 ? 0 : first - count;
}

std::optional<int> GraphFacts::rank_of_result(const GraphNode& node) const {
  const std::string& op = node.op;
  if (op == "Flatten" || op == "Gemm") return 2;
  if (op == "Shape") return 1;
  if (op == "RNN" || op == "GRU" || op == "LSTM") return 4;
  if (op == "Reshape" || op == "ConstantOfShape") {
    const auto sizes = length(node, op == "Reshape" ? 1 : 0);
    return sizes && *sizes <= Shape::max_rank ? std::optional(static_cast<int>(*sizes))
                                              : std::nullopt;
  }
  if (broadcasting.contains(op)) return broadcast_rank(node);
  const auto first = rank(name_at(node, 0));
  if (!first || same_rank.contains(op)) return first;
  if (op == "Expand") {
    const auto sizes = length(node, 1);
    return sizes ? std::optional(std::max(*first, static_cast<int>(*sizes))) : std::nullopt;
  }
  return rank_of_moved(node, *first);
}

/// Of a list, whose sizes from some on are x.shape[2:].
std::optional<std::int64_t> GraphFacts::length_of_slice(const GraphNode& node) const {
  const auto number = [&](std::size_t input) -> std::optional<std::int64_t> {
    const auto list = lists_.find(name_at(node, input));
    if (list == lists_.end() || list->second->dtype() != int64 || list->second->numel() != 1)
      return std::nullopt;
    return list->second->to_vector<std::int64_t>()[0];
  };
  const auto all = length(node, 0);
  const auto start = number(1);
  const auto end = number(2);
  if (!all || !start || !end || (!name_at(node, 4).empty() && number(4) != 1)) return std::nullopt;
  const auto bound = [&](std::int64_t at) {
    const std::int64_t from_begin = at < 0 ? std::max(at, -*all) + *all : at;
    return std::min(from_begin, *all);
  };
  return std::max<std::int64_t>(bound(*end) - bound(*start), 0);
}

/// Of a list: how many numbers it has.
std::optional<std::int64_t> GraphFacts::length_of_result(const GraphNode& node) const {
  const std::string& op = node.op;
  if (op == "Shape") {
    const auto axes = rank(name_at(node, 0));
    if (!axes || node.find("start") != nullptr || node.find("end") != nullptr) return std::nullopt;
    return *axes;
  }
  if (op == "Gather") return length(node, 1);
  if (op == "Concat" || broadcasting.contains(op)) {
    std::int64_t all = 0;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const auto one = length(node, i);
      if (!one) return std::nullopt;
      all = op == "Concat" ? all + *one : std::max(all, *one);
    }
    return all;
  }
  if (op == "Slice") return length_of_slice(node);
  const bool keeps =
      op == "Cast" || op == "Identity" || op == "Unsqueeze" || op == "Squeeze" || op == "Reshape";
  return keeps ? length(node, 0) : std::nullopt;
}

void GraphFacts::infer(const GraphNode& node) {
  if (node.outputs.empty() || node.outputs[0].empty() || !node.domain.empty()) return;
  const Attribute* value = node.op == "Constant" ? node.find("value") : nullptr;
  if (value != nullptr && value->kind == Attribute::Kind::tensor) {
    learn_numbers(node.outputs[0], value->tensor);
    return;
  }
  if (node.op == "Constant" && node.attributes.size() == 1) {
    const Attribute& only = node.attributes[0];
    const bool is_list =
        only.kind == Attribute::Kind::integers || only.kind == Attribute::Kind::reals;
    ranks_[node.outputs[0]] = is_list ? 1 : 0;
    lengths_[node.outputs[0]] = is_list ? std::ssize(only.ints) + std::ssize(only.floats) : 1;
    return;
  }
  const auto dimensions = rank_of_result(node);
  if (!dimensions || *dimensions < 0) return;
  const bool alike = node.op == "Split" || node.op == "TopK";
  ranks_[node.outputs[0]] = *dimensions;
  for (std::size_t i = 1; alike && i < node.outputs.size(); ++i)
    ranks_[node.outputs[i]] = *dimensions;
  const bool recurrent = node.op == "RNN" || node.op == "GRU" || node.op == "LSTM";
  for (std::size_t i = 1; recurrent && i < node.outputs.size(); ++i) ranks_[node.outputs[i]] = 3;
  if (*dimensions > 1) return;
  if (const auto numbers = length_of_result(node)) lengths_[node.outputs[0]] = *numbers;
}

}  // namespace gradus::interchange
