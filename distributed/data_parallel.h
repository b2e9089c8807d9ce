// DistributedDataParallel: one net trained on many processes, to the same bits on any number of them.
//
//   int main() {
//     return mpi_run({}, [](Communicator& world) {
//       Sequential net{...};
//       DistributedDataParallel model(net, world, {.shards = 8});
//       SGD optimizer(net.parameters(), {.lr = 0.1});
//       DataLoader loader(data, {.batch_size = 64, .shuffle = true, .shards = model.part()});
//       for (const Batch& batch : loader.epoch(0)) {
//         model.backward(batch, [](Module& m, const Batch& shard) {
//           return cross_entropy(m(shard.images), shard.labels);
//         });
//         optimizer.step();
//       }
//       return 0;
//     });
//   }
//
// A batch is cut into a fixed number of shards; rank r of p has those from r·shards/p on. Each shard has a forward and a
// backward pass of its own, and nothing that it computes depends on who does that:
//   - its gradient is weighted by its share of the batch's images, so that the sum over shards is the mean over the
//     batch, and is added to those of the others in a fixed tree (detail/shard_tree.h);
//   - batch norm sees a shard by itself. From the buffers that it leaves, the means over all shards are made, in the
//     same tree; integers are those of shard 0;
//   - its random numbers are a stream of their own, told apart by step and shard.
// So 1, 2, 3 or 8 ranks, any bucket size and any number of threads give one and the same model. It is not that of a
// training without shards, and another number of shards is another model too: the same numbers, added in another order.
//
// Gradients travel in buckets, of the last parameters first, since backward completes these first. Each bucket begins
// its way as soon as the gradients of the last local shard are in it, while backward goes on with the layers before.
#pragma once

#include <gradus/autograd/variable.h>
#include <gradus/data/loader.h>
#include <gradus/distributed/communicator.h>
#include <gradus/layers/module.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace gradus {

/// How a training is spread. All ranks must be given the same.
struct DistributedOptions {
  std::int64_t shards = 8;              ///< that each batch is cut into, at least one for each rank
  std::int64_t bucket_bytes = 1 << 18;  ///< of gradients that travel together
  bool overlap = true;                  ///< exchange gradients while backward goes on
};

/// The shards of each batch, of `shards` in all, that the rank of `world` has. Throws ValueError unless there is one at
/// least for each rank.
BatchShards shards_of(std::int64_t shards, const Communicator& world);

/// Spreads the training of a module over the ranks of a communicator.
class DistributedDataParallel {
 public:
  /// What the module makes of a shard, as the mean over its images, with one element. Called for the shards of this rank
  /// one after the other.
  using Loss = std::function<Variable(Module& net, const Batch& shard)>;

  /// Gives all ranks the parameters, buffers and random numbers of rank 0. Parameters that require no gradient stay out
  /// of it, and which do must not change while this lives. Borrows both; the parameters must stay the same Variables.
  /// Throws ValueError for shards fewer than ranks and, on every rank, where the ranks have other nets, options or versions
  /// of Gradus.
  DistributedDataParallel(Module& net, Communicator& world, const DistributedOptions& options = {});
  ~DistributedDataParallel();
  DistributedDataParallel(const DistributedDataParallel&) = delete;
  DistributedDataParallel& operator=(const DistributedDataParallel&) = delete;

  /// The shards that this rank is to get of each batch: for DataLoaderOptions.
  BatchShards part() const;
  /// Puts the gradient of the mean loss over the whole batch into grad() of every parameter that some shard used, the
  /// same bits on every rank, in the place of what was there; and returns that loss. Hooks of the parameters see the
  /// gradient of a shard, whenever they were registered. `loss` may call grad() and backward() itself: only what
  /// differentiates the Variable that it returns counts.
  ///
  /// What `loss` throws ends all ranks, and so do: a batch that has other shards than part(), or is not that of the other
  /// ranks; a parameter that was frozen or unfrozen; a rank that drew other random numbers from default_generator() or
  /// from a layer's generator between two steps; a hook of a parameter that differentiates by the same parameter; and a
  /// rank that does not call this as often as the others. The shards and the parameters are a ValueError where a rank is alone.
  double backward(const Batch& batch, const Loss& loss);

  /// Makes stopping() true on all ranks after the next backward().
  void ask_to_stop() { asked_ = true; }
  /// Did a rank ask before the last backward()? The same on every rank.
  bool stopping() const { return stopping_; }

  /// The module itself, as of this rank.
  Variable operator()(const Variable& x) { return net_(x); }
  Module& module() const { return net_; }
  Communicator& communicator() const { return world_; }

 private:
  struct Parts;

  Module& net_;
  Communicator& world_;
  bool asked_ = false;
  bool stopping_ = false;
  std::unique_ptr<Parts> parts_;
};

}  // namespace gradus
