// A node is a layer where the layer computes the same: its weights are constants that nothing else takes, and its
// options are those that the layer has.
#include <gradus/core/math.h>
#include <gradus/interchange/detail/layers_of_graph.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>

#include <algorithm>

namespace gradus::interchange {
namespace {

using Integers = std::vector<std::int64_t>;

Integers listed(const GraphNode& node, const std::string& name, std::size_t count,
                std::int64_t otherwise) {
  return node.integers(name, Integers(count, otherwise));
}

bool has_input(const GraphNode& node, std::size_t i) {
  return i < node.inputs.size() && !node.inputs[i].empty();
}

/// Options of a window that both sides of a layer share; nothing where the layer has none such.
struct LayerWindow {
  Integers stride, padding, dilation, more;
};
std::optional<LayerWindow> layer_window(const GraphNode& node, const Shape& weight) {
  const auto axes = static_cast<std::size_t>(weight.rank() - 2);
  const std::string rule = node.text("auto_pad", "NOTSET");
  const bool none = rule == "VALID";
  if (!none && rule != "NOTSET") return {};
  const Integers pads = none ? Integers(2 * axes, 0) : listed(node, "pads", 2 * axes, 0);
  LayerWindow w{listed(node, "strides", axes, 1),
                {},
                listed(node, "dilations", axes, 1),
                listed(node, "output_padding", axes, 0)};
  const Integers kernel = listed(node, "kernel_shape", 0, 0);
  const Integers sizes(weight.begin() + 2, weight.end());
  if (pads.size() != 2 * axes || w.stride.size() != axes || w.dilation.size() != axes ||
      w.more.size() != axes || (!kernel.empty() && kernel != sizes) ||
      node.find("output_shape") != nullptr) {
    return {};
  }
  w.padding.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(axes));
  if (!std::equal(w.padding.begin(), w.padding.end(),
                  pads.begin() + static_cast<std::ptrdiff_t>(axes))) {
    return {};
  }
  const auto fits = [](const Integers& list, std::int64_t least) {
    return std::all_of(list.begin(), list.end(), [least](std::int64_t n) {
      return n >= least && n < (std::int64_t{1} << 40);
    });
  };
  if (!fits(w.stride, 1) || !fits(w.padding, 0) || !fits(w.dilation, 1) || !fits(w.more, 0))
    return {};
  return w;
}

/// Weight and bias as a layer's own, if they can be; the bias may be absent.
bool take_weights(const GraphNode& node, const GraphFacts& facts, GraphLayer& layer) {
  if (!has_input(node, 1) || facts.own_constant(node.inputs[1]) == nullptr) return false;
  layer.weights.push_back({node.inputs[1], "weight"});
  if (!has_input(node, 2)) return true;
  const Tensor* bias = facts.own_constant(node.inputs[2]);
  if (bias == nullptr || bias->rank() != 1) return false;
  layer.weights.push_back({node.inputs[2], "bias"});
  return true;
}

/// Conv and ConvTranspose. A layer draws its first weights, which are replaced: from a generator of its own.
std::unique_ptr<Module> conv_module(const GraphNode& node, const Tensor& weight, bool bias) {
  const Shape& s = weight.shape();
  const std::int64_t groups = node.integer("group", 1);
  const auto w = s.rank() == 3 || s.rank() == 4 ? layer_window(node, s) : std::nullopt;
  if (!w || groups < 1 || weight.numel() < 1 || s[0] % groups != 0 ||
      s[1] > (std::int64_t{1} << 40) / groups) {
    return nullptr;
  }
  Generator generator(0);
  if (s.rank() == 3) {
    if (node.op != "Conv") return nullptr;
    return std::make_unique<Conv1d>(s[1] * groups, s[0],
                                    Conv1dLayerOptions{.kernel_size = s[2],
                                                       .stride = w->stride[0],
                                                       .padding = w->padding[0],
                                                       .dilation = w->dilation[0],
                                                       .groups = groups,
                                                       .bias = bias},
                                    generator);
  }
  const Pair kernel{s[2], s[3]};
  const Pair stride{w->stride[0], w->stride[1]};
  const Pair padding{w->padding[0], w->padding[1]};
  const Pair dilation{w->dilation[0], w->dilation[1]};
  if (node.op == "Conv") {
    return std::make_unique<Conv2d>(s[1] * groups, s[0],
                                    Conv2dLayerOptions{.kernel_size = kernel,
                                                       .stride = stride,
                                                       .padding = padding,
                                                       .dilation = dilation,
                                                       .groups = groups,
                                                       .bias = bias},
                                    generator);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (w->more[i] >= std::max(w->stride[i], w->dilation[i])) return nullptr;
  }
  return std::make_unique<ConvTranspose2d>(
      s[0], s[1] * groups,
      ConvTranspose2dLayerOptions{.kernel_size = kernel,
                                  .stride = stride,
                                  .padding = padding,
                                  .output_padding = {w->more[0], w->more[1]},
                                  .groups = groups,
                                  .bias = bias,
                                  .dilation = dilation},
      generator);
}

/// Running statistics and, as the layer's momentum, the part that is new: 1 - momentum.
bool batch_norm_layer(const GraphNode& node, const GraphFacts& facts, GraphLayer& layer) {
  const auto rank = facts.rank(node.inputs[0]);
  if (!rank || (*rank != 2 && *rank != 3 && *rank != 4) || node.inputs.size() != 5) return false;
  if (node.integer("training_mode", 0) != 0 || node.integer("spatial", 1) != 1) return false;
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    if (!node.outputs[i].empty()) return false;
  }
  constexpr const char* members[] = {"weight", "bias", "running_mean", "running_var"};
  std::int64_t channels = -1;
  for (std::size_t i = 1; i < 5; ++i) {
    const Tensor* constant = facts.own_constant(node.inputs[i]);
    if (constant == nullptr || constant->rank() != 1 || constant->numel() < 1) return false;
    if (channels >= 0 && constant->numel() != channels) return false;
    channels = constant->numel();
    layer.weights.push_back({node.inputs[i], members[i - 1]});
  }
  const double kept = node.real("momentum", 0.9);
  const double momentum = as_written(static_cast<float>(1 - kept));  // 1 - 0.9 is not quite 0.1
  if (!(momentum >= 0 && momentum <= 1)) return false;
  const BatchNorm2dOptions options{.eps = node.real("epsilon", 1e-5), .momentum = momentum};
  if (*rank == 4) {
    layer.module = std::make_unique<BatchNorm2d>(channels, options);
  } else {
    layer.module = std::make_unique<BatchNorm1d>(channels, options);
  }
  return true;
}

