// Which of the ranks that have lost others tells it, and how soon.
#include <doctest/doctest.h>

#include <gradus/distributed/mpi/detail/turn.h>

#include <numeric>
#include <vector>

TEST_CASE("of ranks that have lost others one tells at once, and of many that are lost soon too") {
  const auto seconds = [](const std::vector<int>& lost, int rank) {
    return gradus::detail::time_until_turn(lost, rank).count();
  };
  CHECK(seconds({1}, 0) == 0);
  CHECK(seconds({1}, 2) == 3);  // rank 0 has the word
  CHECK(seconds({0}, 1) == 0);
  CHECK(seconds({0, 1}, 2) == 1);  // who waits for one alone comes first
  CHECK(seconds({0, 1}, 3) == 4);
  CHECK(seconds({}, 0) == 0);
  std::vector<int> many(500);
  std::iota(many.begin(), many.end(), 1);
  CHECK(seconds(many, 0) == 3);
  CHECK(seconds(many, 501) == 6);
}
