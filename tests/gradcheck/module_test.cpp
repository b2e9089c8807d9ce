// Gradient checks of modules: the verdict, the names in it, and a module that is afterwards what it
// was before, bit for bit.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/module.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

#include <string>
#include <utility>
#include <vector>

#include "support/custom_op.h"
#include "support/error_message.h"
#include "support/named.h"

using namespace gradus;

namespace {

Tensor random(const Shape& shape, DType dtype = float32) {
  Generator generator(3);
  return randn(shape, generator, dtype);
}

/// All that a check may not change.
struct State {
  struct Parameter {
    const Tensor* handle;  // the same Variable, not an equal one
    const void* storage;
    Tensor value;
    Tensor gradient;
    bool requires_grad;
  };
  std::vector<Parameter> parameters;
  std::vector<std::pair<const void*, Tensor>> buffers;
  std::vector<bool> training;
  std::uint64_t seed = default_generator().seed();
  std::uint64_t position = default_generator().position();

  explicit State(Module& module) {
    for (const auto& [name, p] : module.named_parameters()) {
      parameters.push_back({&p.value(), p.value().storage().data(), p.value().clone(),
                            p.grad().defined() ? p.grad().value().clone() : Tensor(),
                            p.requires_grad()});
    }
    for (const auto& [name, b] : module.named_buffers()) {
      buffers.emplace_back(b.storage().data(), b.clone());
    }
    for (const auto& [name, each] : module.named_modules()) training.push_back(each->is_training());
  }

  void expect(Module& module) const {
    const State now(module);
    REQUIRE(now.parameters.size() == parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      CHECK(now.parameters[i].handle == parameters[i].handle);
      CHECK(now.parameters[i].storage == parameters[i].storage);
      CHECK(now.parameters[i].value.dtype() == parameters[i].value.dtype());
      CHECK(core::equal(now.parameters[i].value, parameters[i].value));
      CHECK(now.parameters[i].requires_grad == parameters[i].requires_grad);
      REQUIRE(now.parameters[i].gradient.defined() == parameters[i].gradient.defined());
      if (parameters[i].gradient.defined())
        CHECK(core::equal(now.parameters[i].gradient, parameters[i].gradient));
    }
    REQUIRE(now.buffers.size() == buffers.size());
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      CHECK(now.buffers[i].first == buffers[i].first);
      CHECK(core::equal(now.buffers[i].second, buffers[i].second));
    }
    CHECK(now.training == training);
    CHECK(now.seed == seed);
    CHECK(now.position == position);
    CHECK(grad_enabled());
  }
};

/// y = 2·weight·x, whose gradient for the weight is that of weight·x.
struct Wrong final : Module {
  Variable weight{Tensor::from({0.5, -1.5}), true};

  void visit(Visitor& v) override { v("weight", weight); }
  Variable forward(const Variable& x) override {
    return custom(
        {x, weight},
        [](const Variables& in) { return core::mul(core::mul(in[0].value(), in[1].value()), 2); },
        [](const Variables& in, const Variable& dy) {
          return Variables{dy * in[1] * 2.0, sum_to(dy * in[0], in[1].shape())};
        });
  }
};

struct Block final : Module {
  Linear before{3, 2};
  Wrong block;

  void visit(Visitor& v) override {
    v("before", before);
    v("block", block);
  }
  Variable forward(const Variable& x) override { return block(tanh(before(x))); }
};

Sequential small_net() {
  Generator generator(1);
  return Sequential{Conv2d{1, 2, {.kernel_size = 3, .padding = 1}, generator},
                    BatchNorm2d{2},
                    Tanh{},
                    Dropout{0.5},
                    Flatten{},
                    Linear{32, 3, {}, generator}};
}

}  // namespace

TEST_CASE("a float32 module is checked in float64, and is then what it was, bit for bit") {
  Sequential net = small_net();
  // Gradients and statistics that are there must stay as well.
  sum(net(random({2, 1, 4, 4}))).backward();
  const State before(net);
  const GradcheckReport report = gradcheck(net, random({2, 1, 4, 4}));
  CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
  CHECK(report.elements == 32 + net.parameter_count());
  CHECK(report.subject == "Sequential");
  before.expect(net);
  CHECK(gradgradcheck(net, random({1, 1, 4, 4})).passed());
  before.expect(net);
  const auto loss = [](const Variable& y) { return cross_entropy(y, Tensor::from({0, 2})); };
  CHECK(gradcheck(net, random({2, 1, 4, 4}), loss).passed());
  before.expect(net);
  CHECK(taylor_test(net, random({2, 1, 4, 4}), loss).passed());
  before.expect(net);
  net.eval();
  const State resting(net);
  CHECK(gradcheck(net, random({2, 1, 4, 4})).passed());
  resting.expect(net);
}

