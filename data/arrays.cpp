// Which arrays there are, what they hold, and the classes that both parts share.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/core/math.h>
#include <gradus/data/arrays.h>
#include <gradus/data/detail/files.h>
#include <gradus/data/npy.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace gradus {
namespace {

namespace fs = std::filesystem;

/// uint8, or float32. What is no number of an image is told as something of `file`.
Tensor pixels_of(const std::string& name, const std::string& file, const Tensor& images) {
  if (images.dtype() == uint8) return images;
  if (is_floating(images.dtype()) || is_storage_only(images.dtype())) {
    detail::expect_finite(file, images);
    return images.to(float32);
  }
  if (images.dtype() == boolean || images.numel() == 0) return images.to(float32);
  const double least = core::min(images).item();
  const double most = core::max(images).item();
  if (least < 0 || most > 255) {
    fail<BadDataError>(name, ": images of whole numbers must lie in 0..255, they go from ", least,
                       " to ", most);
  }
  return images.to(uint8);
}

/// [N,C,H,W]
Tensor channels_first(const std::string& name, const Tensor& images) {
  if (images.rank() == 3) return images.unsqueeze(1);
  if (images.rank() != 4) {
    fail<BadDataError>(name, ": images must be [N,H,W], [N,C,H,W] or [N,H,W,C], they are ",
                       images.shape());
  }
  const std::int64_t last = images.size(3);
  const bool channels_last = last <= 4 && last < images.size(1) && last < images.size(2);
  if (channels_last) return images.permute({0, 3, 1, 2}).contiguous();
  return images;
}

/// int64 [N]
Tensor whole_labels(const std::string& name, const Tensor& labels) {
  const bool column = labels.rank() == 2 && labels.size(1) == 1;
  if (labels.rank() != 1 && !column)
    fail<BadDataError>(name, ": labels must be [N] or [N,1], they are ", labels.shape());
  const Tensor row = labels.flatten();
  if (is_floating(row.dtype()) || is_storage_only(row.dtype())) {
    const Tensor wide = row.to(float64);
    for (std::int64_t i = 0; i < wide.numel(); ++i) {
      const double value = wide.data<double>()[i];
      constexpr double largest = 9e15;  // below 2^53: exact
      if (!(std::abs(value) < largest) || value != std::floor(value))
        fail<BadDataError>(name, ": labels must be whole numbers, that of sample ", i, " is ",
                           value);
    }
  }
  return row.to(int64).contiguous();
}

/// The values that occur, sorted.
std::vector<std::int64_t> classes_in(const Tensor& labels) {
  std::vector<std::int64_t> values(labels.data<std::int64_t>(),
                                   labels.data<std::int64_t>() + labels.numel());
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

Dataset make_dataset(const std::string& name, const std::string& file, const Tensor& images,
                     const Tensor& labels, const std::vector<std::int64_t>& classes) {
  Dataset result{.name = name,
                 .images = channels_first(name, pixels_of(name, file, images)),
                 .labels = Tensor::empty(labels.shape(), int64),
                 .classes = std::ssize(classes)};
  if (result.image_shape().numel() == 0)
    fail<BadDataError>(file, ": images of ", images.shape(), " have no pixels");
  if (result.images.size(0) != labels.numel()) {
    fail<BadDataError>(name, ": ", result.images.size(0), " images ", images.shape(), ", but ",
                       labels.numel(), " labels");
  }
  for (std::int64_t i = 0; i < labels.numel(); ++i) {
    const std::int64_t value = labels.data<std::int64_t>()[i];
    const auto at = std::lower_bound(classes.begin(), classes.end(), value);
    if (at == classes.end() || *at != value) {
      fail<BadDataError>(name, ": label ", value, " of test sample ", i,
                         " is not in the training part");
    }
    result.labels.data<std::int64_t>()[i] = at - classes.begin();
  }
  if (!classes.empty() && (classes.front() != 0 || classes.back() + 1 != std::ssize(classes))) {
    for (const std::int64_t value : classes) result.class_names.push_back(std::to_string(value));
  }
  check_dataset(result);
  return result;
}

NamedTensors arrays_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return load_npz(path.string());
  NamedTensors arrays;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".npy")
      arrays.emplace_back(at->path().stem().string(), load_npy(at->path().string()));
  }
  if (error) fail<IoError>(path.string(), ": cannot be read: ", error.message());
  return arrays;
}

