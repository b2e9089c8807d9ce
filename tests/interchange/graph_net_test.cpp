// Graphs as modules, without any file: which nodes become layers, what is trained, how all is named, and that a graph comes
// back out as it went in.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/interchange/graph_json.h>
#include <gradus/interchange/graph_net.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;
using namespace gradus::interchange;

namespace {

Attribute integers(const std::string& name, const std::vector<std::int64_t>& values) {
  Attribute made;
  made.name = name;
  made.kind = Attribute::Kind::integers;
  made.ints = values;
  return made;
}

Attribute integer(const std::string& name, std::int64_t value) {
  Attribute made = integers(name, {value});
  made.kind = Attribute::Kind::integer;
  return made;
}

GraphNode call(const std::string& op, const std::vector<std::string>& inputs,
               const std::string& output, const std::vector<Attribute>& attributes = {}) {
  return {.op = op,
          .domain = "",
          .name = "",
          .inputs = inputs,
          .outputs = {output},
          .attributes = attributes};
}

/// conv, batch norm, relu, flatten, and a product with its sum: [N,1,4,4] -> [N,3].
Graph small_net() {
  Generator random(1);
  Graph graph;
  graph.opset = 13;
  graph.nodes = {
      call("Conv", {"images", "f.conv.weight"}, "a", {integers("pads", {1, 1, 1, 1})}),
      call("BatchNormalization",
           {"a", "f.bn.weight", "f.bn.bias", "f.bn.running_mean", "f.bn.running_var"}, "b"),
      call("Relu", {"b"}, "c"),
      call("Flatten", {"c"}, "d"),
      call("MatMul", {"d", "onnx::MatMul_7"}, "e"),
      call("Add", {"head.bias", "e"}, "g"),
      call("Mul", {"g", "scale"}, "h"),
      call("Add", {"h", "mask"}, "scores")};
  const Tensor mask =
      Tensor::from({0.F, 0.F, -std::numeric_limits<float>::infinity()}).reshape({1, 3});
  graph.constants = {{"f.conv.weight", randn({2, 1, 3, 3}, random)},
                     {"f.bn.weight", ones({2})},
                     {"f.bn.bias", zeros({2})},
                     {"f.bn.running_mean", randn({2}, random)},
                     {"f.bn.running_var", full({2}, 2)},
                     {"onnx::MatMul_7", randn({32, 3}, random)},
                     {"head.bias", randn({3}, random)},
                     {"scale", full({3}, 0.5)},
                     {"mask", mask}};
  graph.inputs = {{.name = "images",
                   .dtype = float32,
                   .has_shape = true,
                   .shape = {-1, 1, 4, 4},
                   .axis_names = {"N", "", "", ""}}};
  graph.outputs = {{.name = "scores",
                    .dtype = float32,
                    .has_shape = true,
                    .shape = {-1, 3},
                    .axis_names = {"N", ""}}};
  return graph;
}

std::vector<std::string> names_of(const NamedVariables& parameters) {
  std::vector<std::string> names;
  for (const auto& [name, parameter] : parameters) names.push_back(name);
  return names;
}

Tensor some_images() {
  Generator random(5);
  return randn({2, 1, 4, 4}, random);
}

Tensor answer(GraphNet& net) {
  const NoGrad off;
  net.eval();
  return net(Variable(some_images())).value();
}

}  // namespace

TEST_CASE("nodes that are layers become layers, under the names of their weights") {
  GraphNet net(small_net());
  std::vector<std::string> kinds;
  for (const auto& [name, module] : net.named_modules())
    kinds.push_back(name + " " + module->kind());
  CHECK(kinds == std::vector<std::string>{" GraphNet", "f GraphScope", "f.conv Conv2d",
                                          "f.bn BatchNorm2d", "head Linear"});
  CHECK(names_of(net.named_parameters()) == std::vector<std::string>{"scale", "f.conv.weight",
                                                                     "f.bn.weight", "f.bn.bias",
                                                                     "head.weight", "head.bias"});
}

