// Module::fuse(): the same function within a bound that is derived, and all that must stay as it is.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/models.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/residual.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

/// As after a training: each norm has statistics and numbers of its own.
void settle(Module& net, Generator& random) {
  net.apply([&](Module& module) {
    auto* norm = dynamic_cast<ChannelNorm*>(&module);
    if (norm == nullptr) return;
    const Shape shape = norm->running_mean.shape();
    const DType dtype = norm->running_mean.dtype();
    norm->running_mean = randn(shape, random, dtype);
    norm->running_var = core::add(rand(shape, random, dtype), 0.1);
    if (!norm->weight.defined()) return;
    norm->weight.set_value(randn(shape, random, dtype));
    norm->bias.set_value(randn(shape, random, dtype));
  });
  net.eval();
}

Tensor absolute(const Tensor& x) { return core::abs(x.to(float64)); }

/// What both ways of computing may differ by: (2k + 12)·u·(|factor|·(Σ|w·x| + |b| + |mean|) + |shift|).
Tensor bound_of(Sequential& net, const Tensor& x) {
  Tensor sums;
  double products = 0;
  const auto of_conv = [&](auto& conv, auto correlate) {
    const Tensor w = absolute(conv.weight.value());
    const Variable b = conv.bias.defined() ? Variable(absolute(conv.bias.value())) : Variable();
    sums = correlate(Variable(absolute(x)), Variable(w), b, conv.options()).value();
    products = static_cast<double>(w.numel()) / static_cast<double>(w.size(0));
  };
  Module& layer = net[0];
  if (auto* conv = dynamic_cast<Conv2d*>(&layer)) {
    of_conv(*conv, [](auto&&... all) { return conv2d(all...); });
  } else if (auto* row = dynamic_cast<Conv1d*>(&layer)) {
    of_conv(*row, [](auto&&... all) { return conv1d(all...); });
  } else if (auto* spread = dynamic_cast<ConvTranspose2d*>(&layer)) {
    of_conv(*spread, [](auto&&... all) { return conv_transpose2d(all...); });
    products = static_cast<double>(spread->weight.numel());  // of all channels, more than there are
  } else {
    auto& linear = net.get<Linear>(0);
    const Variable b = linear.bias.defined() ? Variable(absolute(linear.bias.value())) : Variable();
    sums =
        gradus::linear(Variable(absolute(x)), Variable(absolute(linear.weight.value())), b).value();
    products = static_cast<double>(linear.weight.size(1));
  }
  const auto& norm = dynamic_cast<ChannelNorm&>(net[1]);
  Shape along = Shape::filled(sums.rank(), 1);
  along[1] = sums.size(1);
  const auto per_channel = [&](const Tensor& t) { return t.reshape(along); };
  const Tensor spread =
      core::div(1.0, core::sqrt(core::add(norm.running_var.to(float64), norm.options().eps)));
  const bool affine = norm.weight.defined();
  const Tensor factor = affine ? core::mul(absolute(norm.weight.value()), spread) : spread;
  const Tensor inside = core::add(sums, per_channel(absolute(norm.running_mean)));
  Tensor all = core::mul(inside, per_channel(factor));
  if (affine) all = core::add(all, per_channel(absolute(norm.bias.value())));
  const double roundoff = x.dtype() == float32 ? std::ldexp(1.0, -24) : std::ldexp(1.0, -53);
  return core::mul(all, (2 * products + 12) * roundoff);
}

bool is_within(const Tensor& a, const Tensor& b, const Tensor& bound) {
  const Tensor distance = core::abs(core::sub(a.to(float64), b.to(float64)));
  return core::all(core::le(distance, bound)).item() != 0;
}

