// Weights that PyTorch made go by name into nets written here, as the files are, and give PyTorch's outputs,
// gradients and running statistics (parity/state_dicts.py made the files).
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/attention.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/recurrent.h>
#include <gradus/layers/residual.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/parity.h"

using namespace gradus;

namespace {

/// torchvision's BasicBlock, with its names.
struct BasicBlock : Module {
  BasicBlock(std::int64_t inputs, std::int64_t outputs, std::int64_t stride)
      : conv1(inputs, outputs, {.kernel_size = 3, .stride = stride, .padding = 1, .bias = false}),
        bn1(outputs),
        conv2(outputs, outputs, {.kernel_size = 3, .padding = 1, .bias = false}),
        bn2(outputs) {
    if (stride == 1) return;
    downsample.append(Conv2d{inputs, outputs, {.kernel_size = 1, .stride = stride, .bias = false}});
    downsample.append(BatchNorm2d{outputs});
  }

  Conv2d conv1;
  BatchNorm2d bn1;
  Conv2d conv2;
  BatchNorm2d bn2;
  Sequential downsample;  // empty where the shape stays

  void visit(Visitor& v) override {
    v("conv1", conv1);
    v("bn1", bn1);
    v("conv2", conv2);
    v("bn2", bn2);
    v("downsample", downsample);
  }
  Variable forward(const Variable& x) override {
    const Variable y = bn2(conv2(bn1(conv1(x), Activation::relu)));
    return add(y, downsample(x), Activation::relu);
  }
};

struct ResNet : Module {
  Conv2d conv1{3, 8, {.kernel_size = 3, .padding = 1, .bias = false}};
  BatchNorm2d bn1{8};
  Sequential layer1{BasicBlock(8, 8, 1), BasicBlock(8, 8, 1)};
  Sequential layer2{BasicBlock(8, 12, 2)};
  Sequential layer3{BasicBlock(12, 16, 2)};
  Linear fc{16, 5};

