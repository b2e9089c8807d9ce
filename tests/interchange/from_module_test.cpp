// Nets as graphs: structure, names and shapes of what is exported, and what is refused.
#include <doctest/doctest.h>
#include <gradus/core/math.h>
#include <gradus/interchange/fold.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/residual.h>

#include <algorithm>
#include <map>
#include <set>

#include "interchange/zoo.h"
#include "support/error_message.h"

using namespace gradus;
using interchange::Attribute;
using interchange::Graph;
using interchange::graph_of;
using interchange::GraphNode;

namespace {

std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> ops;
  for (const GraphNode& node : graph.nodes) ops.push_back(node.op);
  return ops;
}

std::vector<std::string> constant_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : graph.constants) names.push_back(name);
  return names;
}

const Tensor& constant(const Graph& graph, const std::string& name) {
  for (const auto& [known, tensor] : graph.constants)
    if (known == name) return tensor;
  FAIL("no constant ", name);
  return graph.constants.front().second;
}

std::vector<std::int64_t> ints(const GraphNode& node, const char* name) {
  const Attribute* attribute = node.find(name);
  REQUIRE(attribute != nullptr);
  return attribute->ints;
}

using Names = std::vector<std::string>;
using Sizes = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("LeNet becomes its layers, a node each, with the names of its state") {
  Sequential net = make_lenet();
  const Graph graph = graph_of(net, {1, 28, 28});
  CHECK(ops_of(graph) == Names{"Conv", "Relu", "MaxPool", "Conv", "Relu", "MaxPool", "Flatten",
                               "Gemm", "Relu", "Gemm", "Relu", "Gemm"});
  CHECK(constant_names(graph) == Names{"0.weight", "0.bias", "3.weight", "3.bias", "7.weight",
                                       "7.bias", "9.weight", "9.bias", "11.weight", "11.bias"});
  CHECK(graph.opset == 17);
  REQUIRE(graph.inputs.size() == 1);
  CHECK(graph.inputs[0].name == "images");
  CHECK(graph.inputs[0].shape == Sizes{-1, 1, 28, 28});
  CHECK(graph.inputs[0].axis_names == Names{"N", "", "", ""});
  REQUIRE(graph.outputs.size() == 1);
  CHECK(graph.outputs[0].name == "logits");
  CHECK(graph.outputs[0].shape == Sizes{-1, 10});
  CHECK(graph.nodes.back().outputs == Names{"logits"});
  CHECK(ints(graph.nodes[0], "pads") == Sizes{2, 2, 2, 2});
  CHECK(ints(graph.nodes[0], "kernel_shape") == Sizes{5, 5});
  CHECK(graph.nodes[0].name == "0/Conv");
  CHECK(ints(graph.nodes[7], "transB") == Sizes{1});
}

TEST_CASE(
    "every net of the zoo: nodes in order, names given once, the state's numbers under its names") {
  for (zoo::Net& each : zoo::all()) {
    CAPTURE(each.name);
    const Graph graph = graph_of(*each.net, each.example, each.options);
    std::map<std::string, Tensor> state;
    for (const auto& [name, tensor] : each.net->state_dict()) state.emplace(name, tensor);
    std::set<std::string> known = {""};
    for (const auto& input : graph.inputs) CHECK(known.insert(input.name).second);
    std::size_t kept = 0;
    for (const auto& [name, tensor] : graph.constants) {
      CHECK(known.insert(name).second);
      if (!state.contains(name)) continue;
      ++kept;
      CHECK(same_window(tensor, state.at(name)));
    }
    for (const auto& [name, number] : graph.metadata)
      kept += name.ends_with("num_batches_tracked") ? 1U : 0U;
    CHECK(kept == state.size());
    std::set<std::string> nodes;
    for (const GraphNode& node : graph.nodes) {
      CHECK(nodes.insert(node.name).second);
      for (const std::string& input : node.inputs) CHECK_MESSAGE(known.contains(input), input);
      for (const std::string& output : node.outputs) CHECK(known.insert(output).second);
    }
    const Variables outputs = zoo::outputs_of(*each.net, zoo::inputs_of(each, 3, 1));
    REQUIRE(graph.outputs.size() == outputs.size());
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      const auto& value = graph.outputs[k];
      CHECK(known.contains(value.name));
      Sizes shape(outputs[k].shape().begin(), outputs[k].shape().end());
      const auto batch = std::find(value.axis_names.begin(), value.axis_names.end(), "N");
      REQUIRE(batch != value.axis_names.end());
      std::int64_t& size = shape[static_cast<std::size_t>(batch - value.axis_names.begin())];
      CHECK(size == 3);
      size = -1;
      CHECK(value.shape == shape);
    }
  }
}

