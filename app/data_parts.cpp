// By what a path leads to: a folder of pictures, of IDX files or of arrays; a CSV file; an archive of arrays.
#include "data_parts.h"

#include <gradus/core/log.h>
#include <gradus/core/math.h>
#include <gradus/core/words.h>
#include <gradus/data/arrays.h>
#include <gradus/data/csv.h>
#include <gradus/data/image_folder.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string_view>

#include "exit_code.h"
#include "progress.h"
#include "run_folder.h"

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

/// An option that this kind of data does not have is refused rather than passed over.
void expect_no_form(const DataSettings& data, const char* kind) {
  const ImageForm& form = data.form;
  const char* option = form.height != 0     ? "--image-size"
                       : form.channels != 0 ? "--channels"
                       : form.squash        ? "--squash"
                       : data.skip_bad      ? "--skip-bad"
                                            : nullptr;
  if (option != nullptr) fail<UsageError>(option, " is for folders of pictures, not for ", kind);
}

void expect_no_label_column(const DataSettings& data, const char* kind) {
  if (!data.label_column.empty()) fail<UsageError>("--label-column is for tables, not for ", kind);
}

/// The column that was asked for is the only option of a table that it may not have.
Dataset load_table(const DataSettings& data) {
  try {
    return load_csv(data.name, {.label_column = data.label_column});
  } catch (const ValueError& error) {
    fail<UsageError>("--label-column ", printable(data.label_column), ": ", error.what());
  }
}

struct Loaded {
  DataSplit split;  // .test is empty where there is no such part
  bool pictures = false;
};

/// Of `for_test` the form is that of a model, which only pictures can take on.
Loaded load_path(const DataSettings& data, bool for_test, bool quiet) {
  const std::string& path = data.name;
  std::error_code error;
  const bool folder = fs::is_directory(path, error);
  const bool idx = folder && holds(path, {"-ubyte", "-ubyte.gz"});
  if (folder && !idx && !holds(path, {".npy"})) {
    expect_no_label_column(data, "pictures");
    return {load_pictures(data, quiet), true};
  }
  if (folder || path.ends_with(".npz")) {
    const char* kind = idx ? "IDX files" : "arrays";
    if (!for_test) expect_no_form(data, kind);
    expect_no_label_column(data, kind);
    return {idx ? load_idx(path) : load_arrays(path)};
  }
  for (const std::string_view ending : {".csv", ".csv.gz", ".tsv", ".tsv.gz"}) {
    if (!path.ends_with(ending)) continue;
    if (!for_test) expect_no_form(data, "tables");
    return {{.train = load_table(data), .test = Dataset{.name = path}}};
  }
  if (!fs::exists(path, error)) fail<NotFoundError>(path, ": no such file or folder");
  fail<BadDataError>(path, ": is neither a folder nor a .csv or .npz file");
}

Loaded load_any(const DataSettings& data, bool for_test, bool quiet) {
  if (is_named(data)) return {load_dataset(data.name, {.data_dir = data.data_dir})};
  Loaded loaded = load_path(data, for_test, quiet);
  if (loaded.split.test.size() > 0 && data.test_fraction > 0) {
    fail<UsageError>("--test-split is for data without a test part, ", data.name, " has one of ",
                     loaded.split.test.size(), " images");
  }
  return loaded;
}

constexpr double usual_test_fraction = 0.2;

void cut_test_part(DataSplit& split, const DataSettings& data) {
  if (split.test.size() > 0) return;
  const double fraction = data.test_fraction > 0 ? data.test_fraction : usual_test_fraction;
  split = stratified_split(split.train, fraction, data.split_seed);
}

/// The numbers of images that are no pictures.
struct Numbers {
  bool bytes = false;
  double least = 0;
  double most = 0;

  /// What they are: bytes, from 0 to 1, from 0 to 255, or something else.
  Pixels pixels() const {
    if (bytes) return {};
    if (least >= 0 && most <= 1) return {.white = 1, .unit = true};
    if (least >= 0 && most <= 255) return {.white = 255, .unit = true};
    return {.white = 1, .unit = false};
  }
  double largest() const { return std::max(std::abs(least), std::abs(most)); }
};

Numbers numbers_of(const Tensor& images) {
  return {.bytes = images.dtype() == uint8,
          .least = core::min(images).item(),
          .most = core::max(images).item()};
}

Pixels pixels_of(const Dataset& data) {
  const Tensor& images = data.images;
  if (!images.defined() || images.dtype() == uint8 || images.numel() == 0) return {};
  return numbers_of(images).pixels();
}

/// Is a part that was told from 0 to 255 that of the other, by its largest number? What is no picture may well be
/// smaller in one part than in the other, but not so much, nor are pictures ever so dark.
bool are_far_apart(const Numbers& larger, const Numbers& smaller) {
  constexpr double too_much = 32;  // 255 in one part, and less than 8 in the other
  const bool up_to_255 = larger.least >= 0 && larger.most <= 255;
  return up_to_255 && smaller.largest() > 0 && too_much * smaller.largest() < larger.most;
}

