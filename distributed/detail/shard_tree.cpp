// Only the shape of the sums; detail/bucket_sum.cpp adds.
#include <gradus/core/error.h>
#include <gradus/distributed/detail/shard_tree.h>

namespace gradus::detail {
namespace {

ShardTree::Push push(std::vector<TreeNode>& stack, TreeNode node) {
  ShardTree::Push result{.slot = stack.size(), .merges = 0};
  stack.push_back(node);
  while (stack.size() >= 2) {
    TreeNode& left = stack[stack.size() - 2];
    const TreeNode& right = stack.back();
    const bool siblings =
        left.level == right.level && left.index % 2 == 0 && right.index == left.index + 1;
    if (!siblings) break;
    left = {.level = left.level + 1, .index = left.index / 2};
    stack.pop_back();
    ++result.merges;
  }
  return result;
}

}  // namespace

ShardTree::ShardTree(std::int64_t shards, int ranks) : shards_(shards), ranks_(ranks) {
  if (shards < 1 || ranks < 1 || ranks > shards) {
    fail<ValueError>("distributed: shards must be at least as many as ranks, got ", shards,
                     " shards for ", ranks, " ranks");
  }
}

std::vector<ShardTree::Push> ShardTree::pushes(int rank) const {
  std::vector<Push> all;
  std::vector<TreeNode> stack;
  for (std::int64_t shard = begin(rank); shard < begin(rank + 1); ++shard)
    all.push_back(push(stack, {.level = 0, .index = shard}));
  return all;
}

std::vector<TreeNode> ShardTree::nodes(int rank) const {
  std::vector<TreeNode> stack;
  for (std::int64_t shard = begin(rank); shard < begin(rank + 1); ++shard)
    push(stack, {.level = 0, .index = shard});
  return stack;
}

std::size_t ShardTree::partials(int rank) const { return nodes(rank).size(); }

std::vector<ShardTree::Push> ShardTree::final_pushes() const {
  std::vector<Push> all;
  std::vector<TreeNode> stack;
  for (int rank = 0; rank < ranks_; ++rank) {
    for (const TreeNode& node : nodes(rank)) all.push_back(push(stack, node));
  }
  return all;
}

}  // namespace gradus::detail