TEST_CASE("the net computes what its layers do") {
  const Graph graph = small_net();
  const auto constant = [&](std::size_t i) { return Variable(graph.constants[i].second); };
  GraphNet net(small_net());
  const Variable features =
      batch_norm(conv2d(some_images(), constant(0), {}, {.padding = 1}), constant(1), constant(2),
                 graph.constants[3].second, graph.constants[4].second, {.training = false});
  const Variable product = matmul(flatten(relu(features), 1), constant(5));
  const Variable wanted = add(mul(add(product, constant(6)), constant(7)), constant(8));
  CHECK(core::allclose(answer(net), wanted.value(), 1e-6, 1e-6));
}

TEST_CASE("batch norm trains, and so does all but the mask, which is infinite") {
  GraphNet net(small_net());
  net.train();
  const Tensor before = small_net().constants[3].second;
  const Variable finite = narrow(net(Variable(some_images())), 1, 0, 2);
  sum(mul(finite, finite)).backward();
  for (const auto& entry : net.named_parameters())
    CHECK_MESSAGE(entry.second.grad().defined(), entry.first);
  CHECK_FALSE(core::allclose(net.graph().constants[3].second, before));
  CHECK(net.graph().fixed == std::vector<std::string>{"mask"});
}

TEST_CASE("the graph comes back as it went in, with the weights as they are now") {
  const Graph graph = small_net();
  GraphNet net(small_net());
  const Graph same = net.graph();
  REQUIRE(same.constants.size() == graph.constants.size());
  for (std::size_t i = 0; i < graph.constants.size(); ++i) {
    INFO(graph.constants[i].first);
    CHECK(same.constants[i].first == graph.constants[i].first);
    CHECK(core::equal(same.constants[i].second, graph.constants[i].second));
  }
  CHECK(same.nodes.size() == graph.nodes.size());
  for (auto& [name, parameter] : net.named_parameters()) {
    if (name == "head.weight") parameter.set_value(ones({3, 32}));
  }
  CHECK(core::equal(net.graph().constants[5].second, ones({32, 3})));
}

TEST_CASE("text and state together are the net again") {
  GraphNet net(small_net());
  const std::string text = to_graph_json(net.graph());
  CHECK(is_graph_json(text));
  GraphNet again(from_graph_json(text, "text", 1 << 20));
  CHECK(names_of(again.named_parameters()) == names_of(net.named_parameters()));
  again.load_state_dict(net.state_dict());
  CHECK(core::equal(answer(again), answer(net)));
  CHECK(to_graph_json(again.graph()) == text);
}

TEST_CASE("texts that are no graphs, and graphs that ask for too much") {
  const auto refused = [](const std::string& text) {
    return message_of<BadDataError>([&] { from_graph_json(text, "text", 500); });
  };
  CHECK(refused("{\"nodes\": 3").starts_with("text: is no graph: "));
  CHECK(refused(std::string(100, '[')).find("more than 16 deep") != std::string::npos);
  CHECK(refused(to_graph_json(small_net())).find("constants of more than 500 bytes") !=
        std::string::npos);
}

TEST_CASE("a net in float64 is the same net") {
  GraphNet net(small_net());
  const Tensor in_float32 = answer(net);
  net.to(float64);
  const NoGrad off;
  const Tensor in_float64 = net(Variable(some_images().to(float64))).value();
  CHECK(in_float64.dtype() == float64);
  CHECK(core::allclose(in_float64.to(float32), in_float32, 1e-5, 1e-5));
}