/// Bytes and other numbers are on one scale where these go from 0 to 255 too. 0 and 1 are either.
bool fit_each_other(const Numbers& bytes, const Numbers& others) {
  const Pixels found = others.pixels();
  if (others.largest() == 0) return true;
  return found.unit && (found.white == 255 || bytes.most <= 1);
}

/// Both parts are brought to 0..1 alike, so they must be on one scale: of the same pictures as bytes and as numbers of
/// 0..1 one part would be nearly black.
void expect_one_scale(const std::string& name, const DataSplit& split) {
  const Dataset& train_part = split.train;
  const Dataset& test_part = split.test;
  if (!train_part.images.defined() || train_part.images.numel() == 0) return;
  if (!test_part.images.defined() || test_part.images.numel() == 0) return;
  const Numbers train = numbers_of(train_part.images);
  const Numbers test = numbers_of(test_part.images);
  const bool fit = train.bytes == test.bytes ||
                   fit_each_other(train.bytes ? train : test, train.bytes ? test : train);
  if (fit && !are_far_apart(train, test) && !are_far_apart(test, train)) return;
  fail<BadDataError>(name, ": the images to train with (", train_part.name, ") are ",
                     train_part.images.dtype(), " from ", train.least, " to ", train.most,
                     ", those to test with (", test_part.name, ") ", test_part.images.dtype(),
                     " from ", test.least, " to ", test.most, ": bring them to one scale");
}

/// Makes the numbers what they were to be: 0..1, or of bytes that are no pictures plain numbers.
void bring_to(const Pixels& pixels, bool pictures, Dataset& data) {
  if (!data.images.defined()) return;
  const bool bytes = data.images.dtype() == uint8;
  if (bytes && !pictures && pixels.white == 1) {
    data.images = data.images.to(float32);
  } else if (!bytes && pixels.white == 255) {
    data.images = core::div(data.images, 255.0);
  }
}

/// Of data of one's own: both parts by what the training part is like.
void normalize(DataParts& parts) {
  const Normalization measured = measure_normalization(parts.train);
  for (Dataset* part : {&parts.train, &parts.validation, &parts.test})
    part->normalization = measured;
}

/// Labels as the model counts its classes, which it knows by name.
void match_classes(Dataset& data, const RunRecord& run, const std::string& label) {
  const std::vector<std::string> known = all_class_names(run);
  std::vector<std::int64_t> meant;
  for (std::int64_t k = 0; k < data.classes; ++k) {
    const std::string name = data.class_name(k);
    const auto at = std::find(known.begin(), known.end(), name);
    if (at == known.end()) {
      fail<BadDataError>(label, ": the model knows ", known.size(), " classes, ", data.name,
                         " has ", in_quotes(name), ", which is none of them");
    }
    meant.push_back(at - known.begin());
  }
  data.labels = data.labels.contiguous().clone();
  auto* labels = data.labels.data<std::int64_t>();
  for (std::int64_t i = 0; i < data.labels.numel(); ++i)
    labels[i] = meant[static_cast<std::size_t>(labels[i])];
  data.classes = run.image.classes;
  data.class_names = run.class_names;
}

/// A checkpoint holds these as JSON, which is UTF-8.
void expect_utf8(const std::string& label, const std::string& text) {
  if (!is_utf8(text))
    fail<UsageError>(label, ": ", in_quotes(text), " is not UTF-8, the text of checkpoints");
}

/// How numbers are told in a message.
std::string range_of(const Pixels& pixels) {
  if (!pixels.unit) return "beyond 0 to 255";
  return pixels.white == 1 ? "from 0 to 1" : "from 0 to 255";
}

/// Whether they are 0..1 or 0..255 other data must show by themselves: taken for the other, all would be wrong.
void expect_same_numbers(const Pixels& known, const Loaded& loaded, const std::string& label) {
  const Dataset& test = loaded.split.test;
  if (loaded.pictures || !known.unit) return;
  Pixels found = pixels_of(test);
  const bool bytes = test.images.dtype() == uint8;
  if (bytes && core::max(test.images).item() <= 1) found.white = known.white;  // 0 and 1 are either
  if (found.unit && found.white == known.white) return;
  fail<BadDataError>(label, ": the model was trained on numbers ", range_of(known), ", those of ",
                     test.name, " are ", range_of(found));
}

}  // namespace

bool is_named(const DataSettings& data) {
  const std::vector<std::string>& names = dataset_names();
  return std::find(names.begin(), names.end(), data.name) != names.end();
}

std::string resolve_data_name(const std::string& name) {
  std::error_code error;
  if (is_named({.name = name})) {
    if (fs::exists(name, error))
      log_warn("--data " + name + ": is the data set of that name; what is here is ./" + name);
    return name;
  }
  if (fs::exists(name, error)) {
    fs::path path = fs::absolute(name).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();  // "flowers/"
    expect_utf8("--data", path.string());
    return path.string();
  }
  if (name.find_first_of("/.") != name.npos)
    fail<NotFoundError>("--data ", name, ": no such file or folder");
  fail<NotFoundError>("--data ", name,
                      ": no such file or folder, and no data set of that name; known are ",
                      joined(dataset_names()), did_you_mean(name, dataset_names()));
}

