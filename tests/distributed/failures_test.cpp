// What becomes of the other ranks when one fails: they end, and say which it was and why.
#include <doctest/doctest.h>

#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/data/loader.h>
#include <gradus/distributed/data_parallel.h>
#include <gradus/distributed/watchdog.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/sequential.h>
#include <gradus/optim/sgd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <support/error_message.h>

#include "ranks.h"

using namespace gradus;

namespace {

/// Trains a net on digits; before step `step` it calls `before(rank, step)`.
template <class Before>
std::vector<RankOutcome<int>> steps_on_ranks(int ranks, int steps, const Before& before,
                                             double timeout = 300) {
  return on_ranks<int>(
      ranks,
      [&](Communicator& world) {
        Linear net(64, 10);
        DistributedDataParallel model(net, world);
        const DataLoader loader(load_digits().train,
                                {.batch_size = 32, .prefetch = 0, .shards = model.part()});
        int done = 0;
        for (const Batch& batch : loader.epoch(0)) {
          if (done == steps || !before(world.rank(), done)) break;
          model.backward(batch, [&](Module& m, const Batch& shard) {
            return cross_entropy(m(flatten(shard.images, 1)), shard.labels);
          });
          ++done;
        }
        world.finish();
        return done;
      },
      timeout);
}

std::vector<std::string> refusals(const std::function<void(Communicator&)>& body) {
  const auto outcomes = on_ranks<int>(3, [&](Communicator& world) {
    body(world);
    return 0;
  });
  std::vector<std::string> errors;
  for (const RankOutcome<int>& outcome : outcomes) errors.push_back(outcome.error);
  return errors;
}

}  // namespace

TEST_CASE("a rank that throws in its loss ends all, each with the rank and the cause") {
  const auto outcomes = on_ranks<int>(3, [](Communicator& world) {
    Linear net(64, 10);
    DistributedDataParallel model(net, world);
    const DataLoader loader(load_digits().train,
                            {.batch_size = 32, .prefetch = 0, .shards = model.part()});
    int step = 0;
    for (const Batch& batch : loader.epoch(0)) {
      ++step;
      model.backward(batch, [&](Module& m, const Batch& shard) {
        if (world.rank() == 1 && step == 4) fail<ValueError>("the loss is not to be had");
        return cross_entropy(m(flatten(shard.images, 1)), shard.labels);
      });
    }
    return step;
  });
  for (const RankOutcome<int>& outcome : outcomes)
    CHECK(outcome.error == "rank 1: the loss is not to be had");
}

TEST_CASE("a rank that has fewer batches than the others is named") {
  const auto outcomes =
      steps_on_ranks(3, 5, [](int rank, int step) { return rank != 2 || step < 2; });
  for (const RankOutcome<int>& outcome : outcomes) {
    CHECK(contains(outcome.error, "rank 2 has finished, and rank "));
    CHECK(contains(outcome.error, " waits for it: did it run out of data?"));
  }
}

TEST_CASE("a rank that keeps silent is named when the time is up") {
  std::atomic<bool> others_ended = false;
  const auto start = std::chrono::steady_clock::now();
  const auto outcomes = steps_on_ranks(
      3, 5,
      [&](int rank, int step) {
        while (rank == 1 && step == 3 && !others_ended) {
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          // Longer than the others wait, by far.
          others_ended = std::chrono::steady_clock::now() - start > std::chrono::seconds(3);
        }
        return true;
      },
      0.5);
  for (const RankOutcome<int>& outcome : outcomes) {
    CHECK(contains(outcome.error, ": no word from rank 1 for 0.5 s while waiting for "));
  }
}

TEST_CASE("a rank that is slow, but not for too long, does no harm") {
  const auto outcomes = steps_on_ranks(
      3, 3,
      [&](int rank, int step) {
        if (rank == 1 && step == 1) std::this_thread::sleep_for(std::chrono::milliseconds(700));
        return true;
      },
      30);
  for (const RankOutcome<int>& outcome : outcomes) {
    CHECK(outcome.error == "");
    CHECK(outcome.value == 3);
  }
}

TEST_CASE("all stop after the same step when one rank asks") {
  const auto outcomes = on_ranks<int>(3, [](Communicator& world) {
    Linear net(64, 10);
    DistributedDataParallel model(net, world);
    const DataLoader loader(load_digits().train,
                            {.batch_size = 32, .prefetch = 0, .shards = model.part()});
    int steps = 0;
    for (const Batch& batch : loader.epoch(0)) {
      if (world.rank() == 2 && steps == 4) model.ask_to_stop();
      if (model.stopping()) break;
      model.backward(batch, [](Module& m, const Batch& shard) {
        return cross_entropy(m(flatten(shard.images, 1)), shard.labels);
      });
      ++steps;
    }
    world.finish();
    return steps;
  });
  for (const RankOutcome<int>& outcome : outcomes) {
    CHECK(outcome.error == "");
    CHECK(outcome.value == 5);
  }
}

