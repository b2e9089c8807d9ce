// Three passes: names, headers (which decide the form), pixels.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/core/parallel.h>
#include <gradus/core/words.h>
#include <gradus/data/image.h>
#include <gradus/data/image_folder.h>
#include <gradus/data/resize.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace gradus {
namespace {

namespace fs = std::filesystem;

struct Picture {
  std::string file;
  std::int64_t label = 0;
};

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

/// Is `inner` the folder `outer`, or somewhere below it?
bool holds_folder(const fs::path& outer, const fs::path& inner) {
  std::error_code error;
  const fs::path whole = fs::canonical(outer, error);
  for (fs::path at = fs::canonical(inner, error); !error; at = at.parent_path()) {
    if (at == whole) return true;
    if (at == at.parent_path()) break;
  }
  return false;
}

/// The names of the subfolders, sorted.
std::vector<std::string> subfolders_of(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    if (!at->is_directory(unknown) || is_hidden(at->path())) continue;
    // A link to this folder or one above it would hold every picture again.
    if (at->is_symlink(unknown) && holds_folder(at->path(), folder)) continue;
    names.push_back(at->path().filename().string());
  }
  if (error) fail<IoError>(folder.string(), ": cannot be read: ", error.message());
  std::sort(names.begin(), names.end());
  return names;
}

/// Adds the pictures of `folder`, whose subfolders must be among `classes`.
void find_pictures(const fs::path& folder, const std::vector<std::string>& classes,
                   std::vector<Picture>& pictures) {
  for (const std::string& name : subfolders_of(folder)) {
    const auto known = std::lower_bound(classes.begin(), classes.end(), name);
    if (known == classes.end() || *known != name) {
      fail<BadDataError>((folder / name).string(),
                         ": is a class that the training part lacks, it has ", joined(classes));
    }
    const std::vector<std::string> files = find_images((folder / name).string());
    if (files.empty()) {
      fail<BadDataError>((folder / name).string(),
                         ": a class without a picture (.png, .jpg or .jpeg)");
    }
    for (const std::string& file : files) pictures.push_back({file, known - classes.begin()});
  }
}

/// work(i) for each picture on all threads -> what it threw, or null, of each.
template <class Work>
std::vector<std::exception_ptr> for_each_picture(std::int64_t count,
                                                 const ImageFolderOptions& options,
                                                 std::int64_t passes_before, const Work& work) {
  constexpr std::int64_t grain = 8;
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(count));
  std::mutex mutex;
  std::int64_t done = passes_before * count;
  parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      try {
        work(i);
      } catch (const Error&) {
        failures[static_cast<std::size_t>(i)] = std::current_exception();
      }
    }
    const std::lock_guard lock(mutex);
    done += end - begin;
    if (options.progress) options.progress(done, 2 * count);
  });
  return failures;
}

std::string message_of_failure(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error.what();
  }
}

/// Takes out the pictures that failed; throws what the first threw unless they are to be skipped.
void leave_out(const std::vector<std::exception_ptr>& failures, bool skip_bad, std::string& first,
               std::int64_t& skipped, std::vector<Picture>& pictures) {
  std::vector<Picture> good;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (!failures[i]) {
      good.push_back(std::move(pictures[i]));
      continue;
    }
    if (!skip_bad) std::rethrow_exception(failures[i]);
    if (skipped++ == 0) first = message_of_failure(failures[i]);
  }
  pictures = std::move(good);
}

/// What the form leaves open, decided by the headers.
ImageForm settle(ImageForm form, const std::vector<Picture>& pictures,
                 const std::vector<ImageInfo>& infos) {
  const bool colour =
      std::any_of(infos.begin(), infos.end(), [](const ImageInfo& i) { return i.channels > 2; });
  if (form.channels == 0) form.channels = colour ? 3 : 1;
  if (form.height != 0) return form;
  for (std::size_t i = 1; i < infos.size(); ++i) {
    if (infos[i].height == infos[0].height && infos[i].width == infos[0].width) continue;
    fail<BadDataError>(pictures[i].file, ": is ", infos[i].width, "x", infos[i].height, ", but ",
                       pictures[0].file, " ", infos[0].width, "x", infos[0].height,
                       "; choose a size for all (--image-size N)");
  }
  form.height = infos[0].height;
  form.width = infos[0].width;
  return form;
}

