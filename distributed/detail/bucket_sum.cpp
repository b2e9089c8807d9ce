// The additions are those of core, a number at a time: the same bits wherever a slice or a bucket begins.
#include <gradus/core/math.h>
#include <gradus/distributed/detail/bucket_sum.h>

#include <algorithm>

namespace gradus::detail {

std::byte* bytes_at(const Tensor& tensor) {
  return tensor.storage().data() + tensor.offset() * size_of(tensor.dtype());
}

BucketSum::BucketSum(Communicator& world, const ShardTree& tree, std::int64_t numbers, DType dtype,
                     int channel)
    : world_(world),
      numbers_(numbers),
      dtype_(dtype),
      channel_(channel),
      pushes_(tree.pushes(world.rank())),
      final_pushes_(tree.final_pushes()) {
  for (int rank = 0; rank < tree.ranks(); ++rank) partials_.push_back(tree.partials(rank));
  std::size_t slots = 0;  // what is merged at once needs none
  for (const ShardTree::Push& push : pushes_)
    slots = std::max(slots, push.slot + (push.merges == 0));
  for (std::size_t i = 0; i < slots; ++i) slots_.push_back(Tensor::empty({numbers}, dtype));
  const auto own = static_cast<std::int64_t>(partials_[static_cast<std::size_t>(world.rank())]);
  if (own > 1) outgoing_ = Tensor::empty({own * numbers}, dtype);
  incoming_ = Tensor::empty(
      {static_cast<std::int64_t>(final_pushes_.size()) * slice_size(world.rank())}, dtype);
}

void BucketSum::put(std::int64_t local_shard, std::int64_t offset, const Tensor& numbers) {
  const ShardTree::Push& push = pushes_[static_cast<std::size_t>(local_shard)];
  const auto place = [&](std::size_t slot) {
    return slots_[slot].narrow(0, offset, numbers.numel());
  };
  if (push.merges == 0) {
    place(push.slot).copy_(numbers);
    return;
  }
  core::add_(place(push.slot - 1), numbers);
  for (std::size_t below = push.slot - 1, i = 1; i < static_cast<std::size_t>(push.merges);
       ++i, --below)
    core::add_(place(below - 1), place(below));
}

void BucketSum::begin() {
  const std::int64_t element = size_of(dtype_);
  const auto own = partials_[static_cast<std::size_t>(world_.rank())];
  ByteCounts out;
  ByteCounts in;
  std::int64_t packed = 0;
  for (int rank = 0; rank < world_.size(); ++rank) {
    const std::int64_t size = slice_size(rank);
    out.push_back(static_cast<std::int64_t>(own) * size * element);
    in.push_back(static_cast<std::int64_t>(partials_[static_cast<std::size_t>(rank)]) *
                 slice_size(world_.rank()) * element);
    for (std::size_t partial = 0; own > 1 && partial < own; ++partial, packed += size)
      outgoing_.narrow(0, packed, size).copy_(slots_[partial].narrow(0, slice_begin(rank), size));
  }
  // A single sum is in the order of the slices as it is.
  pending_ = world_.all_to_all(channel_, bytes_at(own > 1 ? outgoing_ : slots_[0]), out,
                               bytes_at(incoming_), in);
  gathering_ = false;
}

/// The sum of this rank's slice, in the place of the first of them.
void BucketSum::add_slices() const {
  const std::int64_t size = slice_size(world_.rank());
  std::vector<Tensor> stack;
  const auto merge = [&] {
    core::add_(stack[stack.size() - 2], stack.back());
    stack.pop_back();
  };
  std::int64_t begin = 0;
  for (const ShardTree::Push& push : final_pushes_) {
    stack.push_back(incoming_.narrow(0, begin, size));
    begin += size;
    for (int i = 0; i < push.merges; ++i) merge();
  }
  while (stack.size() > 1) merge();
}

bool BucketSum::advance() {
  if (!pending_->done()) return false;
  if (gathering_) {
    pending_.reset();
    return true;
  }
  add_slices();
  result_ = Tensor::empty({numbers_}, dtype_);
  ByteCounts bytes;
  for (int rank = 0; rank < world_.size(); ++rank)
    bytes.push_back(slice_size(rank) * size_of(dtype_));
  pending_ = world_.all_gather(channel_ + 1, bytes_at(incoming_), bytes_at(result_), bytes);
  gathering_ = true;
  return false;
}

}  // namespace gradus::detail