struct Case {
  std::string name;
  std::function<Sequential(Generator&)> make;
  Shape images;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&](const std::string& name, const Shape& images, auto make) {
    all.push_back({name, make, images});
  };
  for (const bool bias : {false, true}) {
    const std::string with = bias ? " with a bias" : "";
    const BatchNorm2dOptions plain{.affine = bias};  // norms without weight and bias as well
    add("Conv2d" + with, {3, 5, 9, 8}, [=](Generator& g) {
      return Sequential{Conv2d{5, 19, {.kernel_size = 3, .padding = 1, .bias = bias}, g},
                        BatchNorm2d{19}};
    });
    add("Conv2d in groups, stride 2" + with, {2, 4, 11, 7}, [=](Generator& g) {
      return Sequential{Conv2d{4, 6, {.kernel_size = 3, .stride = 2, .groups = 2, .bias = bias}, g},
                        BatchNorm2d{6, plain}};
    });
    add("depthwise Conv2d" + with, {2, 8, 16, 15}, [=](Generator& g) {
      return Sequential{
          Conv2d{8, 8, {.kernel_size = 3, .padding = 1, .groups = 8, .bias = bias}, g},
          BatchNorm2d{8}};
    });
    add("Conv2d 1x1" + with, {1, 7, 33, 17}, [=](Generator& g) {
      return Sequential{Conv2d{7, 12, {.kernel_size = 1, .bias = bias}, g}, BatchNorm2d{12}};
    });
    add("Conv2d with reflected padding" + with, {1, 2, 6, 7}, [=](Generator& g) {
      return Sequential{
          Conv2d{
              2,
              3,
              {.kernel_size = 3, .padding = 0, .bias = bias, .padding_mode = PaddingMode::reflect},
              g},
          BatchNorm2d{3}};
    });
    add("ConvTranspose2d in groups" + with, {2, 6, 5, 4}, [=](Generator& g) {
      return Sequential{
          ConvTranspose2d{
              6, 9, {.kernel_size = 4, .stride = 2, .padding = 1, .groups = 3, .bias = bias}, g},
          BatchNorm2d{9}};
    });
    add("Conv1d" + with, {2, 3, 20}, [=](Generator& g) {
      return Sequential{Conv1d{3, 5, {.kernel_size = 4, .bias = bias}, g}, BatchNorm1d{5, plain}};
    });
    add("Linear" + with, {6, 10}, [=](Generator& g) {
      return Sequential{Linear{10, 7, {.bias = bias}, g}, BatchNorm1d{7}};
    });
  }
  return all;
}

std::vector<std::string> names_in(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

}  // namespace

TEST_CASE("a folded norm is the same function but for rounding, of which there is a bound") {
  for (const DType dtype : {float32, float64}) {
    Generator random(7);
    for (const Case& c : cases()) {
      CAPTURE(c.name);
      CAPTURE(to_string(dtype));
      Sequential net = c.make(random);
      net.to(dtype);
      settle(net, random);
      const Tensor x = randn(c.images, random, dtype);
      const NoGrad no_grad;
      const Tensor before = net(x).value();
      const Tensor bound = bound_of(net, x);
      CHECK(net.fuse() == 1);
      const Tensor after = net(x).value();
      CHECK(after.dtype() == dtype);
      CHECK(is_within(before, after, bound));
      // The bound means something: a norm that was forgotten is far outside.
      CHECK(!is_within(core::mul(before, 1 + 1e-3), after, bound));
      CHECK(names_in(net.state_dict()) == std::vector<std::string>{"0.weight", "0.bias"});
      CHECK(net.fuse() == 0);
    }
  }
}

TEST_CASE("the models give what they gave, and have no norm any more") {
  struct Model {
    const char* name;
    int norms;
  };
  for (const auto& [name, norms] : {Model{"cnn", 4}, Model{"mobilenet", 7}, Model{"nin", 9},
                                    Model{"resnet20", 21}, Model{"mlp", 0}}) {
    CAPTURE(name);
    Generator random(3);
    Sequential net = make_model(name, {.channels = 3, .height = 32, .width = 32}, random);
    settle(net, random);
    const Tensor x = randn({4, 3, 32, 32}, random);
    const NoGrad no_grad;
    const Tensor before = net(x).value();
    CHECK(net.fuse() == norms);
    int left = 0;
    net.apply([&](Module& module) { left += dynamic_cast<ChannelNorm*>(&module) != nullptr; });
    CHECK(left == 0);
    // Some 20 layers, of which each adds a few roundings of its sums to what came in, and Winograd 1e-5.
    const double distance = core::max(core::abs(core::sub(net(x).value(), before))).item();
    CHECK(distance <= 2e-4 * core::max(core::abs(before)).item());
  }
}

TEST_CASE("a ReLU behind a folded norm is computed with the layer, and gradients go on") {
  Generator random(5);
  Sequential net{Conv2d{2, 3, {.kernel_size = 3, .bias = false}, random}, BatchNorm2d{3}, ReLU{}};
  settle(net, random);
  net.fuse();
  CHECK(to_string(net) ==
        "Sequential(\n"
        "  (0): Conv2d(2, 3, kernel_size=(3, 3), stride=(1, 1))\n"
        "  (1): Identity(rank=4)\n"
        "  (2): ReLU()\n"
        ")");
  const Variable x(randn({1, 2, 5, 5}, random), true);
  const Variable y = net(x);
  CHECK(core::min(y.value()).item() == 0);
  REQUIRE(y.node() != nullptr);
  CHECK(std::string(y.node()->name) == "conv2d");
  sum(y).backward();
  CHECK(x.grad().defined());
  CHECK(net.get<Conv2d>(0).bias.grad().defined());
}

