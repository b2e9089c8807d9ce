// Making a batch, and the threads that make batches ahead.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/data/loader.h>
#include <gradus/data/transforms.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace gradus {
namespace detail {
/// All that decides what the batches of one pass are.
struct EpochPlan {
  std::shared_ptr<const Dataset> dataset;
  DataLoaderOptions options;
  Generator generator;  // of the epoch
  std::int64_t samples;
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

/// A pixel x becomes x·scale + shift, by channel.
struct Scaling {
  std::vector<float> scale;
  std::vector<float> shift;
};

/// Bytes as 0..1, float32 as it is.
Scaling plain_scaling(DType dtype, std::int64_t channels) {
  const float scale = dtype == uint8 ? 1.0f / 255 : 1.0f;
  return {std::vector<float>(static_cast<std::size_t>(channels), scale),
          std::vector<float>(static_cast<std::size_t>(channels), 0)};
}

/// (x / white - mean) / stddev with one multiplication and one addition, where x / white is 0..1.
Scaling normalizing(const Normalization& normalization, double white, std::int64_t channels) {
  Scaling result;
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const auto of = [c](const std::vector<double>& v) { return v.size() == 1 ? v[0] : v[c]; };
    const double stddev = of(normalization.stddev);
    result.scale.push_back(static_cast<float>(1 / (white * stddev)));
    result.shift.push_back(static_cast<float>(-of(normalization.mean) / stddev));
  }
  return result;
}

/// One image of [C, plane] pixels.
template <class Pixel>
void scale_image(const Pixel* image, std::int64_t plane, const Scaling& scaling, float* out) {
  for (std::size_t c = 0; c < scaling.scale.size(); ++c) {
    const float scale = scaling.scale[c];
    const float shift = scaling.shift[c];
    for (std::int64_t p = 0; p < plane; ++p) out[p] = static_cast<float>(image[p]) * scale + shift;
    image += plane;
    out += plane;
  }
}

void scale_image(const Tensor& image, std::int64_t plane, const Scaling& scaling, float* out) {
  if (image.dtype() == uint8) {
    scale_image(image.data<std::uint8_t>(), plane, scaling, out);
  } else {
    scale_image(image.data<float>(), plane, scaling, out);
  }
}

/// out[i] = rows[index[i]], scaled, with `width` elements per row.
template <class Pixel>
void gather_rows(const Pixel* rows, std::int64_t width, std::int64_t plane,
                 std::span<const std::int64_t> index, const Scaling& scaling, float* out) {
  constexpr std::size_t ahead = 2;
  for (std::size_t i = 0; i < index.size(); ++i) {
    if (i + ahead < index.size()) fetch_ahead(rows + index[i + ahead] * width, width);
    scale_image(rows + index[i] * width, plane, scaling, out);
    out += width;
  }
}

/// Images and labels at `index`, from memory.
void gather(const Dataset& dataset, std::span<const std::int64_t> index, const Scaling& scaling,
            Batch& batch) {
  const Tensor& images = dataset.images;
  const std::int64_t plane = images.size(2) * images.size(3);
  const std::int64_t width = images.size(1) * plane;
  auto* out = batch.images.data<float>();
  if (images.dtype() == uint8) {
    gather_rows(images.data<std::uint8_t>(), width, plane, index, scaling, out);
  } else {
    gather_rows(images.data<float>(), width, plane, index, scaling, out);
  }
  const auto* label = dataset.labels.data<std::int64_t>();
  std::transform(index.begin(), index.end(), batch.labels.data<std::int64_t>(),
                 [label](std::int64_t i) { return label[i]; });
}

/// The same, from a source that makes them now.
void make_samples(const Dataset& dataset, std::span<const std::int64_t> index,
                  const LabeledImage& first, const Scaling& scaling, Batch& batch) {
  const ImageSource& source = *dataset.source;
  const auto* known = dataset.labels.defined() ? dataset.labels.data<std::int64_t>() : nullptr;
  auto* out = batch.images.data<float>();
  auto* label = batch.labels.data<std::int64_t>();
  const std::int64_t plane = first.image.size(1) * first.image.size(2);
  for (std::size_t i = 0; i < index.size(); ++i) {
    const LabeledImage sample = i == 0 ? first : source.get(index[i]);
    if (!sample.image.defined() || sample.image.shape() != first.image.shape()) {
      fail<ShapeError>("data loader: sample ", index[i], " is ",
                       sample.image.defined() ? describe(sample.image) : "undefined", ", sample ",
                       index[0], " is ", describe(first.image));
    }
    if (sample.image.dtype() != first.image.dtype()) {
      fail<DTypeError>("data loader: sample ", index[i], " is ", describe(sample.image),
                       ", sample ", index[0], " is ", describe(first.image));
    }
    scale_image(sample.image.contiguous(), plane, scaling, out);
    out += first.image.numel();
    label[i] = known != nullptr ? known[index[i]] : sample.label;
  }
}

/// The first sample of a batch from a source, which decides what all are to be.
LabeledImage first_sample(const ImageSource& source, std::int64_t index) {
  LabeledImage first = source.get(index);
  const bool fits = first.image.defined() && first.image.rank() == 3 &&
                    (first.image.dtype() == uint8 || first.image.dtype() == float32);
  if (fits) return first;
  fail<ShapeError>("data loader: sample ", index, " must be uint8 or float32 [C,H,W], it is ",
                   first.image.defined() ? describe(first.image) : "undefined");
}

void transform_images(const detail::EpochPlan& plan, Generator& generator, Batch& batch) {
  const std::int64_t count = batch.labels.numel();
  const Transform& transform = plan.options.transform;
  batch.images = transform(batch.images, generator);
  if (!batch.images.defined() || batch.images.rank() == 0 || batch.images.size(0) != count) {
    fail<ShapeError>("data loader: transform must keep the ", count, " images of a batch, it gave ",
                     batch.images.defined() ? describe(batch.images) : "an undefined tensor");
  }
  const Normalization& normalization = plan.dataset->normalization;
  if (normalization.mean == std::vector<double>{0} &&
      normalization.stddev == std::vector<double>{1})
    return;
  const Tensor& made = batch.images;
  if (made.rank() != 4 || made.dtype() != float32) {
    fail<ShapeError>("data loader: transform must give float32 [B,C,H,W], it gave ",
                     describe(made));
  }
  const std::int64_t channels = made.size(1);
  for (const std::vector<double>* numbers : {&normalization.mean, &normalization.stddev}) {
    if (numbers->size() != 1 && std::ssize(*numbers) != channels) {
      fail<ShapeError>("data loader: transform must keep the ", numbers->size(),
                       " channels that are normalized, it gave ", describe(made));
    }
  }
  const Scaling scaling = normalizing(normalization, 1, channels);
  const Tensor from = made.contiguous();
  Tensor to = Tensor::empty(from.shape(), float32);
  const std::int64_t plane = from.size(2) * from.size(3);
  const std::int64_t width = channels * plane;
  for (std::int64_t i = 0; i < count; ++i) {
    scale_image(from.data<float>() + i * width, plane, scaling, to.data<float>() + i * width);
  }
  batch.images = to;
}

/// The images `begin` to `end` of the epoch, as a batch or a shard of one.
Batch make_images(const detail::EpochPlan& plan, std::int64_t number, std::int64_t begin,
                  std::int64_t end, Generator generator) {
  const Dataset& dataset = *plan.dataset;
  const std::int64_t count = end - begin;
  const std::span index(plan.order.data<std::int64_t>() + begin, static_cast<std::size_t>(count));
  const bool in_memory = dataset.images.defined();
  const LabeledImage first = in_memory ? LabeledImage{} : first_sample(*dataset.source, index[0]);
  const Shape shape = in_memory ? dataset.image_shape() : first.image.shape();
  const DType dtype = in_memory ? dataset.images.dtype() : first.image.dtype();
  const Scaling scaling = plan.options.transform ? plain_scaling(dtype, shape[0])
                                                 : normalizing(dataset.normalization,
                                                               dtype == uint8 ? 255 : 1, shape[0]);
  Batch batch{Tensor::empty({count, shape[0], shape[1], shape[2]}, float32),
              Tensor::empty({count}, int64), number, count, generator.seed()};
  if (in_memory) {
    gather(dataset, index, scaling, batch);
  } else {
    make_samples(dataset, index, first, scaling, batch);
  }
  if (plan.options.transform) transform_images(plan, generator, batch);
  if (plan.options.mixup > 0) {
    const MixedBatch mixed =
        mixup(batch.images, batch.labels, dataset.classes, plan.options.mixup, generator);
    batch.images = mixed.images;
    batch.labels = mixed.targets;
  }
  return batch;
}

Batch make_batch(const detail::EpochPlan& plan, std::int64_t number) {
  const std::int64_t begin = number * plan.options.batch_size;
  const std::int64_t count = std::min(plan.options.batch_size, plan.samples - begin);
  const Generator generator = plan.generator.fork(static_cast<std::uint64_t>(number));
  const BatchShards& cut = plan.options.shards;
  if (cut.count == 0) return make_images(plan, number, begin, begin + count, generator);
  Batch batch{.images = {},
              .labels = {},
              .index = number,
              .samples = count,
              .seed = generator.seed(),
              .part = cut};
  for (std::int64_t shard = cut.begin; shard < cut.end; ++shard) {
    const std::int64_t from = shard_begin(count, cut.count, shard);
    const std::int64_t to = shard_begin(count, cut.count, shard + 1);
    batch.shards.push_back(from == to
                               ? Batch{.images = {}, .labels = {}, .index = number}
                               : make_images(plan, number, begin + from, begin + to,
                                             generator.fork(static_cast<std::uint64_t>(shard))));
  }
  return batch;
}

}  // namespace

