// In which order numbers of shards are added: a binary tree over shards 0, 1, 2, ..., whatever rank has them.
//
//            +
//        /       \           A node covers 2^level shards in a row, the first a multiple of 2^level. Two siblings that
//       +         +          are complete are added at once, left + right, and nothing else is: so a rank that goes
//      / \       / \         through its shards in order needs no more than log2(shards) + 1 sums at a time, as a binary
//     0   1     2   3        counter needs digits, and what is left at its end are whole nodes of this tree.
//
// Where the number of shards is no power of two, the nodes that are left of all shards are added from the right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gradus::detail {

/// Covers shards index·2^level and so on.
struct TreeNode {
  int level = 0;
  std::int64_t index = 0;
};

/// Which shards each rank has, and where the sums of a rank stand: in a stack of slots.
class ShardTree {
 public:
  /// Throws ValueError unless 1 <= ranks <= shards.
  ShardTree(std::int64_t shards, int ranks);

  std::int64_t shards() const { return shards_; }
  int ranks() const { return ranks_; }
  /// Rank r has the shards begin(r) .. begin(r + 1) - 1.
  std::int64_t begin(int rank) const { return rank * shards_ / ranks_; }

  /// What becomes of something that is laid upon the stack.
  struct Push {
    std::size_t slot;  ///< where it would lie
    int merges;        ///< how often the two uppermost become their sum, in the lower slot
  };
  /// For each shard of `rank`, in order.
  std::vector<Push> pushes(int rank) const;
  /// How many sums are left then.
  std::size_t partials(int rank) const;
  /// For each sum that is left of rank 0, then of rank 1, and so on. What is left after the last of these is added from
  /// the top.
  std::vector<Push> final_pushes() const;

 private:
  std::vector<TreeNode> nodes(int rank) const;

  std::int64_t shards_;
  int ranks_;
};

}  // namespace gradus::detail
