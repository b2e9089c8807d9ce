// What all data sets share: checks, splits, the checksum, and the list of names.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/data/dataset.h>

#include <functional>

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

uLong add_dataset(uLong crc, const Dataset& dataset) {
  return add_bytes(add_bytes(crc, dataset.images), dataset.labels);
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

const std::vector<Entry>& entries() {
  static const std::vector<Entry> list = {
      {"digits", [](const DatasetOptions&) { return load_digits(); }},
      {"mnist", load_mnist},
      {"fashion-mnist", load_fashion_mnist},
  };
  return list;
}

}  // namespace

void check_dataset(const Dataset& dataset) {
  const std::string& name = dataset.name;
  const Tensor& images = dataset.images;
  const Tensor& labels = dataset.labels;
  if (!images.defined() || !labels.defined()) {
    fail<ValueError>(name, ": a data set needs images and labels");
  }
  if (images.rank() != 4) {
    fail<ShapeError>(name, ": images must be [N,C,H,W], got ", images.shape());
  }
  if (images.dtype() != uint8 && images.dtype() != float32) {
    fail<DTypeError>(name, ": images must be uint8 or float32, got ", images.dtype());
  }
  if (labels.dtype() != int64)
    fail<DTypeError>(name, ": labels must be int64, got ", labels.dtype());
  if (labels.rank() != 1 || labels.size(0) != images.size(0)) {
    fail<ShapeError>(name, ": ", images.size(0), " images ", images.shape(), ", labels ",
                     labels.shape());
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

Dataset subset(const Dataset& dataset, const Tensor& index) {
  Dataset result = dataset;
  result.images = core::index_select(dataset.images, 0, index);
  result.labels = core::index_select(dataset.labels, 0, index);
  return result;
}

DataSplit random_split(const Dataset& dataset, std::int64_t train_size, std::uint64_t seed) {
  const std::int64_t count = dataset.size();
  if (train_size < 0 || train_size > count) {
    fail<ValueError>(dataset.name, ": cannot take ", train_size, " of ", count, " samples");
  }
  Generator generator(seed);
  const Tensor order = randperm(count, generator);
  return {subset(dataset, order.narrow(0, 0, train_size)),
          subset(dataset, order.narrow(0, train_size, count - train_size))};
}

std::string checksum(const Dataset& dataset) { return hexadecimal(add_dataset(0, dataset)); }

std::string checksum(const DataSplit& split) {
  return hexadecimal(add_dataset(add_dataset(0, split.train), split.test));
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
