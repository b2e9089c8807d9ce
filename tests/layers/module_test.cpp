// Module: names, state, modes, moves, printing and the place an error names. What PyTorch calls
// things is in fixtures/torch_layers.inc.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/profile.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

#include <string>
#include <type_traits>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

#include "fixtures/torch_layers.inc"

/// The net of the fixture.
struct Net : Module {
  Sequential features{Conv2d{1, 6, {.kernel_size = 5, .padding = 2}}, BatchNorm2d{6}, ReLU{},
                      MaxPool2d{{.kernel_size = 2}}};
  BatchNorm2d norm{6, {.affine = false}};
  Conv2d mix{
      6,
      4,
      {.kernel_size = {3, 1}, .stride = {2, 1}, .dilation = {1, 2}, .groups = 2, .bias = false}};
  Linear head{4, 10};

  void visit(Visitor& v) override {
    v("features", features);
    v("norm", norm);
    v("mix", mix);
    v("head", head);
  }
  Variable forward(const Variable& x) override {
    return head(mean(mix(norm(features(x))), {2, 3}));
  }
};

/// Two names for one weight.
struct Tied : Module {
  Linear encoder{3, 3, {.bias = false}};
  Linear decoder{3, 3, {.bias = false}};
  Tied() { decoder.weight = encoder.weight; }
  void visit(Visitor& v) override {
    v("encoder", encoder);
    v("decoder", decoder);
  }
  Variable forward(const Variable& x) override { return decoder(tanh(encoder(x))); }
};

/// Names its child before its own members, and owns a buffer and a frozen parameter.
struct Disordered : Module {
  Linear child{2, 2};
  Tensor buffer = Tensor::from({1.0, 2.0});
  Variable scale = Variable(Tensor::from({3.0}), true);
  Variable absent;
  Disordered() { scale.requires_grad_(false); }
  void visit(Visitor& v) override {
    v("child", child);
    v("buffer", buffer);
    v("absent", absent);
    v("scale", scale);
  }
  Variable forward(const Variable& x) override { return child(x) * scale + Variable(buffer); }
};

struct Deep : Module {
  Sequential features{Sequential{Linear{4, 4}, ReLU{}}, Linear{4, 5}};
  void visit(Visitor& v) override { v("features", features); }
  Variable forward(const Variable& x) override { return features(x); }
};

/// Calls a grandchild without its parent.
struct Shortcut : Module {
  Deep deep;
  void visit(Visitor& v) override { v("deep", deep); }
  Variable forward(const Variable& x) override { return deep.features[1](x); }
};

std::vector<std::string> names_of(const NamedVariables& named) {
  std::vector<std::string> names;
  for (const auto& [name, variable] : named) names.push_back(name);
  return names;
}

NamedTensors snapshot(const Module& module) {
  NamedTensors copy = module.state_dict();
  for (auto& [key, tensor] : copy) tensor = tensor.clone();
  return copy;
}

bool same(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].first != b[i].first || !core::equal(a[i].second, b[i].second)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a state_dict has PyTorch's keys, shapes, dtypes and order") {
  Net net;
  std::vector<std::string> keys;
  for (const auto& [key, tensor] : net.state_dict()) {
    keys.push_back(key + " " + to_string(tensor.shape()) + " " +
                   std::string(to_string(tensor.dtype())));
  }
  CHECK(keys == state_keys);
  CHECK(names_of(net.named_parameters()) == parameter_names);
  CHECK(net.named_buffers().size() == 6);
}

TEST_CASE("a module prints as PyTorch prints it") {
  CHECK(to_string(Net{}) == printed);
  CHECK(to_string(Sequential{}) == "Sequential()");
  CHECK(to_string(Sequential{Dropout{0.25}, Flatten{}, AdaptiveAvgPool2d{Pair{1, 2}}}) ==
        "Sequential(\n  (0): Dropout(p=0.25)\n  (1): Flatten(start_dim=1, end_dim=-1)\n"
        "  (2): AdaptiveAvgPool2d(output_size=(1, 2))\n)");
  CHECK(BatchNorm2d{2, {.momentum = std::nullopt}}.extra() ==
        "2, eps=1e-05, momentum=None, affine=True, track_running_stats=True");
  CHECK(Disordered{}.kind() == "Disordered");
}

