// GradientBuckets: the gradients of a net, shard by shard, on their way into bucket sums.
//
// A bucket holds the gradients of some parameters end to end, the last parameters first, and behind them a number for
// each parameter: in how many shards it had a gradient. One that had it in none keeps no gradient, as in a training by
// itself, where an optimizer leaves it alone.
//
// A hook on each parameter puts its gradient where it belongs as soon as it is complete; that of the last local shard may
// complete a bucket. Buckets begin their exchange in order, so that what travels first is what was asked for first. It is
// the parameter's last hook, so that it sees what the caller's own hooks made of the gradient, and listens only in the one
// backward pass of a shard: grad() in a loss runs hooks too. A gradient that it cannot have seen rightly is an error.
#pragma once

#include <gradus/autograd/variable.h>
#include <gradus/distributed/detail/bucket_sum.h>
#include <gradus/distributed/detail/exchange.h>
#include <gradus/layers/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gradus::detail {

class GradientBuckets {
 public:
  /// Of those of these parameters that require gradients. Takes channels from `channel` on. Borrows the others.
  GradientBuckets(const NamedVariables& parameters, Communicator& world, const ShardTree& tree,
                  std::int64_t bucket_bytes, int channel, Exchange& exchange);
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  /// Throws ValueError unless the same of `parameters` require gradients as at first.
  void expect_the_same(const NamedVariables& parameters) const;
  /// From now on gradients that arrive are those of this local shard.
  void begin_shard(std::int64_t local_shard, bool last);
  /// result.backward(seed), whose gradients arrive. Throws ValueError where a hook began a pass of its own.
  void run_backward_of(const Variable& result, const Variable& seed);
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
  void hook_up(std::size_t parameter);
  void collect(std::size_t parameter, const Tensor& gradient);
  void arrive(std::size_t parameter, const Tensor& gradient, double shards);

  struct Hook {
    std::uint64_t number = 0;  // among those of the node
    HookHandle handle{};
  };

  std::vector<std::string> names_;
  std::vector<Variable> parameters_;
  Exchange& exchange_;
  std::vector<Bucket> buckets_;
  std::vector<Placed> placed_;  // by parameter
  std::vector<bool> arrived_;   // likewise, in this shard
  std::vector<Hook> hooks_;     // likewise
  bool collecting_ = false;
  bool last_ = false;
  std::int64_t shard_ = 0;
  std::size_t next_ = 0;  // bucket to begin its exchange
};

}  // namespace gradus::detail