/// Pictures that are read whenever they are asked for.
class PictureFiles final : public ImageSource {
 public:
  PictureFiles(std::vector<Picture> pictures, const ImageForm& form)
      : pictures_(std::move(pictures)), form_(form) {}
  std::int64_t size() const override { return std::ssize(pictures_); }
  LabeledImage get(std::int64_t index) const override {
    const Picture& picture = pictures_[static_cast<std::size_t>(index)];
    return {read_image_as(picture.file, form_), picture.label};
  }

 private:
  std::vector<Picture> pictures_;
  ImageForm form_;
};

std::int64_t bytes_of(const ImageForm& form) { return form.channels * form.height * form.width; }

Dataset make_part(const Dataset& like, std::vector<Picture> pictures, const ImageForm& form,
                  const Tensor& pixels) {
  Dataset part = like;
  part.labels = Tensor::empty({std::ssize(pictures)}, int64);
  for (std::size_t i = 0; i < pictures.size(); ++i)
    part.labels.data<std::int64_t>()[i] = pictures[i].label;
  if (pixels.defined()) {
    part.images = pixels;
  } else {
    part.source = std::make_shared<PictureFiles>(std::move(pictures), form);
  }
  return part;
}

/// Where the classes are.
struct Layout {
  fs::path train;
  fs::path test;  // empty: there is no such part
};

constexpr const char* validation_names[] = {"val", "valid", "validation"};

/// Classes, or train alone, or train and test, or train and a validation part. What is neither would be
/// another task than was meant.
Layout layout_of(const fs::path& root) {
  std::vector<std::string> others = subfolders_of(root);
  const auto take = [&](const std::string& name) {
    return std::erase(others, name) > 0 ? root / name : fs::path();
  };
  const fs::path train = take("train");
  const fs::path test = take("test");
  fs::path validation;
  for (const char* name : validation_names) {
    if (const fs::path found = take(name); !found.empty()) validation = found;
  }
  if (train.empty() && test.empty() && validation.empty()) return {root, {}};
  if (train.empty()) {
    fail<BadDataError>(root.string(), ": has ",
                       (test.empty() ? validation : test).filename().string(),
                       " and no train beside it");
  }
  if (!others.empty()) {
    fail<BadDataError>(root.string(), ": has train, and beside it ", joined(others),
                       ", which is no part; parts are train, test, val, valid and validation");
  }
  if (test.empty()) return {train, validation};
  if (!validation.empty()) {
    log_warn(validation.string() +
             ": is not used; what is held out to choose by is a share of train (--validation)");
  }
  return {train, test};
}

/// The two parts of a folder, in the making.
class FolderReader {
 public:
  FolderReader(const fs::path& root, const ImageFolderOptions& options)
      : root_(root), options_(options) {}

  DataSplit read() {
    find();
    read_headers();
    const bool in_memory =
        std::ssize(pictures_) <= options_.most_bytes / std::max<std::int64_t>(bytes_of(form_), 1);
    Tensor pixels = read_pixels(in_memory);
    if (skipped_ > 0) {
      log_warn(text_of(root_.string(), ": left out ", skipped_,
                       " pictures that cannot be read, the first is ", first_failure_));
    }
    return split(pixels);
  }

 private:
  void find() {
    std::error_code error;
    if (!fs::is_directory(root_, error)) fail<NotFoundError>(root_.string(), ": no such folder");
    const Layout layout = layout_of(root_);
    classes_ = subfolders_of(layout.train);
    if (classes_.empty()) {
      fail<NotFoundError>(layout.train.string(),
                          ": no class in it; a folder of pictures for each class is expected");
    }
    for (const std::string& name : classes_) {
      if (printable(name) != name) {
        fail<BadDataError>(layout.train.string(), ": the name of class ", in_quotes(name),
                           " holds a control character");
      }
    }
    find_pictures(layout.train, classes_, pictures_);
    has_test_ = !layout.test.empty();
    train_ = std::ssize(pictures_);
    if (!has_test_) return;
    find_pictures(layout.test, classes_, pictures_);
    if (std::ssize(pictures_) == train_)
      fail<BadDataError>(layout.test.string(), ": no class in it, as the training part has them");
  }

  /// How many of the first `before` pictures failed.
  static std::int64_t failed(const std::vector<std::exception_ptr>& failures, std::int64_t before) {
    return before - std::count(failures.begin(), failures.begin() + before, nullptr);
  }