TEST_CASE("where an Identity is watched, or behind it none, nothing is fused across it") {
  Generator random(5);
  Sequential net{Linear{3, 4, {}, random}, Identity{}, ReLU{}, Identity{}};
  const Tensor x = randn({5, 3}, random);
  const Tensor plain = net(x).value();
  CHECK(core::equal(plain, relu(net[0](x)).value()));
  double least = 0;
  const HookHandle watch =
      net[1].register_forward_hook([&](Module&, const Variable&, const Variable& y) {
        least = core::min(y.value()).item();
        return Variable();
      });
  CHECK(core::equal(net(x).value(), plain));
  CHECK(least < 0);
}

TEST_CASE("dimensions that the norm would have refused, or taken otherwise, are refused") {
  Generator random(5);
  // BatchNorm1d of [N,C,L] normalises along the second dimension, the layer's sums lie along the last.
  Sequential net{Linear{4, 8, {}, random}, BatchNorm1d{8}};
  settle(net, random);
  CHECK(net(randn({2, 8, 4}, random)).shape() == Shape{2, 8, 8});
  net.fuse();
  CHECK(message_of<ShapeError>([&] {
          net(randn({2, 8, 4}, random));
        }) == "Identity: stands for a layer that takes 2 dimensions, got [2,8,8] [in 1]");
  Sequential with_relu{Linear{4, 8, {}, random}, BatchNorm1d{8}, ReLU{}};
  settle(with_relu, random);
  with_relu.fuse();
  CHECK_THROWS_AS(with_relu(randn({2, 8, 4}, random)), ShapeError);
}

TEST_CASE("a norm in training is refused, and nothing has changed") {
  Generator random(5);
  Sequential net{Conv2d{2, 3, {.kernel_size = 3}, random}, BatchNorm2d{3},
                 Conv2d{3, 3, {.kernel_size = 1}, random}, BatchNorm2d{3}};
  settle(net, random);
  net[3].train();
  const Tensor weight = net.get<Conv2d>(0).weight.value().clone();
  CHECK(message_of<ValueError>([&] { net.fuse(); }) ==
        "fuse: BatchNorm2d of 3 channels is in training, where it normalises by the batch; it must "
        "be in evaluation, as after eval()");
  CHECK(core::equal(net.get<Conv2d>(0).weight.value(), weight));
  CHECK(net[1].kind() == "BatchNorm2d");
}

TEST_CASE("left as they are: shared numbers, hooks, no statistics, other channels, no number") {
  Generator random(5);
  const auto made = [&] {
    Sequential net{Conv2d{3, 3, {.kernel_size = 1}, random}, BatchNorm2d{3},
                   Conv2d{3, 3, {.kernel_size = 1}, random}};
    settle(net, random);
    return net;
  };
  const auto stays = [](Sequential& net) {
    return net.fuse() == 0 && net[1].kind() == "BatchNorm2d";
  };
  Sequential shared = made();
  shared.get<Conv2d>(2).weight = shared.get<Conv2d>(0).weight;
  CHECK(stays(shared));
  Sequential bias = made();
  bias.get<Conv2d>(2).bias = bias.get<Conv2d>(0).bias;
  CHECK(stays(bias));
  Sequential part = made();  // a view of the other's numbers
  part.get<Conv2d>(2).weight.set_value(part.get<Conv2d>(0).weight.value().transpose(0, 1));
  CHECK(stays(part));
  for (const std::size_t watched : {0U, 1U}) {
    Sequential net = made();
    const HookHandle hook = net[watched].register_forward_hook(
        [](Module&, const Variable&, const Variable&) { return Variable(); });
    CHECK(stays(net));
  }
  Sequential untracked{Conv2d{3, 3, {.kernel_size = 1}, random},
                       BatchNorm2d{3, {.track_running_stats = false}}};
  untracked.eval();
  CHECK(stays(untracked));
  Sequential other{Conv2d{3, 4, {.kernel_size = 1}, random}, BatchNorm2d{3}};
  other.eval();
  CHECK(stays(other));
  Sequential infinite = made();
  infinite.get<BatchNorm2d>(1).running_var = full({3}, -1);
  CHECK(stays(infinite));
  Sequential turned{BatchNorm2d{3}, Conv2d{3, 3, {.kernel_size = 1}, random}, BatchNorm1d{3}};
  turned.eval();
  CHECK(turned.fuse() == 0);
}
