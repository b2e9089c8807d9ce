// What a trace says that a step costs: products and additions as plain loops count them, memory, and time foretold.
#include <doctest/doctest.h>
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/random.h>
#include <gradus/core/storage.h>
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

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

using namespace gradus;

namespace {

Tensor cost_images(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed);
  return randn(shape, generator);
}

Tensor cost_labels(std::int64_t count, std::int64_t classes) {
  Generator generator(1);
  return randint(0, classes, {count}, generator);
}

/// What the loops of a convolution's definition add up, in each of its sums: the first product of a sum is
/// not added to anything.
struct CountedCosts {
  std::int64_t products = 0;
  std::set<std::array<std::int64_t, 4>> outputs{}, pixels{}, weights{};
};

CountedCosts count_costs(const Shape& x, const Shape& y, const Conv2d& layer) {
  const Conv2dOptions& o = layer.options();
  const std::int64_t slice = x[1] / o.groups;
  const std::int64_t filters = y[1] / o.groups;
  const Shape w = layer.weight.value().shape();
  CountedCosts costs;
  for (std::int64_t n = 0; n < y[0]; ++n)
    for (std::int64_t f = 0; f < y[1]; ++f)
      for (std::int64_t i = 0; i < y[2]; ++i)
        for (std::int64_t j = 0; j < y[3]; ++j)
          for (std::int64_t c = 0; c < slice; ++c)
            for (std::int64_t u = 0; u < w[2]; ++u)
              for (std::int64_t v = 0; v < w[3]; ++v) {
                ++costs.products;
                costs.outputs.insert({n, f, i, j});
                costs.weights.insert({f, c, u, v});
                costs.pixels.insert({n, f / filters * slice + c,
                                     i * o.stride.height + u * o.dilation.height,
                                     j * o.stride.width + v * o.dilation.width});
              }
  return costs;
}

/// What a module's ops keep, by the pool; and how many ops there are.
struct Returned {
  std::int64_t bytes = 0;
  std::int64_t ops = 0;
};

std::vector<Returned> returned_by_modules(const Trace& trace, Module& net, const Tensor& images) {
  std::vector<Returned> returned(trace.modules.size());
  const std::shared_ptr<Node> last = net(images).node();
  std::vector<Node*> tape = nodes_of(last.get());
  // The newest first: what several keep counts with the first.
  for (; !tape.empty(); tape.pop_back()) {
    Node* const node = tape.back();
    const std::int64_t live = storage_statistics().live_bytes;
    node->op.reset();
    node->kept.clear();
    const std::int64_t freed = live - storage_statistics().live_bytes;
    std::size_t at = 0;
    for (std::size_t m = 0; m < trace.modules.size(); ++m)
      if (trace.modules[m].path == node->within.path()) at = m;
    for (; at != no_index; at = trace.modules[at].parent) {
      returned[at].bytes += freed;
      ++returned[at].ops;
    }
  }
  return returned;
}

std::int64_t block_for(std::int64_t bytes) {
  const std::int64_t live = storage_statistics().live_bytes;
  const Storage block(bytes);
  return storage_statistics().live_bytes - live;
}

/// A block is rounded up by an eighth at most. Beside what a trace counts an op keeps a few numbers for each channel: a
/// batch norm five times as many.
void check_against_pool(Module& net, const Tensor& images) {
  constexpr std::int64_t most_channels = 64;
  constexpr std::int64_t vectors = 5;
  constexpr std::int64_t blocks = 2;  // of an op that are counted: their headers
  const Trace trace = trace_step(net, images, cost_labels(images.size(0), 10), {.values = false});
  const std::vector<Returned> returned = returned_by_modules(trace, net, images);
  const std::int64_t of_an_op =
      vectors * block_for(most_channels * size_of(float32)) + blocks * block_for(0);
  for (std::size_t m = 0; m < trace.modules.size(); ++m) {
    CAPTURE(trace.modules[m].path);
    const std::int64_t counted = trace.modules[m].kept_bytes;
    CHECK(returned[m].bytes >= counted);
    CHECK(returned[m].bytes <= counted + counted / 8 + returned[m].ops * of_an_op);
  }
}

}  // namespace

TEST_CASE("products and additions of 50 random convolutions are as many as loops count") {
  Generator generator(13);
  const auto from = [&](std::int64_t low, std::int64_t high) {
    return low + generator.below(high - low + 1);
  };
  for (int k = 0; k < 50; ++k) {
    const std::int64_t groups = from(1, 3);
    const std::int64_t in = groups * from(1, 3);
    const std::int64_t out = groups * from(1, 3);
    const Pair kernel{from(1, 3), from(1, 3)};
    Sequential net{Conv2d{in,
                          out,
                          {.kernel_size = kernel,
                           .stride = {from(1, 3), from(1, 2)},
                           .padding = {from(0, 2), from(0, 2)},
                           .dilation = {from(1, 2), from(1, 2)},
                           .groups = groups,
                           .bias = generator.below(2) == 0},
                          generator}};
    const Tensor images = cost_images({from(1, 3), in, from(5, 9), from(5, 9)}, 1);
    const Trace trace = trace_step(net, images, [](const Variable& y) { return sum(y); },
                                   {.input_gradient = true, .values = false});
    const Shape y = trace.modules[1].output;
    const auto& layer = net.get<Conv2d>(0);
    const CountedCosts counted = count_costs(images.shape(), y, layer);
    const std::int64_t multiplications = counted.products;
    CAPTURE(y);
    CHECK(trace.modules[1].flops == 2 * multiplications);
    CHECK(trace.modules[1].backward_flops == 2 * 2 * multiplications);  // of input and weight
    const bool bias = layer.bias.defined();
    CHECK(trace.modules[1].additions ==
          multiplications - std::ssize(counted.outputs) + (bias ? y.numel() : 0));
    CHECK(trace.modules[1].backward_additions == 2 * multiplications - std::ssize(counted.pixels) -
                                                     std::ssize(counted.weights) +
                                                     (bias ? y.numel() - out : 0));
  }
}

