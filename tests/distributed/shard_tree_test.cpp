// The tree over shards: one order of additions, whoever does them.
#include <doctest/doctest.h>

#include <gradus/core/error.h>
#include <gradus/distributed/detail/shard_tree.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <support/error_message.h>

using namespace gradus;
using detail::ShardTree;

namespace {

std::string sum_of(const std::string& a, const std::string& b) { return "(" + a + "+" + b + ")"; }

/// Lays `texts` upon the stack and merges as told.
void play(std::vector<std::string>& stack, const std::vector<ShardTree::Push>& pushes,
          const std::vector<std::string>& texts) {
  REQUIRE(pushes.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CHECK(pushes[i].slot == stack.size());
    stack.push_back(texts[i]);
    for (int merge = 0; merge < pushes[i].merges; ++merge) {
      const std::string right = stack.back();
      stack.pop_back();
      stack.back() = sum_of(stack.back(), right);
    }
  }
}

/// The sum of all shards as so many ranks write it.
std::string written(std::int64_t shards, int ranks) {
  const ShardTree tree(shards, ranks);
  std::vector<std::string> partials;
  for (int rank = 0; rank < ranks; ++rank) {
    std::vector<std::string> own;
    for (std::int64_t shard = tree.begin(rank); shard < tree.begin(rank + 1); ++shard)
      own.push_back(std::to_string(shard));
    std::vector<std::string> stack;
    play(stack, tree.pushes(rank), own);
    CHECK(stack.size() == tree.partials(rank));
    partials.insert(partials.end(), stack.begin(), stack.end());
  }
  std::vector<std::string> stack;
  play(stack, tree.final_pushes(), partials);
  while (stack.size() > 1) {
    const std::string right = stack.back();
    stack.pop_back();
    stack.back() = sum_of(stack.back(), right);
  }
  return stack.at(0);
}

}  // namespace

TEST_CASE("the sum of eight shards is a full binary tree") {
  CHECK(written(8, 1) == "(((0+1)+(2+3))+((4+5)+(6+7)))");
  CHECK(written(6, 1) == "(((0+1)+(2+3))+(4+5))");
  CHECK(written(7, 1) == "(((0+1)+(2+3))+((4+5)+6))");
}

TEST_CASE("any number of ranks writes the same sum, for any number of shards") {
  for (std::int64_t shards = 1; shards <= 33; ++shards) {
    const std::string alone = written(shards, 1);
    for (int ranks = 2; ranks <= shards; ++ranks) {
      CAPTURE(shards);
      CAPTURE(ranks);
      CHECK(written(shards, ranks) == alone);
    }
  }
}

TEST_CASE("a rank keeps no more sums than a binary counter has digits") {
  const ShardTree tree(1024, 1);
  std::size_t most = 0;
  for (const ShardTree::Push& push : tree.pushes(0)) most = std::max(most, push.slot + 1);
  CHECK(most == 11);
  CHECK(tree.partials(0) == 1);
}

TEST_CASE("ranks without a shard are refused") {
  CHECK(message_of<ValueError>([] { ShardTree(4, 5); }) ==
        "distributed: shards must be at least as many as ranks, got 4 shards for 5 ranks");
}
