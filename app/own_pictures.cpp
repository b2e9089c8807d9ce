// A file that cannot be read is told by the first in the order of the files, whichever thread came to it.
#include "own_pictures.h"

#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>

#include <exception>
#include <filesystem>

#include "exit_code.h"

namespace gradus::app {

namespace fs = std::filesystem;

std::vector<std::string> picture_files(const std::vector<std::string>& names) {
  std::vector<std::string> files;
  for (const std::string& name : names) {
    std::error_code error;
    if (!fs::is_directory(name, error)) {
      files.push_back(name);
      continue;
    }
    const std::vector<std::string> below = find_images(name);
    if (below.empty()) fail<NotFoundError>(name, ": no picture in it (.png, .jpg or .jpeg)");
    files.insert(files.end(), below.begin(), below.end());
  }
  return files;
}

ReadPictures read_pictures(std::span<const std::string> files, const ImageForm& form, bool skip_bad,
                           LeftOut& left_out) {
  std::vector<Tensor> images(files.size());
  std::vector<std::exception_ptr> failures(files.size());
  parallel_for(std::ssize(files), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        images[i] = read_image_as(files[i], form);
      } catch (const IoError&) {
        failures[i] = std::current_exception();
      }
    }
  });
  ReadPictures result;
  std::vector<Tensor> good;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!failures[i]) {
      result.files.push_back(files[i]);
      good.push_back(images[i]);
      continue;
    }
    if (!skip_bad) std::rethrow_exception(failures[i]);
    if (left_out.count++ == 0) left_out.first = files[i];
  }
  if (!good.empty()) result.images = core::stack(good, 0);
  return result;
}

ImageForm picture_form(const RunRecord& run) {
  if (!run.pixels.unit)
    fail<UsageError>("the model was trained on numbers that are not those of pictures");
  if (run.image.channels != 1 && run.image.channels != 3) {
    fail<UsageError>("the model takes ", run.image.channels,
                     " channels, pictures have 1 (gray) or 3 (RGB)");
  }
  return {.channels = run.image.channels,
          .height = run.image.height,
          .width = run.image.width,
          .squash = run.settings.data.form.squash};
}

Dataset as_dataset(const ReadPictures& pictures, const RunRecord& run) {
  return {.name = "pictures",
          .images = pictures.images,
          .labels = zeros({std::ssize(pictures.files)}, int64),
          .classes = run.image.classes,
          .normalization = run.normalization};
}

}  // namespace gradus::app
