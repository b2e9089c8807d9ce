// Scratch memory: aligned, nested without sharing, reused.
#include <doctest/doctest.h>

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