TEST_CASE("exporting changes nothing: neither modes nor statistics nor the generator of dropouts") {
  Generator g(3);
  Sequential net{Conv2d{1, 2, {.kernel_size = 3}, g}, BatchNorm2d{2}, Dropout{0.5}, Flatten{}};
  net[1].eval();
  const Tensor before = net.get<BatchNorm2d>(1).running_mean.clone();
  const std::uint64_t position = default_generator().position();
  graph_of(net, {1, 5, 5});
  CHECK(net.is_training());
  CHECK(net[0].is_training());
  CHECK_FALSE(net[1].is_training());
  CHECK(net[2].is_training());
  CHECK(core::all(core::eq(net.get<BatchNorm2d>(1).running_mean, before)).item() == 1);
  CHECK(default_generator().position() == position);
}

TEST_CASE("one parameter in two places is one constant, under its first name") {
  Sequential net{Linear{3, 3}, Linear{3, 3}};
  net.get<Linear>(1).weight = net.get<Linear>(0).weight;
  const Graph graph = graph_of(net, {3});
  CHECK(constant_names(graph) == Names{"0.weight", "0.bias", "1.bias"});
  CHECK(graph.nodes[1].inputs[1] == "0.weight");
}

TEST_CASE(
    "a net that is nothing is an Identity, and a Residual around nothing adds the input to "
    "itself") {
  Sequential nothing;
  CHECK(ops_of(graph_of(nothing, {3})) == Names{"Identity"});
  Sequential twice{Residual{Sequential{}}};
  const Graph graph = graph_of(twice, {3});
  CHECK(ops_of(graph) == Names{"Add"});
  CHECK(graph.nodes[0].inputs == Names{"images", "images"});
}

TEST_CASE("padding `same` of an even kernel is one pixel more behind than before") {
  Sequential net{Conv2d{1, 1, {.kernel_size = {4, 3}, .padding = Padding::same}}};
  CHECK(ints(graph_of(net, {1, 9, 9}).nodes[0], "pads") == Sizes{1, 1, 2, 1});
}

TEST_CASE("batch norm keeps its momentum the other way round, and how often it was trained") {
  Sequential net{BatchNorm2d{2, {.eps = 0.25, .momentum = 0.75}}};
  net(ones({2, 2, 3, 3}));
  const Graph graph = graph_of(net, {2, 3, 3});
  CHECK(graph.nodes[0].find("momentum")->floats == std::vector<float>{0.25F});
  CHECK(graph.nodes[0].find("epsilon")->floats == std::vector<float>{0.25F});
  REQUIRE(graph.metadata.size() == 1);
  CHECK(graph.metadata[0].first == "0.num_batches_tracked");
  CHECK(graph.metadata[0].second == "1");
}

