// The pool behind every tensor: alignment, reuse, statistics, and what it does when
// memory runs out.
//
// Under a sanitizer, or with GRADUS_POOL=0, nothing is kept: then `pooled()` is false and the tests
// check that instead.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/storage.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "support/error_message.h"
#include "support/sanitizer.h"

using namespace gradus;

namespace {

bool pooled() {
  { const Storage storage(4096); }
  return storage_statistics().cached_bytes > 0;
}

/// Runs f in a child process; its result is the exit status, 255 for anything else.
template <class F> int in_child(const F& f) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

}  // namespace

TEST_CASE("every block is aligned to 64 bytes and as large as asked, zero bytes included") {
  for (std::int64_t bytes = 0; bytes < 5000; bytes += 37) {
    const Storage storage(bytes);
    CHECK(storage.bytes() == bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(storage.data()) % 64 == 0);
    // A sanitizer, or the next block, would notice a byte too few.
    for (std::int64_t i = 0; i < bytes; ++i) storage.data()[i] = std::byte{0xAB};
  }
}

TEST_CASE("handles share a block and the last one frees it") {
  const std::int64_t before = storage_statistics().live_bytes;
  {
    Storage a(100);
    CHECK(a.use_count() == 1);
    const Storage b = a;
    CHECK(a.use_count() == 2);
    CHECK(a == b);
    Storage c = std::move(a);
    CHECK(a.data() == nullptr);
    CHECK(a.use_count() == 0);
    CHECK(c.use_count() == 2);
    c = Storage(c);
    CHECK(c.use_count() == 2);
    CHECK(storage_statistics().live_bytes > before);
  }
  CHECK(storage_statistics().live_bytes == before);
}

TEST_CASE("a freed block serves the next request of its size class, and statistics say so") {
  if (!pooled()) return;
  empty_storage_cache();
  CHECK(storage_statistics().cached_bytes == 0);
  const auto start = storage_statistics();
  const std::byte* first = nullptr;
  {
    const Storage storage(1000);
    first = storage.data();
    CHECK(storage_statistics().allocations == start.allocations + 1);
  }
  const std::int64_t kept = storage_statistics().cached_bytes;
  CHECK(kept >= 1000);
  CHECK(kept <= (1000 + 64) * 9 / 8);  // eight classes per power of two
  const Storage again(1001);
  CHECK(again.data() == first);
  CHECK(storage_statistics().allocations == start.allocations + 1);
  CHECK(storage_statistics().reuses == start.reuses + 1);
  CHECK(storage_statistics().cached_bytes == 0);
  CHECK(storage_statistics().live_bytes == start.live_bytes + kept);
}

TEST_CASE("no size class wastes more than an eighth, at any size") {
  for (std::int64_t bytes = 512; bytes < (std::int64_t{1} << 24); bytes += bytes / 7 + 1) {
    const std::int64_t before = storage_statistics().live_bytes;
    const Storage storage(bytes);
    const std::int64_t taken = storage_statistics().live_bytes - before;
    CHECK(taken >= bytes + 64);
    CHECK(taken <= (bytes + 64) * 9 / 8 + 1);
  }
  empty_storage_cache();
}

TEST_CASE("a request takes a block that was freed, of its own class or of one of the next three") {
  if (!pooled()) return;
  constexpr std::int64_t header = 64;
  for (const std::int64_t kilobytes : {16, 22, 16384, 22528}) {  // 8/8 and 11/8 of powers of two
    CAPTURE(kilobytes);
    empty_storage_cache();
    const std::byte* first = nullptr;
    {
      const Storage block(kilobytes * 1024 - header);
      first = block.data();
    }
    const StorageStatistics start = storage_statistics();
    for (const std::int64_t percent : {100, 90, 82}) {
      const Storage smaller(kilobytes * 1024 * percent / 100 - header);
      CHECK(smaller.data() == first);
      CHECK(storage_statistics().cached_bytes == 0);
      // Counted by what was asked for, so that it does not depend on what was free.
      const std::int64_t wanted = kilobytes * 1024 * percent / 100;
      CHECK(storage_statistics().live_bytes - start.live_bytes >= wanted);
      CHECK(storage_statistics().live_bytes - start.live_bytes <= wanted * 9 / 8 + 1);
    }
    CHECK(storage_statistics().allocations == start.allocations);
    CHECK(storage_statistics().reuses == start.reuses + 3);
    CHECK(storage_statistics().cached_bytes == start.cached_bytes);
    const Storage half(kilobytes * 1024 / 2 - header);
    CHECK(half.data() != first);
    CHECK(storage_statistics().allocations == start.allocations + 1);
    const Storage more(kilobytes * 1024 - header + 1);
    CHECK(more.data() != first);
  }
  empty_storage_cache();
}

TEST_CASE("the peak is the highest number of live bytes since the last reset") {
  reset_peak_storage();
  const std::int64_t live = storage_statistics().live_bytes;
  CHECK(storage_statistics().peak_bytes == live);
  { const Storage storage(1 << 20); }
  CHECK(storage_statistics().peak_bytes >= live + (1 << 20));
  CHECK(storage_statistics().live_bytes == live);
  reset_peak_storage();
  CHECK(storage_statistics().peak_bytes == live);
}

