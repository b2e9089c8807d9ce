// What happens within a shard: passes that a loss runs itself, hooks of the caller's, buffers that are no numbers, and
// gradients that leave while backward goes on.
#include <doctest/doctest.h>

#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/data/loader.h>
#include <gradus/distributed/data_parallel.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/sequential.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <support/error_message.h>

#include "ranks.h"

using namespace gradus;

namespace {

using ShardLoss = DistributedDataParallel::Loss;

Variable scores_of(Module& net, const Batch& shard) { return net(flatten(shard.images, 1)); }
Variable plain_loss(Module& net, const Batch& shard) {
  return cross_entropy(scores_of(net, shard), shard.labels);
}

DataLoader loader_of(const BatchShards& part) {
  return DataLoader(load_digits().train, {.batch_size = 30, .prefetch = 0, .shards = part});
}
Batch first_batch(const BatchShards& part) { return *loader_of(part).epoch(0).begin(); }

Sequential small_net() {
  Generator generator(5);
  return Sequential{Linear{64, 16, {}, generator}, Tanh{}, Linear{16, 10, {}, generator}};
}

/// All gradients in one row.
Tensor row_of_gradients(Module& net) {
  std::vector<Tensor> rows;
  for (const Variable& parameter : net.parameters())
    rows.push_back(parameter.grad().value().contiguous().reshape({parameter.numel()}));
  return core::cat(rows, 0);
}

Tensor gradient_on_ranks(int ranks, const ShardLoss& loss, std::int64_t bucket_bytes) {
  const auto outcomes = on_ranks<Tensor>(ranks, [&](Communicator& world) {
    Sequential net = small_net();
    DistributedDataParallel model(net, world, {.shards = 4, .bucket_bytes = bucket_bytes});
    const Batch batch = first_batch(model.part());
    model.backward(batch, loss);  // the second step finds what the first left
    model.backward(batch, loss);
    return row_of_gradients(net);
  });
  for (const RankOutcome<Tensor>& outcome : outcomes) {
    REQUIRE(outcome.error == "");
    CHECK(core::equal(outcome.value, outcomes[0].value));
  }
  return outcomes[0].value;
}

/// The mean over the batch, shard after shard, in one process.
Tensor gradient_by_hand(const ShardLoss& loss) {
  Sequential net = small_net();
  const Batch batch = first_batch({.count = 4, .begin = 0, .end = 4});
  std::optional<Tensor> sum;
  for (const Batch& shard : batch.shards) {
    const Variable result = loss(net, shard);
    net.zero_grad();
    result.backward(
        full({}, static_cast<double>(shard.samples) / static_cast<double>(batch.samples)));
    const Tensor row = row_of_gradients(net);
    sum = sum ? core::add(*sum, row) : row;
  }
  return *sum;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return core::max(core::abs(core::sub(a, b))).item();
}

}  // namespace

TEST_CASE("a loss may differentiate within itself: only the pass of its result counts") {
  const std::vector<ShardLoss> losses{
      [](Module& net, const Batch& shard) {  // looked at only
        const Variable x(flatten(Variable(shard.images), 1).value(), true);
        const Variable loss = cross_entropy(net(x), shard.labels);
        grad({loss}, {x}, {}, {.retain_graph = true});
        return loss;
      },
      [](Module& net, const Batch& shard) {  // an adversarial example
        const Variable x(flatten(Variable(shard.images), 1).value(), true);
        const Variable slope = grad({cross_entropy(net(x), shard.labels)}, {x})[0];
        return cross_entropy(net(x.detach() + slope.detach()), shard.labels);
      },
      [](Module& net,
         const Batch& shard) {  // the same by backward(), which leaves gradients behind
        const Variable x(flatten(Variable(shard.images), 1).value(), true);
        cross_entropy(net(x), shard.labels).backward();
        return cross_entropy(net(x.detach() + x.grad().detach()), shard.labels);
      },
      [](Module& net, const Batch& shard) {  // a gradient penalty
        const Variable x(flatten(Variable(shard.images), 1).value(), true);
        const Variable loss = cross_entropy(net(x), shard.labels);
        const Variable slope = grad({loss}, {x}, {}, {.create_graph = true})[0];
        return loss + sum(slope * slope);
      }};
  for (std::size_t i = 0; i < losses.size(); ++i) {
    CAPTURE(i);
    const Tensor wanted = gradient_by_hand(losses[i]);
    const Tensor alone = gradient_on_ranks(1, losses[i], 1 << 20);
    // Sums of 30 terms no greater than 1, in float32, added in another order.
    CHECK(largest_difference(alone, wanted) < 1e-6);
    for (const int ranks : {2, 3})
      CHECK(core::equal(gradient_on_ranks(ranks, losses[i], 1), alone));
  }
}