std::string short_name(const DataSettings& data) {
  if (is_named(data)) return data.name;
  const std::string name = fs::path(data.name).filename().string();
  const std::size_t dot = name.find('.', 1);
  return fs::is_directory(data.name) || dot == name.npos ? name : name.substr(0, dot);
}

void look_for_data(DataSettings& data, const std::string& name, const std::string& data_dir) {
  if (!name.empty()) data.name = resolve_data_name(name);
  std::error_code error;
  if (!data_dir.empty() && !is_named(data))
    fail<UsageError>("--data-dir is for data sets with a name, not for ", data.name);
  if (!data_dir.empty()) {
    data.data_dir = fs::absolute(data_dir).string();
  } else if (!fs::exists(data.data_dir, error)) {
    data.data_dir.clear();
  }
}

DataParts load_parts(const DataSettings& data, bool quiet) {
  const bool named = is_named(data);
  Loaded loaded = load_any(data, false, quiet);
  for (const std::string& name : loaded.split.train.class_names) expect_utf8("a class", name);
  if (!named && loaded.split.train.classes < 2) {
    fail<BadDataError>(data.name, ": has ", loaded.split.train.classes,
                       " class, to tell classes apart takes two");
  }
  if (!named && !loaded.pictures) expect_one_scale(data.name, loaded.split);
  cut_test_part(loaded.split, data);
  DataParts parts{.train = std::move(loaded.split.train),
                  .validation = {},
                  .test = std::move(loaded.split.test)};
  parts.checksum = checksum(DataSplit{parts.train, parts.test});
  if (parts.train.size() == 0 || parts.test.size() == 0) {
    fail<BadDataError>(data.name, ": ", parts.train.size(), " images to train with and ",
                       parts.test.size(), " to test: too few");
  }
  parts.pixels = pixels_of(parts.train);
  for (Dataset* part : {&parts.train, &parts.test}) bring_to(parts.pixels, loaded.pictures, *part);
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

void expect_same_data(const std::string& label, const std::string& name,
                      const std::string& checksum, const std::string& then) {
  if (checksum == then) return;
  fail<BadDataError>(label, ": ", name, " is not the data of this training: checksum ", checksum,
                     ", then ", then);
}

void expect_same_form(const std::string& label, const RunRecord& then, const ImageSpec& image,
                      const std::vector<std::string>& class_names) {
  const auto described = [](const ImageSpec& of) {
    return text_of(Shape{of.channels, of.height, of.width}, " in ", of.classes, " classes");
  };
  const std::string& name = then.settings.data.name;
  if (described(image) != described(then.image)) {
    fail<BadDataError>(label, ": ", name, " has images of ", described(image),
                       ", this training those of ", described(then.image));
  }
  const std::vector<std::string>& known = then.class_names;
  if (known.empty() || class_names.empty() ||
      std::is_permutation(known.begin(), known.end(), class_names.begin(), class_names.end()))
    return;
  fail<BadDataError>(label, ": ", name, " has the classes ", joined(class_names),
                     ", this training has ", joined(known));
}

DataParts load_same_data(const RunRecord& run, const std::string& data_dir,
                         const std::string& label, bool quiet) {
  DataSettings where = run.settings.data;
  look_for_data(where, "", data_dir);
  DataParts data = load_parts(where, quiet);
  expect_same_data(label, where.name, data.checksum, run.data_checksum);
  expect_same_form(label, run, image_spec(data.train), data.train.class_names);
  return data;
}

TestData load_test_data(const DataSettings& data, const RunRecord& run, bool others,
                        const std::string& label, bool quiet) {
  Loaded loaded = load_any(data, true, quiet);
  if (loaded.pictures && !run.pixels.unit) {
    fail<BadDataError>(label, ": the model takes numbers that are not those of pictures, ",
                       data.name, " has pictures");
  }
  if (!others && !is_named(data) && !loaded.pictures) expect_one_scale(data.name, loaded.split);
  if (others && loaded.split.test.size() == 0) {
    std::swap(loaded.split.train, loaded.split.test);
  } else {
    cut_test_part(loaded.split, data);
  }
  TestData result{.test = loaded.split.test, .checksum = checksum(loaded.split)};
  const bool named = is_named(data);  // whose numbers are 0..1, or bytes
  if (others && named && !run.pixels.unit) {
    fail<BadDataError>(label, ": the model was trained on numbers ", range_of(run.pixels),
                       ", those of ", data.name, " are not");
  }
  if (others && !named) expect_same_numbers(run.pixels, loaded, label);
  if (!named) bring_to(run.pixels, loaded.pictures, result.test);
  match_classes(result.test, run, label);
  result.test.normalization = run.normalization;
  return result;
}

ImageSpec image_spec(const Dataset& data) {
  const Shape shape = data.image_shape();
  return {.channels = shape[0], .height = shape[1], .width = shape[2], .classes = data.classes};
}

}  // namespace gradus::app
