// import(export(net)) is the net: state by name and bit for bit, what it computes, and a step of training.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/interchange/onnx_file.h>
#include <gradus/optim/sgd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "interchange/zoo.h"

using namespace gradus;
using interchange::graph_of;
using interchange::GraphNet;

namespace {

std::map<std::string, Tensor> by_name(const Module& net) {
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, tensor] : net.state_dict()) tensors.emplace(name, tensor);
  return tensors;
}

/// The largest difference, relative to the largest number and at least 1.
double apart(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return HUGE_VAL;
  const std::vector<double> left = a.to(float64).to_vector<double>();
  const std::vector<double> right = b.to(float64).to_vector<double>();
  double most = 0;
  double scale = 1;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i] == right[i]) continue;
    const double difference = std::fabs(left[i] - right[i]);
    most = std::isnan(difference) ? HUGE_VAL : std::max(most, difference);
    scale = std::max(scale, std::fabs(right[i]));
  }
  return most / scale;
}

/// One step of SGD on the mean square of the first output, from the same random numbers.
Variables step(Module& net, const NamedTensors& inputs) {
  net.train();
  default_generator() = Generator(5);
  const Variables outputs = zoo::outputs_of(net, inputs);
  SGD optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9});
  mean(outputs[0] * outputs[0]).backward();
  optimizer.step();
  return outputs;
}

bool is_model(const std::string& name) {
  return std::find(model_names().begin(), model_names().end(), name) != model_names().end();
}

/// Float32, and sums in another order: what is no layer of Gradus any more is computed node by node.
constexpr double near_enough = 1e-5;

}  // namespace

TEST_CASE(
    "import(export(net)) has the state of the net, computes what it computed, and trains alike") {
  // ONNX has no node that drops whole channels, no momentum that is a plain mean, and no running statistics of
  // single images: what docs/onnx.md says is not kept.
  const std::set<std::string> trains_otherwise = {"dropout", "batch_norm_plain_mean",
                                                  "instance_norm_tracked"};
  for (zoo::Net& net : zoo::all()) {
    CAPTURE(net.name);
    const interchange::Graph graph = graph_of(*net.net, net.example, net.options);
    GraphNet back(interchange::parse_onnx(interchange::onnx_bytes(graph), net.name));
    const auto compare = [&](bool to_the_bit) {
      const std::map<std::string, Tensor> mine = by_name(back);
      for (const auto& [of_tensor, tensor] : net.net->state_dict()) {
        const std::string& name = of_tensor;
        CAPTURE(name);
        const auto found = mine.find(name);
        REQUIRE(found != mine.end());
        CHECK(apart(found->second, tensor) <= (to_the_bit ? 0 : near_enough));
      }
    };
    compare(true);
    // Bit for bit where every layer is one again.
    const double bound = is_model(net.name) ? 0 : near_enough;
    const NamedTensors inputs = zoo::inputs_of(net, 3, 9);
    net.net->eval();
    back.eval();
    const Variables expected = zoo::outputs_of(*net.net, inputs);
    const Variables outputs = zoo::outputs_of(back, inputs);
    REQUIRE(outputs.size() == expected.size());
    for (std::size_t k = 0; k < outputs.size(); ++k)
      CHECK(apart(outputs[k].value(), expected[k].value()) <= bound);

    if (trains_otherwise.contains(net.name) || net.net->parameters().empty()) continue;
    const Variables trained = step(*net.net, inputs);
    const Variables mine = step(back, inputs);
    CHECK(apart(mine[0].value(), trained[0].value()) <= bound);
    compare(bound == 0);
  }
}

TEST_CASE(
    "exported again, an imported net is the graph that it was, with the weights as they are now") {
  for (const char* name : {"lenet", "resnet20", "lstm_two_ways", "embedding"}) {
    CAPTURE(name);
    std::vector<zoo::Net> nets = zoo::all();
    zoo::Net& net = *std::find_if(nets.begin(), nets.end(),
                                  [&](const zoo::Net& each) { return each.name == name; });
    const interchange::Graph graph = graph_of(*net.net, net.example, net.options);
    GraphNet back(interchange::parse_onnx(interchange::onnx_bytes(graph), net.name));
    const NamedTensors inputs = zoo::inputs_of(net, 2, 11);
    step(back, inputs);
    GraphNet again(interchange::parse_onnx(
        interchange::onnx_bytes(graph_of(back, net.example, net.options)), net.name));
    back.eval();
    again.eval();
    const std::map<std::string, Tensor> state = by_name(again);
    for (const auto& [of_tensor, tensor] : back.state_dict()) {
      const std::string& key = of_tensor;
      CAPTURE(key);
      REQUIRE(state.contains(key));
      CHECK(apart(state.at(key), tensor) == 0);
    }
    const Variables expected = zoo::outputs_of(back, inputs);
    const Variables outputs = zoo::outputs_of(again, inputs);
    for (std::size_t k = 0; k < expected.size(); ++k)
      CHECK(apart(outputs[k].value(), expected[k].value()) == 0);
  }
}

TEST_CASE("an imported net within another is written with it, its names below its place") {
  Generator g(4);
  Sequential cnn = make_cnn(1, 6, g);
  Sequential net;
  net.append(GraphNet(graph_of(cnn, {1, 8, 8}))).append(Linear{6, 3, {}, g});
  const interchange::Graph graph = graph_of(net, {1, 8, 8});
  CHECK(graph.nodes.front().name == "0/0/Conv");
  CHECK(graph.nodes.front().inputs == std::vector<std::string>{"images", "0.0.weight"});
  GraphNet back(interchange::parse_onnx(interchange::onnx_bytes(graph), "net"));
  const std::map<std::string, Tensor> state = by_name(back);
  for (const auto& [of_tensor, tensor] : net.state_dict()) {
    const std::string& name = of_tensor;
    CAPTURE(name);
    REQUIRE(state.contains(name));
    CHECK(apart(state.at(name), tensor) == 0);
  }
  net.eval();
  back.eval();
  const Variable images = rand({2, 1, 8, 8}, g);
  CHECK(apart(back(images).value(), net(images).value()) == 0);
}
