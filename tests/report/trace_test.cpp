// trace_step(): its numbers are those of the step, to the bit where nothing was computed twice; its sums are
// those of the convolution's formula; and the net is what it was before.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/random.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/models.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>
#include <gradus/report/trace.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

/// Sums of at most a few hundred float32 products of numbers around 1, whatever the order they are added in.
constexpr double sum_tolerance = 1e-5;
constexpr int choices = 300;

Tensor random_images(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed);
  Tensor images = Tensor::empty(shape);
  for (std::int64_t i = 0; i < images.numel(); ++i)
    images.data<float>()[i] = static_cast<float>(generator.normal());
  return images;
}

Tensor labels_of(std::int64_t count, std::int64_t classes) {
  Tensor labels = Tensor::empty({count}, int64);
  for (std::int64_t i = 0; i < count; ++i) labels.data<std::int64_t>()[i] = (i * 7 + 3) % classes;
  return labels;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.contiguous();
  const Tensor y = b.contiguous();
  if (x.shape() != y.shape() || x.dtype() != y.dtype()) return false;
  const auto bytes = static_cast<std::size_t>(x.numel() * size_of(x.dtype()));
  return std::memcmp(x.storage().data() + x.offset() * size_of(x.dtype()),
                     y.storage().data() + y.offset() * size_of(y.dtype()), bytes) == 0;
}

/// Stride, padding, dilation, groups, 1x1, and a relu inside of the op.
struct ManyConvolutions final : Module {
  Generator generator{5};
  Conv2d strided{2, 4, {.kernel_size = {3, 5}, .stride = {2, 1}, .padding = {1, 2}}, generator};
  Conv2d dilated{4, 4, {.kernel_size = 3, .padding = 2, .dilation = 2, .bias = false}, generator};
  Conv2d grouped{4, 6, {.kernel_size = 3, .padding = 1, .groups = 2}, generator};
  Conv2d pointwise{6, 5, 1, generator};
  Conv2d same{5, 3, {.kernel_size = {2, 4}, .padding = Padding::same}, generator};
  Linear head{3 * 4 * 7, 3, {}, generator};

  void visit(Visitor& v) override {
    v("strided", strided);
    v("dilated", dilated);
    v("grouped", grouped);
    v("pointwise", pointwise);
    v("same", same);
    v("head", head);
  }
  Variable forward(const Variable& x) override {
    const Variable a = grouped(dilated(strided(x, Activation::relu)));
    const Variable b = conv2d(a, pointwise.weight, pointwise.bias,
                              {.activation = Activation::relu});  // one op, outside of the layer
    return head(flatten(same(b), 1));
  }
};

/// One place of a convolution: the sums of its formula, in float64.
class Formula {
 public:
  explicit Formula(const TraceConvolution& conv) : c_(conv), o_(conv.options) {}

  /// Σ x·w + b
  double output(std::int64_t n, std::int64_t o, std::int64_t i, std::int64_t j) const {
    const Shape w = c_.weight.shape();
    double sum = c_.bias.defined() ? c_.bias.at<float>({o}) : 0;
    const std::int64_t first = o / (w[0] / o_.groups) * w[1];
    for (std::int64_t c = 0; c < w[1]; ++c)
      for (std::int64_t u = 0; u < w[2]; ++u)
        for (std::int64_t v = 0; v < w[3]; ++v)
          sum += input(n, first + c, i, j, u, v) * c_.weight.at<float>({o, c, u, v});
    return sum;
  }
  /// Σ dy·x over all outputs that the weight took part in
  double weight_gradient(std::int64_t o, std::int64_t c, std::int64_t u, std::int64_t v) const {
    const Shape y = c_.output.shape();
    const std::int64_t first = o / (y[1] / o_.groups) * c_.weight.size(1);
    double sum = 0;
    for (std::int64_t n = 0; n < y[0]; ++n)
      for (std::int64_t i = 0; i < y[2]; ++i)
        for (std::int64_t j = 0; j < y[3]; ++j)
          sum += input(n, first + c, i, j, u, v) * c_.output_gradient.at<float>({n, o, i, j});
    return sum;
  }

