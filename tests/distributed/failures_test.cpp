// What becomes of the other ranks when one fails: they end, and say which it was and why.
#include <doctest/doctest.h>

#include <gradus/autograd/functions.h>
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
  CHECK(message_of<ValueError>([&] { model.backward(batch, {}); }) ==
        "distributed: a batch must have the 8 shards of part(), it has 0");
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
  CHECK(message_of<ValueError>([] { Watchdog(0, {}); }) ==
        "watchdog: seconds must be above 0, got 0");
}
