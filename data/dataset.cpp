// What all data sets share: checks, splits, the checksum, and the list of names.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/data/dataset.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <functional>
#include <utility>

#include <zlib.h>

namespace gradus {
namespace {

uLong add_bytes(uLong crc, const Tensor& tensor) {
  const Tensor whole = tensor.contiguous();
  const std::int64_t width = size_of(whole.dtype());
  const std::byte* bytes = whole.storage().data() + whole.offset() * width;
  return crc32_z(crc, reinterpret_cast<const Bytef*>(bytes),
                 static_cast<z_size_t>(whole.numel() * width));
}

/// visit(image 0), visit(image 1), ... in order, whatever the number of threads, on which a source makes some ahead.
/// Throws what the first in order threw that could not be made.
template <class Visit> void for_each_image(const Dataset& dataset, const Visit& visit) {
  constexpr std::int64_t most_bytes = std::int64_t{1} << 27;  // of images made ahead
  const std::int64_t size = dataset.size();
  for (std::int64_t i = 0; dataset.images.defined() && i < size; ++i) visit(dataset.get(i).image);
  if (dataset.images.defined() || size == 0) return;
  const Tensor first = dataset.get(0).image;
  const std::int64_t bytes = std::max<std::int64_t>(first.numel() * size_of(first.dtype()), 1);
  const std::int64_t at_once = std::clamp<std::int64_t>(most_bytes / bytes, 1, 256);
  std::vector<Tensor> images(static_cast<std::size_t>(std::min(at_once, size)));
  std::vector<std::exception_ptr> failures(images.size());
  for (std::int64_t begin = 0; begin < size; begin += at_once) {
    const std::int64_t count = std::min(at_once, size - begin);
    parallel_for(count, 1, [&](std::int64_t i, std::int64_t) {
      const auto at = static_cast<std::size_t>(i);
      try {
        images[at] = dataset.get(begin + i).image;
      } catch (...) {
        failures[at] = std::current_exception();
      }
    });
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      if (failures[i]) std::rethrow_exception(failures[i]);
      visit(images[i]);
    }
  }
}

uLong add_dataset(uLong crc, const Dataset& dataset) {
  if (dataset.images.defined()) {
    crc = add_bytes(crc, dataset.images);
  } else {
    for_each_image(dataset, [&](const Tensor& image) { crc = add_bytes(crc, image); });
  }
  return add_bytes(crc, dataset.labels);
}

/// Some samples of another source, in another order.
class Selection final : public ImageSource {
 public:
  Selection(std::shared_ptr<const ImageSource> whole, const Tensor& index)
      : whole_(std::move(whole)), index_(index.contiguous().clone()) {}
  std::int64_t size() const override { return index_.numel(); }
  LabeledImage get(std::int64_t i) const override {
    return whole_->get(index_.data<std::int64_t>()[i]);
  }

 private:
  std::shared_ptr<const ImageSource> whole_;
  Tensor index_;  // int64 [M]
};

void check_normalization(const Dataset& dataset, std::int64_t channels) {
  const auto& [mean, stddev] = dataset.normalization;
  for (const auto& [numbers, what] : {std::pair(&mean, "mean"), std::pair(&stddev, "stddev")}) {
    if (numbers->size() != 1 && std::ssize(*numbers) != channels) {
      fail<ValueError>(dataset.name, ": normalization.", what, " has ", numbers->size(),
                       " numbers for ", channels, " channels");
    }
  }
  for (const double value : stddev) {
    if (!(value > 0)) {
      fail<ValueError>(dataset.name, ": normalization.stddev must be positive, got ", value);
    }
  }
  for (const double value : mean) {
    if (!std::isfinite(value))
      fail<ValueError>(dataset.name, ": normalization.mean must be finite, got ", value);
  }
}

/// Sums over the pixels of one channel. Of bytes they are exact.
struct ChannelSums {
  double sum = 0;
  double squares = 0;
};

/// Adds a plane; of float32, about `origin`, so that little cancels.
ChannelSums sums_of(const std::uint8_t* plane, std::int64_t count, double) {
  std::uint64_t sum = 0;
  std::uint64_t squares = 0;  // 65025 each: 2.8e14 pixels would fit
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint32_t value = plane[i];
    sum += value;
    squares += value * value;
  }
  return {static_cast<double>(sum), static_cast<double>(squares)};
}

ChannelSums sums_of(const float* plane, std::int64_t count, double origin) {
  ChannelSums sums;
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = static_cast<double>(plane[i]) - origin;
    sums.sum += value;
    sums.squares += value * value;
  }
  return sums;
}

