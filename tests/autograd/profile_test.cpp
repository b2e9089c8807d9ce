// The profiler: what becomes an event, how events nest, and what they cost in flops and bytes.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/profile.h>
#include <gradus/core/create.h>
#include <gradus/layers/models.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/sgd.h>

#include <support/custom_op.h>

#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

using namespace gradus;

namespace {

using Events = std::vector<ProfileEvent>;

Variable leaf(const Shape& shape) {
  Generator generator(1);
  return {rand(shape, generator), true};
}

/// The only event of that name and direction.
ProfileEvent the(const Events& events, const std::string& name, ProfileDirection direction) {
  Events found;
  for (const ProfileEvent& event : events) {
    if (event.name == name && event.direction == direction) found.push_back(event);
  }
  REQUIRE_MESSAGE(found.size() == 1, name, " ", to_string(direction), ": ", found.size());
  return found[0];
}

/// One training step of LeNet on 8 images, watched from outside too.
struct WatchedStep {
  Events events;
  std::int64_t wall_ns = 0;

  WatchedStep() {
    Generator generator(1);
    Sequential model = make_lenet(10, generator);
    const Tensor images = rand({8, 1, 28, 28}, generator);
    const Tensor labels = randint(0, 10, {8}, generator);
    SGD optimizer(model.parameters(), {.lr = 0.1, .momentum = 0.9});
    const auto begin = std::chrono::steady_clock::now();
    {
      const Profiler profiler;
      cross_entropy(model(images), labels).backward();
      optimizer.step();
      events = profiler.events();
    }
    const auto wall = std::chrono::steady_clock::now() - begin;
    wall_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count();
  }
};

}  // namespace

TEST_CASE("events nest: each lies within the one it runs within, and after its elder sisters") {
  const WatchedStep step;
  REQUIRE(step.events.size() > 30);
  std::vector<ProfileEvent> around;
  int deepest = 0;
  for (const ProfileEvent& event : step.events) {
    CAPTURE(event.name);
    REQUIRE(event.depth >= 0);
    REQUIRE(event.depth <= static_cast<int>(around.size()));
    CHECK(event.begin_ns <= event.end_ns);
    if (event.depth < static_cast<int>(around.size())) {
      CHECK(around[static_cast<std::size_t>(event.depth)].end_ns <= event.begin_ns);
    }
    around.resize(static_cast<std::size_t>(event.depth));
    if (!around.empty()) {
      CHECK(around.back().begin_ns <= event.begin_ns);
      CHECK(event.end_ns <= around.back().end_ns);
    }
    around.push_back(event);
    deepest = std::max(deepest, event.depth);
  }
  CHECK(deepest >= 1);  // a derivative is made of ops
}

TEST_CASE("own times are never negative, and sum to no more than the time on the wall") {
  const WatchedStep step;
  const std::vector<std::int64_t> own = own_nanoseconds(step.events);
  REQUIRE(own.size() == step.events.size());
  for (const std::int64_t ns : own) CHECK(ns >= 0);
  const std::int64_t sum = std::accumulate(own.begin(), own.end(), std::int64_t{0});
  CHECK(sum <= step.wall_ns);
  std::int64_t outermost = 0;
  for (const ProfileEvent& event : step.events) {
    if (event.depth == 0) outermost += event.nanoseconds();
  }
  CHECK(sum == outermost);
}

TEST_CASE("own time is what remains without the events directly within") {
  const auto event = [](int depth, std::int64_t begin, std::int64_t end) {
    return ProfileEvent{.name = "", .depth = depth, .begin_ns = begin, .end_ns = end};
  };
  CHECK(own_nanoseconds({event(0, 0, 100), event(1, 10, 40), event(2, 20, 25), event(1, 50, 60),
                         event(0, 200, 201)}) == std::vector<std::int64_t>{60, 25, 5, 10, 1});
}

TEST_CASE("a convolution and its two gradients: events, shapes, flops and bytes are exact") {
  const Variable x = leaf({2, 4, 9, 8});
  const Variable w = leaf({6, 2, 3, 3});
  const Variable b = leaf({6});
  const Profiler profiler;
  const Variable y = conv2d(x, w, b, {.stride = {2, 1}, .padding = 1, .groups = 2});
  y.backward(ones_like(y.value()));
  const Events& events = profiler.events();

  const Shape out{2, 6, 5, 8};
  REQUIRE(y.shape() == out);
  constexpr std::int64_t flops = std::int64_t{2} * (2 * 6 * 5 * 8) * (2 * 3 * 3);
  const std::int64_t sizes = x.numel() + w.numel() + out.numel();

  const ProfileEvent forward = the(events, "conv2d", ProfileDirection::forward);
  CHECK(forward.inputs == std::vector<Shape>{x.shape(), w.shape(), b.shape()});
  CHECK(forward.outputs == std::vector<Shape>{out});
  CHECK(forward.flops == flops);
  CHECK(forward.bytes == 4 * (sizes + 6));

  const ProfileEvent backward = the(events, "conv2d", ProfileDirection::backward);
  CHECK(backward.inputs == std::vector<Shape>{out});
  CHECK(backward.outputs == std::vector<Shape>{x.shape(), w.shape(), b.shape()});
  CHECK(backward.flops == 0);  // it is made of ops:
  CHECK(backward.bytes == 0);
  for (const char* name : {"conv2d_input_grad", "conv2d_weight_grad"}) {
    CAPTURE(name);
    const ProfileEvent gradient = the(events, name, ProfileDirection::forward);
    CHECK(gradient.flops == flops);
    CHECK(gradient.bytes == 4 * sizes);
    CHECK(gradient.depth == backward.depth + 1);
  }
}