TEST_CASE("own parameters come first, then buffers, then children, whatever order visit() takes") {
  Disordered module;
  std::vector<std::string> keys;
  for (const auto& [key, tensor] : module.state_dict()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"scale", "buffer", "child.weight", "child.bias"});
  CHECK(module.parameter_count() == 1 + 4 + 2);
}

TEST_CASE("a module can be moved, and keeps names, parameters and the errors' paths") {
  static_assert(!std::is_copy_constructible_v<Net> && !std::is_copy_assignable_v<Net>);
  static_assert(!std::is_copy_constructible_v<Sequential> && std::is_move_constructible_v<Net>);
  Net net;
  const NamedVariables before = net.named_parameters();
  Net moved = std::move(net);
  Net assigned;
  assigned = std::move(moved);
  const NamedVariables after = assigned.named_parameters();
  REQUIRE(names_of(before) == names_of(after));
  for (std::size_t i = 0; i < before.size(); ++i) {
    CHECK(&before[i].second.value() == &after[i].second.value());
  }
  CHECK(contains(message_of([&] { assigned(zeros({2, 3, 8, 8})); }), "[in features.0]"));

  assigned.head = Linear{7, 2};  // a replaced child goes by the name of its place
  CHECK(contains(message_of([&] { assigned(zeros({2, 1, 8, 8})); }), "[in head]"));

  Sequential nested{std::move(assigned.features), Linear{9, 9}};
  CHECK(nested.state_dict().front().first == "0.0.weight");
  CHECK(contains(message_of([&] { nested(zeros({2, 3, 8, 8})); }), "[in 0.0]"));
}

TEST_CASE("an error names the path of the layer it comes from") {
  Deep deep;
  const std::string message = message_of([&] { deep(zeros({2, 3})); });
  CHECK(contains(message, "[in features.0.0]"));
  CHECK(contains(message, "[2,3]"));
  CHECK(!contains(message, "\n"));
  CHECK(contains(message_of([] { Shortcut{}(zeros({2, 3})); }), "[in deep.features.1]"));
}

TEST_CASE("a layer called alone, or after an error, names no path") {
  Linear alone{4, 4};
  CHECK(!contains(message_of([&] { alone(zeros({2, 3})); }), "[in"));
  Deep deep;
  CHECK_THROWS_AS(deep(zeros({2, 3})), ShapeError);
  CHECK(!contains(message_of([&] { alone(zeros({2, 3})); }), "[in"));
  CHECK(error_scope_path().empty());
}

TEST_CASE("a ReLU in a Sequential is one step with the module before it, and nobody can tell") {
  Generator generator(3);
  const auto make = [] {
    Generator same(4);
    return Sequential{Conv2d{1, 3, {.kernel_size = 3}, same},
                      BatchNorm2d{3},
                      ReLU{},
                      Conv2d{3, 2, {.kernel_size = 1}, same},
                      ReLU{},
                      ReLU{},
                      Flatten{}};
  };
  Sequential whole = make();
  Sequential apart = make();
  for (const bool training : {true, true, false}) {
    whole.train(training);
    apart.train(training);
    const Tensor x = randn({2, 1, 6, 6}, generator);
    Variable y = x;
    for (std::size_t i = 0; i < apart.size(); ++i) y = apart[i](y);
    CHECK(core::equal(whole(x).value(), y.value()));
  }
  const NamedTensors left = whole.state_dict();
  const NamedTensors right = apart.state_dict();
  REQUIRE(left.size() == right.size());
  for (std::size_t i = 0; i < left.size(); ++i) CHECK(core::equal(left[i].second, right[i].second));
  CHECK(contains(message_of([&] {
                   Sequential{Identity{}, BatchNorm2d{2}, ReLU{}}(zeros({2, 3, 1, 1}));
                 }),
                 "BatchNorm2d: expects [N,2,H,W], got [2,3,1,1] [in 1]"));
  // Where it is the ReLU that fails, it is the ReLU that is named.
  CHECK(contains(message_of([&] {
                   Sequential{Identity{}, ReLU{}}(zeros({2}, boolean));
                 }),
                 "[in 1]"));
  CHECK(contains(message_of([&] {
                   Sequential{ReLU{}, Identity{}}(zeros({2}, boolean));
                 }),
                 "[in 0]"));
}

