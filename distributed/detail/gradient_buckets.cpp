// Filling buckets, and emptying them.
#include <gradus/core/create.h>
#include <gradus/distributed/detail/gradient_buckets.h>

#include <utility>

namespace gradus::detail {

GradientBuckets::GradientBuckets(std::vector<Variable> parameters, Communicator& world,
                                 const ShardTree& tree, std::int64_t bucket_bytes, int channel,
                                 Exchange& exchange)
    : parameters_(std::move(parameters)),
      exchange_(exchange),
      placed_(parameters_.size()),
      arrived_(parameters_.size(), false) {
  fill_buckets(world, tree, bucket_bytes, channel);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    hooks_.push_back(parameters_[i].register_hook([this, i](const Variable& gradient) {
      if (collecting_) arrive(i, gradient.value(), 1);
      return Variable();
    }));
  }
}

GradientBuckets::~GradientBuckets() {
  for (HookHandle& hook : hooks_) hook.remove();
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
  collecting_ = true;
  arrived_.assign(arrived_.size(), false);
  if (local_shard == 0) next_ = 0;
  for (Bucket& bucket : buckets_) bucket.complete = 0;
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
  collecting_ = false;
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