TEST_CASE(
    "folding takes away every batch norm behind a convolution or a linear layer, and its state") {
  for (const char* model : {"cnn", "mobilenet", "nin", "resnet20"}) {
    CAPTURE(model);
    Sequential net = make_model(model, {.channels = 3, .height = 16, .width = 16});
    const Graph graph = graph_of(net, {3, 16, 16}, {.fold_batch_norm = true});
    const Names ops = ops_of(graph);
    CHECK(std::count(ops.begin(), ops.end(), "BatchNormalization") == 0);
    CHECK(graph.metadata.empty());
    for (const std::string& name : constant_names(graph)) {
      CHECK_FALSE(name.ends_with("running_var"));
      CHECK_FALSE(name.ends_with("running_mean"));
    }
    CHECK(constant(graph, "0.bias").shape() == Shape{net.get<Conv2d>(0).weight.size(0)});
  }
}

TEST_CASE("folded weights are those of the formula, and the net's own stay") {
  Sequential net{Linear{1, 2}, BatchNorm1d{2, {.eps = 0}}};
  Linear& linear = net.get<Linear>(0);
  BatchNorm1d& norm = net.get<BatchNorm1d>(1);
  linear.weight.value().copy_(Tensor::from({{3.0}, {5.0}}));
  linear.bias.value().copy_(Tensor::from({1.0, 2.0}));
  norm.running_mean.copy_(Tensor::from({2.0, 4.0}));
  norm.running_var.copy_(Tensor::from({4.0, 0.25}));
  norm.weight.value().copy_(Tensor::from({6.0, 1.0}));
  norm.bias.value().copy_(Tensor::from({0.5, -1.0}));
  const Graph graph = graph_of(net, {1}, {.fold_batch_norm = true});
  CHECK(ops_of(graph) == Names{"Gemm"});
  CHECK(constant(graph, "0.weight").to_vector<float>() == std::vector<float>{9, 10});
  CHECK(constant(graph, "0.bias").to_vector<float>() == std::vector<float>{-2.5, -5});
  CHECK(linear.weight.value().to_vector<float>() == std::vector<float>{3, 5});
}

TEST_CASE("a batch norm stays where what it takes goes elsewhere too, or comes from no weights") {
  Sequential shared{
      Conv2d{1, 1, 1},
      Residual{Sequential{BatchNorm2d{1}}},  // the way around takes the convolution's output too
      ReLU{}, BatchNorm2d{1}};
  Graph graph = graph_of(shared, {1, 2, 2});
  CHECK(interchange::fold_batch_norms(graph) == 0);
  CHECK(graph.nodes.size() == 5);

  Sequential twice{Linear{2, 2}, BatchNorm1d{2}, Linear{2, 2}, BatchNorm1d{2}};
  twice.get<Linear>(2).weight = twice.get<Linear>(0).weight;
  graph = graph_of(twice, {2});
  CHECK(interchange::fold_batch_norms(graph) == 0);
}

TEST_CASE("a bias that folding makes takes no name that something else has") {
  Sequential net{Linear{2, 3, {.bias = false}}, BatchNorm1d{3}};
  interchange::ExportOptions as_input;
  as_input.input = "0.bias";
  interchange::ExportOptions as_output;
  as_output.output = "0.bias";
  for (const auto& options : {as_input, as_output}) {
    Graph graph = graph_of(net, {2}, options);
    CHECK(interchange::fold_batch_norms(graph) == 1);
    CHECK(constant_names(graph) == Names{"0.weight", "0.bias_folded"});
    interchange::GraphNet folded(graph);
    CHECK(folded(ones({1, 2})).shape() == Shape{1, 3});
  }
}

TEST_CASE("a batch norm that has not a number of each kind for every channel stays") {
  Sequential net{Linear{2, 3}, BatchNorm1d{3}};
  for (const char* name : {"1.weight", "1.bias", "1.running_mean", "1.running_var"}) {
    CAPTURE(name);
    Graph graph = graph_of(net, {2});
    for (auto& [known, tensor] : graph.constants) {
      if (known == name) tensor = ones({1});
    }
    CHECK(interchange::fold_batch_norms(graph) == 0);
    CHECK(graph.nodes.size() == 2);
  }
}

