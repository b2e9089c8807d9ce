// Filling buckets, and emptying them.
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/distributed/detail/gradient_buckets.h>

#include <utility>

namespace gradus::detail {

GradientBuckets::GradientBuckets(const NamedVariables& parameters, Communicator& world,
                                 const ShardTree& tree, std::int64_t bucket_bytes, int channel,
                                 Exchange& exchange)
    : exchange_(exchange) {
  for (const auto& [name, parameter] : parameters) {
    if (!parameter.requires_grad()) continue;
    names_.push_back(name);
    parameters_.push_back(parameter);
  }
  placed_.resize(parameters_.size());
  arrived_.resize(parameters_.size());
  hooks_.resize(parameters_.size());
  fill_buckets(world, tree, bucket_bytes, channel);
}

GradientBuckets::~GradientBuckets() {
  for (Hook& hook : hooks_) hook.handle.remove();
}

void GradientBuckets::expect_the_same(const NamedVariables& parameters) const {
  const auto fail_about = [](const std::string& name, std::string_view what) {
    fail<ValueError>("distributed: ", name, " ", what,
                     " since this DistributedDataParallel was made; make another");
  };
  std::size_t next = 0;
  for (const auto& [name, parameter] : parameters) {
    const bool was_trained = next < names_.size() && names_[next] == name;
    if (was_trained && !parameter.requires_grad()) fail_about(name, "was frozen");
    if (!was_trained && parameter.requires_grad()) fail_about(name, "began to require a gradient");
    if (!was_trained) continue;
    if (parameter.node() != parameters_[next].node()) fail_about(name, "became another Variable");
    ++next;
  }
  if (next < names_.size()) fail_about(names_[next], "was taken out of the net");
}

void GradientBuckets::fill_buckets(Communicator& world, const ShardTree& tree,
                                   std::int64_t bucket_bytes, int channel) {
  std::size_t end = parameters_.size();
  while (end > 0) {
    // The parameters begin .. end - 1, from the last to the first; one at least.
    const DType dtype = parameters_[end - 1].dtype();
    std::size_t begin = end;
    std::int64_t numbers = 0;
    do {
      numbers += parameters_[--begin].numel();
    } while (begin > 0 && parameters_[begin - 1].dtype() == dtype &&
             (numbers + parameters_[begin - 1].numel()) * size_of(dtype) <= bucket_bytes);
    Bucket bucket;
    std::int64_t offset = 0;
    while (end > begin) {
      --end;
      placed_[end] = {.bucket = buckets_.size(),
                      .offset = offset,
                      .count = numbers + std::ssize(bucket.parameters)};
      offset += parameters_[end].numel();
      bucket.parameters.push_back(end);
    }
    bucket.sum = std::make_unique<BucketSum>(world, tree, numbers + std::ssize(bucket.parameters),
                                             dtype, channel);
    channel += 2;
    buckets_.push_back(std::move(bucket));
  }
}

void GradientBuckets::begin_shard(std::int64_t local_shard, bool last) {
  shard_ = local_shard;
  last_ = last;
  arrived_.assign(arrived_.size(), false);
  if (local_shard == 0) next_ = 0;
  for (Bucket& bucket : buckets_) bucket.complete = 0;
}

/// Behind all hooks that there are. One that was frozen for a while has lost those that it had.
void GradientBuckets::hook_up(std::size_t parameter) {
  const Variable& variable = parameters_[parameter];
  Hook& own = hooks_[parameter];
  if (!variable.node()->hooks.empty() && variable.node()->hooks.back().first == own.number) return;
  own.handle.remove();
  own.handle = variable.register_hook([this, parameter](const Variable& gradient) {
    if (collecting_ && parameters_[parameter].requires_grad()) collect(parameter, gradient.value());
    return Variable();
  });
  own.number = variable.node()->hooks.back().first;
}

void GradientBuckets::run_backward_of(const Variable& result, const Variable& seed) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    parameters_[i].zero_grad();
    if (parameters_[i].requires_grad()) hook_up(i);
  }
  struct Collecting {
    bool& on;
    explicit Collecting(bool& flag) : on(flag) { on = true; }
    ~Collecting() { on = false; }
    Collecting(const Collecting&) = delete;
    Collecting& operator=(const Collecting&) = delete;
  };
  {
    const Collecting now(collecting_);
    result.backward(seed);
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (arrived_[i] == parameters_[i].grad().defined()) continue;
    fail<ValueError>("distributed: the gradient of ", names_[i],
                     arrived_[i]
                         ? " came from another pass, begun by a hook, not from the loss"
                         : " came without its hooks: was it frozen for a while in the loss?");
  }
}

void GradientBuckets::collect(std::size_t parameter, const Tensor& gradient) {
  if (arrived_[parameter]) {
    fail<ValueError>("distributed: the gradient of ", names_[parameter],
                     " came twice in a shard: a hook began a pass of its own");
  }
  if (parameters_[parameter].node()->hooks.back().first != hooks_[parameter].number) {
    fail<ValueError>("distributed: a hook on ", names_[parameter],
                     " was registered in the backward pass, too late to be heard");
  }
  arrive(parameter, gradient, 1);
}

void GradientBuckets::arrive(std::size_t parameter, const Tensor& gradient, double shards) {
  const Placed& at = placed_[parameter];
  Bucket& bucket = buckets_[at.bucket];
  arrived_[parameter] = true;
  bucket.sum->put(shard_, at.offset, gradient.contiguous().reshape({gradient.numel()}));
  bucket.sum->put(shard_, at.count, full({1}, shards, gradient.dtype()));
  ++bucket.complete;
  if (!last_) return;
  for (; next_ < buckets_.size(); ++next_) {
    Bucket& first = buckets_[next_];
    if (first.complete < first.parameters.size()) return;
    exchange_.add(*first.sum);
  }
}

void GradientBuckets::end_shard() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!arrived_[i]) arrive(i, zeros({parameters_[i].numel()}, parameters_[i].dtype()), 0);
    parameters_[i].zero_grad();
  }
}

void GradientBuckets::store_sums() {
  for (Bucket& bucket : buckets_) {
    const Tensor sum = bucket.sum->take_result();
    for (const std::size_t i : bucket.parameters) {
      const Placed& at = placed_[i];
      const Variable& parameter = parameters_[i];
      if (sum[at.count].item() == 0) continue;
      parameter.set_grad(sum.narrow(0, at.offset, parameter.numel()).reshape(parameter.shape()));
    }
  }
}

}  // namespace gradus::detail