/// The Add behind a MatMul that brings the bias of a Linear: its place, or nothing.
std::optional<std::size_t> bias_behind(const Graph& graph, const GraphFacts& facts,
                                       const GraphNode& product, std::int64_t features) {
  const std::int64_t user = facts.only_user(product.outputs[0]);
  if (user < 0) return std::nullopt;
  const GraphNode& add = graph.nodes[static_cast<std::size_t>(user)];
  if (add.op != "Add" || add.inputs.size() != 2 || add.outputs.size() != 1 ||
      add.find("axis") != nullptr) {
    return std::nullopt;
  }
  const std::string& other = add.inputs[add.inputs[0] == product.outputs[0] ? 1 : 0];
  const Tensor* bias = facts.own_constant(other);
  if (bias == nullptr || bias->rank() != 1 || bias->numel() != features) return std::nullopt;
  return static_cast<std::size_t>(user);
}

bool linear_layer(const Graph& graph, const GraphFacts& facts, const GraphNode& node,
                  GraphLayer& layer) {
  if (!has_input(node, 1)) return false;
  const Tensor* weight = facts.own_constant(node.inputs[1]);
  if (weight == nullptr || weight->rank() != 2 || weight->numel() < 1) return false;
  const bool gemm = node.op == "Gemm";
  const bool by_rows = gemm && node.integer("transB", 0) != 0;
  const std::int64_t features = weight->size(by_rows ? 0 : 1);
  layer.weights.push_back({node.inputs[1], "weight", !by_rows});
  std::string bias;
  if (gemm) {
    if (node.integer("transA", 0) != 0 || node.real("alpha", 1) != 1 || node.real("beta", 1) != 1) {
      return false;
    }
    if (has_input(node, 2)) bias = node.inputs[2];
  } else {
    // x of one dimension is a product of its own: MatMul drops that, and so does Linear.
    if (const auto add = bias_behind(graph, facts, node, features)) {
      const GraphNode& sum = graph.nodes[*add];
      bias = sum.inputs[sum.inputs[0] == node.outputs[0] ? 1 : 0];
      layer.nodes.push_back(*add);
      layer.output = sum.outputs[0];
    }
  }
  if (!bias.empty()) {
    const Tensor* numbers = facts.own_constant(bias);
    if (numbers == nullptr || numbers->rank() != 1 || numbers->numel() != features) return false;
    layer.weights.push_back({bias, "bias"});
  }
  Generator generator(0);
  layer.module = std::make_unique<Linear>(weight->size(by_rows ? 1 : 0), features,
                                          LinearOptions{.bias = !bias.empty()}, generator);
  return true;
}

