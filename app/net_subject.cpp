// Where a net comes from decides what its images are, and what may be asked of them.
#include "net_subject.h"

#include <gradus/layers/net_json.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "build_model.h"
#include "exit_code.h"
#include "run_folder.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t most_batch_pixels = 1 << 26;  // 256 MB
constexpr std::int64_t most_classes = 1 << 20;
constexpr std::int64_t most_output_bytes = 1 << 30;  // of one layer of a file, for the whole batch

ImageSpec image_asked_for(const NetOptions& options) {
  const bool lenet = options.what == "lenet";
  const std::int64_t side = lenet ? 28 : 32;
  return {.channels = options.channels.value_or(lenet ? 1 : 3),
          .height = options.height.value_or(side),
          .width = options.width.value_or(side),
          .classes = options.classes.value_or(10)};
}

/// Throws UsageError for an image that is none, or a batch too large to run.
void check_batch(const NetOptions& options, const ImageSpec& image) {
  std::int64_t left = most_batch_pixels;
  for (const std::int64_t size : {options.batch, image.channels, image.height, image.width}) {
    if (size < 1 || size > left) {
      fail<UsageError>(options.what, ": a batch of ", options.batch, " images of ",
                       Shape{image.channels, image.height, image.width}, ": must be between 1 and ",
                       most_batch_pixels, " pixels in all");
    }
    left /= size;
  }
  if (image.classes < 1 || image.classes > most_classes) {
    fail<UsageError>("--classes ", image.classes, ": must be between 1 and ", most_classes);
  }
}

void expect_equal(const char* option, std::optional<std::int64_t> asked, std::int64_t found,
                  const std::string& folder) {
  if (asked && *asked != found)
    fail<UsageError>(option, " ", *asked, ": the model in ", folder, " has ", found);
}

NetSubject model_of_folder(const NetOptions& options) {
  LoadedRun run = load_trained(options.what);
  const ImageSpec image = run.record.image;
  expect_equal("--channels", options.channels, image.channels, options.what);
  expect_equal("--height", options.height, image.height, options.what);
  expect_equal("--width", options.width, image.width, options.what);
  expect_equal("--classes", options.classes, image.classes, options.what);
  check_batch(options, image);
  return {std::move(run.model), image, std::move(run.record)};
}

}  // namespace

NetSubject net_subject(const NetOptions& options) {
  const std::vector<std::string>& names = model_names();
  const bool is_name = std::find(names.begin(), names.end(), options.what) != names.end();
  std::error_code unreadable;
  if (is_training(options.what) || (!is_name && fs::is_directory(options.what, unreadable)))
    return model_of_folder(options);  // also one that is called as a model is
  const ImageSpec image = image_asked_for(options);
  check_batch(options, image);
  Generator generator(1);
  if (!is_name) {
    if (!fs::exists(options.what, unreadable)) {
      fail<NotFoundError>(options.what, " is no folder, no file, and none of the models ",
                          joined(names));
    }
    return {make_net(read_net_file(options.what), options.what, image, generator,
                     {.output_bytes = most_output_bytes / options.batch}),
            image};
  }
  try {
    return {make_model(options.what, image, generator), image};
  } catch (const ValueError& wrong) {
    fail<UsageError>(wrong.what());
  }
}

NetSubject net_to_check(const std::string& what, const ImageSpec& image, Generator& generator) {
  std::error_code unreadable;
  if (!fs::is_directory(what, unreadable)) return {make_model(what, image, generator), image};
  NetOptions folder;
  folder.what = what;
  return net_subject(folder);
}

}  // namespace gradus::app
