// A step: the local shards one after the other, then what all ranks have to say.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/simd.h>
#include <gradus/core/version.h>
#include <gradus/distributed/data_parallel.h>
#include <gradus/distributed/detail/gradient_buckets.h>
#include <gradus/distributed/detail/shard_state.h>

#include <cstring>
#include <utility>

namespace gradus {
namespace {

constexpr int report_channel = Communicator::first_channel;
constexpr int state_channel = report_channel + 1;     // and the three behind it
constexpr int gradients_channel = state_channel + 4;  // and all behind it

/// What must be the same everywhere: who computes otherwise would add up what does not belong together.
std::vector<std::pair<std::string, std::string>> facts_of(const Module& net,
                                                          const DistributedOptions& options) {
  PlainText tensors;
  for (const auto& [name, tensor] : net.state_dict())
    tensors << name << " " << tensor.dtype() << " " << tensor.shape() << ", ";
  PlainText trained;
  for (const auto& [name, parameter] : net.named_parameters())
    trained << name << (parameter.requires_grad() ? " " : " frozen ");
  return {{"the version of Gradus", std::string(version)},
          {"the kind of vectors (GRADUS_SIMD)", simd_in_use()},
          {"the kernels of the BLAS library (OPENBLAS_CORETYPE)", core::blas_description()},
          {"the number of shards", std::to_string(options.shards)},
          {"the size of a bucket", std::to_string(options.bucket_bytes)},
          {"the net", to_string(net)},
          {"the list of tensors", tensors.str()},
          {"the list of parameters", trained.str()}};
}

std::string text_of_part(const BatchShards& part) {
  if (part.count == 0) return "none";
  return text_of(part.begin, " to ", part.end - 1, " of ", part.count);
}

/// Facts are of index, images and seed of the batch, and of seed and position of each generator.
void expect_same_step(const std::vector<std::uint64_t>& first,
                      const std::vector<std::uint64_t>& other, int rank) {
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i] == other[i]) continue;
    const std::string both = text_of(first[i], " on rank 0, ", other[i], " on rank ", rank);
    if (i == 0)
      fail<ValueError>("distributed: all ranks must train the same batch: its index is ", both);
    if (i == 1)
      fail<ValueError>("distributed: all ranks must train the same batch: its images are ", both);
    if (i == 2) {
      fail<ValueError>(
          "distributed: all ranks must train the same batch: its loader has another seed or is in "
          "another epoch, its random numbers are of ",
          both);
    }
    const std::size_t of_generators = i - 3;
    fail<ValueError>(
        "distributed: all ranks must draw the same random numbers between two steps: the ",
        of_generators % 2 == 0 ? "seed" : "position", " of generator ", of_generators / 2, " of ",
        (first.size() - 3) / 2, " (the last is default_generator()) is ", both);
  }
}

}  // namespace

BatchShards shards_of(std::int64_t shards, const Communicator& world) {
  const detail::ShardTree tree(shards, world.size());
  return {.count = shards, .begin = tree.begin(world.rank()), .end = tree.begin(world.rank() + 1)};
}

struct DistributedDataParallel::Parts {
  Parts(Module& module, Communicator& communicator, const DistributedOptions& options)
      : net(module),
        world(communicator),
        tree(options.shards, world.size()),
        exchange(world, options.overlap && world.size() > 1),
        state(net, world, tree, state_channel, exchange),
        gradients(net.named_parameters(), world, tree, options.bucket_bytes, gradients_channel,
                  exchange) {}
  ~Parts() { exchange.stop(); }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  std::int64_t first_shard() const { return tree.begin(world.rank()); }
  std::int64_t local_shards() const { return tree.begin(world.rank() + 1) - first_shard(); }

  void expect_part(const Batch& batch) const;
  void run_shard(std::int64_t local, const Batch& batch, const Loss& loss);
  void begin_report(const Batch& batch, bool asked_to_stop);
  double finish_report(const Batch& batch, bool& stopping);

  Module& net;
  Communicator& world;
  detail::ShardTree tree;
  detail::Exchange exchange;
  detail::ShardState state;
  detail::GradientBuckets gradients;
  std::vector<double> losses{};        // of the local shards
  std::vector<std::uint64_t> facts{};  // that all ranks must have alike
  std::string own_report{};
  std::string reports{};
  ByteCounts report_bytes{};
  std::unique_ptr<Pending> report{};
};

/// Is it cut as this rank is to have it?
void DistributedDataParallel::Parts::expect_part(const Batch& batch) const {
  const BatchShards wanted = shards_of(tree.shards(), world);
  if (batch.part != wanted || std::ssize(batch.shards) != local_shards()) {
    fail<ValueError>("distributed: a batch must have the shards of part(), ", text_of_part(wanted),
                     ", it has ", text_of_part(batch.part));
  }
  for (std::int64_t local = 0; local < local_shards(); ++local) {
    const std::int64_t shard = first_shard() + local;
    const std::int64_t images = shard_begin(batch.samples, tree.shards(), shard + 1) -
                                shard_begin(batch.samples, tree.shards(), shard);
    const std::int64_t found = batch.shards[static_cast<std::size_t>(local)].samples;
    if (found == images) continue;
    fail<ValueError>("distributed: shard ", shard, " of a batch of ", batch.samples,
                     " images must have ", images, ", it has ", found);
  }
}

