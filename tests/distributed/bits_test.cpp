// One and the same model, bit for bit, on any number of ranks, with buckets of any size, with and without overlap.
#include <doctest/doctest.h>

#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/data/loader.h>
#include <gradus/data/transforms.h>
#include <gradus/distributed/data_parallel.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/optim/adam.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <support/error_message.h>

#include "ranks.h"

using namespace gradus;

namespace {

/// With all that could depend on who computes: batch norm, both kinds of generators, a parameter that no shard uses, one that
/// only shards with many images use, and one that is not trained.
struct Everything : Module {
  Conv2d conv{1, 4, {.kernel_size = 3, .padding = 1}};
  BatchNorm2d norm{4};
  Dropout dropout{0.2};
  Dropout of_its_own{0.1, Generator(7)};
  Linear head{4 * 8 * 8, 10};
  Variable unused{ones({3}), true};
  Variable sometimes{ones({}), true};
  Variable frozen{full({10}, 0.5)};

  void visit(Visitor& v) override {
    v("conv", conv);
    v("norm", norm);
    v("dropout", dropout);
    v("of_its_own", of_its_own);
    v("head", head);
    v("unused", unused);
    v("sometimes", sometimes);
    v("frozen", frozen);
  }
  Variable forward(const Variable& x) override {
    const Variable hidden = dropout(norm(conv(x), Activation::relu));
    const Variable scores = head(flatten(of_its_own(hidden), 1)) + frozen;
    return x.size(0) > 3 ? scores * sometimes : scores;
  }
};

struct How {
  int ranks = 1;
  std::int64_t bucket_bytes = 1 << 20;
  bool overlap = true;
  std::int64_t shards = 8;
  std::int64_t workers = 1;
};

struct Trained {
  NamedTensors state;
  std::vector<double> losses;
};

/// Some steps on digits, the last batch smaller than the number of shards.
Trained train(Communicator& world, const How& how) {
  manual_seed(static_cast<std::uint64_t>(world.rank()) + 1);  // rank 0's counts
  Everything net;
  DistributedDataParallel model(
      net, world, {.shards = how.shards, .bucket_bytes = how.bucket_bytes, .overlap = how.overlap});
  std::vector<Variable> trained_ones;
  for (const Variable& parameter : net.parameters()) {
    if (parameter.requires_grad()) trained_ones.push_back(parameter);
  }
  Adam optimizer(trained_ones, {.lr = 0.01});
  Dataset data = load_digits().train;
  data.images = data.images.narrow(0, 0, 133);
  data.labels = data.labels.narrow(0, 0, 133);
  const DataLoader loader(data, {.batch_size = 32,
                                 .shuffle = true,
                                 .seed = 3,
                                 .prefetch = 2 * how.workers,
                                 .workers = how.workers,
                                 .transform = parse_transforms("rotate=10"),
                                 .mixup = 0.2,
                                 .shards = model.part()});
  Trained trained;
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (const Batch& batch : loader.epoch(epoch)) {
      trained.losses.push_back(model.backward(batch, [](Module& m, const Batch& shard) {
        return cross_entropy(m(shard.images), shard.labels);
      }));
      optimizer.step();
    }
  }
  CHECK(!net.unused.grad().defined());
  for (const auto& [name, tensor] : net.state_dict())
    trained.state.emplace_back(name, tensor.clone());
  return trained;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto bytes = static_cast<std::size_t>(a.numel() * size_of(a.dtype()));
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.storage().data(), b.storage().data(), bytes) == 0;
}

void check_same(const Trained& found, const Trained& wanted) {
  CHECK(found.losses == wanted.losses);
  REQUIRE(found.state.size() == wanted.state.size());
  for (std::size_t i = 0; i < wanted.state.size(); ++i) {
    CAPTURE(wanted.state[i].first);
    CHECK(same_bits(found.state[i].second, wanted.state[i].second));
  }
}

void check_all(const How& how, const Trained& wanted) {
  CAPTURE(how.ranks);
  CAPTURE(how.bucket_bytes);
  CAPTURE(how.overlap);
  const auto outcomes =
      on_ranks<Trained>(how.ranks, [&](Communicator& world) { return train(world, how); });
  for (const RankOutcome<Trained>& outcome : outcomes) {
    CHECK(outcome.error == "");
    check_same(outcome.value, wanted);
  }
}

Trained alone(const How& how) {
  const auto outcomes =
      on_ranks<Trained>(1, [&](Communicator& world) { return train(world, how); });
  REQUIRE(outcomes[0].error == "");
  return outcomes[0].value;
}