namespace {

/// A layer that ONNX does not know.
struct Doubled final : Module {
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override { return x + x; }
};

std::string refusal(Module& net, const Shape& example, const interchange::ExportOptions& o = {}) {
  return message_of<ValueError>([&] { graph_of(net, example, o); });
}

}  // namespace

TEST_CASE("what cannot be exported is told by its path and type") {
  Sequential deep{Identity{}, Residual{Sequential{Sequential{ReLU{}}, Doubled{}}}};
  CHECK(refusal(deep, {3}) == "export: 1.body.1 Doubled: no nodes of ONNX are known for this type");
  Doubled alone;
  CHECK(refusal(alone, {3}) == "export: the net Doubled: no nodes of ONNX are known for this type");

  Sequential watched{ReLU{}, Tanh{}};
  const HookHandle hook = watched[1].register_forward_hook(
      [](Module&, const Variable&, const Variable& y) { return y; });
  CHECK(refusal(watched, {3}) == "export: 1 Tanh: has hooks, which a file cannot hold");

  Sequential everything{Flatten{0}};
  CHECK(refusal(everything, {3, 2}) == "export: 0 Flatten: dimensions 0 to 2 hold the batch");
  Sequential encoder{TransformerEncoderLayer{4, 2, {.dim_feedforward = 4}}};
  CHECK(refusal(encoder, {3, 4}) ==
        "export: 0 TransformerEncoderLayer: its batch stands at dimension 1 of three, that of the "
        "input at 0 of 3");
  LSTM lstm(4, 2);
  CHECK(refusal(lstm, {3, 4}) ==
        "export: the net LSTM: its batch stands at dimension 1 of three, that of the input at 0 of "
        "3");
}

TEST_CASE("a batch axis that is none, names that clash and inputs that do not fit are refused") {
  Sequential net{Linear{3, 2}};
  CHECK(refusal(net, {3}, {.batch_axis = 2}) ==
        "export: batch_axis 2 is no axis of an input of 2 dimensions");
  CHECK(refusal(net, {3}, {.input = "x", .output = "x"}) ==
        "export: inputs and outputs need names of their own, got x and x");
  CHECK(refusal(net, {3}, {.output = "0.weight"}) ==
        "export: 0.weight is the name of an input or output and of a parameter");
  CHECK_THROWS_AS(graph_of(net, {4}), ShapeError);
  CHECK(net.is_training());
}

TEST_CASE("a net of another opset is not written among nodes of this one") {
  Sequential inner{ReLU{}};
  Graph graph = graph_of(inner, {3});
  graph.opset = 9;
  Sequential net;
  net.append(interchange::GraphNet(graph));
  CHECK(refusal(net, {3}) ==
        "export: 0 GraphNet: its nodes are of opset 9, those of this file of 17, where they may "
        "mean something else; alone it is exported");
  CHECK(graph_of(net[0], {3}).opset == 9);
}

TEST_CASE("factors are written so that every reader comes to the size that this net has") {
  struct Case {
    std::int64_t size;
    double factor;
    std::size_t inputs;  // 3: a factor, 4: sizes
  };
  // 10·0.7F is 6.99.. in float64 and 7 in float32; (12/7)F is written 1.7142857, by which 7 pixels would become 11.
  for (const Case& c : {Case{10, 0.7, 4}, Case{7, 12.0 / 7, 4}, Case{11, 0.7, 3}, Case{3, 2.5, 3},
                        Case{7, 1.7142857, 3}, Case{10, 0.69999999, 3}}) {
    CAPTURE(c.size);
    CAPTURE(c.factor);
    Sequential net{Upsample{{.scale_factor = c.factor}}};
    const Graph graph = graph_of(net, {1, c.size, c.size});
    CHECK(graph.nodes.back().inputs.size() == c.inputs);
    interchange::GraphNet back(graph);
    Generator random(3);
    const Variable images = rand({2, 1, c.size, c.size}, random);
    CHECK(core::equal(back(images).value(), net(images).value()));
  }
}