const Tensor* find_array(const NamedTensors& arrays, const std::string& name) {
  for (const auto& [key, array] : arrays) {
    if (key == name) return &array;
  }
  return nullptr;
}

/// Where an array stands, for messages.
std::string place_of(const std::string& path, const char* array) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return path + ": " + array;
  return (fs::path(path) / array).string() + ".npy";
}

struct Names {
  const char* images;
  const char* labels;
  const char* test_images;
  const char* test_labels;
};

constexpr Names known_names[] = {{"x_train", "y_train", "x_test", "y_test"},
                                 {"train_images", "train_labels", "test_images", "test_labels"},
                                 {"images", "labels", "test_images", "test_labels"},
                                 {"x", "y", "x_test", "y_test"},
                                 {"X", "y", "X_test", "y_test"}};

/// A part without its other half would be left out, and images to test with taken from those to train with.
void expect_both(const std::string& path, const Names& names, const Tensor* test_images,
                 const Tensor* test_labels) {
  if ((test_images == nullptr) == (test_labels == nullptr)) return;
  const bool has_images = test_images != nullptr;
  fail<BadDataError>(path, ": has ", has_images ? names.test_images : names.test_labels,
                     ", but no ", has_images ? names.test_labels : names.test_images);
}

void warn_of_others(const std::string& path, const NamedTensors& arrays, const Names& names) {
  std::vector<std::string> others;
  for (const auto& [key, array] : arrays) {
    const auto is_key = [&key = key](const char* name) { return key == name; };
    const std::array used{names.images, names.labels, names.test_images, names.test_labels};
    if (std::none_of(used.begin(), used.end(), is_key)) others.push_back(key);
  }
  if (!others.empty()) {
    log_warn(path + ": of its arrays " + joined(others) + " are left out; those to test with are " +
             names.test_images + " and " + names.test_labels);
  }
}

}  // namespace

Dataset dataset_of_arrays(const std::string& name, const Tensor& images, const Tensor& labels) {
  const Tensor whole = whole_labels(name, labels);
  return make_dataset(name, name + ": images", images, whole, classes_in(whole));
}

DataSplit load_arrays(const std::string& path) {
  const NamedTensors arrays = arrays_of(path);
  for (const Names& names : known_names) {
    const Tensor* images = find_array(arrays, names.images);
    const Tensor* labels = find_array(arrays, names.labels);
    if (images == nullptr || labels == nullptr) continue;
    const Tensor whole = whole_labels(path, *labels);
    const std::vector<std::int64_t> classes = classes_in(whole);
    const std::string train_file = place_of(path, names.images);
    const std::string test_file = place_of(path, names.test_images);
    DataSplit split{.train = make_dataset(path, train_file, *images, whole, classes), .test = {}};
    split.train.name = train_file;
    const Tensor* test_images = find_array(arrays, names.test_images);
    const Tensor* test_labels = find_array(arrays, names.test_labels);
    expect_both(path, names, test_images, test_labels);
    warn_of_others(path, arrays, names);
    if (test_images != nullptr && test_labels != nullptr) {
      split.test =
          make_dataset(path, test_file, *test_images, whole_labels(path, *test_labels), classes);
      split.test.name = test_file;
    } else {
      split.test = subset(split.train, arange(0));
    }
    if (split.test.image_shape() != split.train.image_shape()) {
      fail<BadDataError>(path, ": training images are ", split.train.image_shape(),
                         ", test images ", split.test.image_shape());
    }
    return split;
  }
  std::vector<std::string> found;
  for (const auto& [name, array] : arrays) found.push_back(name);
  fail<BadDataError>(path,
                     ": has no images and labels by names that are known (x_train and y_train, "
                     "train_images and train_labels, images and labels, x and y), but ",
                     found.empty() ? "no array" : joined(found));
}

}  // namespace gradus
