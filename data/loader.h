// DataLoader: a data set in batches, ready for a network.
//
//   DataLoader loader(split.train, {.batch_size = 64, .shuffle = true, .seed = 1});
//   for (const Batch& batch : loader.epoch(0)) train_step(batch.images, batch.labels);
//
// The order of the samples is a pure function of seed and epoch, so an epoch can be repeated, and a
// training that is taken up again goes on as if it had never stopped. Batches are made ahead on threads
// of their own; they are the same batches in the same order as without them.
//
// Samples of one's own are anything with size() and get():
//
//   struct Squares {
//     std::int64_t size() const { return 1000; }
//     LabeledImage get(std::int64_t i) const { return {draw_square(i), i % 4}; }
//   };
//   DataLoader loader(Squares{}, {.batch_size = 64, .shuffle = true});
#pragma once

#include <gradus/core/random.h>
#include <gradus/data/dataset.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace gradus {

/// The shards of a batch that one process of several makes (distributed/data_parallel.h).
struct BatchShards {
  std::int64_t count = 0;  ///< shards that each batch is cut into; 0: batches are whole
  std::int64_t begin = 0;  ///< the first that is made here
  std::int64_t end = 0;    ///< behind the last that is made here
  bool operator==(const BatchShards&) const = default;  ///< the same of the same count
};

/// What a DataLoader gives at a time.
struct Batch {
  Tensor images;             ///< float32 [B,C,H,W], normalized
  Tensor labels;             ///< int64 [B]; with mixup float32 [B,classes], the share of each class
  std::int64_t index = 0;    ///< 0, 1, ... within the epoch
  std::int64_t samples = 0;  ///< images of the whole batch, also of those that are not made here
  std::uint64_t seed = 0;    ///< of its random numbers: others in each batch, epoch and loader
  /// Of a batch that is cut: the shards that are made here, in order, each with the index of the batch and its own
  /// samples; images and labels of one with no samples, and of the batch itself, are undefined.
  std::vector<Batch> shards{};
  BatchShards part{};  ///< which of all shards these are; count 0: the batch is whole
};

/// Where shard number `shard`, 0 to `count`, begins among the images of a batch: in order, no two sizes further apart
/// than 1, the larger ones first. So of few images the last shards have none.
constexpr std::int64_t shard_begin(std::int64_t images, std::int64_t count, std::int64_t shard) {
  return shard * (images / count) + (shard < images % count ? shard : images % count);
}

/// A change to the images of a batch, such as a random flip (data/transforms.h): float32 [B,C,H,W], bytes
/// as 0..1, before they are normalized -> [B,C,H',W']. The generator is the batch's own, a function of
/// seed, epoch and batch (and of the shard, where batches are cut: each is changed by itself). Runs on the threads that make batches, several at once.
using Transform = std::function<Tensor(const Tensor& images, Generator& generator)>;

/// How an epoch is cut into batches, and what is done to each.
struct DataLoaderOptions {
  std::int64_t batch_size = 64;
  bool shuffle = false;
  std::uint64_t seed = 0;
  bool drop_last = false;     ///< leaves out a last batch smaller than batch_size
  std::int64_t prefetch = 2;  ///< batches made ahead; 0 makes each when it is asked for
  std::int64_t workers = 1;   ///< threads that make them; no more than prefetch are of use
  Transform transform{};
  double mixup = 0;  ///< alpha of mixup(), which needs the number of classes; 0: none
  /// The part of each batch to be made; transform and mixup see a shard at a time, so that it has the same images
  /// whoever makes it.
  BatchShards shards{};
};

/// Samples of one's own.
template <class D>
concept ImageDataset = requires(const D& data, std::int64_t index) {
  { data.size() } -> std::convertible_to<std::int64_t>;
  { data.get(index) } -> std::convertible_to<LabeledImage>;
};

/// One pass over the data, to be iterated once. It holds what it needs and may outlive its
/// DataLoader. A pass may be left in the middle: the destructor stops the worker and waits for it.
class Epoch {
  class Source;

 public:
  /// Goes from batch to batch, each once.
  class Iterator {
   public:
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    const Batch& operator*() const { return *batch_; }
    const Batch* operator->() const { return batch_.get(); }
    Iterator& operator++();
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return batch_ == nullptr; }

   private:
    friend class Epoch;
    explicit Iterator(Source* source) : source_(source) {}
    Source* source_;
    std::shared_ptr<const Batch> batch_;
  };

  Epoch(Epoch&&) noexcept;
  Epoch& operator=(Epoch&&) noexcept;
  ~Epoch();

  /// Takes the first batch. What making a batch throws (a Transform, memory) is thrown here and by
  /// ++, at the batch it concerns; after that the pass is over. ValueError for one moved from.
  Iterator begin();
  std::default_sentinel_t end() const { return {}; }

 private:
  friend class DataLoader;
  explicit Epoch(std::unique_ptr<Source> source);
  std::unique_ptr<Source> source_;
};

/// Thread safety: epoch() may be called from several threads; each pass belongs to one.
class DataLoader {
 public:
  /// Throws ValueError for a batch_size or workers below 1, a negative prefetch or mixup, shards that are not
  /// among their count, and what check_dataset throws.
  explicit DataLoader(Dataset dataset, DataLoaderOptions options = {});
  /// Samples of one's own, as they are but for uint8 pixels, which count as 0..1. A sample of another
  /// shape or dtype than the first of its batch is a ShapeError or DTypeError there.
  template <ImageDataset D>
  requires(!std::same_as<std::remove_cvref_t<D>, Dataset>) explicit DataLoader(
      D&& own, DataLoaderOptions options = {})
      : DataLoader(std::make_shared<Own<std::remove_cvref_t<D>>>(std::forward<D>(own)),
                   std::move(options)) {}

  /// Of samples of one's own: with a source alone.
  const Dataset& dataset() const { return *dataset_; }
  const DataLoaderOptions& options() const { return options_; }
  /// Batches and samples of an epoch.
  std::int64_t batches() const;
  std::int64_t samples() const;

  /// Pass number `number`, 0 or more, from the batch with index `first_batch` on, up to that before `end_batch`, without one
  /// to the last: others are not made. Throws ValueError when `number` is negative, first_batch or end_batch above
  /// batches(), or end_batch below first_batch.
  Epoch epoch(std::int64_t number, std::int64_t first_batch = 0,
              std::optional<std::int64_t> end_batch = {}) const;

 private:
  template <class D> class Own final : public ImageSource {
   public:
    explicit Own(D data) : data_(std::move(data)) {}
    std::int64_t size() const override { return data_.size(); }
    LabeledImage get(std::int64_t index) const override { return data_.get(index); }

   private:
    D data_;
  };

  DataLoader(std::shared_ptr<const ImageSource> source, DataLoaderOptions options);
  void check_options() const;
  std::int64_t size() const;

  std::shared_ptr<const Dataset> dataset_;  // images and labels contiguous
  DataLoaderOptions options_;
};

}  // namespace gradus