TEST_CASE("the inputs are named x and as the parameters are, unless the caller has names") {
  Block net;
  const GradcheckReport report = gradcheck(net, random({4, 3}));
  REQUIRE(report.inputs.size() == 4);
  CHECK(report.inputs[0].name == "x");
  CHECK(report.inputs[1].name == "before.weight");
  CHECK(report.inputs[2].name == "before.bias");
  CHECK(report.inputs[3].name == "block.weight");
  CHECK(report.subject == "Block");
  const GradcheckReport named =
      gradcheck(net, random({4, 3}), {.subject = "mine", .names = {"images"}});
  CHECK(named.subject == "mine");
  CHECK(named.inputs[0].name == "images");
}

TEST_CASE("a wrong layer fails under the path of its parameter, with a diagnosis") {
  Block net;
  const State before(net);
  for (const auto& report :
       {gradcheck(net, random({4, 3})),
        gradcheck(net, random({4, 3}), [](const Variable& y) { return sum(y * y); })}) {
    CHECK(report.verdict == Verdict::fail);
    CHECK(report.fail_count == 2);
    CHECK(report.worst.front().name == "block.weight");
    REQUIRE(report.diagnoses.size() == 1);
    CHECK(report.diagnoses.front().pattern == Pattern::constant_factor);
    CHECK(report.diagnoses.front().input == "block.weight");
    CHECK(contains(report.to_string(), "block.weight: it is the right gradient times 0.5"));
    CHECK(contains(report.to_string(), "fail block.weight["));
  }
  CHECK(!taylor_test(net, random({4, 3}), [](const Variable& y) { return sum(y); }).passed());
  before.expect(net);
}

TEST_CASE("dropout in training draws the same each time, from whichever generator") {
  manual_seed(17);
  Dropout shared(0.5);
  Dropout own(0.5, Generator(5));
  const Tensor x = random({5, 6});
  for (Dropout* layer : {&shared, &own}) {
    const State before(*layer);
    const GradcheckReport report = gradcheck(*layer, x);
    CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
    // Some are dropped, some are not: the check was of training.
    const Tensor analytic = report.inputs.at(0).analytic;
    CHECK(core::min(core::abs(analytic)).item() == 0);
    CHECK(core::max(core::abs(analytic)).item() > 0);
    before.expect(*layer);
  }
  // The generators go on from where they were: the next mask is the one without a check.
  Dropout untouched(0.5, Generator(5));
  CHECK(core::equal(own(x).value(), untouched(x).value()));
  const Tensor after = shared(x).value();
  manual_seed(17);
  CHECK(core::equal(after, shared(x).value()));
}

TEST_CASE("batch norm passes in training and in evaluation, and its statistics stay") {
  for (const bool training : {true, false}) {
    CAPTURE(training);
    BatchNorm2d layer(2);
    layer.running_mean = Tensor::from({0.5, -0.25});
    layer.running_var = Tensor::from({2.0, 0.5});
    layer.train(training);
    const State before(layer);
    const GradcheckReport report = gradcheck(layer, random({3, 2, 2, 2}));
    CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
    before.expect(layer);
    CHECK(gradgradcheck(layer, random({3, 2, 2, 2})).passed());
    before.expect(layer);
  }
}

TEST_CASE("a parameter in two places is one input, and stays in both") {
  struct Tied final : Module {
    Linear a{2, 2, {.bias = false}};
    Linear b{2, 2, {.bias = false}};
    Tied() { b.weight = a.weight; }
    void visit(Visitor& v) override {
      v("a", a);
      v("b", b);
    }
    Variable forward(const Variable& x) override { return b(tanh(a(x))); }
  };
  Tied net;
  const State before(net);
  const GradcheckReport report = gradcheck(net, random({3, 2}));
  CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
  CHECK(report.inputs.size() == 2);
  CHECK(report.elements == 6 + 4);
  before.expect(net);
  CHECK(&net.a.weight.value() == &net.b.weight.value());
}

