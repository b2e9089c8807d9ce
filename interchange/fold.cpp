// Each BatchNormalization looks back at the node before it.
#include <gradus/core/tensor.h>
#include <gradus/interchange/fold.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gradus::interchange {
namespace {

/// Who takes a value: nodes, by number; the graph's outputs count as one more.
int uses_of(const Graph& graph, const std::string& value) {
  int uses = 0;
  for (const GraphNode& node : graph.nodes)
    uses += static_cast<int>(std::count(node.inputs.begin(), node.inputs.end(), value));
  for (const GraphValue& output : graph.outputs) uses += output.name == value ? 1 : 0;
  return uses;
}

Tensor* constant_of(Graph& graph, const std::string& name) {
  for (auto& [known, tensor] : graph.constants)
    if (known == name) return &tensor;
  return nullptr;
}

std::int64_t integer_of(const GraphNode& node, const char* name, std::int64_t otherwise) {
  for (const Attribute& attribute : node.attributes)
    if (attribute.name == name) return attribute.ints.at(0);
  return otherwise;
}

/// What a norm does to each channel: y = factor·x + shift.
struct ChannelLine {
  std::vector<double> factor;
  std::vector<double> mean;
  std::vector<double> shift;
};

std::optional<ChannelLine> line_of(Graph& graph, const GraphNode& norm) {
  if (norm.inputs.size() != 5 || norm.outputs.size() != 1 ||
      integer_of(norm, "training_mode", 0) != 0)
    return std::nullopt;
  std::vector<std::vector<double>> numbers;
  for (std::size_t i = 1; i < 5; ++i) {
    const Tensor* tensor = constant_of(graph, norm.inputs[i]);
    if (tensor == nullptr || !is_floating(tensor->dtype())) return std::nullopt;
    numbers.push_back(tensor->to(float64).to_vector<double>());
  }
  double eps = static_cast<double>(1e-5F);
  for (const Attribute& attribute : norm.attributes)
    if (attribute.name == "epsilon") eps = static_cast<double>(attribute.floats.at(0));
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
  if (node.op == "ConvTranspose") return WeightLayout{1, integer_of(node, "group", 1)};
  const auto is_one = [&](const char* name) {
    for (const Attribute& attribute : node.attributes)
      if (attribute.name == name) return attribute.floats.at(0) == 1.0F;
    return true;
  };
  if (node.op == "Gemm" && is_one("alpha") && is_one("beta"))
    return WeightLayout{integer_of(node, "transB", 0) != 0 ? 0 : 1, 1};
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

/// Folds `norm` into `before`; false where that is not possible.
bool fold_into(Graph& graph, GraphNode& before, const GraphNode& norm) {
  const std::optional<WeightLayout> layout = layout_of(before);
  const std::optional<ChannelLine> line = line_of(graph, norm);
  if (!layout || !line || before.inputs.size() < 2 || uses_of(graph, before.outputs[0]) != 1)
    return false;
  Tensor* weight = constant_of(graph, before.inputs[1]);
  const std::size_t channels = line->factor.size();
  if (weight == nullptr || uses_of(graph, before.inputs[1]) != 1 || weight->numel() == 0 ||
      static_cast<std::size_t>(weight->size(layout->axis) * layout->groups) != channels)
    return false;
  const bool has_bias = before.inputs.size() == 3 && !before.inputs[2].empty();
  const Tensor* bias = has_bias ? constant_of(graph, before.inputs[2]) : nullptr;
  if (has_bias && (bias == nullptr || uses_of(graph, before.inputs[2]) != 1 ||
                   bias->numel() != std::ssize(line->factor)))
    return false;
  std::vector<double> shifts =
      has_bias ? bias->to(float64).to_vector<double>() : std::vector<double>(channels);
  for (std::size_t c = 0; c < channels; ++c)
    shifts[c] = (shifts[c] - line->mean[c]) * line->factor[c] + line->shift[c];
  const Tensor new_bias = Tensor::from(shifts.data(), {std::ssize(shifts)}).to(weight->dtype());
  *weight = scaled_weight(*weight, *layout, line->factor);
  if (has_bias) {
    *constant_of(graph, before.inputs[2]) = new_bias;
  } else {
    // "0.weight" -> "0.bias"
    const std::string& name = before.inputs[1];
    const std::size_t dot = name.rfind("weight");
    const std::string wanted =
        dot == std::string::npos ? name + ".bias" : name.substr(0, dot) + "bias";
    std::string bias_name = wanted;
    while (constant_of(graph, bias_name) != nullptr) bias_name += "_folded";
    before.inputs.resize(2);
    before.inputs.push_back(bias_name);
    const auto at = std::find_if(graph.constants.begin(), graph.constants.end(),
                                 [&](const auto& c) { return c.first == before.inputs[1]; });
    graph.constants.emplace(at + 1, bias_name, new_bias);
  }
  before.outputs[0] = norm.outputs[0];
  return true;
}

/// Constants that no node takes any more, of a norm that is gone, and what the metadata say of it.
void drop_unused(Graph& graph, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (uses_of(graph, name) > 0) continue;
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
    if (norm.op != "BatchNormalization" || !found || !fold_into(graph, *before, norm)) {
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