TEST_CASE("hooks of parameters count, whenever they were registered") {
  const auto gradient = [](int when) {
    Linear net(64, 10);
    net.weight.set_value(full({10, 64}, 0.01));
    net.bias.set_value(zeros({10}));
    const auto world = std::move(in_memory_ranks(1)[0]);
    std::vector<HookHandle> handles;
    const auto hook_up = [&] {
      handles.push_back(net.weight.register_hook([](const Variable& g) { return g * 2.0; }));
    };
    if (when == 1) hook_up();
    DistributedDataParallel model(net, *world, {.shards = 4});
    const Batch batch = first_batch(model.part());
    if (when == 2) hook_up();
    if (when == 3) {  // between two steps
      model.backward(batch, plain_loss);
      hook_up();
    }
    model.backward(batch, [&](Module& m, const Batch& shard) {
      if (when == 4 && handles.empty()) hook_up();  // within a loss
      return plain_loss(m, shard);
    });
    return core::sum(core::abs(net.weight.grad().value())).item();
  };
  const double plain = gradient(0);
  CHECK(plain > 0.1);
  for (const int when : {1, 2, 3, 4}) {
    CAPTURE(when);
    CHECK(gradient(when) == 2 * plain);  // a factor of two changes no bit but the exponent
  }
}

TEST_CASE("a hook that differentiates by the same parameters, or comes too late, is refused") {
  const auto check_refusal = [](const std::function<void(Linear&)>& in_backward, bool uses_bias,
                                const std::string& wanted) {
    const auto outcomes = on_ranks<int>(2, [&](Communicator& world) {
      Linear net(64, 10);
      DistributedDataParallel model(net, world, {.shards = 4});
      model.backward(first_batch(model.part()), [&](Module&, const Batch& shard) {
        const Variable x = flatten(Variable(shard.images), 1);
        const Variable y = uses_bias ? net(x) : matmul(x, transpose(net.weight, 0, 1));
        y.register_hook([&in_backward, &net](const Variable&) {
          const GradMode recorded(true);
          in_backward(net);
          return Variable();
        });
        return cross_entropy(y, shard.labels);
      });
      return 0;
    });
    for (const RankOutcome<int>& outcome : outcomes) {
      CAPTURE(outcome.error);
      CHECK(contains(outcome.error, wanted));
    }
  };
  const auto differentiates = [](Linear& net) { grad({sum(net.bias * 2.0)}, {net.bias}); };
  check_refusal(differentiates, true, "distributed: the gradient of bias came twice in a shard");
  check_refusal(differentiates, false, "distributed: the gradient of bias came from another pass");
  check_refusal(
      [](Linear& net) { net.weight.register_hook([](const Variable& g) { return g * 2.0; }); },
      true, "distributed: a hook on weight was registered in the backward pass");
}