/// Hands out the batches of a plan. Workers claim numbers in order, make those batches and lay them into
/// `made_`, from which next() takes them, in order again. What making a batch throws lies there in its
/// place; nothing behind it is claimed.
class Epoch::Source {
 public:
  Source(detail::EpochPlan plan, std::int64_t first)
      : plan_(std::move(plan)), handed_out_(first), claimed_(first) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  ~Source() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  /// The next batch, or null after the last.
  std::shared_ptr<const Batch> next() {
    if (over_ || handed_out_ == plan_.batches) return nullptr;
    over_ = true;  // stays so if making this batch throws
    auto batch =
        std::make_shared<const Batch>(reads_ahead() ? take() : make_batch(plan_, handed_out_++));
    over_ = false;
    return batch;
  }

 private:
  struct Made {
    Batch batch{};
    std::exception_ptr failure{};
  };

  /// Are there workers? Where the system gives no thread, every batch is made when it is asked for.
  bool reads_ahead() {
    if (plan_.options.prefetch == 0 || alone_) return false;
    if (!workers_.empty()) return true;
    try {
      const std::int64_t count =
          std::min({plan_.options.workers, plan_.options.prefetch, plan_.batches - handed_out_});
      for (std::int64_t i = 0; i < count; ++i) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
      alone_ = workers_.empty();
      log_warn(std::string("data loader: no thread to read ahead (") + error.what() + "); " +
               (alone_ ? "batches are made when they are asked for"
                       : std::to_string(workers_.size()) + " do it"));
    }
    return !alone_;
  }