TEST_CASE("repeated computations, of batches of several sizes, take nothing new from the system") {
  if (!pooled()) return;
  const auto step = [](std::int64_t images) {
    Generator generator(1);
    const Tensor x = randn({images, 64, 64}, generator);
    return core::sum(core::tanh(core::matmul(x, x.transpose()))).item();
  };
  for (const std::int64_t images : {8, 128}) {  // 128 KB and 2 MB: blocks that are mapped, too
    empty_storage_cache();
    const std::vector<std::int64_t> sizes{images, images * 7 / 8, images * 3 / 4};
    std::vector<double> first;
    for (const std::int64_t size : sizes) first.push_back(step(size));
    const std::int64_t allocations = storage_statistics().allocations;
    for (int i = 0; i < 20; ++i) {
      for (std::size_t k = 0; k < sizes.size(); ++k) CHECK(step(sizes[k]) == first[k]);
    }
    CHECK(storage_statistics().allocations == allocations);
  }
}

TEST_CASE("what is kept is bounded by what was in use lately, and leaves the process") {
  if (!pooled()) return;
  const auto resident = [] {
    std::int64_t all = 0;
    std::int64_t pages = 0;
    std::ifstream("/proc/self/statm") >> all >> pages;
    return pages * ::sysconf(_SC_PAGESIZE);
  };
  const auto work_with_little = [] {
    for (int i = 0; i < 10000; ++i) ones({1000});
  };
  work_with_little();  // what tests before this one used is no longer lately
  empty_storage_cache();
  const std::int64_t before = resident();
  std::int64_t most = 0;  // in use at once
  for (std::int64_t bytes = 1 << 20; bytes < (std::int64_t{64} << 20); bytes += bytes / 16) {
    reset_peak_storage();
    {
      const Tensor grown = ones({bytes}, uint8);
      const Tensor beside = ones({bytes / 2}, uint8);
    }
    const StorageStatistics now = storage_statistics();
    most = std::max(most, now.peak_bytes);
    CHECK(now.cached_bytes + now.live_bytes <= (1 << 20) + 2 * most);
  }
  // Smaller work: the large blocks are given up, and are gone.
  work_with_little();
  CHECK(storage_statistics().cached_bytes < 2 << 20);
  CHECK(resident() < before + (std::int64_t{16} << 20));
}

TEST_CASE("threads that allocate and free at once do not disturb each other") {
  const std::int64_t live = storage_statistics().live_bytes;
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([t, &wrong] {
      const auto mark = static_cast<std::byte>(t + 1);
      for (int i = 0; i < 2000; ++i) {
        const Storage storage(64 + i % 700);
        for (std::int64_t b = 0; b < storage.bytes(); ++b) storage.data()[b] = mark;
        for (std::int64_t b = 0; b < storage.bytes(); ++b) wrong[t] += storage.data()[b] != mark;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
  CHECK(storage_statistics().live_bytes == live);
}

TEST_CASE("GRADUS_POOL=0 gives every block back at once") {
  // The pool looks once, at its first use, so the setting needs a process of its own.
  if (std::getenv("GRADUS_TEST_WITHOUT_POOL") != nullptr) {
    CHECK(!pooled());
    CHECK(storage_statistics().reuses == 0);
    return;
  }
  char self[4096];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  REQUIRE(length > 0);
  const std::string command =
      "GRADUS_POOL=0 GRADUS_TEST_WITHOUT_POOL=1 '" +
      std::string(self, static_cast<std::size_t>(length)) +
      "' --no-intro --test-case='GRADUS_POOL=0 gives every block back at once' > /dev/null";
  CHECK(std::system(command.c_str()) == 0);
}

TEST_CASE("running out of memory is an error with the size, and the pool is emptied before it") {
  if (under_sanitizer()) return;  // it ends the process instead
  CHECK(contains(message_of<Error>([] { Tensor::empty({std::int64_t{1} << 50}, uint8); }),
                 "storage: out of memory asking for 1125899906842624 bytes ("));
  CHECK(in_child([] {
          constexpr std::int64_t block = std::int64_t{600} << 20;
          { const Storage cached(block); }  // never touched, so it costs addresses only
          std::int64_t pages = 0;
          std::ifstream("/proc/self/statm") >> pages;
          const auto room = static_cast<rlim_t>(pages * ::sysconf(_SC_PAGESIZE) + block / 3);
          const rlimit limit{room, room};
          if (::setrlimit(RLIMIT_AS, &limit) != 0) return 2;
          try {
            const Storage other(block +
                                block / 8);  // of another class: the cached block is no help
          } catch (const Error&) {
            return 1;
          }
          return 0;
        }) == 0);
}

TEST_CASE("a number of bytes that no block can have is refused with it") {
  for (const std::int64_t bytes :
       {std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::int64_t>::max(), (std::int64_t{1} << 62) + 1}) {
    CAPTURE(bytes);
    CHECK(contains(message_of<Error>([&] { const Storage block(bytes); }),
                   "asked for " + std::to_string(bytes)));
  }
}

TEST_CASE("a failed request leaves the statistics as they were") {
  if (under_sanitizer()) return;
  const auto before = storage_statistics();
  CHECK_THROWS_AS(Tensor::empty({std::int64_t{1} << 50}, uint8), Error);
  CHECK(storage_statistics().live_bytes == before.live_bytes);
  CHECK(storage_statistics().peak_bytes == before.peak_bytes);
  CHECK(storage_statistics().allocations == before.allocations);
}
