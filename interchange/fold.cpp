// Each BatchNormalization looks back at the node before it.
#include <gradus/core/tensor.h>
#include <gradus/interchange/detail/layers_of_graph.h>
#include <gradus/interchange/fold.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

namespace gradus::interchange {
namespace {

void set_constant(Graph& graph, const std::string& name, const Tensor& tensor) {
  for (auto& [known, value] : graph.constants)
    if (known == name) value = tensor;
}

/// What a norm does to each channel: y = factor·x + shift.
struct ChannelLine {
  std::vector<double> factor;
  std::vector<double> mean;
  std::vector<double> shift;
};

std::optional<ChannelLine> line_of(const GraphFacts& facts, const GraphNode& norm) {
  if (norm.inputs.size() != 5 || norm.outputs.size() != 1 || norm.integer("training_mode", 0) != 0)
    return std::nullopt;
  std::vector<std::vector<double>> numbers;
  for (std::size_t i = 1; i < 5; ++i) {
    const Tensor* tensor = facts.constant(norm.inputs[i]);
    if (tensor == nullptr || !is_floating(tensor->dtype())) return std::nullopt;
    numbers.push_back(tensor->to(float64).to_vector<double>());
    if (numbers.back().size() != numbers.front().size()) return std::nullopt;
  }
  const double eps = norm.real("epsilon", 1e-5);
  ChannelLine line{.factor = numbers[0], .mean = numbers[2], .shift = numbers[1]};
  for (std::size_t c = 0; c < line.factor.size(); ++c)
    line.factor[c] /= std::sqrt(numbers[3][c] + eps);
  return line;
}

/// The channel that each row of the weight's axis gives. Of ConvTranspose [in, out/groups, ..] that depends on the
/// group; a transposed Gemm has them along the last axis.
struct WeightLayout {
  int axis;
  std::int64_t groups;
};

std::optional<WeightLayout> layout_of(const GraphNode& node) {
  if (node.op == "Conv") return WeightLayout{0, 1};
  if (node.op == "ConvTranspose") return WeightLayout{1, node.integer("group", 1)};
  if (node.op == "Gemm" && node.real("alpha", 1) == 1 && node.real("beta", 1) == 1)
    return WeightLayout{node.integer("transB", 0) != 0 ? 0 : 1, 1};
  return std::nullopt;
}

/// weight·factor, channel by channel.
Tensor scaled_weight(const Tensor& weight, const WeightLayout& layout,
                     const std::vector<double>& factor) {
  const Tensor wide = weight.to(float64).clone();
  double* numbers = wide.data<double>();
  std::int64_t inner = 1;
  for (int d = layout.axis + 1; d < wide.rank(); ++d) inner *= wide.size(d);
  const std::int64_t rows = wide.size(layout.axis);
  const std::int64_t outer = wide.numel() / (rows * inner);
  for (std::int64_t o = 0; o < outer; ++o) {
    const std::int64_t group = layout.axis == 0 ? 0 : o * layout.groups / outer;
    for (std::int64_t r = 0; r < rows; ++r) {
      const double by = factor[static_cast<std::size_t>(group * rows + r)];
      for (std::int64_t i = 0; i < inner; ++i) *numbers++ *= by;
    }
  }
  return wide.to(weight.dtype());
}

/// A bias beside the weight: "0.weight" -> "0.bias".
void give_bias(Graph& graph, const GraphFacts& facts, GraphNode& node, const Tensor& bias) {
  const std::string& weight = node.inputs[1];
  const std::size_t dot = weight.rfind("weight");
  std::string name = dot == std::string::npos ? weight + ".bias" : weight.substr(0, dot) + "bias";
  while (facts.constant(name) != nullptr) name += "_folded";
  node.inputs.resize(2);
  node.inputs.push_back(name);
  const auto at = std::find_if(graph.constants.begin(), graph.constants.end(),
                               [&](const auto& c) { return c.first == node.inputs[1]; });
  graph.constants.emplace(at + 1, name, bias);
}

/// Folds the norm that is node `at` into `before`; false where that is not possible.
bool fold_into(Graph& graph, GraphNode& before, std::int64_t at) {
  const GraphNode& norm = graph.nodes[static_cast<std::size_t>(at)];
  const GraphFacts facts(graph);
  const std::optional<WeightLayout> layout = layout_of(before);
  const std::optional<ChannelLine> line = line_of(facts, norm);
  if (!layout || !line || before.inputs.size() < 2 || facts.only_user(before.outputs[0]) != at)
    return false;
  const Tensor* weight = facts.own_constant(before.inputs[1]);
  const std::size_t channels = line->factor.size();
  if (weight == nullptr || weight->numel() == 0 ||
      static_cast<std::size_t>(weight->size(layout->axis) * layout->groups) != channels)
    return false;
  const bool has_bias = before.inputs.size() == 3 && !before.inputs[2].empty();
  const Tensor* bias = has_bias ? facts.own_constant(before.inputs[2]) : nullptr;
  if (has_bias && (bias == nullptr || bias->numel() != std::ssize(line->factor))) return false;
  std::vector<double> shifts =
      has_bias ? bias->to(float64).to_vector<double>() : std::vector<double>(channels);
  for (std::size_t c = 0; c < channels; ++c)
    shifts[c] = (shifts[c] - line->mean[c]) * line->factor[c] + line->shift[c];
  const Tensor new_bias = Tensor::from(shifts.data(), {std::ssize(shifts)}).to(weight->dtype());
  set_constant(graph, before.inputs[1], scaled_weight(*weight, *layout, line->factor));
  if (has_bias) {
    set_constant(graph, before.inputs[2], new_bias);
  } else {
    give_bias(graph, facts, before, new_bias);
  }
  before.outputs[0] = norm.outputs[0];
  return true;
}

/// Constants that no node takes any more, of a norm that is gone, and what the metadata say of it.
void drop_unused(Graph& graph, const std::vector<std::string>& names) {
  const GraphFacts facts(graph);
  for (const std::string& name : names) {
    if (facts.is_used(name)) continue;
    std::erase_if(graph.constants, [&](const auto& c) { return c.first == name; });
    const std::string prefix = name.substr(0, name.rfind('.') + 1);
    std::erase_if(graph.metadata,
                  [&](const auto& note) { return note.first == prefix + "num_batches_tracked"; });
  }
}

}  // namespace

int fold_batch_norms(Graph& graph) {
  int folded = 0;
  for (std::size_t i = 0; i < graph.nodes.size();) {
    const GraphNode norm = graph.nodes[i];
    const auto before =
        std::find_if(graph.nodes.begin(), graph.nodes.begin() + static_cast<std::ptrdiff_t>(i),
                     [&](const GraphNode& node) {
                       return !norm.inputs.empty() && node.outputs.size() == 1 &&
                              node.outputs[0] == norm.inputs[0];
                     });
    const bool found = before != graph.nodes.begin() + static_cast<std::ptrdiff_t>(i);
    if (norm.op != "BatchNormalization" || !found ||
        !fold_into(graph, *before, static_cast<std::int64_t>(i))) {
      ++i;
      continue;
    }
    graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i));
    drop_unused(graph, {norm.inputs.begin() + 1, norm.inputs.end()});
    ++folded;
  }
  return folded;
}

}  // namespace gradus::interchange
