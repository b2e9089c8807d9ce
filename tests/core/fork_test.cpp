// A child of fork() has one thread, and what the others held at that moment is held for ever. It must
// compute all the same.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>

#include <atomic>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

using namespace gradus;

namespace {

/// Larger than one chunk of threads.
double sum_of_products() {
  const Tensor x = full({300'000}, 2);
  return core::sum(core::mul(x, x)).item();
}

/// Sees to it that a child that hangs ends, however slow the machine is.
constexpr unsigned hang_seconds = 120;

bool child_computes() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(hang_seconds);
    set_num_threads(2);
    ::_exit(sum_of_products() == 1'200'000 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("a child of a process whose pool has threads computes, with threads of its own") {
  const int before = num_threads();
  set_num_threads(3);
  CHECK(sum_of_products() == 1'200'000);
  for (int i = 0; i < 10; ++i) CHECK(child_computes());
  CHECK(sum_of_products() == 1'200'000);
  set_num_threads(before);
}

TEST_CASE("a child computes whatever another thread was doing") {
  const int before = num_threads();
  set_num_threads(2);
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done.load()) {
      sum_of_products();
      for (int i = 0; i < 1000; ++i) zeros({i});
    }
  });
  int computed = 0;
  constexpr int children = 60;
  for (int i = 0; i < children; ++i) computed += child_computes() ? 1 : 0;
  done = true;
  other.join();
  set_num_threads(before);
  CHECK(computed == children);
}
