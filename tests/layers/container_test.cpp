// Rows of modules and ways around them: names, order, what they refuse.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/profile.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/container.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/residual.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

#include <memory>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

std::vector<std::string> keys_of(const Module& module) {
  std::vector<std::string> keys;
  for (const auto& each : module.state_dict()) keys.push_back(each.first);
  return keys;
}

std::string kinds_of(const ModuleContainer& modules) {
  std::string all;
  for (const Module& module : modules) all += module.kind() + " ";
  return all;
}

using Names = std::vector<std::string>;

/// y = x + amount, for chains of which the order shows.
struct Plus final : Module {
  double amount;
  explicit Plus(double by) : amount(by) {}
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override { return x + amount; }
};

struct Double final : Module {
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override { return x * 2; }
};

}  // namespace

TEST_CASE("a ModuleList names its modules by their index, in any state_dict that holds it") {
  struct Net : Module {
    ModuleList layers{Linear{2, 3}, Linear{3, 2, {.bias = false}}};
    void visit(Visitor& v) override { v("layers", layers); }
    Variable forward(const Variable& x) override {
      Variable y = x;
      for (Module& layer : layers) y = layer(y);
      return y;
    }
  };
  Net net;
  CHECK(keys_of(net) == Names{"layers.0.weight", "layers.0.bias", "layers.1.weight"});
  CHECK(net(zeros({4, 2})).shape() == Shape{4, 2});
  CHECK(net.layers.size() == 2);
  CHECK(net.layers.get<Linear>(1).weight.shape() == Shape{2, 3});
  net.eval();
  CHECK(!net.layers[0].is_training());
  CHECK(to_string(ModuleList{ReLU{}}) == "ModuleList(\n  (0): ReLU()\n)");
}

TEST_CASE("a ModuleList grows, shrinks and is walked through") {
  ModuleList list;
  CHECK(list.empty());
  list.append(ReLU{}).append(std::make_unique<Tanh>());
  list.insert(1, Sigmoid{});
  list.insert(3, Identity{});
  CHECK(kinds_of(list) == "ReLU Sigmoid Tanh Identity ");
  CHECK(list.pop(0)->kind() == "ReLU");
  CHECK(list.replace(0, SiLU{})->kind() == "Sigmoid");
  CHECK(kinds_of(list) == "SiLU Tanh Identity ");
  ModuleList other{ELU{}, GELU{}};
  list.extend(std::move(other));
  CHECK(kinds_of(list) == "SiLU Tanh Identity ELU GELU ");
  for (Module& module : list) module.train(false);
  CHECK(!list[4].is_training());
}

TEST_CASE("containers refuse what they have not, in one line") {
  ModuleList list{ReLU{}};
  CHECK(message_of<ValueError>([&] { list[1]; }) ==
        "ModuleList: index 1 is out of range for 1 modules");
  CHECK(message_of<ValueError>([&] { list.pop(2); }) ==
        "ModuleList: index 2 is out of range for 1 modules");
  CHECK(message_of<ValueError>([&] { list.insert(2, ReLU{}); }) ==
        "ModuleList: index 2 is out of range for 1 modules");
  CHECK(message_of<ValueError>([&] { list.append(nullptr); }) ==
        "ModuleList: cannot take a null module; it has 1 modules");
  CHECK(message_of<ValueError>([&] { list.replace(0, nullptr); }) ==
        "ModuleList: cannot take a null module; it has 1 modules");
  CHECK(message_of<ValueError>([&] { list.get<Tanh>(0); }) ==
        "ModuleList: module 0 is of another type than asked for: it is ReLU");
  CHECK(message_of<ValueError>([&] { list.extend(std::move(list)); }) ==
        "ModuleList: cannot be moved to the end of itself");
  CHECK(contains(message_of<ValueError>([&] {
                   list(zeros({2, 3}));
                 }),
                 "ModuleList: has no forward of its own, for [2,3]"));
  CHECK(list.size() == 1);
}