 private:
  double input(std::int64_t n, std::int64_t c, std::int64_t i, std::int64_t j, std::int64_t u,
               std::int64_t v) const {
    const std::int64_t h = i * o_.stride.height - o_.padding.height + u * o_.dilation.height;
    const std::int64_t w = j * o_.stride.width - o_.padding.width + v * o_.dilation.width;
    if (h < 0 || w < 0 || h >= c_.input.size(2) || w >= c_.input.size(3)) return 0;
    return c_.input.at<float>({n, c, h, w});
  }
  const TraceConvolution& c_;
  const Conv2dOptions& o_;
};

/// Two ways from one layer, whose weight both use, to a sum.
struct Branches final : Module {
  Generator generator{7};
  Conv2d shared{1, 1, {.kernel_size = 3, .padding = 1}, generator};
  Linear head{25, 2, {}, generator};
  Linear unused{25, 2, {}, generator};
  bool diverges = false;

  void visit(Visitor& v) override {
    v("shared", shared);
    v("head", head);
    v("unused", unused);
  }
  Variable forward(const Variable& x) override {
    const Variable once = shared(x);
    const Variable twice = shared(once);
    const Variable sum = once + twice;
    return head(flatten(diverges ? sum * std::numeric_limits<double>::quiet_NaN() : sum, 1));
  }
};

std::vector<const TraceNode*> nodes_named(const Trace& trace, const std::string& op) {
  std::vector<const TraceNode*> found;
  for (const TraceNode& node : trace.nodes)
    if (node.op == op || node.name == op) found.push_back(&node);
  return found;
}

std::size_t module_at(const Trace& trace, const std::string& path) {
  const auto found = std::find_if(trace.modules.begin(), trace.modules.end(),
                                  [&](const TraceModule& m) { return m.path == path; });
  REQUIRE(found != trace.modules.end());
  return static_cast<std::size_t>(found - trace.modules.begin());
}

}  // namespace

TEST_CASE("products and bias give each output, and contributions each weight's gradient") {
  ManyConvolutions net;
  const Tensor images = random_images({3, 2, 8, 7}, 1);
  const Trace trace = trace_step(net, images, labels_of(3, 3));
  REQUIRE(trace.convolutions.size() == 5);
  Generator generator(11);
  for (const TraceConvolution& conv : trace.convolutions) {
    CAPTURE(conv.name);
    const Formula formula(conv);
    REQUIRE(conv.output_gradient.defined());
    for (int k = 0; k < choices; ++k) {
      const Shape y = conv.output.shape();
      const std::int64_t n = generator.below(y[0]);
      const std::int64_t o = generator.below(y[1]);
      const std::int64_t i = generator.below(y[2]);
      const std::int64_t j = generator.below(y[3]);
      CHECK(formula.output(n, o, i, j) ==
            doctest::Approx(conv.output.at<float>({n, o, i, j})).epsilon(sum_tolerance));
      const Shape w = conv.weight.shape();
      const std::int64_t f = generator.below(w[0]);
      const std::int64_t c = generator.below(w[1]);
      const std::int64_t u = generator.below(w[2]);
      const std::int64_t v = generator.below(w[3]);
      CHECK(formula.weight_gradient(f, c, u, v) ==
            doctest::Approx(conv.weight_gradient.at<float>({f, c, u, v})).epsilon(sum_tolerance));
    }
  }
}

TEST_CASE("what stands before an activation is shown, fused or not") {
  ManyConvolutions net;
  const Trace trace = trace_step(net, random_images({2, 2, 8, 7}, 2), labels_of(2, 3));
  const auto least = [](const Tensor& t) {
    const std::vector<float> all = t.to_vector<float>();
    return *std::min_element(all.begin(), all.end());
  };
  const TraceConvolution& layer = trace.convolutions[0];  // the relu is an op of its own here
  CHECK(layer.options.activation == Activation::none);
  CHECK(least(layer.output) < 0);
  const TraceConvolution& fused = trace.convolutions[3];
  CHECK(fused.options.activation == Activation::relu);
  CHECK(least(fused.output) < 0);
  CHECK(least(trace.nodes[fused.node].value) == 0);
  // The first wants no gradient of the images, and says so instead of zeros.
  CHECK_FALSE(layer.input_gradient.defined());
  CHECK(layer.algorithms.size() == 2);
  CHECK(fused.algorithms.size() == 3);
  for (const TraceAlgorithm& each : fused.algorithms) {
    CHECK(each.microseconds.has_value());
    CHECK_FALSE(each.why.empty());
  }
  const Trace with_images =
      trace_step(net, random_images({2, 2, 8, 7}, 2), labels_of(2, 3), {.input_gradient = true});
  CHECK(with_images.convolutions[0].input_gradient.shape() == Shape{2, 2, 8, 7});
}

