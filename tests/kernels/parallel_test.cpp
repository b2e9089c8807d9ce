// parallel_for: every index once, the same chunks always, nesting, exceptions, many callers.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gradus/core/error.h>
#include <gradus/core/parallel.h>

using gradus::parallel_for;

namespace {

/// Sets the thread count for a test and puts the old one back.
class ThreadCount {
 public:
  explicit ThreadCount(int count) : before_(gradus::num_threads()) {
    gradus::set_num_threads(count);
  }
  ~ThreadCount() { gradus::set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

using Chunks = std::vector<std::pair<std::int64_t, std::int64_t>>;

Chunks chunks_of(std::int64_t count, std::int64_t grain) {
  Chunks chunks;
  std::mutex mutex;
  parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::scoped_lock lock(mutex);
    chunks.emplace_back(begin, end);
  });
  std::sort(chunks.begin(), chunks.end());
  return chunks;
}

}  // namespace

TEST_CASE("the chunks cover the range once and do not depend on the thread count") {
  for (const int threads : {1, 2, 3, 8}) {
    const ThreadCount guard(threads);
    CHECK(chunks_of(0, 4).empty());
    CHECK(chunks_of(-3, 4).empty());
    CHECK(chunks_of(4, 4) == Chunks{{0, 4}});
    CHECK(chunks_of(10, 4) == Chunks{{0, 4}, {4, 8}, {8, 10}});
    CHECK(chunks_of(3, 0) == Chunks{{0, 1}, {1, 2}, {2, 3}});
    CHECK(chunks_of(3, INT64_MAX) == Chunks{{0, 3}});
    CHECK(chunks_of(1000, 1).size() == 1000);
  }
}

TEST_CASE("each index is visited exactly once, loop after loop") {
  const ThreadCount guard(4);
  std::vector<int> visits(1000, 0);
  for (int round = 0; round < 500; ++round) {
    parallel_for(1000, 7, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
    });
  }
  CHECK(visits == std::vector<int>(1000, 500));
}

TEST_CASE("the calling thread sees what the chunks wrote") {
  const ThreadCount guard(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<int> values(64);
    parallel_for(64, 1, [&](std::int64_t begin, std::int64_t) {
      values[static_cast<std::size_t>(begin)] = static_cast<int>(begin) + round;
    });
    int sum = 0;
    for (const int value : values) sum += value;
    REQUIRE(sum == 64 * 63 / 2 + 64 * round);
  }
}

TEST_CASE("a nested loop runs inline with the same chunks") {
  const ThreadCount guard(3);
  std::atomic<int> total{0};
  parallel_for(8, 1, [&](std::int64_t, std::int64_t) {
    const auto outer_thread = std::this_thread::get_id();
    parallel_for(10, 3, [&](std::int64_t begin, std::int64_t end) {
      if (std::this_thread::get_id() == outer_thread) total += static_cast<int>(end - begin);
    });
  });
  CHECK(total == 80);
}

TEST_CASE("an exception reaches the caller, and the pool works on") {
  for (const int threads : {1, 3}) {
    const ThreadCount guard(threads);
    for (int round = 0; round < 100; ++round) {
      CHECK_THROWS_WITH_AS(parallel_for(50, 1,
                                        [](std::int64_t begin, std::int64_t) {
                                          if (begin == 20) throw std::runtime_error("chunk 20");
                                        }),
                           "chunk 20", std::runtime_error);
    }
    // Each chunk throws: one exception arrives, the others are dropped.
    CHECK_THROWS_AS(
        parallel_for(50, 1, [](std::int64_t, std::int64_t) { throw std::runtime_error("all"); }),
        std::runtime_error);
    CHECK(chunks_of(10, 4).size() == 3);
  }
}

TEST_CASE("several threads may call at once") {
  const ThreadCount guard(3);
  std::atomic<std::int64_t> total{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        std::vector<std::int64_t> sums(10);
        parallel_for(100, 10, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i)
            sums[static_cast<std::size_t>(begin / 10)] += i;
        });
        for (const std::int64_t sum : sums) total += sum;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(total == 4 * 300 * 4950);
}

TEST_CASE("workers that have gone to sleep wake up") {
  const ThreadCount guard(2);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> arrived{0};
    // Each chunk waits for the other, so the loop ends only when two threads run it.
    parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
      ++arrived;
      while (arrived.load() < 2) std::this_thread::yield();
    });
    CHECK(arrived == 2);
  }
}

TEST_CASE("the thread count may change between loops, also while another thread loops") {
  const ThreadCount guard(2);
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> loops{0};
  std::thread looping([&] {
    while (!stop) {
      std::atomic<std::int64_t> sum{0};
      parallel_for(20, 1, [&](std::int64_t begin, std::int64_t) { sum += begin; });
      if (sum == 190) ++loops;
    }
  });
  for (int round = 0; round < 50; ++round) gradus::set_num_threads(1 + round % 4);
  stop = true;
  looping.join();
  CHECK(gradus::num_threads() == 2);
}

TEST_CASE("a thread count below one is refused, and so is a change from inside a loop") {
  CHECK_THROWS_AS(gradus::set_num_threads(0), gradus::ValueError);
  CHECK_THROWS_AS(gradus::set_num_threads(-4), gradus::ValueError);
  CHECK_THROWS_AS(gradus::set_num_threads(1 << 20), gradus::ValueError);
  const ThreadCount guard(2);
  CHECK_THROWS_AS(
      parallel_for(8, 1, [](std::int64_t, std::int64_t) { gradus::set_num_threads(1); }),
      gradus::Error);
}