TEST_CASE("buffers that are no numbers keep their bits, or become the mean of what shards leave") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  struct Buffers : Module {
    Linear linear{64, 10};
    Tensor untouched = Tensor::from({-infinity, infinity, -0.0, 0.0, std::nan(""), 0.1, 1e-45});
    Tensor doubles = Tensor::from({-infinity, -0.0, 0.1}, float64);
    Tensor greatest = full({2}, -std::numeric_limits<double>::infinity());
    Tensor seen = Tensor::from({1.0, 1.0});
    void visit(Visitor& v) override {
      v("linear", linear);
      v("untouched", untouched);
      v("doubles", doubles);
      v("greatest", greatest);
      v("seen", seen);
    }
    Variable forward(const Variable& x) override {
      greatest.at<float>({0}) = 3;
      seen.at<float>({0}) = std::numeric_limits<float>::infinity();
      return linear(x);
    }
  };
  for (const int ranks : {1, 2, 3}) {
    CAPTURE(ranks);
    const auto outcomes = on_ranks<int>(ranks, [&](Communicator& world) {
      Buffers net;
      const Tensor before = net.untouched.clone();
      const Tensor doubles_before = net.doubles.clone();
      DistributedDataParallel model(net, world, {.shards = 4});
      for (int step = 0; step < 2; ++step) model.backward(first_batch(model.part()), plain_loss);
      CHECK(std::memcmp(net.untouched.data<float>(), before.data<float>(), 7 * sizeof(float)) == 0);
      CHECK(std::memcmp(net.doubles.data<double>(), doubles_before.data<double>(),
                        3 * sizeof(double)) == 0);
      // 3 in each shard, weighted by shares of 30 images, in float32.
      CHECK(net.greatest.at<float>({0}) == doctest::Approx(3).epsilon(1e-6));
      CHECK(net.greatest.at<float>({1}) == -infinity);
      CHECK(net.seen.at<float>({0}) == infinity);
      CHECK(net.seen.at<float>({1}) == 1);
      return 0;
    });
    for (const RankOutcome<int>& outcome : outcomes) CHECK(outcome.error == "");
  }
}

namespace {

/// Counts the exchanges that have begun.
class Counting final : public Communicator {
 public:
  explicit Counting(Communicator& inner)
      : Communicator(inner.rank(), inner.size()), inner_(inner) {}
  std::atomic<int> begun = 0;

  std::unique_ptr<Pending> all_to_all(int channel, const std::byte* send,
                                      const ByteCounts& send_bytes, std::byte* receive,
                                      const ByteCounts& receive_bytes) override {
    ++begun;
    return inner_.all_to_all(channel, send, send_bytes, receive, receive_bytes);
  }
  std::unique_ptr<Pending> all_gather(int channel, const std::byte* send, std::byte* receive,
                                      const ByteCounts& bytes) override {
    return inner_.all_gather(channel, send, receive, bytes);
  }
  void finish() override { inner_.finish(); }
  [[noreturn]] void abort(const std::exception& error) override {
    inner_.abort(error);
    std::terminate();  // not reached, which the compiler does not see through the reference
  }

 private:
  Communicator& inner_;
};

/// Passes its gradient on when so many exchanges have begun, or after ten seconds.
struct WaitsForExchanges final : Op {
  Counting* world;
  int wanted;
  int* found;
  WaitsForExchanges(Counting& counted, int exchanges, int& result)
      : world(&counted), wanted(exchanges), found(&result) {}
  Tensor forward(const Variable& x) { return x.value().clone(); }
  Variables backward(const Variable& dy) override {
    for (int i = 0; i < 1000 && world->begun < wanted; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    *found = world->begun;
    return {dy * 1.0};
  }
};

}  // namespace

TEST_CASE("the gradients of late layers are under way while those of early ones are computed") {
  for (const bool overlap : {true, false}) {
    const auto outcomes = on_ranks<int>(2, [&](Communicator& inner) {
      Counting world(inner);
      Linear early(64, 16);
      Linear late(16, 10);
      struct Both : Module {
        Linear* first;
        Linear* second;
        void visit(Visitor& v) override {
          v("first", *first);
          v("second", *second);
        }
        Variable forward(const Variable& x) override { return (*second)((*first)(x)); }
      } net;
      net.first = &early;
      net.second = &late;
      DistributedDataParallel model(net, world,
                                    {.shards = 2, .bucket_bytes = 1, .overlap = overlap});
      int found = 0;
      model.backward(first_batch(model.part()), [&](Module&, const Batch& shard) {
        const Variable hidden = early(flatten(shard.images, 1));
        // A bucket for each parameter: weight and bias of the late layer.
        const Variable same = record(WaitsForExchanges(world, overlap ? 2 : 0, found), hidden);
        return cross_entropy(late(same), shard.labels);
      });
      CHECK(world.begun == 4);
      return found;
    });
    for (const RankOutcome<int>& outcome : outcomes) {
      CHECK(outcome.error == "");
      CHECK(outcome.value == (overlap ? 2 : 0));
    }
  }
}
