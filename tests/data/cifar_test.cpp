// CIFAR's records: what is read of them, and what does not fit.
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/data/dataset.h>

#include <string>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/temporary_folder.h"

using namespace gradus;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t plane = 1024;

/// A red plane of `r`, but for its second pixel, then a green and a blue one.
std::string record(const std::string& labels, char r, char g, char b) {
  std::string bytes =
      labels + std::string(plane, r) + std::string(plane, g) + std::string(plane, b);
  bytes[labels.size() + 1] = '\xff';
  return bytes;
}

void write_cifar10(const fs::path& folder) {
  fs::create_directories(folder);
  for (int batch = 1; batch <= 5; ++batch) {
    const std::string label(1, static_cast<char>(batch));
    write_bytes(folder / ("data_batch_" + std::to_string(batch) + ".bin"),
                record(label, static_cast<char>(10 * batch), 2, 3) + record(label, 4, 5, 6));
  }
  write_bytes(folder / "test_batch.bin", record("\x09", 7, 8, 9));
}

}  // namespace

TEST_CASE("CIFAR-10's five batches follow each other, in planes of red, green and blue") {
  const TemporaryFolder folder;
  write_cifar10(folder / "cifar-10-batches-bin");
  const DataSplit split = load_dataset("cifar10", {.data_dir = folder.path()});
  CHECK(split.train.images.shape() == Shape{10, 3, 32, 32});
  CHECK(split.train.images.dtype() == uint8);
  CHECK(core::equal(split.train.labels, Tensor::from({1, 1, 2, 2, 3, 3, 4, 4, 5, 5})));
  CHECK(split.train.images.at<std::uint8_t>({4, 0, 0, 0}) == 30);
  CHECK(split.train.images.at<std::uint8_t>({4, 0, 0, 1}) == 255);
  CHECK(split.train.images.at<std::uint8_t>({4, 0, 1, 0}) == 30);
  CHECK(split.train.images.at<std::uint8_t>({5, 1, 31, 31}) == 5);
  CHECK(split.train.images.at<std::uint8_t>({9, 2, 0, 0}) == 6);
  CHECK(split.test.size() == 1);
  CHECK(split.test.class_names.at(9) == "truck");
  CHECK(split.test.normalization.mean.size() == 3);
}

TEST_CASE("CIFAR-100 has a coarse and a fine label in each record") {
  const TemporaryFolder folder;
  write_bytes(folder / "train.bin", record(std::string("\x13\x63", 2), 1, 2, 3));
  write_bytes(folder / "test.bin", record(std::string("\0\1", 2), 4, 5, 6));
  const DataSplit fine = load_cifar100({.data_dir = folder.path()});
  CHECK(fine.train.classes == 100);
  CHECK(fine.train.labels[0].item() == 99);
  CHECK(fine.train.class_names.at(99) == "worm");
  CHECK(fine.test.class_names.at(1) == "aquarium_fish");
  CHECK(fine.test.images.at<std::uint8_t>({0, 0, 0, 0}) == 4);
  const DataSplit coarse = load_dataset("cifar100-coarse", {.data_dir = folder.path()});
  CHECK(coarse.train.classes == 20);
  CHECK(coarse.train.labels[0].item() == 19);
  CHECK(coarse.train.class_names.at(19) == "vehicles_2");
}

TEST_CASE("a missing batch and a missing data set say what to do") {
  const TemporaryFolder folder;
  const auto message = [&] {
    return message_of<NotFoundError>([&] { load_cifar10({.data_dir = folder.path()}); });
  };
  CHECK(contains(message(), "cifar10: no data_batch_1.bin in "));
  CHECK(contains(message(), "cifar-10-binary.tar.gz | tar xz"));
  write_cifar10(folder.path());
  fs::remove(folder / "data_batch_4.bin");
  CHECK(contains(message(), "has 5 of the 6 files, it lacks data_batch_4.bin; to install all"));
}

TEST_CASE("records that are cut, none, or of an unknown class are refused with both values") {
  const TemporaryFolder folder;
  write_cifar10(folder.path());
  const auto message = [&](const std::string& bytes) {
    write_bytes(folder / "data_batch_2.bin", bytes);
    const std::string text =
        message_of<BadDataError>([&] { load_cifar10({.data_dir = folder.path()}); });
    CHECK(text.starts_with("cifar10: " + (folder / "data_batch_2.bin").string() + ": "));
    return text;
  };
  CHECK(contains(message(""), "file of 0 bytes, records take 3073 each"));
  CHECK(contains(message(record("\1", 1, 2, 3) + "x"), "file of 3074 bytes, records take 3073"));
  CHECK(contains(message(record("\1", 1, 2, 3) + record("\x0a", 1, 2, 3)),
                 "label 10 of record 1 is outside 0..9"));
}