TEST_CASE("what cannot be computed is refused with the place of the node") {
  const auto with = [](const GraphNode& node) {
    Graph graph = small_net();
    graph.nodes[2] = node;
    return graph;
  };
  CHECK(message_of<BadDataError>([&] { GraphNet(with(call("Rely", {"b"}, "c"))); }) ==
        "node 2 Rely: this operator is not known; did you mean Relu?");
  CHECK(message_of<BadDataError>([&] { GraphNet(with(call("Relu", {"q"}, "c"))); }) ==
        "node 2 Relu: takes 'q', which nothing before it gives");
  CHECK(message_of<BadDataError>([&] { GraphNet(with(call("Relu", {"b"}, "b"))); }) ==
        "node 2 Relu: gives 'b', which was given before");
  GraphNode foreign = call("Relu", {"b"}, "c");
  foreign.domain = "com.example";
  CHECK(message_of<BadDataError>([&] { GraphNet(with(foreign)); }).find("another set") !=
        std::string::npos);
  GraphNet wrong(with(call("Reshape", {"b", "scale"}, "c")));
  const std::string line = message_of<BadDataError>([&] { wrong(Variable(some_images())); });
  CHECK(line.starts_with("Reshape: input 1 is float32 [3]; a list of int64 is expected"));
  CHECK(line.find("node 2 Reshape") != std::string::npos);
  GraphNet net(small_net());
  CHECK(message_of<ShapeError>([&] {
          net(Variable(zeros({2, 1, 5, 5})));
        }) == "GraphNet: input 'images' has sizes [?, 1, 4, 4], got float32 [2,1,5,5]");
  CHECK(message_of<DTypeError>([&] {
          net(Variable(zeros({2, 1, 4, 4}, int64)));
        }).starts_with("GraphNet: input 'images' is float32, got int64"));
}

namespace {

/// images [N,1,4,4] -> `shaping` -> batch norm of `channels` -> "scores" of any shape.
Graph norm_behind(const std::vector<GraphNode>& shaping, std::int64_t channels) {
  Graph graph;
  graph.opset = 13;
  graph.nodes = shaping;
  graph.nodes.push_back(call("BatchNormalization", {"r", "n.g", "n.b", "n.m", "n.v"}, "scores"));
  graph.constants = {{"n.g", ones({channels})},
                     {"n.b", zeros({channels})},
                     {"n.m", zeros({channels})},
                     {"n.v", ones({channels})}};
  graph.inputs = small_net().inputs;
  graph.outputs = {
      {.name = "scores", .dtype = float32, .has_shape = false, .shape = {}, .axis_names = {}}};
  return graph;
}

Tensor sizes_of(const std::vector<std::int64_t>& values) {
  return Tensor::from(values.data(), {std::ssize(values)});
}

GraphNode constant_node_of(const std::string& output, const Tensor& value) {
  Attribute made;
  made.name = "value";
  made.kind = Attribute::Kind::tensor;
  made.tensor = value;
  return call("Constant", {}, output, {made});
}

/// Do the running statistics move when the net is trained?
bool statistics_move(Graph graph) {
  const NoGrad off;
  GraphNet net(std::move(graph));
  net.train();
  net(Variable(some_images()));
  for (const auto& [name, tensor] : net.graph().constants) {
    if (name == "n.v") return !core::equal(tensor, ones(tensor.shape()));
  }
  return false;
}

}  // namespace