TEST_CASE("a Sequential runs what was inserted, replaced and taken out, in its order") {
  Sequential net{Plus{1}, Double{}};
  const Tensor x = zeros({1});
  CHECK(net(x).item() == 2);
  net.insert(0, Plus{10});
  CHECK(net(x).item() == 22);
  net.replace(1, Double{});
  CHECK(net(x).item() == 40);
  net.pop(2);
  CHECK(net(x).item() == 20);
  net.extend(Sequential{Plus{1}, Plus{2}});
  CHECK(net(x).item() == 23);
  CHECK(net.size() == 4);
}

TEST_CASE("a Sequential has names of one's own, as PyTorch's of an OrderedDict") {
  Sequential net;
  net.append("first", Linear{2, 3}).append("act", ReLU{}).append(Linear{3, 1, {.bias = false}});
  CHECK(keys_of(net) == Names{"first.weight", "first.bias", "2.weight"});
  CHECK(contains(to_string(net), "  (act): ReLU()\n"));
  net.insert(0, Identity{});
  CHECK(keys_of(net) == Names{"first.weight", "first.bias", "3.weight"});
  net.replace(1, Linear{2, 3, {.bias = false}});
  CHECK(keys_of(net) == Names{"first.weight", "3.weight"});
  for (const char* name : {"first", "a.b", "0", "2nd"}) {
    CAPTURE(name);
    CHECK(contains(message_of<ValueError>([&] { net.append(name, ReLU{}); }), name));
  }
  CHECK(net.size() == 4);
}

TEST_CASE("Residual adds what its body makes of x to x, or to what the shortcut makes of it") {
  const Tensor x = Tensor::from({{1.0, -2.0}});
  CHECK(core::equal(Residual{Double{}}(x).value(), Tensor::from({{3.0, -6.0}})));
  CHECK(core::equal(Residual(Double{}, Plus{10})(x).value(), Tensor::from({{13.0, 4.0}})));
  Residual rectified(std::make_unique<Double>(), nullptr, Activation::relu);
  CHECK(core::equal(rectified(x).value(), Tensor::from({{3.0, 0.0}})));
  CHECK(to_string(rectified) == "Residual(activation=relu\n  (body): Double()\n)");
  Generator g(1);
  CHECK(keys_of(Residual(Linear{2, 3, {}, g}, Linear{2, 3, {.bias = false}, g})) ==
        Names{"body.weight", "body.bias", "shortcut.weight"});
}

TEST_CASE("a relu behind a Residual is one pass with its sum") {
  Sequential net{Residual{Double{}}, ReLU{}};
  const Tensor x = Tensor::from({{1.0, -2.0}});
  Profiler profiler;
  CHECK(core::equal(net(x).value(), Tensor::from({{3.0, 0.0}})));
  for (const ProfileEvent& event : profiler.events()) CHECK(event.name != "relu");
}

TEST_CASE("Residual refuses ways that do not meet, where a sum would broadcast") {
  Generator g(1);
  CHECK(message_of<ShapeError>([&] {
          Residual{Linear{3, 1, {}, g}}(zeros({4, 3}));
        }) == "Residual: the body gives [4,1], the input is [4,3]");
  CHECK(message_of<ShapeError>([&] {
          Residual(Linear{3, 1, {}, g}, Linear{3, 2, {}, g})(zeros({4, 3}));
        }) == "Residual: the body gives [4,1], the shortcut [4,2]");
  CHECK(message_of<ValueError>([] { Residual{std::unique_ptr<Module>()}; }) ==
        "Residual: needs a body, got a null module");
}

TEST_CASE("a row that cannot be taken in stays where it is, whole") {
  Sequential mine;
  mine.append("x", std::make_unique<ReLU>());
  Sequential other;
  other.append("y", std::make_unique<Linear>(2, 2));
  other.append("x", std::make_unique<Tanh>());
  CHECK_THROWS_AS(mine.extend(std::move(other)), ValueError);
  CHECK(kinds_of(mine) == "ReLU ");
  CHECK(kinds_of(other) == "Linear Tanh ");
  CHECK(other.parameters().size() == 2);
}