void DistributedDataParallel::Parts::run_shard(std::int64_t local, const Batch& batch,
                                               const Loss& loss) {
  const Batch& shard = batch.shards[static_cast<std::size_t>(local)];
  const double share = static_cast<double>(shard.samples) / static_cast<double>(batch.samples);
  state.begin_shard(first_shard() + local);
  gradients.begin_shard(local, local + 1 == local_shards());
  double value = 0;
  if (shard.samples > 0) {
    const Variable result = loss(net, shard);
    value = result.item();
    gradients.run_backward_of(result, full(result.shape(), share, result.dtype()));
  }
  losses.push_back(value);
  gradients.end_shard();
  state.end_shard(local, share);
}

/// Of a rank: what all must have alike, its losses, whether it wants to stop, and of rank 0 its integers.
void DistributedDataParallel::Parts::begin_report(const Batch& batch, bool asked_to_stop) {
  facts = state.random_numbers();
  facts.insert(facts.begin(), {static_cast<std::uint64_t>(batch.index),
                               static_cast<std::uint64_t>(batch.samples), batch.seed});
  own_report.assign(reinterpret_cast<const char*>(facts.data()), facts.size() * sizeof facts[0]);
  own_report.append(reinterpret_cast<const char*>(losses.data()), losses.size() * sizeof losses[0]);
  own_report += asked_to_stop ? '\1' : '\0';
  if (world.rank() == 0) own_report += state.integers();
  report_bytes.clear();
  std::size_t total = 0;
  for (int rank = 0; rank < world.size(); ++rank) {
    const std::int64_t shards = tree.begin(rank + 1) - tree.begin(rank);
    report_bytes.push_back(std::ssize(facts) * static_cast<std::int64_t>(sizeof facts[0]) +
                           shards * static_cast<std::int64_t>(sizeof(double)) + 1 +
                           (rank == 0 ? state.integer_bytes() : 0));
    total += static_cast<std::size_t>(report_bytes.back());
  }
  reports.resize(total);
  report = world.all_gather(report_channel, reinterpret_cast<const std::byte*>(own_report.data()),
                            reinterpret_cast<std::byte*>(reports.data()), report_bytes);
}

double DistributedDataParallel::Parts::finish_report(const Batch& batch, bool& stopping) {
  world.wait(*report, "the losses of a step");
  report.reset();
  double mean = 0;
  const char* from = reports.data();
  std::vector<std::uint64_t> first(facts.size());
  std::memcpy(first.data(), from, facts.size() * sizeof facts[0]);
  for (int rank = 0; rank < world.size(); ++rank) {
    const char* const begin = from;
    std::memcpy(facts.data(), from, facts.size() * sizeof facts[0]);
    expect_same_step(first, facts, rank);
    from += facts.size() * sizeof facts[0];
    for (std::int64_t shard = tree.begin(rank); shard < tree.begin(rank + 1); ++shard) {
      const std::int64_t images = shard_begin(batch.samples, tree.shards(), shard + 1) -
                                  shard_begin(batch.samples, tree.shards(), shard);
      double value = 0;
      std::memcpy(&value, from, sizeof value);
      from += sizeof value;
      mean += value * (static_cast<double>(images) / static_cast<double>(batch.samples));
    }
    stopping = stopping || *from != '\0';
    if (rank == 0)
      state.store_integers({from + 1, static_cast<std::size_t>(state.integer_bytes())});
    from = begin + report_bytes[static_cast<std::size_t>(rank)];
  }
  return mean;
}

DistributedDataParallel::DistributedDataParallel(Module& net, Communicator& world,
                                                 const DistributedOptions& options)
    : net_(net), world_(world) {
  if (options.bucket_bytes < 1) {
    fail<ValueError>("distributed: bucket_bytes must be at least 1, got ", options.bucket_bytes);
  }
  expect_same_facts(world, facts_of(net, options));
  parts_ = std::make_unique<Parts>(net, world, options);
  parts_->state.broadcast();
}

DistributedDataParallel::~DistributedDataParallel() = default;

BatchShards DistributedDataParallel::part() const {
  return shards_of(parts_->tree.shards(), world_);
}

double DistributedDataParallel::backward(const Batch& batch, const Loss& loss) {
  Parts& parts = *parts_;
  try {
    parts.expect_part(batch);
    parts.gradients.expect_the_same(net_.named_parameters());
  } catch (const ValueError& error) {
    if (world_.size() == 1) throw;
    world_.abort(error);  // the others wait for this rank
  }
  double mean = 0;
  try {
    parts.losses.clear();
    parts.state.begin_step();
    for (std::int64_t local = 0; local < parts.local_shards(); ++local)
      parts.run_shard(local, batch, loss);
    parts.state.exchange();
    parts.begin_report(batch, asked_);
    parts.exchange.wait();
    stopping_ = false;
    parts.state.store_sums();
    mean = parts.finish_report(batch, stopping_);
    parts.gradients.store_sums();
  } catch (const RankError&) {
    throw;
  } catch (const std::exception& error) {
    world_.abort(error);  // before what the others are to get goes away
  }
  return mean;
}

}  // namespace gradus