TEST_CASE("batch norms train behind all that gives 2 to 4 dimensions") {
  const Tensor flat = sizes_of({-1, 16});
  const Tensor last = sizes_of({3});
  const auto behind = [](std::vector<GraphNode> nodes, std::int64_t channels,
                         std::vector<std::pair<std::string, Tensor>> constants) {
    Graph graph = norm_behind(nodes, channels);
    for (auto& constant : constants) graph.constants.push_back(std::move(constant));
    return statistics_move(std::move(graph));
  };
  CHECK(behind({call("Reshape", {"images", "s"}, "r")}, 16, {{"s", flat}}));
  CHECK(behind({constant_node_of("s", flat), call("Reshape", {"images", "s"}, "r")}, 16, {}));
  CHECK(behind({call("Unsqueeze", {"images", "a"}, "u"), call("Squeeze", {"u", "a"}, "r")}, 1,
               {{"a", last}}));
  CHECK(behind(
      {call("ReduceMean", {"images"}, "r", {integers("axes", {2, 3}), integer("keepdims", 0)})}, 1,
      {}));
  CHECK(behind({call("ReduceMax", {"images"}, "r", {integers("axes", {3})})}, 1, {}));
  CHECK(behind({call("ReduceSum", {"images", "a"}, "r", {integer("keepdims", 0)})}, 1,
               {{"a", last}}));
  CHECK(behind({call("Abs", {"images"}, "p"), call("Expand", {"p", "e"}, "r")}, 1,
               {{"e", sizes_of({2, 1, 4, 4})}}));
  // x.view(x.size(0), -1), and x.flatten(1) by the sizes from some on, as exporters write them.
  CHECK(behind(
      {call("Shape", {"images"}, "all"), call("Gather", {"all", "zero"}, "n"),
       call("Unsqueeze", {"n", "front"}, "n1"),
       call("Concat", {"n1", "rest"}, "s", {integer("axis", 0)}),
       call("Reshape", {"images", "s"}, "r")},
      16,
      {{"zero", Tensor::scalar(0, int64)}, {"front", sizes_of({0})}, {"rest", sizes_of({-1})}}));
  CHECK(behind({call("Shape", {"images"}, "all"), call("Slice", {"all", "front", "three"}, "s3"),
                call("Concat", {"s3", "rest"}, "s", {integer("axis", 0)}),
                call("Reshape", {"images", "s"}, "r")},
               1, {{"front", sizes_of({0})}, {"three", sizes_of({-2})}, {"rest", sizes_of({-1})}}));
}

TEST_CASE(
    "a batch norm that is no layer answers, and is not trained by statistics that stand still") {
  const Graph volumes = norm_behind({call("Unsqueeze", {"images", "a"}, "r")}, 1);
  Graph graph = volumes;
  graph.constants.emplace_back("a", sizes_of({4}));
  GraphNet net(graph);
  CHECK(answer(net).shape() == Shape{2, 1, 4, 4, 1});
  net.train();
  const std::string line = message_of<BadDataError>([&] { net(Variable(some_images())); });
  CHECK(line.starts_with("BatchNormalization: is no layer of its own here"));
  CHECK(line.find("node 1 BatchNormalization") != std::string::npos);
}

TEST_CASE("equal weights that a file has once are trained each by itself") {
  Graph graph = small_net();
  graph.nodes.insert(graph.nodes.begin(), {call("Identity", {"f.bn.weight"}, "f.bn.running_var"),
                                           call("Identity", {"f.bn.bias"}, "f.bn.running_mean")});
  std::erase_if(graph.constants, [](const auto& constant) {
    return constant.first == "f.bn.running_var" || constant.first == "f.bn.running_mean";
  });
  GraphNet net(graph);
  GraphNet wanted(small_net());
  CHECK(net.parameter_count() == wanted.parameter_count());
  std::vector<std::string> kinds;
  for (const auto& [name, module] : net.named_modules()) kinds.push_back(module->kind());
  CHECK(std::find(kinds.begin(), kinds.end(), "BatchNorm2d") != kinds.end());
  net.train();
  net(Variable(some_images()));
  for (const auto& [name, tensor] : net.graph().constants) {
    if (name == "f.bn.running_var") CHECK_FALSE(core::equal(tensor, ones({2})));
    if (name == "f.bn.weight") CHECK(core::equal(tensor, ones({2})));
  }
}

TEST_CASE("weights of 16 bits and whole numbers are no layers; what cannot compute says where") {
  for (const DType dtype : {float16, int64}) {
    Graph graph = small_net();
    graph.constants[0].second = graph.constants[0].second.to(dtype);
    GraphNet net(graph);
    const std::string line = message_of<DTypeError>([&] { answer(net); });
    CHECK(line.find("node 0 Conv") != std::string::npos);
  }
}