template <class Pixel>
void add_image(const Tensor& image, const std::vector<double>& origin,
               std::vector<ChannelSums>& sums) {
  const Tensor whole = image.contiguous();
  const std::int64_t plane = whole.size(1) * whole.size(2);
  for (std::size_t c = 0; c < sums.size(); ++c) {
    const Pixel* pixels = whole.data<Pixel>() + static_cast<std::int64_t>(c) * plane;
    const ChannelSums of_plane = sums_of(pixels, plane, origin[c]);
    sums[c].sum += of_plane.sum;
    sums[c].squares += of_plane.squares;
  }
}

std::string hexadecimal(uLong crc) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) text += digits[(crc >> shift) & 15];
  return text;
}

struct Entry {
  std::string name;
  std::function<DataSplit(const DatasetOptions&)> load;
};

Entry emnist_entry(const std::string& split) {
  return {"emnist-" + split,
          [split](const DatasetOptions& options) { return load_emnist(split, options); }};
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> list = {
      {"digits", [](const DatasetOptions&) { return load_digits(); }},
      {"mnist", load_mnist},
      {"fashion-mnist", load_fashion_mnist},
      {"kmnist", load_kmnist},
      emnist_entry("balanced"),
      emnist_entry("byclass"),
      emnist_entry("bymerge"),
      emnist_entry("digits"),
      emnist_entry("letters"),
      emnist_entry("mnist"),
      {"cifar10", load_cifar10},
      {"cifar100", load_cifar100},
      {"cifar100-coarse", load_cifar100_coarse},
  };
  return list;
}

}  // namespace

Shape Dataset::image_shape() const {
  if (images.defined()) return {images.size(1), images.size(2), images.size(3)};
  if (!source || source->size() == 0) fail<ValueError>(name, ": has no image to tell a shape by");
  return source->get(0).image.shape();
}

std::string Dataset::class_name(std::int64_t label) const {
  return class_names.empty() ? std::to_string(label) : class_names[static_cast<std::size_t>(label)];
}

LabeledImage Dataset::get(std::int64_t index) const {
  const auto label = static_cast<std::int64_t>(labels[index].item());
  return {images.defined() ? images[index] : source->get(index).image, label};
}

void check_dataset(const Dataset& dataset) {
  const std::string& name = dataset.name;
  const Tensor& labels = dataset.labels;
  const bool has_images = dataset.images.defined() != (dataset.source != nullptr);
  if (!has_images || !labels.defined()) {
    fail<ValueError>(name, ": a data set needs labels, and images or a source of them");
  }
  const std::int64_t count = dataset.source ? dataset.source->size() : dataset.images.size(0);
  const Tensor images = dataset.source && count > 0 ? dataset.get(0).image : dataset.images;
  const int rank = dataset.source ? 3 : 4;
  if (images.defined()) {
    if (images.rank() != rank) {
      fail<ShapeError>(name, ": images must be ", rank == 4 ? "[N,C,H,W]" : "[C,H,W]", ", got ",
                       images.shape());
    }
    if (images.dtype() != uint8 && images.dtype() != float32) {
      fail<DTypeError>(name, ": images must be uint8 or float32, got ", images.dtype());
    }
    check_normalization(dataset, images.size(rank - 3));
  }
  if (labels.dtype() != int64)
    fail<DTypeError>(name, ": labels must be int64, got ", labels.dtype());
  if (labels.rank() != 1 || labels.size(0) != count) {
    fail<ShapeError>(name, ": ", count, " images",
                     dataset.source ? "" : text_of(" ", images.shape()), ", labels ",
                     labels.shape());
  }
  if (!dataset.class_names.empty() && std::ssize(dataset.class_names) != dataset.classes) {
    fail<ValueError>(name, ": ", dataset.class_names.size(), " names for ", dataset.classes,
                     " classes");
  }
  const Tensor row = labels.contiguous();
  const auto* label = row.data<std::int64_t>();
  for (std::int64_t i = 0; i < row.numel(); ++i) {
    if (label[i] < 0 || label[i] >= dataset.classes) {
      fail<BadDataError>(name, ": label ", label[i], " of sample ", i, " is outside 0..",
                         dataset.classes - 1);
    }
  }
}

namespace {

/// Of parts the sizes would fit again, and what stands beside another's label be trained.
void check_counts(const Dataset& dataset) {
  if (!dataset.images.defined() && dataset.source == nullptr) return check_dataset(dataset);
  const std::int64_t count = dataset.source ? dataset.source->size() : dataset.images.size(0);
  if (count != dataset.size()) check_dataset(dataset);
}

}  // namespace

Dataset subset(const Dataset& dataset, const Tensor& index) {
  check_counts(dataset);
  Dataset result = dataset;
  if (dataset.source) {
    result.source = std::make_shared<Selection>(dataset.source, index);
  } else {
    result.images = core::index_select(dataset.images, 0, index);
  }
  result.labels = core::index_select(dataset.labels, 0, index);
  return result;
}