TEST_CASE("where branches meet two gradients arrive, and their sum is the gradient") {
  Branches net;
  const Trace trace = trace_step(net, random_images({4, 1, 5, 5}, 3), labels_of(4, 2));
  const std::vector<const TraceNode*> convs = nodes_named(trace, "conv2d");
  REQUIRE(convs.size() == 2);
  const std::vector<const TraceNode*> weights = nodes_named(trace, "shared.weight");
  REQUIRE(weights.size() == 1);
  for (const TraceNode* node : {convs[0], weights[0]}) {
    REQUIRE(node->arrivals.size() == 2);
    CHECK(node->arrivals[0].from != node->arrivals[1].from);
    CHECK(same_bits(node->gradient, node->arrivals[0].gradient + node->arrivals[1].gradient));
  }
  CHECK(convs[1]->arrivals.size() == 1);
  CHECK(convs[0]->call != convs[1]->call);
  CHECK(convs[0]->module == convs[1]->module);
  CHECK(trace.modules[module_at(trace, "shared")].outputs.size() == 2);
  // The newest runs first, and each op before those that it gives gradients to.
  REQUIRE(trace.backward.size() > 2);
  CHECK(trace.backward.front() == trace.loss);
  CHECK(std::is_sorted(trace.backward.rbegin(), trace.backward.rend()));
}

TEST_CASE("the gradients are those of a step that nobody watches, to the bit") {
  for (const std::string name : {"lenet", "cnn", "mobilenet"}) {
    CAPTURE(name);
    const std::int64_t side = name == "lenet" ? 28 : 16;
    Generator weights(3);
    Sequential net = make_model(name, {.channels = 1, .height = side, .width = side}, weights);
    net.eval();
    const Tensor images = random_images({2, 1, side, side}, 4);
    const Trace trace = trace_step(net, images, labels_of(2, 10));
    const Variable output = net(images);
    cross_entropy(output, labels_of(2, 10)).backward();
    CHECK(same_bits(trace.nodes[trace.output].value, output.value()));
    REQUIRE(trace.parameters.size() == net.named_parameters().size());
    for (const auto& [of_variable, variable] : net.named_parameters()) {
      const std::string& parameter = of_variable;
      CAPTURE(parameter);
      const auto found = std::find_if(
          trace.parameters.begin(), trace.parameters.end(),
          [&, wanted = parameter](const TraceParameter& p) { return p.name == wanted; });
      REQUIRE(found != trace.parameters.end());
      REQUIRE(found->gradient.defined());
      CHECK(same_bits(found->gradient, variable.grad().value()));
    }
  }
}

TEST_CASE("the net is what it was: parameters, gradients, buffers, generators, modes, hooks") {
  Generator weights(1);
  Sequential net{Conv2d{1, 4, 3, weights},         BatchNorm2d{4}, ReLU{}, Dropout{0.5}, Flatten{},
                 Linear{4 * 6 * 6, 3, {}, weights}};
  net[3].eval();
  const Tensor images = random_images({4, 1, 8, 8}, 5);
  cross_entropy(net(images), labels_of(4, 3)).backward();
  net.parameters().back().zero_grad();
  NamedTensors before;
  for (const auto& [name, tensor] : net.state_dict()) before.emplace_back(name, tensor.clone());
  std::vector<Tensor> gradients;
  for (const Variable& each : net.parameters())
    gradients.push_back(each.grad().defined() ? each.grad().value().clone() : Tensor());
  const std::vector<Variable> handles = net.parameters();
  const std::uint64_t drawn = default_generator().position();

  const Trace trace = trace_step(net, images, labels_of(4, 3));
  CHECK(trace.nodes.size() > 8);

  const NamedTensors after = net.state_dict();
  REQUIRE(after.size() == before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    CAPTURE(after[i].first);
    CHECK(same_bits(after[i].second, before[i].second));
  }
  const std::vector<Variable> now = net.parameters();
  for (std::size_t i = 0; i < now.size(); ++i) {
    CHECK(&now[i].value() == &handles[i].value());
    REQUIRE(now[i].grad().defined() == gradients[i].defined());
    if (gradients[i].defined()) CHECK(same_bits(now[i].grad().value(), gradients[i]));
  }
  CHECK(default_generator().position() == drawn);
  CHECK(net[1].is_training());
  CHECK_FALSE(net[3].is_training());
  CHECK_FALSE(net[0].has_hooks());
}

