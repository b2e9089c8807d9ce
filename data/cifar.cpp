// CIFAR in its binary version: files of records without a header. A record is one label byte, of CIFAR-100
// two, coarse and fine, and 3072 pixels: 32x32 of red, then of green, then of blue, row-major.
//
// Source: https://www.cs.toronto.edu/~kriz/cifar.html
#include <gradus/core/error.h>
#include <gradus/data/dataset.h>
#include <gradus/data/detail/files.h>

#include <algorithm>
#include <span>

namespace gradus {
namespace {

constexpr std::int64_t cifar_channels = 3;
constexpr std::int64_t cifar_side = 32;
constexpr std::int64_t cifar_pixels = cifar_channels * cifar_side * cifar_side;

/// What tells the three apart.
struct CifarSource {
  detail::DatasetFiles files;  // the last is the one to test with
  std::int64_t label_bytes;
  std::int64_t label_at;  // which of them is the class
  std::vector<std::string> class_names;
};

std::int64_t records_of(const InputFile& file, std::int64_t record) {
  if (file.size() == 0 || file.size() % record != 0) {
    fail<BadDataError>(file.label(), ": file of ", file.size(), " bytes, records take ", record,
                       " each");
  }
  return file.size() / record;
}

/// Reads `count` records of `file` into `images` and `labels`.
void read_records(const InputFile& file, const CifarSource& source, std::int64_t count,
                  std::uint8_t* images, std::int64_t* labels) {
  const std::int64_t length = source.label_bytes + cifar_pixels;
  const std::int64_t classes = std::ssize(source.class_names);
  std::vector<std::uint8_t> record(static_cast<std::size_t>(length));
  for (std::int64_t i = 0; i < count; ++i) {
    if (file.read_some(i * length, record.data(), length) != length) {
      fail<BadDataError>(file.label(), ": file ends within record ", i, " of ", count);
    }
    labels[i] = record[static_cast<std::size_t>(source.label_at)];
    if (labels[i] >= classes) {
      fail<BadDataError>(file.label(), ": label ", labels[i], " of record ", i, " is outside 0..",
                         classes - 1);
    }
    std::copy(record.begin() + source.label_bytes, record.end(), images + i * cifar_pixels);
  }
}

Dataset read_cifar_part(const CifarSource& source, std::span<const std::string> paths) {
  const std::int64_t record = source.label_bytes + cifar_pixels;
  std::vector<std::int64_t> counts;
  std::int64_t total = 0;
  for (const std::string& path : paths) {
    counts.push_back(records_of(InputFile(source.files.name, path), record));
    total += counts.back();
  }
  Dataset part{.name = source.files.name,
               .images = Tensor::empty({total, cifar_channels, cifar_side, cifar_side}, uint8),
               .labels = Tensor::empty({total}, int64),
               .classes = std::ssize(source.class_names),
               .class_names = source.class_names};
  auto* images = part.images.data<std::uint8_t>();
  auto* labels = part.labels.data<std::int64_t>();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    read_records(InputFile(source.files.name, paths[i]), source, counts[i], images, labels);
    images += counts[i] * cifar_pixels;
    labels += counts[i];
  }
  check_dataset(part);
  return part;
}

DataSplit load_cifar(const CifarSource& source, const DatasetOptions& options) {
  const std::vector<std::string> files = detail::find_files(source.files, options.data_dir);
  const std::span paths(files);
  DataSplit split{read_cifar_part(source, paths.first(paths.size() - 1)),
                  read_cifar_part(source, paths.last(1))};
  split.train.normalization = measure_normalization(split.train);
  split.test.normalization = split.train.normalization;
  return split;
}

CifarSource cifar100_source(const std::string& name, std::int64_t label_at,
                            std::vector<std::string> class_names) {
  return {.files = {.name = name,
                    .subfolders = {"cifar-100-binary", "cifar100"},
                    .files = {{"train.bin"}, {"test.bin"}},
                    .install =
                        "curl https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz | tar xz"},
          .label_bytes = 2,
          .label_at = label_at,
          .class_names = std::move(class_names)};
}

}  // namespace

DataSplit load_cifar10(const DatasetOptions& options) {
  return load_cifar(
      {.files = {.name = "cifar10",
                 .subfolders = {"cifar-10-batches-bin", "cifar10"},
                 .files = {{"data_batch_1.bin"},
                           {"data_batch_2.bin"},
                           {"data_batch_3.bin"},
                           {"data_batch_4.bin"},
                           {"data_batch_5.bin"},
                           {"test_batch.bin"}},
                 .install =
                     "curl https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz | tar xz"},
       .label_bytes = 1,
       .label_at = 0,
       .class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
                       "ship", "truck"}},
      options);
}

DataSplit load_cifar100(const DatasetOptions& options) {
  return load_cifar(
      cifar100_source("cifar100", 1,
                      {"apple",    "aquarium_fish", "baby",       "bear",         "beaver",
                       "bed",      "bee",           "beetle",     "bicycle",      "bottle",
                       "bowl",     "boy",           "bridge",     "bus",          "butterfly",
                       "camel",    "can",           "castle",     "caterpillar",  "cattle",
                       "chair",    "chimpanzee",    "clock",      "cloud",        "cockroach",
                       "couch",    "crab",          "crocodile",  "cup",          "dinosaur",
                       "dolphin",  "elephant",      "flatfish",   "forest",       "fox",
                       "girl",     "hamster",       "house",      "kangaroo",     "keyboard",
                       "lamp",     "lawn_mower",    "leopard",    "lion",         "lizard",
                       "lobster",  "man",           "maple_tree", "motorcycle",   "mountain",
                       "mouse",    "mushroom",      "oak_tree",   "orange",       "orchid",
                       "otter",    "palm_tree",     "pear",       "pickup_truck", "pine_tree",
                       "plain",    "plate",         "poppy",      "porcupine",    "possum",
                       "rabbit",   "raccoon",       "ray",        "road",         "rocket",
                       "rose",     "sea",           "seal",       "shark",        "shrew",
                       "skunk",    "skyscraper",    "snail",      "snake",        "spider",
                       "squirrel", "streetcar",     "sunflower",  "sweet_pepper", "table",
                       "tank",     "telephone",     "television", "tiger",        "tractor",
                       "train",    "trout",         "tulip",      "turtle",       "wardrobe",
                       "whale",    "willow_tree",   "wolf",       "woman",        "worm"}),
      options);
}

DataSplit load_cifar100_coarse(const DatasetOptions& options) {
  return load_cifar(cifar100_source("cifar100-coarse", 0,
                                    {"aquatic_mammals",
                                     "fish",
                                     "flowers",
                                     "food_containers",
                                     "fruit_and_vegetables",
                                     "household_electrical_devices",
                                     "household_furniture",
                                     "insects",
                                     "large_carnivores",
                                     "large_man-made_outdoor_things",
                                     "large_natural_outdoor_scenes",
                                     "large_omnivores_and_herbivores",
                                     "medium_mammals",
                                     "non-insect_invertebrates",
                                     "people",
                                     "reptiles",
                                     "small_mammals",
                                     "trees",
                                     "vehicles_1",
                                     "vehicles_2"}),
                    options);
}

}  // namespace gradus