/// Puts the constants into the layer; fits is false where they have not its sizes, or are no numbers that it trains.
class FillLayer final : public Visitor {
 public:
  FillLayer(const GraphLayer& layer, const GraphFacts& facts) : layer_(layer), facts_(facts) {}
  bool fits = true;

  void operator()(std::string_view name, Variable& parameter) override {
    if (const auto value = of(name, parameter.defined() ? parameter.value().shape() : Shape()))
      parameter.set_value(*value);
  }
  void operator()(std::string_view name, Tensor& buffer) override {
    if (name == "num_batches_tracked") return;
    if (const auto value = of(name, buffer.defined() ? buffer.shape() : Shape())) buffer = *value;
  }
  void operator()(std::string_view, Module&) override {}

 private:
  std::optional<Tensor> of(std::string_view name, const Shape& shape) {
    const auto is_it = [&](const LayerWeight& weight) { return weight.member == name; };
    const auto weight = std::find_if(layer_.weights.begin(), layer_.weights.end(), is_it);
    if (weight == layer_.weights.end()) return std::nullopt;
    const Tensor& constant = *facts_.constant(weight->constant);
    const Tensor value = weight->transposed ? constant.transpose(0, 1) : constant;
    if (value.shape() != shape || !is_floating(value.dtype())) {
      fits = false;
      return std::nullopt;
    }
    return value.clone();
  }

  const GraphLayer& layer_;
  const GraphFacts& facts_;
};

}  // namespace

std::optional<GraphLayer> layer_of(const Graph& graph, const GraphFacts& facts, std::size_t index) {
  const GraphNode& node = graph.nodes[index];
  if (node.inputs.empty() || node.inputs[0].empty() || node.outputs.empty() || !node.domain.empty())
    return std::nullopt;
  if (facts.constant(node.inputs[0]) != nullptr) return std::nullopt;
  GraphLayer layer{nullptr, {index}, node.inputs[0], node.outputs[0], {}};
  if (node.op == "Conv" || node.op == "ConvTranspose") {
    if (!take_weights(node, facts, layer)) return std::nullopt;
    layer.module = conv_module(node, *facts.constant(node.inputs[1]), layer.weights.size() == 2);
  } else if (node.op == "BatchNormalization") {
    if (!batch_norm_layer(node, facts, layer)) return std::nullopt;
  } else if (node.op == "Gemm" || node.op == "MatMul") {
    if (!linear_layer(graph, facts, node, layer)) return std::nullopt;
  }
  if (layer.module == nullptr) return std::nullopt;
  FillLayer fill(layer, facts);
  layer.module->visit(fill);
  if (!fill.fits) return std::nullopt;
  return layer;
}

}  // namespace gradus::interchange