TEST_CASE("other nets, options and shapes are refused before the first step, naming both") {
  for (const std::string& error : refusals([](Communicator& world) {
         Linear net(64, world.rank() == 2 ? 11 : 10);
         DistributedDataParallel model(net, world);
       })) {
    CHECK(contains(error, "distributed: all ranks must compute the same: the net is Linear("));
    CHECK(contains(error, "out_features=10"));
    CHECK(contains(error, "on rank 0, "));
    CHECK(contains(error, "out_features=11"));
    CHECK(contains(error, " on rank 2"));
  }
  for (const std::string& error : refusals([](Communicator& world) {
         Sequential net{Linear{64, 10}};
         if (world.rank() == 1) net = Sequential{Linear{64, 10}, ReLU{}};
         DistributedDataParallel model(net, world);
       })) {
    CHECK(contains(error, "the net is Sequential("));
  }
  for (const std::string& error : refusals([](Communicator& world) {
         Linear net(64, 10);
         DistributedDataParallel model(net, world, {.shards = world.rank() == 1 ? 16 : 8});
       })) {
    CHECK(
        error ==
        "distributed: all ranks must compute the same: the number of shards is 8 on rank 0, 16 on "
        "rank 1");
  }
  for (const std::string& error : refusals([](Communicator& world) {
         Linear net(64, 10);
         if (world.rank() == 2) net.bias.requires_grad_(false);
         DistributedDataParallel model(net, world);
       })) {
    CHECK(
        contains(error, "the list of parameters is weight bias  on rank 0, weight bias frozen  "));
  }
}

TEST_CASE("shards for fewer ranks than there are, and batches of other shards, are refused") {
  for (const std::string& error : refusals([](Communicator& world) {
         Linear net(64, 10);
         DistributedDataParallel model(net, world, {.shards = 2});
       })) {
    CHECK(error ==
          "distributed: shards must be at least as many as ranks, got 2 shards for 3 ranks");
  }
  const auto alone = in_memory_ranks(1);
  Linear net(64, 10);
  DistributedDataParallel model(net, *alone[0]);
  const DataLoader whole(load_digits().train, {.batch_size = 32, .prefetch = 0});
  const Batch batch = *whole.epoch(0).begin();
  const auto refusal = [&](const Batch& wrong) {
    return message_of<ValueError>([&] { model.backward(wrong, {}); });
  };
  CHECK(refusal(batch) ==
        "distributed: a batch must have the shards of part(), 0 to 7 of 8, it has none");
  const auto cut = [](const BatchShards& part) {
    return *DataLoader(load_digits().train, {.batch_size = 32, .prefetch = 0, .shards = part})
                .epoch(0)
                .begin();
  };
  CHECK(refusal(cut({.count = 16, .begin = 0, .end = 8})) ==
        "distributed: a batch must have the shards of part(), 0 to 7 of 8, it has 0 to 7 of 16");
  Batch uneven = cut(model.part());
  uneven.shards[3].samples = 5;
  CHECK(refusal(uneven) == "distributed: shard 3 of a batch of 32 images must have 4, it has 5");
  // A refused batch has changed nothing.
  const auto loss = [](Module& m, const Batch& shard) {
    return cross_entropy(m(flatten(shard.images, 1)), shard.labels);
  };
  CHECK(model.backward(cut(model.part()), loss) > 0);
  CHECK(message_of<ValueError>([&] {
          DistributedDataParallel(net, *alone[0], {.bucket_bytes = 0});
        }) == "distributed: bucket_bytes must be at least 1, got 0");
  CHECK(message_of<ValueError>([] { in_memory_ranks(0); }) ==
        "in_memory_ranks: ranks must be at least 1, got 0");
}

