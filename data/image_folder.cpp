// Three passes: names, headers (which decide the form), pixels.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/core/parallel.h>
#include <gradus/core/words.h>
#include <gradus/data/image.h>
#include <gradus/data/image_folder.h>
#include <gradus/data/resize.h>

#include <sys/stat.h>

#include <algorithm>
#include <array>
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

/// A link whose target is gone; what stood there nobody can tell.
bool leads_nowhere(const fs::directory_entry& entry) {
  std::error_code unknown;
  return entry.is_symlink(unknown) && !fs::exists(entry.path(), unknown);
}

bool has_image_name(const fs::path& path) { return is_image_name(path.filename().string()); }

/// The names of the subfolders, sorted. Throws NotFoundError for a link that leads nowhere: it may have been one.
std::vector<std::string> subfolders_of(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    if (is_hidden(at->path())) continue;
    if (leads_nowhere(*at) && !has_image_name(at->path()))
      fail<NotFoundError>(at->path().string(), ": is a link that leads nowhere");
    if (!at->is_directory(unknown)) continue;
    // A link to this folder or one above it would hold every picture again.
    if (at->is_symlink(unknown) && holds_folder(at->path(), folder)) continue;
    names.push_back(at->path().filename().string());
  }
  if (error) fail<IoError>(folder.string(), ": cannot be read: ", error.message());
  std::sort(names.begin(), names.end());
  return names;
}

/// Pictures beside the folders of classes belong to no class, which somebody may have meant otherwise.
void warn_of_pictures_beside(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    if (has_image_name(at->path()) && !is_hidden(at->path()) && !at->is_directory(unknown))
      names.push_back(at->path().filename().string());
  }
  if (names.empty()) return;
  log_warn(text_of(folder.string(), ": left out ", names.size(),
                   " pictures that lie in no class folder, the first is ",
                   printable(*std::min_element(names.begin(), names.end()))));
}

/// What has a picture's name and is a pipe or a device is told without being opened: to open it may wait, or do things.
void expect_no_device(const std::string& file) {
  std::error_code unknown;
  const fs::file_status status = fs::status(file, unknown);
  if (!fs::exists(status) || fs::is_regular_file(status) || fs::is_directory(status)) return;
  fail<BadDataError>("image: ", file, ": is a ",
                     fs::is_fifo(status)     ? "pipe"
                     : fs::is_socket(status) ? "socket"
                                             : "device",
                     ", not a file");
}

/// By its name, a picture of a kind that is not read.
bool is_unknown_picture(const fs::path& file) {
  std::string kind = file.extension().string();
  for (char& letter : kind)
    letter = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter);
  constexpr std::array kinds{".bmp",  ".gif", ".webp", ".tif", ".tiff", ".heic",
                             ".avif", ".ppm", ".pgm",  ".jp2", ".jxl"};
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

/// Walks through a folder: first through all that is really below it, then through what is linked there, so that a
/// picture has the shortest of its names whatever order the disk has.
class FolderWalk {
 public:
  explicit FolderWalk(const fs::path& root) : root_(root) { enter(root); }

  std::vector<std::string> files() {
    while (!folders_.empty() || !links_.empty()) {
      if (folders_.empty()) {
        std::sort(links_.begin(), links_.end());
        for (const fs::path& link : std::exchange(links_, {})) enter(link);
        continue;
      }
      const fs::path folder = std::move(folders_.back());
      folders_.pop_back();
      look_into(folder);
    }
    if (!broken_.empty()) {
      log_warn(text_of(root_.string(), ": left out ", broken_.size(),
                       " links that lead nowhere, the first is ",
                       printable(*std::min_element(broken_.begin(), broken_.end()))));
    }
    if (!unknown_.empty()) {
      log_warn(text_of(root_.string(), ": left out ", unknown_.size(),
                       " pictures that are neither PNG nor JPEG, the first is ",
                       printable(*std::min_element(unknown_.begin(), unknown_.end()))));
    }
    std::sort(files_.begin(), files_.end());
    return std::move(files_);
  }