TEST_CASE("a matrix product counts its inner size, batches too") {
  const Variable a = leaf({3, 1, 4, 5});
  const Variable b = leaf({2, 5, 7});
  const Profiler profiler;
  matmul(a, b);
  const ProfileEvent event = the(profiler.events(), "matmul", ProfileDirection::forward);
  CHECK(event.flops == std::int64_t{2} * 3 * 2 * 4 * 7 * 5);
  CHECK(event.bytes == 4 * (3 * 4 * 5 + 2 * 5 * 7 + 3 * 2 * 4 * 7));
}

TEST_CASE("a training step of LeNet counts the flops that its layers have") {
  const WatchedStep step;
  std::int64_t flops = 0;
  for (const ProfileEvent& event : step.events) flops += event.flops;
  // Products of an image in each layer: 28x28 pixels of 6x25, 10x10 of 16x150, three matrices.
  constexpr std::int64_t first = 784 * 6 * 25;
  constexpr std::int64_t others = 100 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10;
  CHECK(flops == 2 * 8 * (2 * first + 3 * others));  // nobody wants the gradient of the images
}

TEST_CASE("a view moves nothing, an expanded tensor only what it repeats") {
  const Variable x = leaf({1, 8});
  const Profiler profiler;
  const Variable many = expand(x, {1000, 8});
  reshape(x, {8});
  relu(many);
  CHECK(the(profiler.events(), "expand", ProfileDirection::forward).bytes == 0);
  CHECK(the(profiler.events(), "reshape", ProfileDirection::forward).bytes == 0);
  // What lies in memory is a whole block, at most 256 bytes for these 32.
  const std::int64_t read_and_written =
      the(profiler.events(), "relu", ProfileDirection::forward).bytes;
  CHECK(read_and_written >= 32000 + 32);
  CHECK(read_and_written <= 32000 + 256);
}

TEST_CASE("the step of an optimizer is an event that reads and writes parameters and state") {
  const Variable p = leaf({10, 10});
  p.set_grad(ones_like(p.value()));
  SGD plain({p}, {.lr = 0.1});
  Adam adam({p});
  const Profiler profiler;
  plain.step();
  adam.step();
  CHECK(the(profiler.events(), "SGD", ProfileDirection::step).bytes == 400 * 3);
  CHECK(the(profiler.events(), "Adam", ProfileDirection::step).bytes == 400 * 7);
}

TEST_CASE("calls are events whether recorded or not") {
  const NoGrad no_grad;
  const Variable x = leaf({3});
  const Profiler profiler;
  x + x;
  CHECK(the(profiler.events(), "add", ProfileDirection::forward).inputs.size() == 2);
}

TEST_CASE("a derivative made of kernels counts what it says, without what its ops count") {
  const Variable x = leaf({4, 4});
  const Profiler profiler;
  custom(
      {x}, [](const Variables& v) { return v[0].value().clone(); },
      [](const Variables&, const Variable& dy) {
        count_flops(7);
        const Variable product = matmul(dy, dy);
        count_flops(30);
        count_bytes(11);
        return Variables{product};
      })
      .backward(ones_like(x.value()));
  const ProfileEvent event = the(profiler.events(), "custom", ProfileDirection::backward);
  CHECK(event.flops == 37);
  CHECK(event.bytes == 11);
  CHECK(the(profiler.events(), "matmul", ProfileDirection::forward).flops == 2 * 64);
}

TEST_CASE("an op that throws ends its event") {
  const Variable x = leaf({2, 3});
  const Profiler profiler;
  CHECK_THROWS(matmul(x, x));
  x + x;
  const ProfileEvent failed = the(profiler.events(), "matmul", ProfileDirection::forward);
  CHECK(failed.end_ns >= failed.begin_ns);
  CHECK(failed.outputs.empty());
  CHECK(the(profiler.events(), "add", ProfileDirection::forward).depth == 0);
}

TEST_CASE("a profiler sees its own thread, from its birth to its end; an inner one takes over") {
  const Variable x = leaf({3});
  x + x;
  const Profiler outer;
  x* x;
  {
    const Profiler inner;
    relu(x);
    CHECK(inner.events().size() == 1);
  }
  std::thread([&] { tanh(x); }).join();
  exp(x);
  REQUIRE(outer.events().size() == 2);
  CHECK(outer.events()[0].name == "mul");
  CHECK(outer.events()[1].name == "exp");
  count_flops(5);  // belongs to no event
  CHECK(outer.events()[1].flops == 0);
}