TEST_CASE("a module with an activation is relu behind it, bit for bit, and fused where it can be") {
  const auto ops_of = [](Module& module, const Tensor& x) {
    const Profiler profiler;
    const Variable y = module(x, Activation::relu);
    std::vector<std::string> names;
    for (const ProfileEvent& event : profiler.events()) names.push_back(event.name);
    CHECK(core::equal(y.value(), relu(module(x)).value()));
    return names;
  };
  const auto one = [](const char* name) { return std::vector<std::string>{name}; };
  Generator generator(6);
  const Tensor x = randn({2, 3, 4, 4}, generator);
  Conv2d conv{3, 2, {.kernel_size = 3, .padding = 1}, generator};
  Linear dense{4, 5, {}, generator};
  BatchNorm2d norm{3};
  Tanh other;
  CHECK(ops_of(conv, x) == one("conv2d"));
  CHECK(ops_of(dense, x) == one("linear"));
  CHECK(ops_of(norm, x) == one("batch_norm"));
  CHECK(norm.num_batches_tracked.at<std::int64_t>({}) == 2);  // one for each call
  CHECK(ops_of(other, x) == std::vector<std::string>{"tanh", "relu"});

  /// A hand-written net names the place of a fused layer as of any other.
  struct HandWritten : Module {
    Conv2d first{3, 2, {.kernel_size = 1}};
    Linear second{3, 5};
    void visit(Visitor& v) override {
      v("first", first);
      v("second", second);
    }
    Variable forward(const Variable& input) override {
      return second(first(input, Activation::relu), Activation::relu);
    }
  };
  CHECK(contains(message_of([&] { HandWritten{}(x); }), "[in second]"));
}

TEST_CASE("a module that its caller does not name goes by its class") {
  struct Outer : Module {
    Module* other = nullptr;
    void visit(Visitor&) override {}
    Variable forward(const Variable& x) override { return (*other)(x); }
  };
  Deep deep;
  Outer outer;
  outer.other = &deep;
  CHECK(contains(message_of([&] { outer(zeros({2, 3})); }), "[in Deep.features.0.0]"));
}

TEST_CASE("a shared parameter is listed once but saved under both names") {
  Tied tied;
  CHECK(names_of(tied.named_parameters()) == std::vector<std::string>{"encoder.weight"});
  CHECK(tied.parameter_count() == 9);
  CHECK(tied.state_dict().size() == 2);
  tied(ones({1, 3})).backward(ones({1, 3}));
  CHECK(tied.decoder.weight.grad().defined());
  tied.to(float64);
  CHECK(&tied.decoder.weight.value() == &tied.encoder.weight.value());
  CHECK(tied.decoder.weight.dtype() == float64);
}

TEST_CASE("named_modules lists parents first, and apply comes to children first") {
  Deep deep;
  std::vector<std::string> names;
  for (const auto& [name, module] : deep.named_modules()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"", "features", "features.0", "features.0.0",
                                          "features.0.1", "features.1"});
  std::vector<std::string> kinds;
  deep.apply([&](Module& module) { kinds.push_back(module.kind()); });
  CHECK(kinds ==
        std::vector<std::string>{"Linear", "ReLU", "Sequential", "Linear", "Sequential", "Deep"});
}

