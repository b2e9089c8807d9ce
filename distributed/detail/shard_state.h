// ShardState: what a module carries from step to step beside its parameters, kept apart by shards.
//
// Each shard begins with the buffers of the step before, and with random numbers of its own. What it changes in a buffer,
// weighted by its share of the images, is added up over shards; an average of batches, as batch norm keeps, so becomes
// the average over all of the batch. A number that no shard changes keeps its bits, an infinity, a NaN and -0 too; of one
// that was no finite number before, as a running maximum begins with, the new values themselves are averaged.
#pragma once

#include <gradus/core/random.h>
#include <gradus/distributed/detail/bucket_sum.h>
#include <gradus/distributed/detail/exchange.h>
#include <gradus/layers/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gradus::detail {

class ShardState {
 public:
  /// Takes channels from `channel` on. Borrows all.
  ShardState(Module& net, Communicator& world, const ShardTree& tree, int channel,
             Exchange& exchange);

  /// Remembers where the step begins.
  void begin_step();
  /// Buffers and generators as shard number `shard` of all finds them.
  void begin_shard(std::int64_t shard);
  /// The local shard's share of the images; 0: it did not run.
  void end_shard(std::int64_t local_shard, double share);
  /// Begins the exchange of buffers.
  void exchange();
  /// After it: buffers of all shards, and generators a step further.
  void store_sums();

  /// Seed and position of each generator, as the step found it.
  std::vector<std::uint64_t> random_numbers() const;
  /// How long integers() is.
  std::int64_t integer_bytes() const { return integer_bytes_; }
  /// Buffers of integers as the first shard left them, for the rank that has it.
  const std::string& integers() const { return integers_; }
  /// Takes them over.
  void store_integers(const std::string& integers);

  /// Gives all ranks parameters, buffers and generators of rank 0.
  void broadcast();

 private:
  std::vector<Tensor> buffers() const;
  std::vector<Generator*> generators() const;

  Module& net_;
  Communicator& world_;
  Exchange& exchange_;
  struct Sum {
    DType dtype;
    std::unique_ptr<BucketSum> bucket;
  };
  std::vector<Sum> sums_{};  // float32, float64
  std::int64_t integer_bytes_ = 0;
  std::string integers_{};
  std::vector<Tensor> before_{};
  std::vector<Generator> generators_before_{};
};

}  // namespace gradus::detail
