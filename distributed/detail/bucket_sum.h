// BucketSum: some numbers of every shard, added up over all shards in the tree's order, and given to all ranks.
//
// Each rank adds what it can of its own shards (ShardTree). Then the numbers are cut into as many slices as there are
// ranks; a rank gets the sums that are left of each rank for its slice, adds them in the tree's order, and gives the
// result to all. With as many ranks as divide the shards into whole nodes that is as many bytes as a ring all-reduce
// takes, 2·(ranks - 1)/ranks of the bucket out and in; otherwise a rank has more than one sum to give.
#pragma once

#include <gradus/core/tensor.h>
#include <gradus/distributed/communicator.h>
#include <gradus/distributed/detail/shard_tree.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace gradus::detail {

class BucketSum {
 public:
  /// Of `numbers` numbers for each shard. `channel` and the next one are this sum's alone. Borrows the communicator.
  BucketSum(Communicator& world, const ShardTree& tree, std::int64_t numbers, DType dtype,
            int channel);

  /// The numbers from `offset` on, [n], of the local shard with this index, 0 first. Of each place the shards come in order,
  /// each once.
  void put(std::int64_t local_shard, std::int64_t offset, const Tensor& numbers);

  /// Begins the exchange, once all numbers of all local shards are there.
  void begin();
  /// Moves it on. Returns whether it is over.
  bool advance();
  std::vector<int> missing() const { return pending_ ? pending_->missing() : std::vector<int>{}; }
  /// The sum, [numbers], once it is over: numbers of its own. Leaves nothing behind; the next step may begin.
  Tensor take_result() { return std::move(result_); }

 private:
  std::int64_t slice_begin(int rank) const { return rank * numbers_ / world_.size(); }
  std::int64_t slice_size(int rank) const { return slice_begin(rank + 1) - slice_begin(rank); }
  void add_slices() const;

  Communicator& world_;
  std::int64_t numbers_;
  DType dtype_;
  int channel_;
  std::vector<ShardTree::Push> pushes_;
  std::vector<ShardTree::Push> final_pushes_;
  std::vector<std::size_t> partials_;  // by rank
  std::vector<Tensor> slots_;          // [numbers] each
  Tensor outgoing_;                    // by rank, its slice of each partial
  Tensor incoming_;                    // by rank, each of its partials' slice for this rank
  Tensor result_;
  std::unique_ptr<Pending> pending_;
  bool gathering_ = false;  // else reducing
};

/// Where the numbers of a contiguous tensor are.
std::byte* bytes_at(const Tensor& tensor);

}  // namespace gradus::detail