  void visit(Visitor& v) override {
    v("conv1", conv1);
    v("bn1", bn1);
    v("layer1", layer1);
    v("layer2", layer2);
    v("layer3", layer3);
    v("fc", fc);
  }
  Variable forward(const Variable& x) override {
    const Variable y = layer3(layer2(layer1(bn1(conv1(x), Activation::relu))));
    return fc(flatten(adaptive_avg_pool2d(y, 1), 1));
  }
};

Sequential row_body(std::int64_t inputs, std::int64_t outputs, std::int64_t stride) {
  return Sequential{
      Conv2d{inputs, outputs, {.kernel_size = 3, .stride = stride, .padding = 1}},
      BatchNorm2d{outputs}, PReLU{outputs},
      Conv2d{outputs, outputs, {.kernel_size = {3, 1}, .padding = {1, 0}, .groups = 2}},
      GroupNorm{2, outputs}};
}

Sequential row() {
  Sequential shortcut{Conv2d{4, 6, {.kernel_size = 1, .stride = 2}},
                      BatchNorm2d{6, {.momentum = std::nullopt}}};
  return Sequential{Conv2d{1, 4, {.kernel_size = 3, .padding = 1}},
                    Residual{row_body(4, 4, 1)},
                    ReLU{},
                    Residual{row_body(4, 6, 2), std::move(shortcut)},
                    MaxPool2d{2},
                    Flatten{},
                    Linear{24, 3}};
}

std::string file_of(const std::string& name) {
  return std::string(GRADUS_FIXTURES) + "/parity/" + name + ".safetensors";
}

std::map<std::string, Tensor> by_name(const NamedTensors& tensors) {
  return {tensors.begin(), tensors.end()};
}

/// Everything that the file knows of the net `name`, in float64 and in float32.
void check_net(const std::string& name, const std::function<std::unique_ptr<Module>()>& make,
               const std::function<Variables(Module&, const Variables&)>& call) {
  const std::map<std::string, Tensor> expected = by_name(load_safetensors(file_of("state_dicts")));
  const NamedTensors saved = load_safetensors(file_of(name));
  const double terms = std::stod(read_safetensors_header(file_of("state_dicts")).metadata.at(name));
  double most32 = 0;
  for (const DType dtype : {float64, float32}) {
    CAPTURE(to_string(dtype));
    // As in parity::check(): sums behind each other, with the gradients as many again. Norms keep what lies
    // between them near 1, so that no layer makes of a rounding more than it makes of a number.
    const double bound = dtype == float64 ? 1e-10 : (2 * terms + 32) * 0x1p-24;
    const auto check = [&](const Tensor& actual, const std::string& key) {
      CAPTURE(key);
      const double apart = parity::distance(actual, expected.at(key));
      const double allowed = bound * parity::scale_of(expected.at(key));
      if (dtype == float32) most32 = std::max(most32, apart / allowed);
      CHECK(apart <= allowed);
    };
    const std::unique_ptr<Module> net = make();
    net->to(dtype);
    // The file is float32, so a float64 net asks for the conversion. Strict: each name is on both sides.
    net->load_state_dict(saved, {.cast = dtype == float64});
    Variables inputs;
    for (std::size_t i = 0; expected.contains(name + ".x" + std::to_string(i)); ++i) {
      const Tensor& x = expected.at(name + ".x" + std::to_string(i));
      inputs.emplace_back(is_floating(x.dtype()) ? x.to(dtype) : x);
    }
    Variable total;
    for (const std::string mode : {"eval", "train"}) {
      net->train(mode == "train");
      const Variables outputs = call(*net, inputs);
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        check(outputs[i].value(), name + "." + mode + ".y" + std::to_string(i));
        const Variable part = sum(outputs[i] * Variable(parity::seed_of(outputs[i].value())));
        total = mode == "eval" ? Variable() : i == 0 ? part : total + part;
      }
      CHECK(!expected.contains(name + "." + mode + ".y" + std::to_string(outputs.size())));
    }
    total.backward();
    for (const auto& parameter : net->named_parameters())
      check(parameter.second.grad().value(), name + ".grad." + parameter.first);
    for (const auto& buffer : net->named_buffers())
      check(buffer.second, name + ".after." + buffer.first);
  }
  MESSAGE(name, ": float32 is off by at most ", most32, " of its bound");
}

Variables call_one(Module& net, const Variables& inputs) { return {net(inputs[0])}; }

Variables call_all(Module& net, const Variables& inputs) {
  return dynamic_cast<MultiModule&>(net)(inputs);
}

}  // namespace

TEST_CASE("a ResNet of one's own, with torchvision's names, loads PyTorch's file and computes it") {
  check_net(
      "resnet", [] { return std::make_unique<ResNet>(); }, call_one);
}

TEST_CASE("Sequential and Residual load what PyTorch saved under their names") {
  check_net(
      "residual", [] { return std::make_unique<Sequential>(row()); }, call_one);
}

TEST_CASE("an LSTM of two layers, both ways, loads PyTorch's file and computes it") {
  check_net(
      "lstm",
      [] {
        return std::make_unique<LSTM>(4, 6,
                                      RecurrentOptions{.num_layers = 2, .bidirectional = true});
      },
      call_all);
}

TEST_CASE("a TransformerEncoderLayer loads PyTorch's file and computes it") {
  check_net(
      "transformer",
      [] {
        return std::make_unique<TransformerEncoderLayer>(
            8, 2, TransformerEncoderLayerOptions{.dim_feedforward = 16, .dropout = 0});
      },
      call_all);
}

TEST_CASE("what is saved here has PyTorch's names, shapes and numbers again") {
  ResNet net;
  const std::map<std::string, Tensor> saved = by_name(load_safetensors(file_of("resnet")));
  net.load_state_dict(load_safetensors(file_of("resnet")));
  const std::map<std::string, Tensor> again = by_name(net.state_dict());
  REQUIRE(again.size() == saved.size());
  for (const auto& entry : saved) {
    const std::string& name = entry.first;
    CAPTURE(name);
    REQUIRE(again.contains(name));
    CHECK(core::equal(again.at(name), entry.second));
  }
}
