// Making a batch, and the thread that makes batches ahead.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/data/loader.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace gradus {
namespace detail {
/// All that decides what the batches of one pass are.
struct EpochPlan {
  std::shared_ptr<const Dataset> dataset;
  DataLoaderOptions options;
  Generator generator;  // of the epoch
  std::int64_t batches;
  Tensor order{};  // int64 [N]
};
}  // namespace detail

namespace {

/// Asks for the first page of a row that will be read soon: shuffled rows lie where no hardware
/// expects them, and waiting for each took more than half of the time.
template <class Pixel> void fetch_ahead(const Pixel* row, std::int64_t width) {
  constexpr std::int64_t page = 4096;
  constexpr std::int64_t cache_line = 64;
  const auto* bytes = reinterpret_cast<const char*>(row);
  const std::int64_t count = std::min(width * std::int64_t{sizeof(Pixel)}, page);
  for (std::int64_t b = 0; b < count; b += cache_line) __builtin_prefetch(bytes + b);
}

/// out[i] = rows[index[i]]·scale + shift, with `width` elements per row.
template <class Pixel>
void gather_rows(const Pixel* rows, std::int64_t width, const std::int64_t* index,
                 std::int64_t count, float scale, float shift, float* out) {
  constexpr std::int64_t ahead = 2;
  for (std::int64_t i = 0; i < count; ++i) {
    if (i + ahead < count) fetch_ahead(rows + index[i + ahead] * width, width);
    const Pixel* row = rows + index[i] * width;
    for (std::int64_t p = 0; p < width; ++p) out[p] = static_cast<float>(row[p]) * scale + shift;
    out += width;
  }
}

/// The images at `index`, normalized: uint8 or float32 [N,C,H,W] -> float32 [count,C,H,W].
Tensor gather_images(const Dataset& dataset, const std::int64_t* index, std::int64_t count) {
  const Tensor& images = dataset.images;
  Shape shape = images.shape();
  shape[0] = count;
  Tensor batch = Tensor::empty(shape, float32);
  const std::int64_t width = count == 0 ? 0 : batch.numel() / count;
  const auto [mean, stddev] = dataset.normalization;
  const double white = images.dtype() == uint8 ? 255 : 1;
  // (x / white - mean) / stddev, with one multiplication and one addition per pixel.
  const auto scale = static_cast<float>(1 / (white * stddev));
  const auto shift = static_cast<float>(-mean / stddev);
  auto* out = batch.data<float>();
  if (images.dtype() == uint8) {
    gather_rows(images.data<std::uint8_t>(), width, index, count, scale, shift, out);
  } else {
    gather_rows(images.data<float>(), width, index, count, scale, shift, out);
  }
  return batch;
}

Tensor gather_labels(const Tensor& labels, const std::int64_t* index, std::int64_t count) {
  Tensor batch = Tensor::empty({count}, int64);
  const auto* label = labels.data<std::int64_t>();
  std::transform(index, index + count, batch.data<std::int64_t>(),
                 [label](std::int64_t i) { return label[i]; });
  return batch;
}

Batch make_batch(const detail::EpochPlan& plan, std::int64_t number) {
  const std::int64_t first = number * plan.options.batch_size;
  const std::int64_t count = std::min(plan.options.batch_size, plan.dataset->size() - first);
  const std::int64_t* index = plan.order.data<std::int64_t>() + first;
  Batch batch{gather_images(*plan.dataset, index, count),
              gather_labels(plan.dataset->labels, index, count), number};
  if (plan.options.transform) {
    Generator generator = plan.generator.fork(static_cast<std::uint64_t>(number));
    batch.images = plan.options.transform(batch.images, generator);
    if (!batch.images.defined() || batch.images.rank() == 0 || batch.images.size(0) != count) {
      fail<ShapeError>("data loader: transform must keep the ", count,
                       " images of a batch, it gave ",
                       batch.images.defined() ? describe(batch.images) : "an undefined tensor");
    }
  }
  return batch;
}

}  // namespace

