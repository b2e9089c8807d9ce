// Scratch memory: aligned, nested without sharing, reused.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <thread>

#include <gradus/core/error.h>
#include <gradus/core/kernels/workspace.h>

#include "support/error_message.h"
#include "support/sanitizer.h"

using gradus::Error;
using gradus::kernels::Workspace;

TEST_CASE("a workspace is aligned to 64 bytes, also when it is empty") {
  for (const std::int64_t count : {0, 1, 7, 1000}) {
    Workspace<float> scratch(count);
    CHECK(reinterpret_cast<std::uintptr_t>(scratch.data()) % 64 == 0);
    for (std::int64_t k = 0; k < count; ++k) scratch.data()[k] = 1;
  }
}

TEST_CASE("nested workspaces do not share memory") {
  Workspace<double> outer(100);
  for (int k = 0; k < 100; ++k) outer.data()[k] = k;
  {
    Workspace<double> inner(1000);
    for (int k = 0; k < 1000; ++k) inner.data()[k] = -1;
    Workspace<double> innermost(5000);
    for (int k = 0; k < 5000; ++k) innermost.data()[k] = -2;
    CHECK(inner.data()[999] == -1);
  }
  for (int k = 0; k < 100; ++k) REQUIRE(outer.data()[k] == k);
}

TEST_CASE(
    "a workspace for which there is no memory is an error with its size, and harms no other") {
  if (under_sanitizer()) return;  // it ends the process instead
  constexpr std::int64_t petabyte = std::int64_t{1} << 50;
  Workspace<double> outer(100);
  outer.data()[99] = 1;
  CHECK(message_of<Error>([] { const Workspace<double> scratch(petabyte / 8); }) ==
        "workspace: out of memory asking for 1125899906842624 bytes");
  CHECK(message_of<Error>([] { const Workspace<double> scratch(petabyte << 12); }) ==
        "workspace: out of memory asking for 4611686018427387904 elements of 8 bytes");
  Workspace<double> inner(100);
  inner.data()[99] = 2;
  CHECK(outer.data()[99] == 1);
}

TEST_CASE("each thread has workspaces of its own") {
  Workspace<int> mine(10);
  mine.data()[0] = 1;
  std::thread other([] {
    Workspace<int> theirs(10);
    theirs.data()[0] = 2;
  });
  other.join();
  CHECK(mine.data()[0] == 1);
}

TEST_CASE("a guarded workspace is full of NaN, and so is what lies beside it") {
  {
    Workspace<float> before(5);
    for (int k = 0; k < 5; ++k) before.data()[k] = 1;
  }
  gradus::kernels::detail::guard_workspaces(true);
  const std::int64_t already = gradus::kernels::detail::overwritten_guards();
  {
    Workspace<float> floats(5);
    for (int k = -16; k < 5 + 16; ++k) CHECK(std::isnan(floats.data()[k]));
    CHECK(reinterpret_cast<std::uintptr_t>(floats.data()) % 64 == 0);
    Workspace<double> doubles(0);
    for (int k = -8; k < 8; ++k) CHECK(std::isnan(doubles.data()[k]));
    floats.data()[4] = 1;
  }
  CHECK(gradus::kernels::detail::overwritten_guards() == already);
  {
    Workspace<float> behind(5);
    behind.data()[5] = 1;
  }
  CHECK(gradus::kernels::detail::overwritten_guards() == already + 1);
  {
    Workspace<float> in_front(5);
    in_front.data()[-1] = 1;
  }
  CHECK(gradus::kernels::detail::overwritten_guards() == already + 2);
  gradus::kernels::detail::guard_workspaces(false);
  { Workspace<float> unguarded(5); }
  CHECK(gradus::kernels::detail::overwritten_guards() == already + 2);
}
