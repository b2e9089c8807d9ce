// Each BatchNormalization looks back at the node before it.
#include <gradus/core/tensor.h>
#include <gradus/interchange/detail/layers_of_graph.h>
#include <gradus/interchange/fold.h>
#include <gradus/layers/detail/channel_line.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace gradus::interchange {
namespace {

using gradus::detail::ChannelLayout;
using gradus::detail::ChannelLine;

void set_constant(Graph& graph, const std::string& name, const Tensor& tensor) {
  for (auto& [known, value] : graph.constants)
    if (known == name) value = tensor;
}

/// What that node does to each channel.
std::optional<ChannelLine> line_of(const GraphFacts& facts, const GraphNode& norm) {
  if (norm.inputs.size() != 5 || norm.outputs.size() != 1 || norm.integer("training_mode", 0) != 0)
    return std::nullopt;
  std::vector<Tensor> vectors;
  for (std::size_t i = 1; i < 5; ++i) {
    const Tensor* tensor = facts.constant(norm.inputs[i]);
    if (tensor == nullptr) return std::nullopt;
    vectors.push_back(*tensor);
  }
  return gradus::detail::channel_line(vectors[0], vectors[1], vectors[2], vectors[3],
                                      norm.real("epsilon", 1e-5));
}

std::optional<ChannelLayout> layout_of(const GraphNode& node) {
  if (node.op == "Conv") return ChannelLayout{0, 1};
  if (node.op == "ConvTranspose") return ChannelLayout{1, node.integer("group", 1)};
  if (node.op == "Gemm" && node.real("alpha", 1) == 1 && node.real("beta", 1) == 1)
    return ChannelLayout{node.integer("transB", 0) != 0 ? 0 : 1, 1};
  return std::nullopt;
}

/// A bias beside the weight: "0.weight" -> "0.bias".
void give_bias(Graph& graph, const GraphFacts& facts, GraphNode& node, const Tensor& bias) {
  const std::string& weight = node.inputs[1];
  const std::size_t dot = weight.rfind("weight");
  std::string name = dot == std::string::npos ? weight + ".bias" : weight.substr(0, dot) + "bias";
  const auto is_taken = [&] {
    const auto names = [&](const auto& value) { return value.name == name; };
    const auto gives = [&](const GraphNode& each) {
      return std::find(each.outputs.begin(), each.outputs.end(), name) != each.outputs.end();
    };
    return facts.constant(name) != nullptr ||
           std::any_of(graph.inputs.begin(), graph.inputs.end(), names) ||
           std::any_of(graph.nodes.begin(), graph.nodes.end(), gives);
  };
  while (is_taken()) name += "_folded";
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
  const std::optional<ChannelLayout> layout = layout_of(before);
  const std::optional<ChannelLine> line = line_of(facts, norm);
  if (!layout || !line || before.inputs.size() < 2 || facts.only_user(before.outputs[0]) != at)
    return false;
  const Tensor* weight = facts.own_constant(before.inputs[1]);
  if (weight == nullptr || weight->numel() == 0 || layout->channels(*weight) != line->channels())
    return false;
  const bool has_bias = before.inputs.size() == 3 && !before.inputs[2].empty();
  const Tensor* bias = has_bias ? facts.own_constant(before.inputs[2]) : nullptr;
  if (has_bias && (bias == nullptr || bias->numel() != line->channels())) return false;
  const Tensor new_bias =
      gradus::detail::folded_bias(has_bias ? *bias : Tensor(), *line, weight->dtype());
  set_constant(graph, before.inputs[1], gradus::detail::folded_weight(*weight, *layout, *line));
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