TEST_CASE("a net that throws is what it was, too") {
  Branches net;
  net.shared.weight.set_grad(ones({1, 1, 3, 3}));
  CHECK_THROWS_AS(trace_step(net, random_images({4, 2, 5, 5}, 3), labels_of(4, 2)), ShapeError);
  CHECK_FALSE(net.shared.has_hooks());
  CHECK(net.shared.weight.grad().defined());
}

TEST_CASE("what has no gradient has none: an unused layer, a constant, all of a frozen net") {
  Branches net;
  const Tensor images = random_images({4, 1, 5, 5}, 3);
  const Trace trace = trace_step(net, images, labels_of(4, 2));
  CHECK_FALSE(trace.nodes[trace.images].gradient.defined());
  int missing = 0;
  for (const TraceParameter& parameter : trace.parameters) {
    CAPTURE(parameter.name);
    const bool unused = parameter.name.starts_with("unused");
    CHECK(parameter.gradient.defined() != unused);
    missing += unused;
  }
  CHECK(missing == 2);
  CHECK(trace.modules[module_at(trace, "unused")].outputs.empty());

  for (const Variable& each : net.parameters()) each.requires_grad_(false);
  const Trace frozen = trace_step(net, images, labels_of(4, 2));
  CHECK(frozen.backward.empty());
  CHECK(frozen.nodes[frozen.loss].role == TraceRole::constant);
  for (const TraceNode& node : frozen.nodes) CHECK_FALSE(node.gradient.defined());
  CHECK(nodes_named(frozen, "conv2d").size() == 2);
}

TEST_CASE("a run that diverged is seen as it is") {
  Branches net;
  net.diverges = true;
  const Trace trace = trace_step(net, random_images({4, 1, 5, 5}, 3), labels_of(4, 2));
  CHECK(std::isnan(trace.nodes[trace.loss].value.item()));
  CHECK(std::isnan(trace.parameters[0].gradient.to_vector<float>()[0]));
  const auto head = std::find_if(
      trace.activity.begin(), trace.activity.end(),
      [&](const TraceActivity& each) { return each.module == module_at(trace, "head"); });
  REQUIRE(head != trace.activity.end());
  CHECK(std::isnan(head->values.mean));
  CHECK(head->values.histogram.counts.empty());
}