 private:
  /// Each folder once, by whatever way one comes to it: links may go around.
  void enter(const fs::path& folder) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0 || seen_.emplace(status.st_dev, status.st_ino).second)
      folders_.push_back(folder);
  }

  void look_into(const fs::path& folder) {
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      if (!is_hidden(at->path())) take(*at, folder);
    }
    if (error) fail<IoError>(folder.string(), ": cannot be read: ", error.message());
  }

  void take(const fs::directory_entry& entry, const fs::path& folder) {
    std::error_code unknown;
    const fs::path& path = entry.path();
    if (!entry.is_directory(unknown)) {
      if (has_image_name(path)) {
        files_.push_back(path.string());  // and if it cannot be read, whoever reads it says so
      } else if (leads_nowhere(entry)) {
        broken_.push_back(path.string());
      } else if (is_unknown_picture(path)) {
        unknown_.push_back(path.string());
      }
    } else if (!entry.is_symlink(unknown)) {
      enter(path);
    } else if (!holds_folder(path, folder) && !holds_folder(path, root_)) {
      links_.push_back(path);  // a link upwards would hold the pictures of other classes too
    }
  }

  fs::path root_;
  std::vector<fs::path> folders_;  // to be looked into
  std::vector<fs::path> links_;    // to folders, for later
  std::vector<std::string> files_;
  std::vector<std::string> broken_;
  std::vector<std::string> unknown_;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

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
    layout_ = layout_of(root_);
    const Layout& layout = layout_;
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
    train_ = std::ssize(pictures_);
    if (layout.train != root_) warn_of_pictures_beside(root_);
    warn_of_pictures_beside(layout.train);
    if (layout.test.empty()) return;
    find_pictures(layout.test, classes_, pictures_);
    warn_of_pictures_beside(layout.test);
    if (std::ssize(pictures_) == train_)
      fail<BadDataError>(layout.test.string(), ": no class in it, as the training part has them");
  }

  /// Throws where of the pictures begin .. end-1, a part in that folder, none would be left, or none of a class: one
  /// that the net cannot learn, and that counts all the same.
  void expect_some_left(const std::vector<std::exception_ptr>& failures, std::int64_t begin,
                        std::int64_t end, const fs::path& folder, const char* whose) const {
    const std::size_t classes = classes_.size();
    std::vector<std::exception_ptr> first(classes);
    std::vector<char> has_some(classes, 0);
    std::exception_ptr first_of_all;
    bool some = begin == end;
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const auto label = static_cast<std::size_t>(pictures_[i].label);
      if (!failures[i]) {
        some = true;
        has_some[label] = 1;
      } else if (!first[label]) {
        first[label] = failures[i];
        if (!first_of_all) first_of_all = failures[i];
      }
    }
    if (!some) {
      fail<BadDataError>(root_.string(), ": none of ", whose, " can be read, the first is ",
                         message_of_failure(first_of_all));
    }
    for (std::size_t label = 0; label < classes; ++label) {
      if (!first[label] || has_some[label]) continue;
      fail<BadDataError>((folder / classes_[label]).string(),
                         ": none of its pictures can be read, the first is ",
                         message_of_failure(first[label]));
    }
  }

  void leave_out_bad(const std::vector<std::exception_ptr>& failures) {
    if (options_.skip_bad) {
      expect_some_left(failures, 0, train_, layout_.train, "its pictures");
      expect_some_left(failures, train_, std::ssize(pictures_), layout_.test,
                       "the pictures of its test part");
    }
    const std::int64_t of_train =
        train_ - std::count(failures.begin(), failures.begin() + train_, nullptr);
    leave_out(failures, options_.skip_bad, first_failure_, skipped_, pictures_);
    train_ -= of_train;
  }

  void read_headers() {
    std::vector<ImageInfo> infos(pictures_.size());
    const auto failures = for_each_picture(std::ssize(pictures_), options_, 0, [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(i);
      expect_no_device(pictures_[at].file);
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
  Layout layout_;
  std::vector<std::string> classes_;
  std::vector<Picture> pictures_;  // of train, then of test
  std::int64_t train_ = 0;         // how many of them are of train
  std::int64_t skipped_ = 0;
  std::string first_failure_;
  ImageForm form_;
};

}  // namespace

std::vector<std::string> find_images(const std::string& folder) {
  return FolderWalk(folder).files();
}

Tensor read_image_as(const std::string& path, const ImageForm& form) {
  if ((form.channels != 1 && form.channels != 3) || form.height < 1 || form.width < 1) {
    fail<ValueError>("read_image_as: takes 1 or 3 channels and a size, got ",
                     Shape{form.channels, form.height, form.width});
  }
  expect_no_device(path);
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