TEST_CASE(
    "the watchdog alarms when a process that it watches ends, and not when it was told to forget") {
  const auto child_that_waits = [] {
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) ::pause();
    }
    return child;
  };
  for (const bool forgets : {false, true}) {
    std::atomic<int> lost = -1;
    const pid_t child = child_that_waits();
    {
      Watchdog watchdog(300, [&](const WatchdogAlarm& alarm) {
        lost = alarm.ranks.at(0);
        CHECK(contains(alarm.what, "rank 5 (process " + std::to_string(child) + ") has ended"));
      });
      watchdog.watch(5, child);
      if (forgets) watchdog.forget_processes();
      ::kill(child, SIGKILL);
      for (int i = 0; i < (forgets ? 50 : 3000) && lost == -1; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ::waitpid(child, nullptr, 0);
    CHECK(lost == (forgets ? -1 : 5));
  }
  // One that is gone before it can be watched.
  std::atomic<int> lost = -1;
  const pid_t child = child_that_waits();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  Watchdog watchdog(300, [&](const WatchdogAlarm& alarm) { lost = alarm.ranks.at(0); });
  watchdog.watch(5, child);
  for (int i = 0; i < 3000 && lost == -1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(lost == 5);
  CHECK(message_of<ValueError>([] { Watchdog(0, {}); }) ==
        "watchdog: seconds must be above 0, got 0");
}

TEST_CASE("a batch of another rank's shards, or another batch, ends all with both in the message") {
  const auto errors = [](const std::function<Batch(Communicator&, const BatchShards&)>& batch) {
    return refusals([&](Communicator& world) {
      Linear net(64, 10);
      DistributedDataParallel model(net, world, {.shards = 6});
      model.backward(batch(world, model.part()), [](Module& m, const Batch& shard) {
        return cross_entropy(m(flatten(shard.images, 1)), shard.labels);
      });
    });
  };
  const auto cut = [](std::int64_t size, const BatchShards& part, std::int64_t index = 0) {
    return *DataLoader(load_digits().train, {.batch_size = size, .prefetch = 0, .shards = part})
                .epoch(0, index)
                .begin();
  };
  for (const std::string& error : errors([&](Communicator&, const BatchShards&) {
         return cut(32, {.count = 6, .begin = 0, .end = 2});
       })) {
    CHECK(contains(error, "a batch must have the shards of part(), "));
    CHECK(contains(error, "it has 0 to 1 of 6"));
  }
  for (const std::string& error : errors([&](Communicator&world, const BatchShards&part) {
         return cut(world.rank() == 1 ? 64 : 32, part);
       })) {
    CHECK(contains(error,
                   "distributed: all ranks must train the same batch: its images are 32 on rank "
                   "0, 64 on rank 1"));
  }
  for (const std::string& error : errors([&](Communicator&world, const BatchShards&part) {
         return cut(32, part, world.rank() == 2 ? 1 : 0);
       })) {
    CHECK(contains(error, "train the same batch: its index is 0 on rank 0, 1 on rank 2"));
  }
  // The same index and size, of other pictures.
  const auto shuffled = [](std::uint64_t seed, std::int64_t epoch, const BatchShards& part) {
    return *DataLoader(
                load_digits().train,
                {.batch_size = 32, .shuffle = true, .seed = seed, .prefetch = 0, .shards = part})
                .epoch(epoch)
                .begin();
  };
  for (const bool seed : {true, false}) {
    for (const std::string& error : errors([&](Communicator&world, const BatchShards&part) {
           const bool other = world.rank() == 1;
           return shuffled(other && seed ? 2 : 1, other && !seed ? 1 : 0, part);
         })) {
      CHECK(contains(error,
                     "train the same batch: its loader has another seed or is in another epoch"));
    }
  }
}

TEST_CASE("parameters that are frozen, unfrozen or exchanged after the start are refused") {
  struct Changing : Module {
    Variable weight{full({10, 64}, 0.1), true};
    Variable bias{full({10}, 0.1), true};
    bool has_bias = true;
    void visit(Visitor& v) override {
      v("weight", weight);
      if (has_bias) v("bias", bias);
    }
    Variable forward(const Variable& x) override { return linear(x, weight, bias); }
  };
  const auto loss = [](Module& m, const Batch& shard) {
    return cross_entropy(m(flatten(shard.images, 1)), shard.labels);
  };
  const auto refusal = [&](const std::function<void(Changing&)>& before,
                           const std::function<void(Changing&)>& change) {
    const auto alone = in_memory_ranks(1);
    Changing net;
    before(net);
    DistributedDataParallel model(net, *alone[0]);
    const DataLoader loader(load_digits().train,
                            {.batch_size = 32, .prefetch = 0, .shards = model.part()});
    change(net);
    return message_of<ValueError>([&] { model.backward(*loader.epoch(0).begin(), loss); });
  };
  const auto nothing = [](Changing&) {};
  const std::string end = " since this DistributedDataParallel was made; make another";
  CHECK(refusal(nothing, [](Changing& net) { net.weight.requires_grad_(false); }) ==
        "distributed: weight was frozen" + end);
  CHECK(refusal([](Changing& net) { net.weight.requires_grad_(false); },
                [](Changing& net) { net.weight.requires_grad_(true); }) ==
        "distributed: weight began to require a gradient" + end);
  CHECK(refusal(nothing, [](Changing& net) { net.bias = Variable(full({10}, 0.2), true); }) ==
        "distributed: bias became another Variable" + end);
  CHECK(refusal(nothing, [](Changing& net) { net.has_bias = false; }) ==
        "distributed: bias was taken out of the net" + end);
  // On several ranks all end.
  for (const std::string& error : refusals([&](Communicator& world) {
         Changing net;
         DistributedDataParallel model(net, world);
         const DataLoader loader(load_digits().train,
                                 {.batch_size = 32, .prefetch = 0, .shards = model.part()});
         if (world.rank() == 1) net.weight.requires_grad_(false);
         model.backward(*loader.epoch(0).begin(), loss);
       }))
    CHECK(error == "rank 1: distributed: weight was frozen" + end);

  // Frozen for a while between two steps, it is trained again as before.
  const auto alone = in_memory_ranks(1);
  Changing net;
  DistributedDataParallel model(net, *alone[0]);
  const DataLoader loader(load_digits().train,
                          {.batch_size = 32, .prefetch = 0, .shards = model.part()});
  const Batch batch = *loader.epoch(0).begin();
  model.backward(batch, loss);
  const Tensor wanted = net.weight.grad().value().clone();
  net.weight.requires_grad_(false);
  net.weight.requires_grad_(true);
  net.weight.zero_grad();
  model.backward(batch, loss);
  REQUIRE(net.weight.grad().defined());
  CHECK(core::equal(net.weight.grad().value(), wanted));
  // Nor does it within a loss, before the forward pass or behind it.
  for (const bool before : {true, false}) {
    net.weight.zero_grad();
    model.backward(batch, [&](Module& m, const Batch& shard) {
      const Variable early = before ? Variable() : loss(m, shard);
      net.weight.requires_grad_(false);
      net.weight.requires_grad_(true);
      return before ? loss(m, shard) : early;
    });
    REQUIRE(net.weight.grad().defined());
    CHECK(core::equal(net.weight.grad().value(), wanted));
  }
  // Frozen for good behind the forward pass it gets none.
  model.backward(batch, [&](Module& m, const Batch& shard) {
    const Variable result = loss(m, shard);
    net.bias.requires_grad_(false);
    return result;
  });
  CHECK(core::max(core::abs(net.weight.grad().value())).item() > 0);
  CHECK_FALSE(net.bias.requires_grad());
  // The same leaf again, whatever it was in between, it keeps its hooks and gets its gradient.
  Changing other;
  DistributedDataParallel other_model(other, *alone[0]);
  other_model.backward(batch, loss);
  const Tensor before = other.weight.grad().value().clone();
  other.weight.zero_grad();
  other_model.backward(batch, [&](Module& m, const Batch& shard) {
    const Variable result = loss(m, shard);
    other.weight.requires_grad_(false);
    other.weight.set_value(other.weight.value().to(float64));
    other.weight.requires_grad_(true);
    other.weight.set_value(other.weight.value().to(float32));
    return result;
  });
  REQUIRE(other.weight.grad().defined());
  CHECK(core::equal(other.weight.grad().value(), before));
}

TEST_CASE("a rank that draws random numbers between steps, which the others do not, is named") {
  for (const std::string& error : refusals([](Communicator& world) {
         Linear net(64, 10);
         DistributedDataParallel model(net, world);
         manual_seed(1);
         const DataLoader loader(load_digits().train,
                                 {.batch_size = 32, .prefetch = 0, .shards = model.part()});
         int steps = 0;
         for (const Batch& batch : loader.epoch(0)) {
           model.backward(batch, [](Module& m, const Batch& shard) {
             return cross_entropy(m(flatten(shard.images, 1)), shard.labels);
           });
           CHECK(++steps < 3);
           if (steps == 2 && world.rank() == 1) default_generator().next();
         }
       })) {
    CHECK(contains(
        error,
        "all ranks must draw the same random numbers between two steps: the position "
        "of generator 0 of 1 (the last is default_generator()) is 2 on rank 0, 3 on rank 1"));
  }
}

TEST_CASE("run_in_memory: a rank that throws anywhere ends the others at once, by name") {
  const auto start = std::chrono::steady_clock::now();
  CHECK(message_of<RankError>([] {
          run_in_memory(3, [](Communicator& world) {
            Linear net(64, 10);
            DistributedDataParallel model(net, world);
            if (world.rank() == 1) fail<ValueError>("no such file");
            const DataLoader loader(load_digits().train,
                                    {.batch_size = 32, .prefetch = 0, .shards = model.part()});
            model.backward(*loader.epoch(0).begin(), [](Module& m, const Batch& shard) {
              return cross_entropy(m(flatten(shard.images, 1)), shard.labels);
            });
          });
        }) == "rank 1: no such file");
  CHECK(message_of<RankError>([] {
          run_in_memory(2, [](Communicator& world) {
            if (world.rank() == 0) throw RankError("rank 0: of its own");
            world.gather("", "a text");
          });
        }) == "rank 0: of its own");
  // Far below the 300 s after which a silent rank counts as lost.
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(100));
  std::atomic<int> sum = 0;
  run_in_memory(3, [&](Communicator& world) { sum += world.rank(); });
  CHECK(sum == 3);
}