TEST_CASE("additions of a transposed convolution are those of the sums that its products fall on") {
  struct Geometry {
    std::int64_t kernel, stride, padding;
  };
  for (const Geometry& g : {Geometry{1, 2, 0}, Geometry{4, 2, 1}, Geometry{3, 1, 1}}) {
    const std::int64_t kernel = g.kernel;
    CAPTURE(kernel);
    constexpr std::int64_t in = 2, out = 3, images = 2, side = 5;
    Sequential net{ConvTranspose2d{
        in, out, {.kernel_size = kernel, .stride = g.stride, .padding = g.padding, .bias = false}}};
    const Trace trace = trace_step(net, cost_images({images, in, side, side}, 1),
                                   [](const Variable& y) { return sum(y); });
    std::set<std::array<std::int64_t, 2>> places;  // of a plane, the padding's too
    for (std::int64_t i = 0; i < side; ++i)
      for (std::int64_t j = 0; j < side; ++j)
        for (std::int64_t u = 0; u < kernel; ++u)
          for (std::int64_t v = 0; v < kernel; ++v)
            places.insert({i * g.stride + u, j * g.stride + v});
    const std::int64_t products = images * in * out * side * side * kernel * kernel;
    CHECK(trace.modules[1].flops == 2 * products);
    CHECK(trace.modules[1].additions == products - images * out * std::ssize(places));
  }
}

TEST_CASE(
    "additions of a linear layer are those of its sums, and a product of matrices has no bias") {
  Sequential net{Linear{5, 3}};
  const Trace trace =
      trace_step(net, cost_images({4, 5}, 3), cost_labels(4, 3), {.input_gradient = true});
  CHECK(trace.modules[1].additions == 4 * 3 * (5 - 1) + 4 * 3);
  // Of the input, the weight and the bias.
  CHECK(trace.modules[1].backward_additions == 4 * 5 * (3 - 1) + 3 * 5 * (4 - 1) + 3 * (4 - 1));
}

TEST_CASE("what modules keep is what a step keeps that nobody watches") {
  Generator weights(1);
  Sequential net{Conv2d{1, 4, 3, weights},         BatchNorm2d{4}, ReLU{}, MaxPool2d{2}, Flatten{},
                 Linear{4 * 3 * 3, 3, {}, weights}};
  const Trace trace = trace_step(net, cost_images({4, 1, 8, 8}, 5), cost_labels(4, 3));
  std::int64_t of_nodes = 0;
  for (const TraceNode& node : trace.nodes)
    for (const TraceKept& kept : node.kept)
      if (kept.counts && node.module != no_index) of_nodes += kept.bytes;
  // By itself a relu keeps what it gives. With the norm in front it does not: that is computed again.
  const std::int64_t activation = 4 * 4 * 6 * 6 * size_of(float32);
  CHECK(trace.modules[2].kept_bytes == activation);
  CHECK(trace.modules[3].kept_bytes == 0);
  CHECK(trace.modules[4].kept_bytes == 4 * 4 * 3 * 3 * size_of(uint8));  // which of each window
  CHECK(trace.modules[6].kept_bytes == activation / 4);
  CHECK(trace.modules[0].kept_bytes == of_nodes - activation);
}

TEST_CASE("what modules keep is what the pool gets back, up to its rounding") {
  struct Subject {
    const char* model;
    ImageSpec image;
  };
  Generator generator(1);
  for (const Subject& each : {Subject{"lenet", {1, 28, 28, 10}}, Subject{"cnn", {1, 8, 8, 10}},
                              Subject{"resnet20", {3, 32, 32, 10}}}) {
    CAPTURE(each.model);
    const ImageSpec& image = each.image;
    Sequential net = make_model(each.model, image, generator);
    const Tensor images = cost_images({16, image.channels, image.height, image.width}, 5);
    check_against_pool(net, images);
  }
  Sequential adaptive{Conv2d{1, 8, {.kernel_size = 3}}, AdaptiveMaxPool2d{3}, Flatten{},
                      Dropout{0.5}, Linear{8 * 3 * 3, 10}};
  check_against_pool(adaptive, cost_images({64, 1, 16, 16}, 5));
}

TEST_CASE("each algorithm's time is predicted from its products") {
  Sequential net{Conv2d{2, 3, {.kernel_size = 3}}, Flatten{}, Linear{3 * 6 * 6, 3}};
  const Tensor images = cost_images({2, 2, 8, 8}, 5);
  const Trace one = trace_step(net, images, cost_labels(2, 3), {.input_gradient = true});
  REQUIRE(one.convolutions.at(0).algorithms.size() == 3);
  const double predicted = one.convolutions[0].algorithms[0].predicted.value();
  CHECK(predicted > 0);
  for (const TraceAlgorithm& each : one.convolutions[0].algorithms)
    CHECK(each.predicted.value() == predicted);
  const Trace two = trace_step(net, cost_images({8, 2, 8, 8}, 5), cost_labels(8, 3));
  CHECK(two.convolutions[0].algorithms[0].predicted.value() == doctest::Approx(4 * predicted));
  const Trace without = trace_step(net, images, cost_labels(2, 3), {.values = false});
  CHECK_FALSE(without.convolutions[0].algorithms[0].predicted.has_value());
}