  Batch take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return made_.contains(handed_out_); });
    Made made = std::move(made_.extract(handed_out_).mapped());
    ++handed_out_;
    lock.unlock();
    changed_.notify_all();
    if (made.failure) std::rethrow_exception(made.failure);
    return std::move(made.batch);
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] {
        return stopping_ || claimed_ == plan_.batches ||
               claimed_ < handed_out_ + plan_.options.prefetch;
      });
      if (stopping_ || claimed_ == plan_.batches) return;
      const std::int64_t number = claimed_++;
      lock.unlock();
      Made made;
      try {
        made.batch = make_batch(plan_, number);
      } catch (...) {
        made.failure = std::current_exception();
      }
      lock.lock();
      if (made.failure) stopping_ = true;
      made_.emplace(number, std::move(made));
      changed_.notify_all();
    }
  }

  const detail::EpochPlan plan_;
  bool over_ = false;
  bool alone_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t handed_out_;            // the batches before this one; guarded, like all below
  std::int64_t claimed_;               // likewise: are made, or being made
  std::map<std::int64_t, Made> made_;  // by number
  bool stopping_ = false;
  std::vector<std::thread> workers_;  // of the thread that iterates
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
  check_options();
  check_dataset(dataset);
  if (dataset.images.defined()) dataset.images = dataset.images.contiguous();
  dataset.labels = dataset.labels.contiguous();
  dataset_ = std::make_shared<const Dataset>(std::move(dataset));
}

