// GradientBuckets: the gradients of a net, shard by shard, on their way into bucket sums.
//
// A bucket holds the gradients of some parameters end to end, the last parameters first, and behind them a number for
// each parameter: in how many shards it had a gradient. One that had it in none keeps no gradient, as in a training by
// itself, where an optimizer leaves it alone.
//
// A hook on each parameter puts its gradient where it belongs as soon as it is complete; that of the last local shard may
// complete a bucket. Buckets begin their exchange in order, so that what travels first is what was asked for first.
#pragma once

#include <gradus/autograd/variable.h>
#include <gradus/distributed/detail/bucket_sum.h>
#include <gradus/distributed/detail/exchange.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace gradus::detail {

class GradientBuckets {
 public:
  /// Of parameters that require gradients. Takes channels from `channel` on. Borrows the others.
  GradientBuckets(std::vector<Variable> parameters, Communicator& world, const ShardTree& tree,
                  std::int64_t bucket_bytes, int channel, Exchange& exchange);
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  std::size_t buckets() const { return buckets_.size(); }
  /// From now on gradients that arrive are those of this local shard.
  void begin_shard(std::int64_t local_shard, bool last);
  /// Those that have not arrived are zeros.
  void end_shard();
  /// Of all shards and ranks, after the exchange, into grad().
  void store_sums();

 private:
  struct Bucket {
    std::unique_ptr<BucketSum> sum;
    std::vector<std::size_t> parameters{};
    std::size_t complete = 0;  // of these, in the last local shard
  };
  struct Placed {
    std::size_t bucket = 0;
    std::int64_t offset = 0;  // of the gradient
    std::int64_t count = 0;   // where the number of shards stands
  };

  void fill_buckets(Communicator& world, const ShardTree& tree, std::int64_t bucket_bytes,
                    int channel);
  void arrive(std::size_t parameter, const Tensor& gradient, double shards);

  std::vector<Variable> parameters_;
  Exchange& exchange_;
  std::vector<Bucket> buckets_;
  std::vector<Placed> placed_;  // by parameter
  std::vector<bool> arrived_;   // likewise, in this shard
  std::vector<HookHandle> hooks_;
  bool collecting_ = false;
  bool last_ = false;
  std::int64_t shard_ = 0;
  std::size_t next_ = 0;  // bucket to begin its exchange
};

}  // namespace gradus::detail