TEST_CASE("train and eval reach every module") {
  Net net;
  CHECK(net.is_training());
  net.eval();
  for (const auto& [name, module] : net.named_modules()) CHECK(!module->is_training());
  net.train();
  for (const auto& [name, module] : net.named_modules()) CHECK(module->is_training());
}

TEST_CASE("zero_grad drops every gradient") {
  Deep deep;
  sum(deep(ones({2, 4}))).backward();
  for (const Variable& parameter : deep.parameters()) CHECK(parameter.grad().defined());
  deep.zero_grad();
  for (const Variable& parameter : deep.parameters()) CHECK(!parameter.grad().defined());
}

TEST_CASE("to(float64) converts parameters, gradients and floating buffers, and nothing else") {
  Net net;
  const Variable weight = net.head.weight;
  sum(net.head(ones({1, 4}))).backward();
  net.to(float64);
  CHECK(weight.dtype() == float64);
  CHECK(weight.requires_grad());
  CHECK(weight.grad().dtype() == float64);
  CHECK(net.norm.running_mean.dtype() == float64);
  CHECK(net.norm.num_batches_tracked.dtype() == int64);
  CHECK(net(rand({2, 1, 8, 8}, default_generator(), float64)).dtype() == float64);
  CHECK_THROWS_AS(net.to(int64), DTypeError);
}

TEST_CASE("a state_dict goes into another model, number by number, into that model's own storage") {
  Net from;
  from(rand({2, 1, 8, 8}, default_generator()));
  Net into;
  const Tensor before = into.head.weight.value();
  const LoadReport report = into.load_state_dict(from.state_dict());
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  CHECK(same(from.state_dict(), into.state_dict()));
  CHECK(into.norm.num_batches_tracked.item() == 1);
  CHECK(into.head.weight.value().storage() == before.storage());
  CHECK(!(into.head.weight.value().storage() == from.head.weight.value().storage()));
}

TEST_CASE(
    "a strict load names all missing and all unexpected keys in one line and changes nothing") {
  Deep deep;
  NamedTensors other = snapshot(Deep{});
  other[0].first = "stem.weight";
  other[3].first = "tail.bias";
  const NamedTensors before = snapshot(deep);
  CHECK(message_of([&] { deep.load_state_dict(other); }) ==
        "load_state_dict: missing keys: features.0.0.weight, features.1.bias; "
        "unexpected keys: stem.weight, tail.bias");
  CHECK_THROWS_AS(deep.load_state_dict(other), ValueError);
  CHECK(same(before, deep.state_dict()));

  const LoadReport report = deep.load_state_dict(other, {.strict = false});
  CHECK(report.missing == std::vector<std::string>{"features.0.0.weight", "features.1.bias"});
  CHECK(report.unexpected == std::vector<std::string>{"stem.weight", "tail.bias"});
  CHECK(core::equal(deep.state_dict()[1].second, other[1].second));
  CHECK(core::equal(deep.state_dict()[0].second, before[0].second));
}

TEST_CASE(
    "a wrong shape, a wrong dtype, a key given twice: the load throws, strict or not, and changes "
    "nothing") {
  Deep deep;
  const NamedTensors before = snapshot(deep);
  const NamedTensors good = snapshot(Deep{});

  NamedTensors wrong = good;
  wrong[3].second = zeros({4});
  CHECK(message_of([&] { deep.load_state_dict(wrong, {.strict = false}); }) ==
        "load_state_dict: features.1.bias has shape [5] in the model, [4] in what is loaded");
  CHECK_THROWS_AS(deep.load_state_dict(wrong), ShapeError);

  wrong = good;
  wrong[3].second = zeros({5}, float64);
  CHECK(contains(message_of([&] { deep.load_state_dict(wrong); }),
                 "features.1.bias is float32 in the model, float64"));
  CHECK_THROWS_AS(deep.load_state_dict(wrong, {.strict = false}), DTypeError);

  wrong = good;
  wrong.push_back(wrong[0]);
  CHECK_THROWS_AS(deep.load_state_dict(wrong), ValueError);
  wrong = good;
  wrong[3].second = Tensor();
  CHECK_THROWS_AS(deep.load_state_dict(wrong), ValueError);
  CHECK(same(before, deep.state_dict()));
}

