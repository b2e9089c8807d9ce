// DataLoader: a data set in batches, ready for a network.
//
//   DataLoader loader(split.train, {.batch_size = 64, .shuffle = true, .seed = 1});
//   for (const Batch& batch : loader.epoch(0)) train_step(batch.images, batch.labels);
//
// The order of the samples is a pure function of seed and epoch, so an epoch can be repeated, and a
// training that is taken up again goes on as if it had never stopped. Batches are made ahead on a
// thread of their own; they are the same batches in the same order as without it.
#pragma once

#include <gradus/core/random.h>
#include <gradus/data/dataset.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>

namespace gradus {

/// What a DataLoader gives at a time.
struct Batch {
  Tensor images;           ///< float32 [B,C,H,W], normalized
  Tensor labels;           ///< int64 [B]
  std::int64_t index = 0;  ///< 0, 1, ... within the epoch
};

/// A change to each batch's normalized images [B,C,H,W], such as a random flip. The generator is
/// the batch's own, a function of seed, epoch and batch. Runs on the worker thread.
using Transform = std::function<Tensor(const Tensor& images, Generator& generator)>;

/// How an epoch is cut into batches, and what is done to each.
struct DataLoaderOptions {
  std::int64_t batch_size = 64;
  bool shuffle = false;
  std::uint64_t seed = 0;
  bool drop_last = false;     ///< leaves out a last batch smaller than batch_size
  std::int64_t prefetch = 2;  ///< batches made ahead; 0 makes each when it is asked for
  Transform transform{};
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
  /// Throws ValueError for a batch_size below 1 or a negative prefetch, and what
  /// check_dataset throws.
  explicit DataLoader(Dataset dataset, DataLoaderOptions options = {});

  const Dataset& dataset() const { return *dataset_; }
  const DataLoaderOptions& options() const { return options_; }
  /// Batches and samples of an epoch.
  std::int64_t batches() const;
  std::int64_t samples() const;

  /// Pass number `number`, 0 or more, from the batch with index `first_batch` on: those before it are
  /// not made. Throws ValueError when either is negative, or first_batch above batches().
  Epoch epoch(std::int64_t number, std::int64_t first_batch = 0) const;

 private:
  std::shared_ptr<const Dataset> dataset_;  // images and labels contiguous
  DataLoaderOptions options_;
};

}  // namespace gradus
