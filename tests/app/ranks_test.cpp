// What processes of one training settle between them before the first step.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <app/ranks.h>

using gradus::app::share_of_processors;

TEST_CASE(
    "processors that several ranks may use are divided, those that mpirun has divided are not") {
  const auto shares = [](const std::vector<std::string>& places) {
    std::vector<int> all;
    for (std::size_t rank = 0; rank < places.size(); ++rank)
      all.push_back(share_of_processors(places, rank));
    return all;
  };
  using Shares = std::vector<int>;
  CHECK(shares({"a 0 1 2 3", "a 0 1 2 3"}) == Shares{2, 2});  // --bind-to none
  CHECK(shares({"a 0 1", "a 2 3"}) == Shares{2, 2});          // divided already
  CHECK(shares({"a 0 1 2", "a 0 1 2", "a 0 1 2"}) == Shares{1, 1, 1});
  CHECK(shares({"a 0 1 2", "b 0 1 2"}) == Shares{3, 3});    // on two machines
  CHECK(shares({"a 0", "a 0", "a 0"}) == Shares{1, 1, 1});  // more ranks than processors
  CHECK(shares({"a 0 1 2 3", "a 0 1 2 3", "a 4 5"}) == Shares{2, 2, 2});
  CHECK(shares({"a 0 1 2 3 4 5 6 7", "a 0 1 2 3 4 5 6 7", "a 0 1 2 3 4 5 6 7", "b 0"}) ==
        Shares{2, 2, 2, 1});
  CHECK(shares({"a 0 1 2", "a 2 3"}) == Shares{2, 1});  // two whole ones and a half
  CHECK(shares({"a", "a"}) == Shares{0, 0});
}