/// One step by hand: forward and backward of each shard, gradients added up in the order of the tree.
Tensor gradient_by_hand(Linear& net, const Batch& batch, std::int64_t shards) {
  std::vector<Tensor> parts;
  for (std::int64_t shard = 0; shard < shards; ++shard) {
    const std::int64_t begin = shard_begin(batch.samples, shards, shard);
    const std::int64_t count = shard_begin(batch.samples, shards, shard + 1) - begin;
    net.zero_grad();
    const Variable loss = cross_entropy(net(flatten(batch.images.narrow(0, begin, count), 1)),
                                        batch.labels.narrow(0, begin, count));
    loss.backward(full({}, static_cast<double>(count) / static_cast<double>(batch.samples)));
    parts.push_back(net.weight.grad().value().clone());
  }
  while (parts.size() > 1) {
    std::vector<Tensor> sums;
    for (std::size_t i = 0; i < parts.size(); i += 2)
      sums.push_back(core::add(parts[i], parts[i + 1]));
    parts = sums;
  }
  return parts[0];
}

}  // namespace

TEST_CASE("any number of ranks, any bucket size, overlap or not: the same bits on every rank") {
  const Trained wanted = alone({});
  CHECK(wanted.losses.size() == 10);
  CHECK(wanted.losses.back() < wanted.losses.front());
  for (const int ranks : {2, 3, 4, 8}) check_all({.ranks = ranks}, wanted);
  check_all({.ranks = 1, .bucket_bytes = 1}, wanted);
  for (const bool overlap : {false, true}) {
    check_all({.ranks = 4, .bucket_bytes = 1, .overlap = overlap}, wanted);
    check_all({.ranks = 3, .bucket_bytes = 2000, .overlap = overlap, .workers = 2}, wanted);
  }
}

TEST_CASE("a number of shards that is no power of two gives the same bits too") {
  const Trained wanted = alone({.shards = 7});
  for (const int ranks : {2, 5, 7}) check_all({.ranks = ranks, .shards = 7}, wanted);
}

TEST_CASE("another number of shards is another training: what is the same is no accident") {
  const Trained four = alone({.shards = 4});
  CHECK(four.losses != alone({.shards = 8}).losses);
}

TEST_CASE(
    "gradient and loss are those of the mean over the batch, added up in the order of the tree") {
  Dataset data = load_digits().train;
  Generator generator(5);
  Linear by_hand(64, 10, {}, generator);
  const DataLoader whole(data, {.batch_size = 30, .prefetch = 0});
  const Batch batch = *whole.epoch(0).begin();
  const Tensor wanted = gradient_by_hand(by_hand, batch, 8);
  const auto outcomes = on_ranks<Tensor>(4, [&](Communicator& world) {
    Generator again(5);
    Linear net(64, 10, {}, again);
    DistributedDataParallel model(net, world);
    const DataLoader loader(data, {.batch_size = 30, .prefetch = 0, .shards = model.part()});
    const double loss = model.backward(*loader.epoch(0).begin(), [](Module& m, const Batch& shard) {
      return cross_entropy(m(flatten(shard.images, 1)), shard.labels);
    });
    const double mean = cross_entropy(net(flatten(batch.images, 1)), batch.labels).item();
    // Both are sums of 30 losses of size 2, in float32 within a shard.
    CHECK(loss == doctest::Approx(mean).epsilon(1e-6));
    return net.weight.grad().value().clone();
  });
  for (const RankOutcome<Tensor>& outcome : outcomes) {
    CHECK(outcome.error == "");
    REQUIRE(outcome.value.defined());
    CHECK(same_bits(outcome.value, wanted));
  }
}

TEST_CASE(
    "running statistics are the means over the shards, and what nothing changes keeps its bits") {
  const auto outcomes = on_ranks<int>(2, [&](Communicator& world) {
    BatchNorm2d norm(1, {.momentum = 1.0});
    BatchNorm2d untouched(1);
    untouched.eval();
    untouched.running_mean.fill_(0.1);
    struct Both : Module {
      BatchNorm2d* a;
      BatchNorm2d* b;
      void visit(Visitor& v) override {
        v("a", *a);
        v("b", *b);
      }
      Variable forward(const Variable& x) override { return (*b)((*a)(x)); }
    } net;
    net.a = &norm;
    net.b = &untouched;
    DistributedDataParallel model(net, world, {.shards = 2});
    const DataLoader loader(load_digits().train,
                            {.batch_size = 10, .prefetch = 0, .shards = model.part()});
    const DataLoader whole(load_digits().train, {.batch_size = 10, .prefetch = 0});
    const Tensor images = (*whole.epoch(0).begin()).images;
    model.backward(*loader.epoch(0).begin(),
                   [](Module& m, const Batch& shard) { return mean(m(shard.images)); });
    // Both shards have five images.
    // Of 640 numbers of size 1 that nearly cancel, in float32.
    CHECK(std::abs(norm.running_mean.item() - core::mean(images).item()) < 1e-6);
    CHECK(norm.num_batches_tracked.item() == 1);
    CHECK(untouched.running_mean.item() == static_cast<double>(0.1f));
    CHECK(untouched.num_batches_tracked.item() == 0);
    return 0;
  });
  for (const RankOutcome<int>& outcome : outcomes) CHECK(outcome.error == "");
}