TEST_CASE("places, modules and products of nodes, and what ops keep, are told") {
  Generator weights(1);
  Sequential net = make_model("lenet", {.channels = 1, .height = 28, .width = 28}, weights);
  const Trace trace = trace_step(net, random_images({2, 1, 28, 28}, 6), labels_of(2, 10));
  const std::vector<const TraceNode*> convs = nodes_named(trace, "conv2d");
  REQUIRE(convs.size() == 2);
  CHECK(trace.modules[convs[1]->module].type == "Conv2d");
  CHECK(contains(convs[1]->place, "layers/conv.cpp:"));
  CHECK(contains(convs[1]->place, "trace.cpp:"));
  const std::int64_t products = 2 * (2 * 16 * 10 * 10) * (6 * 5 * 5);
  CHECK(convs[1]->flops == products);
  CHECK(convs[1]->backward_flops == 2 * products);
  CHECK(convs[0]->backward_flops == convs[0]->flops);  // images want no gradient
  CHECK(convs[1]->forward_us.value() > 0);
  CHECK(convs[1]->backward_us.value() > 0);
  std::int64_t all = 0;
  for (const TraceNode& node : trace.nodes) all += node.flops;
  CHECK(trace.modules[0].flops == all);

  REQUIRE(convs[1]->kept.size() == 2);
  CHECK(convs[1]->kept[0].shape == Shape{2, 6, 14, 14});
  CHECK(convs[1]->kept[0].bytes == 2 * 6 * 14 * 14 * 4);
  CHECK(convs[1]->kept[0].counts);
  CHECK(convs[1]->kept[0].why == "dL/d(input 1) is a product with it");
  CHECK(contains(convs[1]->kept[1].what, "weight"));
  CHECK_FALSE(convs[1]->kept[1].counts);  // a parameter is there anyway
  const std::vector<const TraceNode*> relus = nodes_named(trace, "relu");
  REQUIRE(relus.size() == 4);
  CHECK(relus[0]->kept.at(0).why == "the gradient passes where the output is positive");
  for (const TraceActivity& each : trace.activity) {
    CAPTURE(trace.modules[each.module].path);
    const TraceNode& output = trace.nodes[trace.modules[each.module].outputs.at(0)];
    std::int64_t counted = 0;
    for (const std::int64_t count : each.values.histogram.counts) counted += count;
    CHECK(counted == output.value.numel());
    CHECK(each.dead.has_value() == (trace.modules[each.module].type == "ReLU"));
  }
}

TEST_CASE("dead units are counted where no image makes them positive") {
  Sequential net{Linear{2, 4}, ReLU{}, Linear{4, 2}};
  net.get<Linear>(0).weight.set_value(Tensor::from({{1., 0.}, {0., 1.}, {1., 1.}, {-1., 0.}}));
  net.get<Linear>(0).bias.set_value(Tensor::from({0., 0., -100., 0.}));
  const Trace trace = trace_step(net, Tensor::from({{1., -1.}, {2., -3.}}), labels_of(2, 2));
  REQUIRE(trace.activity.size() == 3);
  CHECK(trace.activity[1].dead.value() == 0.75);  // the first alone lives
}

TEST_CASE("without values shapes and costs are the same") {
  Branches net;
  const Tensor images = random_images({4, 1, 5, 5}, 3);
  const Trace with = trace_step(net, images, labels_of(4, 2));
  const Trace without = trace_step(net, images, labels_of(4, 2), {.values = false});
  REQUIRE(without.nodes.size() == with.nodes.size());
  for (std::size_t i = 0; i < with.nodes.size(); ++i) {
    CHECK(without.nodes[i].shape == with.nodes[i].shape);
    CHECK(without.nodes[i].flops == with.nodes[i].flops);
    CHECK(without.nodes[i].backward_flops == with.nodes[i].backward_flops);
    CHECK_FALSE(without.nodes[i].value.defined());
  }
}

TEST_CASE("wrong calls are told in one line") {
  Branches net;
  const Tensor images = random_images({4, 1, 5, 5}, 3);
  CHECK(message_of<ValueError>([&] { trace_step(net, Tensor(), labels_of(4, 2)); }) ==
        "trace_step: the images are undefined");
  CHECK(message_of<ValueError>([&] { trace_step(net, images, Tensor()); }) ==
        "trace_step: the labels are undefined");
  CHECK(message_of<ValueError>([&] { trace_step(net, images, TraceLoss()); }) ==
        "trace_step: the loss is an empty function");
  const auto nothing = [](const Variable&) { return Variable(); };
  CHECK(message_of<ValueError>([&] { trace_step(net, images, nothing); }) ==
        "trace_step: the loss gives an undefined Variable");
  const auto all = [](const Variable& output) { return output; };
  CHECK(message_of<ShapeError>([&] { trace_step(net, images, all); }) ==
        "trace_step: the loss must be one number, got [4,2] from [4,2]");
  CHECK(contains(message_of<ShapeError>([&] { trace_step(net, images, labels_of(3, 2)); }),
                 "cross_entropy: "));
  CHECK(contains(message_of<ValueError>([&] { trace_step(net, images, labels_of(4, 9)); }),
                 "cross_entropy: "));
}