/// Hands out the batches of a plan. With prefetch, a queue of at most that many stands between the
/// worker, which fills it, and next(), which empties it; `failure_` is the worker's last word.
class Epoch::Source {
 public:
  Source(detail::EpochPlan plan, std::int64_t first)
      : plan_(std::move(plan)), first_(first), handed_out_(first) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  ~Source() {
    if (!worker_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    worker_.join();
  }

  /// The next batch, or null after the last.
  std::shared_ptr<const Batch> next() {
    if (handed_out_ == plan_.batches) return nullptr;
    const std::int64_t number = handed_out_;
    handed_out_ = plan_.batches;  // stays so if making this batch throws: then the pass is over
    auto batch = std::make_shared<const Batch>(reads_ahead() ? take() : make_batch(plan_, number));
    handed_out_ = number + 1;
    return batch;
  }

 private:
  /// Is there a worker? Where the system gives no thread, every batch is made when it is asked for.
  bool reads_ahead() {
    if (plan_.options.prefetch == 0 || alone_) return false;
    if (worker_.joinable()) return true;
    try {
      worker_ = std::thread([this] { work(); });
    } catch (const std::system_error& error) {
      log_warn(std::string("data loader: no thread to read ahead (") + error.what() +
               "); batches are made when they are asked for");
      alone_ = true;
    }
    return !alone_;
  }

  Batch take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !queue_.empty() || failure_ != nullptr; });
    if (queue_.empty()) std::rethrow_exception(failure_);
    Batch batch = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return batch;
  }

  void work() {
    try {
      for (std::int64_t number = first_; number < plan_.batches; ++number) {
        Batch batch = make_batch(plan_, number);
        std::unique_lock lock(mutex_);
        changed_.wait(lock,
                      [this] { return stopping_ || std::ssize(queue_) < plan_.options.prefetch; });
        if (stopping_) return;
        queue_.push_back(std::move(batch));
        lock.unlock();
        changed_.notify_all();
      }
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        failure_ = std::current_exception();
      }
      changed_.notify_all();
    }
  }

  const detail::EpochPlan plan_;
  const std::int64_t first_;
  std::int64_t handed_out_;  // the batches before this one
  bool alone_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> queue_;  // guarded by mutex_, like the next two
  std::exception_ptr failure_{};
  bool stopping_ = false;
  std::thread worker_;
};

Epoch::Epoch(std::unique_ptr<Source> source) : source_(std::move(source)) {}
Epoch::Epoch(Epoch&&) noexcept = default;
Epoch& Epoch::operator=(Epoch&&) noexcept = default;
Epoch::~Epoch() = default;

Epoch::Iterator Epoch::begin() {
  if (!source_) fail<ValueError>("data loader: this pass was moved from; iterate over the other");
  return ++Iterator(source_.get());
}

Epoch::Iterator& Epoch::Iterator::operator++() {
  batch_ = nullptr;  // its memory goes back to the pool before the next batch is taken
  batch_ = source_->next();
  return *this;
}

DataLoader::DataLoader(Dataset dataset, DataLoaderOptions options) : options_(std::move(options)) {
  if (options_.batch_size < 1) {
    fail<ValueError>("data loader: batch_size must be at least 1, got ", options_.batch_size);
  }
  if (options_.prefetch < 0) {
    fail<ValueError>("data loader: prefetch must not be negative, got ", options_.prefetch);
  }
  check_dataset(dataset);
  if (!(dataset.normalization.stddev > 0)) {
    fail<ValueError>("data loader: normalization.stddev must be positive, got ",
                     dataset.normalization.stddev);
  }
  dataset.images = dataset.images.contiguous();
  dataset.labels = dataset.labels.contiguous();
  dataset_ = std::make_shared<const Dataset>(std::move(dataset));
}

std::int64_t DataLoader::batches() const {
  const std::int64_t whole = dataset_->size() / options_.batch_size;
  const bool remainder = dataset_->size() % options_.batch_size != 0;
  return whole + (remainder && !options_.drop_last);
}

std::int64_t DataLoader::samples() const {
  return std::min(dataset_->size(), batches() * options_.batch_size);
}

Epoch DataLoader::epoch(std::int64_t number, std::int64_t first_batch) const {
  if (number < 0) fail<ValueError>("data loader: epoch must not be negative, got ", number);
  if (first_batch < 0 || first_batch > batches()) {
    fail<ValueError>("data loader: first_batch must be from 0 to ", batches(), ", got ",
                     first_batch);
  }
  Generator generator = Generator(options_.seed).fork(static_cast<std::uint64_t>(number));
  detail::EpochPlan plan{dataset_, options_, generator, batches()};
  plan.order = options_.shuffle ? randperm(dataset_->size(), generator) : arange(dataset_->size());
  return Epoch(std::make_unique<Epoch::Source>(std::move(plan), first_batch));
}

}  // namespace gradus
