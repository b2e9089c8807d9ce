// What recent() keeps: the values asked for last, each under all of its arguments, for one thread.
#include <doctest/doctest.h>
#include <gradus/core/detail/recent.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using gradus::detail::recent;

namespace {

/// A plan by two arguments; `made` counts.
struct Plan {
  static inline thread_local int made = 0;
  Plan(int a, std::string b) : number(a), text(std::move(b)) { ++made; }
  int number;
  std::string text;
};

std::shared_ptr<const Plan> plan(int a, const std::string& b) { return recent<Plan>(a, b); }

}  // namespace

TEST_CASE("a value is made once for the same arguments, and anew where any of them is another") {
  Plan::made = 0;
  const auto first = plan(1, "a");
  CHECK(plan(1, "a") == first);
  CHECK(Plan::made == 1);
  CHECK(plan(2, "a")->number == 2);
  CHECK(plan(1, "b")->text == "b");
  CHECK(Plan::made == 3);
  CHECK(plan(1, "a") == first);
  CHECK(Plan::made == 3);
}

TEST_CASE("the values that were asked for longest ago are dropped, and stay with who holds them") {
  const auto kept = static_cast<int>(gradus::detail::kept_values);
  for (int i = 0; i < kept; ++i) plan(i, "row");
  Plan::made = 0;
  const auto oldest = plan(0, "row");  // asked for again: now 1 is the oldest
  CHECK(Plan::made == 0);
  const std::weak_ptr<const Plan> second = plan(1, "row");
  for (int i = 0; i < kept; ++i) {
    if (i != 1) plan(i, "row");
  }
  plan(kept, "row");
  CHECK(Plan::made == 1);
  CHECK(second.expired());
  CHECK(plan(0, "row") == oldest);
  for (int i = 0; i < kept; ++i) plan(i, "other");
  CHECK(oldest->text == "row");
  CHECK(plan(0, "row") != oldest);
}

TEST_CASE("each thread keeps its own") {
  const auto here = plan(7, "thread");
  std::shared_ptr<const Plan> there;
  std::thread([&] { there = plan(7, "thread"); }).join();
  CHECK(there != here);
  CHECK(there->number == 7);
}