DataSplit random_split(const Dataset& dataset, std::int64_t train_size, std::uint64_t seed) {
  check_counts(dataset);
  const std::int64_t count = dataset.size();
  if (train_size < 0 || train_size > count) {
    fail<ValueError>(dataset.name, ": cannot take ", train_size, " of ", count, " samples");
  }
  Generator generator(seed);
  const Tensor order = randperm(count, generator);
  return {subset(dataset, order.narrow(0, 0, train_size)),
          subset(dataset, order.narrow(0, train_size, count - train_size))};
}

DataSplit stratified_split(const Dataset& dataset, double fraction, std::uint64_t seed) {
  if (!(fraction > 0 && fraction < 1)) {
    fail<ValueError>(dataset.name, ": fraction must lie between 0 and 1, got ", fraction);
  }
  check_dataset(dataset);
  Generator generator(seed);
  const Tensor order = randperm(dataset.size(), generator);
  const Tensor labels = dataset.labels.contiguous();
  const auto* label = labels.data<std::int64_t>();
  // In random order, each class gives its first ones away.
  std::vector<std::int64_t> left(static_cast<std::size_t>(dataset.classes), 0);
  for (std::int64_t i = 0; i < dataset.size(); ++i) ++left[static_cast<std::size_t>(label[i])];
  for (std::int64_t& count : left) {
    const auto share = static_cast<std::int64_t>(static_cast<double>(count) * fraction + 0.5);
    count = count < 2 ? 0 : std::clamp<std::int64_t>(share, 1, count - 1);
  }
  std::vector<char> given(static_cast<std::size_t>(dataset.size()), 0);
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    const std::int64_t sample = order.data<std::int64_t>()[i];
    std::int64_t& more = left[static_cast<std::size_t>(label[sample])];
    if (more == 0) continue;
    --more;
    given[static_cast<std::size_t>(sample)] = 1;
  }
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> test;
  for (std::int64_t i = 0; i < dataset.size(); ++i)
    (given[static_cast<std::size_t>(i)] ? test : train).push_back(i);
  const auto part = [&](const std::vector<std::int64_t>& index) {
    return subset(dataset, Tensor::from(index.data(), Shape{std::ssize(index)}));
  };
  return {part(train), part(test)};
}

Normalization measure_normalization(const Dataset& dataset) {
  if (dataset.size() == 0 || dataset.image_shape().numel() == 0)
    fail<ValueError>(dataset.name, ": has no pixels to measure");
  const Tensor first = dataset.get(0).image;
  const bool bytes = first.dtype() == uint8;
  const auto channels = static_cast<std::size_t>(first.size(0));
  std::vector<double> origin(channels, 0);
  for (std::size_t c = 0; c < channels && !bytes; ++c)
    origin[c] = first[static_cast<std::int64_t>(c)].flatten()[0].item();
  std::vector<ChannelSums> sums(channels);
  for_each_image(dataset, [&](const Tensor& image) {
    if (bytes) {
      add_image<std::uint8_t>(image, origin, sums);
    } else {
      add_image<float>(image, origin, sums);
    }
  });
  const double count =
      static_cast<double>(dataset.size()) * static_cast<double>(first.size(1) * first.size(2));
  const double white = bytes ? 255 : 1;
  Normalization result{.mean = {}, .stddev = {}};
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = sums[c].sum / count;
    const double variance = std::max(sums[c].squares / count - mean * mean, 0.0);
    if (!std::isfinite(sums[c].squares)) {
      fail<BadDataError>(dataset.name, ": channel ", c,
                         " holds a number that is not finite, and so has no mean");
    }
    result.mean.push_back((origin[c] + mean) / white);
    result.stddev.push_back(variance > 0 ? std::sqrt(variance) / white : 1);
  }
  return result;
}

std::string checksum(const Dataset& dataset) { return hexadecimal(add_dataset(0, dataset)); }

std::string checksum(const DataSplit& split) {
  return hexadecimal(add_dataset(add_dataset(0, split.train), split.test));
}

std::string checksum(const NamedTensors& tensors) {
  uLong crc = 0;
  for (const auto& [name, tensor] : tensors) crc = add_bytes(crc, tensor);
  return hexadecimal(crc);
}

const std::vector<std::string>& dataset_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Entry& entry : entries()) list.push_back(entry.name);
    return list;
  }();
  return names;
}

DataSplit load_dataset(std::string_view name, const DatasetOptions& options) {
  for (const Entry& entry : entries()) {
    if (entry.name == name) return entry.load(options);
  }
  fail<ValueError>("data set: unknown name '", name, "', known are ", joined(dataset_names()));
}

}  // namespace gradus
