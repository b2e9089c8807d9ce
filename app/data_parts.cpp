// By what a path leads to: a folder of pictures, of IDX files or of arrays; a CSV file; an archive of arrays.
#include "data_parts.h"

#include <gradus/core/words.h>
#include <gradus/data/arrays.h>
#include <gradus/data/csv.h>
#include <gradus/data/image_folder.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>

#include "exit_code.h"
#include "progress.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

/// Is there a file of a name that ends so?
bool holds(const fs::path& folder, std::initializer_list<std::string_view> endings) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    for (const std::string_view ending : endings) {
      if (name.ends_with(ending)) return true;
    }
  }
  return false;
}

DataSplit load_pictures(const DataSettings& data, bool quiet) {
  std::optional<TaskProgress> progress;
  if (!quiet) progress.emplace("reading pictures");
  return load_image_folder(data.name, {.form = data.form,
                                       .skip_bad = data.skip_bad,
                                       .progress = [&](std::int64_t done, std::int64_t total) {
                                         if (progress) progress->show(done, total);
                                       }});
}

/// .test is empty where there is no such part.
DataSplit load_path(const DataSettings& data, bool quiet) {
  const std::string& path = data.name;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (holds(path, {"-ubyte", "-ubyte.gz"})) return load_idx(path);
    if (holds(path, {".npy"})) return load_arrays(path);
    return load_pictures(data, quiet);
  }
  if (path.ends_with(".npz")) return load_arrays(path);
  for (const std::string_view ending : {".csv", ".csv.gz", ".tsv", ".tsv.gz"}) {
    if (!path.ends_with(ending)) continue;
    const Dataset all = load_csv(path, {.label_column = data.label_column});
    return {.train = all, .test = Dataset{.name = path}};
  }
  if (!fs::exists(path, error)) fail<NotFoundError>(path, ": no such file or folder");
  fail<BadDataError>(path, ": is neither a folder nor a .csv or .npz file");
}

/// Of data of one's own: both parts by what the training part is like.
void normalize(DataParts& parts) {
  const Normalization measured = measure_normalization(parts.train);
  for (Dataset* part : {&parts.train, &parts.validation, &parts.test})
    part->normalization = measured;
}

}  // namespace

bool is_named(const DataSettings& data) {
  const std::vector<std::string>& names = dataset_names();
  return std::find(names.begin(), names.end(), data.name) != names.end();
}

std::string resolve_data_name(const std::string& name) {
  if (is_named({.name = name})) return name;
  std::error_code error;
  if (fs::exists(name, error)) {
    fs::path path = fs::absolute(name).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();  // "flowers/"
    return path.string();
  }
  if (name.find_first_of("/.") != name.npos)
    fail<NotFoundError>("--data ", name, ": no such file or folder");
  fail<UsageError>("--data ", name,
                   ": no such file or folder, and no data set of that name; known are ",
                   joined(dataset_names()), did_you_mean(name, dataset_names()));
}

std::string short_name(const DataSettings& data) {
  if (is_named(data)) return data.name;
  const std::string name = fs::path(data.name).filename().string();
  const std::size_t dot = name.find('.', 1);
  return fs::is_directory(data.name) || dot == name.npos ? name : name.substr(0, dot);
}

DataParts load_parts(const DataSettings& data, bool quiet) {
  const bool named = is_named(data);
  DataSplit split =
      named ? load_dataset(data.name, {.data_dir = data.data_dir}) : load_path(data, quiet);
  DataParts parts{.train = std::move(split.train),
                  .validation = {},
                  .test = std::move(split.test),
                  .checksum = {}};
  if (parts.test.size() == 0) {
    DataSplit cut = stratified_split(parts.train, data.test_fraction, data.split_seed);
    parts.train = std::move(cut.train);
    parts.test = std::move(cut.test);
  }
  parts.checksum = checksum(DataSplit{parts.train, parts.test});
  if (parts.train.size() == 0 || parts.test.size() == 0) {
    fail<BadDataError>(data.name, ": ", parts.train.size(), " images to train with and ",
                       parts.test.size(), " to test: too few");
  }
  if (data.validation > 0) {
    DataSplit cut = stratified_split(parts.train, data.validation, data.split_seed + 1);
    parts.train = std::move(cut.train);
    parts.validation = std::move(cut.test);
    if (parts.train.size() == 0 || parts.validation.size() == 0)
      fail<BadDataError>(data.name, ": too few images to hold some out for validation");
  }
  if (!named) normalize(parts);
  return parts;
}

ImageSpec image_spec(const Dataset& data) {
  const Shape shape = data.image_shape();
  return {.channels = shape[0], .height = shape[1], .width = shape[2], .classes = data.classes};
}

}  // namespace gradus::app
