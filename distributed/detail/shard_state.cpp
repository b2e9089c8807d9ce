// Buffers by what they are: floating-point numbers, which are averaged, and all others.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/distributed/detail/shard_state.h>

#include <cmath>
#include <cstring>
#include <utility>

namespace gradus::detail {
namespace {

bool is_averaged(const Tensor& buffer) {
  return buffer.dtype() == float32 || buffer.dtype() == float64;
}

std::int64_t size_in_bytes(const Tensor& tensor) {
  return tensor.numel() * size_of(tensor.dtype());
}

/// Calls `work` as for the numbers of a buffer that is averaged.
template <class Work> void with_numbers(DType dtype, const Work& work) {
  dtype == float32 ? work.template operator()<float>() : work.template operator()<double>();
}

/// What a shard with this share of the images adds to the sum over shards, [n]: what changed, weighted; of a number that
/// was not finite, the new one, weighted. Which of the two, all shards see alike.
Tensor part_of_change(const Tensor& before, const Tensor& now, double share) {
  const Tensor part = core::mul(core::sub(now, before), share).contiguous();
  const Tensor was = before.contiguous();
  const Tensor is = now.contiguous();
  with_numbers(part.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < part.numel(); ++i) {
      if (!std::isfinite(was.data<T>()[i]))
        part.data<T>()[i] = is.data<T>()[i] * static_cast<T>(share);
    }
  });
  return part.reshape({part.numel()});
}

/// What becomes of a buffer, given the sum of these parts, [n].
Tensor after_changes(const Tensor& before, const Tensor& sum) {
  const Tensor after = core::add(before, sum.reshape(before.shape())).contiguous();
  const Tensor was = before.contiguous();
  with_numbers(after.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < after.numel(); ++i) {
      const T old = was.data<T>()[i];
      const T added = sum.data<T>()[i];
      T& result = after.data<T>()[i];
      if (std::isfinite(old)) {
        if (added == 0) result = old;
      } else {
        result = std::isnan(added) && std::isnan(old) ? old : added;
      }
    }
  });
  return after;
}

/// Finds the generators of a module and of all below it.
class GeneratorFinder final : public Visitor {
 public:
  std::vector<Generator*> found{};
  void operator()(std::string_view, Variable&) override {}
  void operator()(std::string_view, Tensor&) override {}
  void operator()(std::string_view, Module& child) override { child.visit(*this); }
  void operator()(std::string_view, Generator& generator) override { found.push_back(&generator); }
};

/// Of shard `shard` in the step in which a generator stands at `before`. The DataLoader counts streams of the same seed
/// upwards from 0, these go downwards.
Generator stream_of_shard(const Generator& before, std::int64_t shard) {
  return before.fork(~before.position()).fork(static_cast<std::uint64_t>(shard));
}

void broadcast_tensor(Communicator& world, const Tensor& tensor) {
  const Tensor numbers = tensor.clone();
  world.broadcast(bytes_at(numbers), size_in_bytes(numbers), "the first weights");
  if (world.rank() != 0) tensor.copy_(numbers);
}

}  // namespace

ShardState::ShardState(Module& net, Communicator& world, const ShardTree& tree, int channel,
                       Exchange& exchange)
    : net_(net), world_(world), exchange_(exchange) {
  std::int64_t numbers[2] = {0, 0};
  for (const Tensor& buffer : buffers()) {
    if (is_averaged(buffer)) {
      numbers[buffer.dtype() == float32 ? 0 : 1] += buffer.numel();
    } else {
      integer_bytes_ += size_in_bytes(buffer);
    }
  }
  for (const DType dtype : {float32, float64}) {
    const std::int64_t count = numbers[dtype == float32 ? 0 : 1];
    if (count == 0) continue;
    sums_.push_back({dtype, std::make_unique<BucketSum>(world, tree, count, dtype, channel)});
    channel += 2;
  }
}

std::vector<Tensor> ShardState::buffers() const {
  std::vector<Tensor> all;
  for (auto& [name, buffer] : net_.named_buffers()) all.push_back(std::move(buffer));
  return all;
}

std::vector<Generator*> ShardState::generators() const {
  GeneratorFinder finder;
  net_.visit(finder);
  finder.found.push_back(&default_generator());
  return finder.found;
}

void ShardState::begin_step() {
  before_.clear();
  for (const Tensor& buffer : buffers()) before_.push_back(buffer.clone());
  generators_before_.clear();
  for (const Generator* generator : generators()) generators_before_.push_back(*generator);
}

void ShardState::begin_shard(std::int64_t shard) {
  const std::vector<Tensor> now = buffers();
  for (std::size_t i = 0; i < now.size(); ++i) now[i].copy_(before_[i]);
  const std::vector<Generator*> all = generators();
  for (std::size_t i = 0; i < all.size(); ++i)
    *all[i] = stream_of_shard(generators_before_[i], shard);
}

void ShardState::end_shard(std::int64_t local_shard, double share) {
  const std::vector<Tensor> now = buffers();
  for (const Sum& sum : sums_) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (now[i].dtype() != sum.dtype) continue;
      const std::int64_t count = now[i].numel();
      sum.bucket->put(
          local_shard, offset,
          share == 0 ? zeros({count}, sum.dtype) : part_of_change(before_[i], now[i], share));
      offset += count;
    }
  }
  if (local_shard != 0) return;
  integers_.clear();
  for (const Tensor& buffer : now) {
    if (is_averaged(buffer)) continue;
    const Tensor numbers = buffer.contiguous();
    integers_.append(reinterpret_cast<const char*>(bytes_at(numbers)),
                     static_cast<std::size_t>(size_in_bytes(numbers)));
  }
}

void ShardState::exchange() {
  for (const Sum& sum : sums_) exchange_.add(*sum.bucket);
}

void ShardState::store_sums() {
  const std::vector<Tensor> now = buffers();
  for (const Sum& sum : sums_) {
    const Tensor change = sum.bucket->take_result();
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (now[i].dtype() != sum.dtype) continue;
      const std::int64_t count = now[i].numel();
      now[i].copy_(after_changes(before_[i], change.narrow(0, offset, count)));
      offset += count;
    }
  }
  const std::vector<Generator*> all = generators();
  for (std::size_t i = 0; i < all.size(); ++i) {
    *all[i] = generators_before_[i];
    all[i]->next();
  }
}

std::vector<std::uint64_t> ShardState::random_numbers() const {
  std::vector<std::uint64_t> all;
  for (const Generator& generator : generators_before_) {
    all.push_back(generator.seed());
    all.push_back(generator.position());
  }
  return all;
}

void ShardState::store_integers(const std::string& integers) {
  const char* from = integers.data();
  for (const Tensor& buffer : buffers()) {
    if (is_averaged(buffer)) continue;
    const Tensor numbers = Tensor::empty(buffer.shape(), buffer.dtype());
    std::memcpy(bytes_at(numbers), from, static_cast<std::size_t>(size_in_bytes(numbers)));
    from += size_in_bytes(numbers);
    buffer.copy_(numbers);
  }
}

void ShardState::broadcast() {
  for (const Variable& parameter : net_.parameters()) broadcast_tensor(world_, parameter.value());
  for (const Tensor& buffer : buffers()) broadcast_tensor(world_, buffer);
  for (Generator* generator : generators()) {
    std::uint64_t numbers[2] = {generator->seed(), generator->position()};
    world_.broadcast(reinterpret_cast<std::byte*>(numbers), sizeof numbers, "the random numbers");
    *generator = Generator(numbers[0], numbers[1]);
  }
}

}  // namespace gradus::detail