TEST_CASE("what the writer of a file said of it stays in the text") {
  Graph graph = small_net();
  graph.metadata = {{"author", "somebody"}, {"names", "{0: 'cat'}"}};
  GraphNet net(graph);
  CHECK(from_graph_json(to_graph_json(net.graph()), "text", 1 << 20).metadata == graph.metadata);
}

TEST_CASE("an attribute of another kind is refused, also where a node would become a layer") {
  Attribute by_rows = integer("transB", 0);
  by_rows.kind = Attribute::Kind::real;
  by_rows.floats = {1};
  Graph graph = small_net();
  graph.nodes[4] = call("Gemm", {"d", "onnx::MatMul_7"}, "e", {by_rows});
  CHECK(message_of<BadDataError>([&] { GraphNet net(graph); }) ==
        "Gemm: attribute 'transB' is a number, not a whole number [in node 4 Gemm]");
  graph = small_net();
  graph.nodes[0].attributes = {integer("pads", 1)};
  CHECK(message_of<BadDataError>([&] {
          GraphNet net(graph);
        }).starts_with("Conv: attribute 'pads' is a whole number, not a list of whole numbers"));
  by_rows.kind = Attribute::Kind::integer;
  by_rows.ints.clear();
  graph = small_net();
  graph.nodes[4] = call("Gemm", {"d", "onnx::MatMul_7"}, "e", {by_rows});
  CHECK(message_of<BadDataError>([&] {
          GraphNet net(graph);
        }).starts_with("Gemm: attribute 'transB' has no value: a whole number is expected"));
}

TEST_CASE("names within one that is taken share the one that stands for it") {
  Graph graph;
  graph.opset = 13;
  graph.nodes = {call("Add", {"x", "w"}, "a"), call("Add", {"a", "w.p"}, "b"),
                 call("Add", {"b", "w.q"}, "y")};
  for (const char* name : {"w", "w.p", "w.q"}) graph.constants.emplace_back(name, ones({2}));
  graph.inputs = {
      {.name = "x", .dtype = float32, .has_shape = true, .shape = {2}, .axis_names = {""}}};
  graph.outputs = {
      {.name = "y", .dtype = float32, .has_shape = true, .shape = {2}, .axis_names = {""}}};
  GraphNet net(graph);
  CHECK(names_of(net.named_parameters()) == std::vector<std::string>{"w", "w_.p", "w_.q"});
}

TEST_CASE("doubles that a file has itself do not make float32 of it wide") {
  Graph graph;
  graph.opset = 13;
  graph.nodes = {call("Mul", {"x", "a"}, "m"), call("Cast", {"m"}, "narrow", {integer("to", 1)}),
                 call("Cast", {"narrow"}, "back", {integer("to", 11)}),
                 call("Sub", {"m", "back"}, "lost")};
  graph.constants = {{"a", ones({1}, float64)}, {"not_used", ones({1})}};
  graph.inputs = {
      {.name = "x", .dtype = float64, .has_shape = false, .shape = {}, .axis_names = {}}};
  graph.outputs = {
      {.name = "lost", .dtype = float64, .has_shape = false, .shape = {}, .axis_names = {}}};
  GraphNet net(graph);
  const Variable x(full({1}, 1e8 + 1, float64));
  CHECK(net(x).item() == 1);
  net.to(float64);  // now what was float32 is float64
  CHECK(net(x).item() == 0);
}

TEST_CASE("the first states of a recurrent node are no weights") {
  Generator random(3);
  Graph graph;
  graph.opset = 13;
  GraphNode lstm =
      call("LSTM", {"x", "w", "r", "b", "", "h0", "c0", "p"}, "y", {integer("hidden_size", 2)});
  graph.nodes = {lstm};
  graph.constants = {{"w", randn({1, 8, 3}, random)},  {"r", randn({1, 8, 2}, random)},
                     {"b", randn({1, 16}, random)},    {"h0", randn({1, 1, 2}, random)},
                     {"c0", randn({1, 1, 2}, random)}, {"p", randn({1, 6}, random)}};
  graph.inputs = {
      {.name = "x", .dtype = float32, .has_shape = false, .shape = {}, .axis_names = {}}};
  graph.outputs = {
      {.name = "y", .dtype = float32, .has_shape = false, .shape = {}, .axis_names = {}}};
  GraphNet net(graph);
  CHECK(names_of(net.named_parameters()) == std::vector<std::string>{"w", "r", "b", "p"});
  CHECK(net.graph().fixed == std::vector<std::string>{"h0", "c0"});
  CHECK(net(Variable(randn({4, 1, 3}, random))).shape() == Shape{4, 1, 1, 2});
}