  void leave_out_bad(const std::vector<std::exception_ptr>& failures) {
    const std::int64_t of_train = failed(failures, train_);
    leave_out(failures, options_.skip_bad, first_failure_, skipped_, pictures_);
    train_ -= of_train;
    if (train_ == 0) {
      fail<BadDataError>(root_.string(), ": none of its pictures can be read, the first is ",
                         first_failure_);
    }
    if (has_test_ && std::ssize(pictures_) == train_) {
      fail<BadDataError>(root_.string(),
                         ": none of the pictures of its test part can be read, the first is ",
                         first_failure_);
    }
  }

  void read_headers() {
    std::vector<ImageInfo> infos(pictures_.size());
    const auto failures = for_each_picture(std::ssize(pictures_), options_, 0, [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(i);
      infos[at] = read_image_info(pictures_[at].file);
    });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < infos.size(); ++i) {
      if (!failures[i]) infos[kept++] = infos[i];
    }
    infos.resize(kept);
    leave_out_bad(failures);
    form_ = settle(options_.form, pictures_, infos);
  }

  /// Undefined unless they are to stay in memory; in either case each was read.
  Tensor read_pixels(bool in_memory) {
    const std::int64_t bytes = bytes_of(form_);
    Tensor pixels;
    if (in_memory) {
      pixels =
          Tensor::empty({std::ssize(pictures_), form_.channels, form_.height, form_.width}, uint8);
    }
    const auto failures = for_each_picture(std::ssize(pictures_), options_, 1, [&](std::int64_t i) {
      const Tensor image = read_image_as(pictures_[static_cast<std::size_t>(i)].file, form_);
      if (in_memory) {
        std::memcpy(pixels.data<std::uint8_t>() + i * bytes, image.data<std::uint8_t>(),
                    static_cast<std::size_t>(bytes));
      }
    });
    std::int64_t kept = 0;
    for (std::int64_t i = 0; in_memory && i < std::ssize(pictures_); ++i) {
      if (failures[static_cast<std::size_t>(i)]) continue;
      auto* all = pixels.data<std::uint8_t>();
      if (kept != i)
        std::memcpy(all + kept * bytes, all + i * bytes, static_cast<std::size_t>(bytes));
      ++kept;
    }
    leave_out_bad(failures);
    return in_memory ? pixels.narrow(0, 0, kept) : pixels;
  }

  DataSplit split(const Tensor& pixels) {
    const Dataset like{
        .name = root_.string(), .classes = std::ssize(classes_), .class_names = classes_};
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      return make_part(like, {pictures_.begin() + begin, pictures_.begin() + end}, form_,
                       pixels.defined() ? pixels.narrow(0, begin, end - begin) : Tensor());
    };
    return {part(0, train_), part(train_, std::ssize(pictures_))};
  }

  fs::path root_;
  const ImageFolderOptions& options_;
  std::vector<std::string> classes_;
  std::vector<Picture> pictures_;  // of train, then of test
  std::int64_t train_ = 0;         // how many of them are of train
  bool has_test_ = false;
  std::int64_t skipped_ = 0;
  std::string first_failure_;
  ImageForm form_;
};

}  // namespace

std::vector<std::string> find_images(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code unknown;
    if (is_hidden(at->path())) {
      if (at->is_directory(unknown)) at.disable_recursion_pending();
    } else if (at->is_regular_file(unknown) && is_image_name(at->path().filename().string())) {
      files.push_back(at->path().string());
    }
  }
  if (error) fail<IoError>(folder, ": cannot be read: ", error.message());
  std::sort(files.begin(), files.end());
  return files;
}

Tensor read_image_as(const std::string& path, const ImageForm& form) {
  if ((form.channels != 1 && form.channels != 3) || form.height < 1 || form.width < 1) {
    fail<ValueError>("read_image_as: takes 1 or 3 channels and a size, got ",
                     Shape{form.channels, form.height, form.width});
  }
  const Tensor image = read_image(path, form.channels == 1 ? ImageMode::gray : ImageMode::rgb);
  if (image.size(1) == form.height && image.size(2) == form.width) return image;
  return form.squash ? resize(image, form.height, form.width) : fit(image, form.height, form.width);
}

DataSplit load_image_folder(const std::string& path, const ImageFolderOptions& options) {
  const ImageForm& form = options.form;
  if ((form.channels != 0 && form.channels != 1 && form.channels != 3) || form.height < 0 ||
      form.width < 0 || (form.height == 0) != (form.width == 0)) {
    fail<ValueError>(
        "load_image_folder: form must have 0, 1 or 3 channels, and both sizes or none, got ",
        Shape{form.channels, form.height, form.width});
  }
  const std::string trimmed =
      path.size() > 1 && path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  return FolderReader(trimmed, options).read();
}

}  // namespace gradus