DataLoader::DataLoader(std::shared_ptr<const ImageSource> source, DataLoaderOptions options)
    : options_(std::move(options)) {
  check_options();
  if (options_.mixup > 0)
    fail<ValueError>("data loader: mixup needs a Dataset, which says how many classes there are");
  dataset_ =
      std::make_shared<const Dataset>(Dataset{.name = "samples", .source = std::move(source)});
}

void DataLoader::check_options() const {
  const auto at_least = [](const char* name, auto value, int least) {
    if (!(value >= least))
      fail<ValueError>("data loader: ", name, " must be at least ", least, ", got ", value);
  };
  at_least("batch_size", options_.batch_size, 1);
  at_least("workers", options_.workers, 1);
  at_least("mixup", options_.mixup, 0);
  if (options_.prefetch < 0) {
    fail<ValueError>("data loader: prefetch must not be negative, got ", options_.prefetch);
  }
  const BatchShards& cut = options_.shards;
  if (cut.begin < 0 || cut.end < cut.begin || cut.end > cut.count) {
    fail<ValueError>("data loader: shards must be from 0 to their count, got ", cut.begin, " to ",
                     cut.end, " of ", cut.count);
  }
}

std::int64_t DataLoader::size() const {
  return dataset_->labels.defined() ? dataset_->size() : dataset_->source->size();
}

std::int64_t DataLoader::batches() const {
  const std::int64_t whole = size() / options_.batch_size;
  const bool remainder = size() % options_.batch_size != 0;
  return whole + (remainder && !options_.drop_last);
}

std::int64_t DataLoader::samples() const {
  return std::min(size(), batches() * options_.batch_size);
}

Epoch DataLoader::epoch(std::int64_t number, std::int64_t first_batch,
                        std::optional<std::int64_t> end_batch) const {
  if (number < 0) fail<ValueError>("data loader: epoch must not be negative, got ", number);
  if (first_batch < 0 || first_batch > batches()) {
    fail<ValueError>("data loader: first_batch must be from 0 to ", batches(), ", got ",
                     first_batch);
  }
  const std::int64_t end = end_batch.value_or(batches());
  if (end < first_batch || end > batches()) {
    fail<ValueError>("data loader: end_batch must be from first_batch, ", first_batch, ", to ",
                     batches(), ", got ", end);
  }
  Generator generator = Generator(options_.seed).fork(static_cast<std::uint64_t>(number));
  detail::EpochPlan plan{dataset_, options_, generator, size(), end};
  plan.order = options_.shuffle ? randperm(size(), generator) : arange(size());
  return Epoch(std::make_unique<Epoch::Source>(std::move(plan), first_batch));
}

}  // namespace gradus