TEST_CASE(
    "weights in nodes that hold a constant are trained, however small, sizes stay in the text") {
  Generator random(4);
  const auto held = [](const std::string& name, const Tensor& tensor) {
    Attribute value;
    value.name = "value";
    value.kind = Attribute::Kind::tensor;
    value.tensor = tensor;
    return call("Constant", {}, name, {value});
  };
  Graph graph;
  graph.opset = 13;
  graph.nodes = {held("w", randn({3, 2}, random)), held("b", randn({2}, random)),
                 call("Gemm", {"x", "w", "b"}, "y"),
                 held("sizes", Tensor::from({std::int64_t{-1}, std::int64_t{2}, std::int64_t{1}})),
                 call("Reshape", {"y", "sizes"}, "z")};
  graph.inputs = {
      {.name = "x", .dtype = float32, .has_shape = false, .shape = {}, .axis_names = {}}};
  graph.outputs = {
      {.name = "z", .dtype = float32, .has_shape = false, .shape = {}, .axis_names = {}}};
  GraphNet net(graph);
  CHECK(net.parameter_count() == 8);
  CHECK(net.state_dict().size() == 2);
  CHECK(net(Variable(randn({5, 3}, random))).shape() == Shape{5, 2, 1});
}

TEST_CASE("weights of 16 bits behind a cast are weights of float32") {
  for (const DType half : {float16, bfloat16}) {
    Graph graph = small_net();
    Tensor& weight = graph.constants[0].second;
    weight = weight.to(half);
    const Tensor widened = weight.to(float32);
    graph.constants[0].first = "narrow";
    graph.nodes.insert(graph.nodes.begin(),
                       call("Cast", {"narrow"}, "f.conv.weight", {integer("to", 1)}));
    GraphNet net(graph);
    CHECK(net.parameter_count() == GraphNet(small_net()).parameter_count());
    const Graph same = net.graph();
    for (const auto& [name, tensor] : same.constants) {
      CHECK(name != "narrow");
      if (name == "f.conv.weight") CHECK(core::equal(tensor, widened));
    }
    CHECK(same.nodes.size() == small_net().nodes.size());
    CHECK(answer(net).shape() == Shape{2, 3});
  }
}

TEST_CASE("numbers that become a size are not trained") {
  Graph graph;
  graph.opset = 13;
  graph.nodes = {call("Shape", {"x"}, "sizes"),
                 call("Cast", {"sizes"}, "floats", {integer("to", 1)}),
                 call("Mul", {"floats", "factors"}, "wanted"),
                 call("Cast", {"wanted"}, "whole", {integer("to", 7)}),
                 call("Expand", {"x", "whole"}, "large"),
                 call("Mul", {"large", "weight"}, "y")};
  graph.constants = {{"factors", Tensor::from({2.F, 1.F})}, {"weight", Tensor::from({2.F, 3.F})}};
  graph.inputs = {
      {.name = "x", .dtype = float32, .has_shape = false, .shape = {}, .axis_names = {}}};
  graph.outputs = {
      {.name = "y", .dtype = float32, .has_shape = false, .shape = {}, .axis_names = {}}};
  GraphNet net(graph);
  CHECK(names_of(net.named_parameters()) == std::vector<std::string>{"weight"});
  CHECK(net.graph().fixed == std::vector<std::string>{"factors"});
  CHECK(net(Variable(ones({1, 2}))).shape() == Shape{2, 2});
}
