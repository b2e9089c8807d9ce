// Nets as PyTorch exports them (fixtures/onnx): imported they compute what PyTorch computes, their gradients are its
// gradients, and a step of SGD leads to the same weights.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/interchange/onnx_file.h>
#include <gradus/io/safetensors.h>
#include <gradus/optim/sgd.h>

#include <filesystem>
#include <map>
#include <string>

#include "support/parity.h"

using namespace gradus;
using parity::distance;
using parity::scale_of;

namespace {

namespace fs = std::filesystem;

/// PyTorch computed in float64, Gradus in float32: sums of some hundred products.
constexpr double allowed_apart = 1e-5;

struct Fixture {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  explicit Fixture(const fs::path& file) {
    for (const auto& [name, tensor] : load_safetensors(file.string(), &metadata))
      tensors.emplace(name, tensor);
  }
};

void check_near(const Tensor& mine, const Tensor& expected) {
  CHECK(distance(mine, expected) <= allowed_apart * scale_of(expected));
}

/// Gradients are small, so each is held against the largest of its own.
void check_gradient(const Variable& gradient, const Tensor& expected) {
  REQUIRE(gradient.defined());
  double largest = 0;
  for (const float x : expected.to_vector<float>())
    largest = std::max(largest, std::fabs(static_cast<double>(x)));
  CHECK(distance(gradient.value(), expected) <= allowed_apart * std::max(largest, 1e-2));
}

std::size_t check_net(const fs::path& onnx) {
  CAPTURE(onnx.stem().string());
  Fixture fixture(fs::path(onnx).replace_extension(".safetensors"));
  interchange::GraphNet net(interchange::read_onnx(onnx.string()));
  const Variable x(fixture.tensors.at("input/x"));
  net.eval();
  check_near(net(x).value(), fixture.tensors.at("eval/y"));
  net.train();
  const Variable y = net(x);
  check_near(y.value(), fixture.tensors.at("train/y"));
  mean(y * y).backward();
  std::size_t gradients = 0;
  for (const auto& [of_parameter, parameter] : net.named_parameters()) {
    const std::string& name = of_parameter;
    const auto expected = fixture.tensors.find("grad/" + name);
    if (expected == fixture.tensors.end()) continue;  // a number that the exporter wrote
    CAPTURE(name);
    ++gradients;
    check_gradient(parameter.grad(), expected->second);
  }
  SGD(net.parameters(), {.lr = std::stod(fixture.metadata.at("lr"))}).step();
  std::map<std::string, Tensor> state;
  for (const auto& [name, tensor] : net.state_dict()) state.emplace(name, tensor);
  for (const auto& [of_tensor, expected] : fixture.tensors) {
    const std::string& key = of_tensor;
    if (!key.starts_with("after/")) continue;
    CAPTURE(key);
    const auto mine = state.find(key.substr(6));
    REQUIRE(mine != state.end());
    check_near(mine->second, expected);
  }
  std::size_t wanted = 0;
  for (const auto& [key, expected] : fixture.tensors) wanted += key.starts_with("grad/") ? 1U : 0U;
  CHECK(gradients == wanted);
  return gradients;
}

}  // namespace

TEST_CASE("nets of PyTorch compute, differentiate and train as they do there") {
  std::size_t nets = 0;
  std::size_t gradients = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(GRADUS_FIXTURES) / "onnx")) {
    if (entry.path().extension() != ".onnx") continue;
    ++nets;
    gradients += check_net(entry.path());
  }
  CHECK(nets == 9);
  MESSAGE(nets, " nets, ", gradients, " gradients");
}