TEST_CASE("state that visit() does not name makes a module no function, and that is said") {
  struct Counting final : Module {
    double calls = 0;
    void visit(Visitor&) override {}
    Variable forward(const Variable& x) override { return x * ++calls; }
  };
  Counting counting;
  const GradcheckReport report = gradcheck(counting, random({3}));
  CHECK(report.verdict == Verdict::fail);
  CHECK(contains(report.to_string(), "Counting: fail"));
  CHECK(contains(report.to_string(), "not deterministic: two calls with the same inputs"));
  // A generator that is not named goes on from call to call.
  struct Noisy final : Module {
    Generator generator{1};
    void visit(Visitor&) override {}
    Variable forward(const Variable& x) override { return dropout(x, 0.5, generator); }
  };
  Noisy noisy;
  CHECK(contains(gradcheck(noisy, random({30})).to_string(), "not deterministic"));
}

TEST_CASE("a parameter that visit() forgot is called by its name, in a float32 module too") {
  struct Forgetful final : Module {
    Linear linear{3, 2};
    BatchNorm2d norm{2};
    Variable scale{full({2}, 1.5), true};
    void visit(Visitor& v) override {
      v("linear", linear);
      v("norm", norm);
    }
    Variable forward(const Variable& x) override {
      return norm(reshape(linear(x) * scale, {x.size(0), 2, 1, 1}));
    }
  };
  Forgetful net;
  const State before(net);
  const std::vector<std::string> words = {"a parameter that nobody named", "float32 [2] in mul",
                                          "name it in visit()"};
  const Tensor x = random({4, 3});
  first_named(gradcheck(net, x), Pattern::unnamed_parameter, words);
  before.expect(net);
  CHECK(contains(gradcheck(net, x).to_string(), "Forgetful: fail"));
  const auto loss = [](const Variable& y) { return sum(y * y); };
  first_named(gradcheck(net, x, loss), Pattern::unnamed_parameter, words);
  first_named(gradgradcheck(net, x), Pattern::unnamed_parameter, words);
  const auto points = [](Generator& generator) { return randn({4, 3}, generator); };
  first_named(gradcheck(net, points), Pattern::unnamed_parameter, words);
  before.expect(net);
  // Where nothing was forgotten, two dtypes are an error as ever.
  net.scale = net.scale.detach();
  CHECK(contains(message_of<DTypeError>([&] { gradcheck(net, x); }), "dtypes differ"));
}

TEST_CASE("a buffer that the first call makes is gone again before the second, and at the end") {
  struct Lazy final : Module {
    Tensor scale;
    void visit(Visitor& v) override { v("scale", scale); }
    Variable forward(const Variable& x) override {
      scale = scale.defined() ? core::mul(scale, 2) : ones({}, x.dtype());
      return x * scale;
    }
  };
  Lazy lazy;
  const GradcheckReport report = gradcheck(lazy, random({3}));
  CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
  CHECK(!lazy.scale.defined());
}

TEST_CASE("a module that throws inside is put back, and the error tells the place") {
  struct Moody final : Module {
    Linear inner{2, 2};
    int calls = 0;
    int last = 0;
    void visit(Visitor& v) override { v("inner", inner); }
    Variable forward(const Variable& x) override {
      if (++calls == last) fail<ValueError>("not today");
      return inner(x);
    }
  };
  for (int last = 1; last < 12; ++last) {
    Moody moody;
    moody.last = last;
    const State before(moody);
    try {
      gradcheck(moody, random({3, 2}));
      CHECK(moody.calls > last);  // the one forward that is only there to disturb
    } catch (const ValueError& error) {
      CHECK(contains(error.what(), "not today [in gradcheck"));
    }
    before.expect(moody);
  }
  Linear linear(2, 2);
  const State before(linear);
  CHECK_THROWS_AS(gradcheck(linear, random({3, 5})), ShapeError);
  before.expect(linear);
  CHECK_THROWS_AS(gradgradcheck(linear, random({3, 5})), ShapeError);
  before.expect(linear);
}

TEST_CASE("an integer x is a constant, and the parameters are checked") {
  struct Embedding final : Module {
    Variable table{random({5, 3}), true};
    void visit(Visitor& v) override { v("table", table); }
    Variable forward(const Variable& x) override { return index_select(table, 0, x.value()); }
  };
  Embedding embedding;
  const State before(embedding);
  const GradcheckReport report = gradcheck(embedding, Tensor::from({4, 0, 4}));
  CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
  CHECK(report.inputs.size() == 1);
  CHECK(report.inputs[0].name == "table");
  CHECK(report.elements == 15);
  before.expect(embedding);
}

