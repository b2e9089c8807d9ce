// The smallest program that trains on many processes: by itself it is one.
#include <gradus/gradus.h>

int main() {
  using namespace gradus;
  return mpi_run({}, [](Communicator& world) {
    Linear net{64, 10};
    DistributedDataParallel model(net, world);
    const DataLoader loader(load_digits().train, {.batch_size = 32, .shards = model.part()});
    const double loss = model.backward(*loader.epoch(0).begin(), [](Module& m, const Batch& shard) {
      return cross_entropy(m(flatten(shard.images, 1)), shard.labels);
    });
    return loss > 0 ? 0 : 1;
  });
}