TEST_CASE(
    "16-bit numbers go into a float32 model where a cast is asked for, by name or by option") {
  Deep deep;
  const NamedTensors before = snapshot(deep);
  for (const DType dtype : {float16, bfloat16, float64}) {
    NamedTensors stored = snapshot(Deep{});
    for (auto& [name, tensor] : stored)
      if (tensor.dtype() == float32) tensor = tensor.to(dtype);
    const std::string name(to_string(dtype));
    CHECK(message_of([&] { deep.load_state_dict(stored); }) ==
          "load_state_dict: features.0.0.weight is float32 in the model, " + name +
              " in what is loaded; cast it with .to(float32), or load with {.cast = true}");
    CHECK(same(before, deep.state_dict()));
    Deep loaded;
    loaded.load_state_dict(stored, {.cast = true});
    const NamedTensors state = loaded.state_dict();
    for (std::size_t i = 0; i < stored.size(); ++i) {
      CHECK(state[i].second.dtype() == before[i].second.dtype());
      CHECK(core::equal(state[i].second, stored[i].second.to(state[i].second.dtype())));
    }
  }
  NamedTensors whole = snapshot(Deep{});
  whole[3].second = zeros({5}, int64);
  CHECK(message_of([&] { deep.load_state_dict(whole, {.cast = true}); }) ==
        "load_state_dict: features.1.bias is float32 in the model, int64 in what is loaded; cast "
        "it with .to(float32)");
  CHECK(message_of([&] { deep.to(float16); }) ==
        "Module::to: parameters are float32 or float64, not float16");
}

TEST_CASE("Sequential runs in order, grows, and gives its modules back by index and type") {
  Sequential net;
  CHECK(net.empty());
  net.append(Linear{2, 2, {.bias = false}}).append(ReLU{});
  net.append(std::make_unique<Flatten>());
  REQUIRE(net.size() == 3);
  net.get<Linear>(0).weight.set_value(Tensor::from({{1.0, 0.0}, {0.0, -1.0}}));
  const Tensor y = net(Tensor::from({{2.0, 3.0}})).value();
  CHECK(core::equal(y, Tensor::from({{2.0, 0.0}})));
  CHECK(net[1].kind() == "ReLU");
  CHECK_THROWS_AS(net[3], ValueError);
  CHECK_THROWS_AS(net.get<Conv2d>(0), ValueError);
  CHECK_THROWS_AS(net.append(std::unique_ptr<Module>()), ValueError);
}

TEST_CASE("a state that cannot be loaded changes nothing") {
  Linear target(2, 2);
  target.bias = Variable(zeros({1}).expand({2}), true);
  const Tensor before = target.weight.value().clone();
  const Linear source(2, 2);
  CHECK(contains(message_of<ShapeError>([&] { target.load_state_dict(source.state_dict()); }),
                 "load_state_dict: bias: dimension 0 of [2] repeats one number"));
  CHECK(core::equal(target.weight.value(), before));
}

TEST_CASE("a state of the model's own tensors in other places is read before it is written") {
  Sequential net{Linear{2, 2, {.bias = false}}, Linear{2, 2, {.bias = false}}};
  const NamedTensors own = net.state_dict();
  const Tensor first = own[0].second.clone();
  const Tensor second = own[1].second.clone();
  net.load_state_dict({{own[0].first, own[1].second}, {own[1].first, own[0].second}});
  CHECK(core::equal(net.state_dict()[0].second, second));
  CHECK(core::equal(net.state_dict()[1].second, first));
}