TEST_CASE("x is not changed, whatever its dtype and layout") {
  Linear linear(3, 2);
  for (const Tensor& x : {random({4, 3}), random({4, 3}, float64), random({3, 4}).transpose()}) {
    const Tensor copy = x.clone();
    CHECK(gradcheck(linear, x).passed());
    CHECK(core::equal(x, copy));
  }
}

TEST_CASE("options reach the check: directions, elements, tolerances") {
  Linear linear(30, 20);
  GradcheckOptions options = fast_gradcheck(2);
  options.elements = 3;
  const GradcheckReport report = gradcheck(linear, random({4, 30}), options);
  CHECK_MESSAGE(report.passed(), report.to_string());
  CHECK(report.directions == 3 * 2);
  CHECK(report.elements == 3 * 3);
}

TEST_CASE("a module function gives inputs and names for whoever wants to call it himself") {
  Linear linear(3, 2);
  const Tensor before = linear.weight.value().clone();
  {
    const ModuleFunction function(linear, [](const Variable& y) { return sum(y); });
    const Variables inputs = function.inputs(random({4, 3}));
    CHECK(function.names() == std::vector<std::string>{"x", "weight", "bias"});
    REQUIRE(inputs.size() == 3);
    for (const Variable& input : inputs) {
      CHECK(input.dtype() == float64);
      CHECK(input.requires_grad());
    }
    CHECK(function(inputs).rank() == 0);
    const Variables gradients = grad({function(inputs)}, inputs);
    CHECK(core::equal(gradients[2].value(), full({2}, 4, float64)));
  }
  CHECK(linear.weight.dtype() == float32);
  CHECK(core::equal(linear.weight.value(), before));
  CHECK(!linear.weight.grad().defined());
}

TEST_CASE("float32: a model is compared call by call, and is as it was afterwards") {
  Generator generator(1);
  Sequential net{Conv2d{2, 8, {.kernel_size = 3, .padding = 1, .bias = false}, generator},
                 BatchNorm2d{8},
                 ReLU{},
                 MaxPool2d{{.kernel_size = 2}},
                 Flatten{},
                 Linear{128, 5, {}, generator}};
  const State before(net);
  const Tensor x = randn({4, 2, 8, 8}, generator);
  const Float32Report report = gradcheck_float32(net, x);
  CHECK_MESSAGE(report.passed(), report.to_string());
  CHECK(report.subject == "Sequential");
  CHECK(report.calls == 5);  // batch norm and relu are one
  CHECK(report.identities == 4);
  before.expect(net);
}

TEST_CASE("float32: the first layer that is out of bounds is named, forward or backward") {
  Generator generator(1);
  Sequential net{Linear{9, 8, {}, generator}, Tanh{},
                 Sequential{Linear{8, 7, {}, generator}, Tanh{}}, Linear{7, 3, {}, generator}};
  const Tensor x = randn({5, 9}, generator);
  const auto loss = [](const Variable& y) { return mean(y * y); };
  const auto plant = [&](const std::string& place, const std::string& pass) {
    Float32Options options;
    options.visit = [=](Float32Comparison& comparison) {
      if (comparison.place != place || comparison.pass != pass) return;
      const Tensor wrong = comparison.result.clone();
      wrong.select(0, 2).copy_(core::mul(wrong.select(0, 2), 1.001));
      comparison.result = wrong;
    };
    return gradcheck_float32(net, x, loss, options);
  };
  for (const char* place : {"0", "2.0", "3"}) {
    for (const char* pass : {"forward", "gradient of input 1"}) {
      CAPTURE(place);
      CAPTURE(pass);
      const Float32Report report = plant(place, pass);
      CHECK_FALSE(report.passed());
      REQUIRE(report.failures.size() == 1);
      CHECK(report.failures[0].op == "linear");
      CHECK(report.failures[0].place == place);
      CHECK(report.failures[0].pass == pass);
      CHECK(report.failures[0].index[0] == 2);
      CHECK(report.to_string().find("linear in " + std::string(place)) != std::string::npos);
    }
  }
}
