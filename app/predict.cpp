// gradus predict: what a trained model takes pictures for.
#include <gradus/core/create.h>
#include <gradus/core/log.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/core/words.h>
#include <gradus/data/image_folder.h>
#include <gradus/data/loader.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "commands.h"
#include "exit_code.h"
#include "json.h"
#include "progress.h"
#include "run_folder.h"
#include "training.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

/// The files that are asked for, folders replaced by the pictures in them.
std::vector<std::string> files_of(const std::vector<std::string>& names) {
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

/// Pictures in the form that the model takes.
class Pictures final : public ImageSource {
 public:
  Pictures(std::vector<std::string> files, const ImageForm& form)
      : files_(std::move(files)), form_(form) {}
  std::int64_t size() const override { return std::ssize(files_); }
  LabeledImage get(std::int64_t index) const override {
    return {read_image_as(files_[static_cast<std::size_t>(index)], form_), 0};
  }

 private:
  std::vector<std::string> files_;
  ImageForm form_;
};

/// Those of `files` that can be read; throws at the first that cannot, unless they are to be skipped.
std::vector<std::string> readable(const std::vector<std::string>& files, const ImageForm& form,
                                  bool skip_bad) {
  std::vector<std::string> good;
  std::string first_failure;
  for (const std::string& file : files) {
    try {
      read_image_as(file, form);
      good.push_back(file);
    } catch (const IoError& error) {
      if (!skip_bad) throw;
      if (first_failure.empty()) first_failure = error.what();
    }
  }
  if (good.size() < files.size()) {
    log_warn(text_of("left out ", files.size() - good.size(),
                     " pictures that cannot be read, the first is ", first_failure));
  }
  return good;
}

ImageForm form_of(const RunRecord& run) {
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

/// The `top` most probable classes of one row of logits.
Prediction predict_row(const RunRecord& run, const std::string& file, const Tensor& probabilities,
                       std::int64_t top) {
  const auto* p = probabilities.data<float>();
  std::vector<std::int64_t> order(static_cast<std::size_t>(probabilities.numel()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [p](std::int64_t a, std::int64_t b) { return p[a] > p[b]; });
  order.resize(std::min(order.size(), static_cast<std::size_t>(top)));
  Prediction prediction{.file = file, .top = {}};
  for (const std::int64_t label : order)
    prediction.top.emplace_back(run.class_name(label), static_cast<double>(p[label]));
  return prediction;
}

void print(const Prediction& prediction, std::size_t width, bool json) {
  if (json) {
    fmt::print("{}\n", to_json(prediction));
    return;
  }
  std::string line = fmt::format("{:<{}}", printable(prediction.file), width);
  for (const auto& [name, probability] : prediction.top)
    line += fmt::format("  {} {:.4f}", name, probability);
  fmt::print("{}\n", line);
}

}  // namespace

int run_predict(const PredictOptions& options) {
  set_num_threads(options.threads.value_or(num_threads()));
  LoadedRun loaded = load_trained(options.folder);
  const RunRecord& run = loaded.record;
  const ImageForm form = form_of(run);
  const std::vector<std::string> files = readable(files_of(options.images), form, options.skip_bad);
  if (files.empty()) fail<BadDataError>("none of the pictures can be read");

  std::size_t width = 0;
  for (const std::string& file : files) width = std::max(width, file.size());
  const Dataset pictures{.name = "pictures",
                         .labels = zeros({std::ssize(files)}, int64),
                         .classes = run.image.classes,
                         .normalization = run.normalization,
                         .source = std::make_shared<Pictures>(files, form)};
  const DataLoader loader(pictures, {.batch_size = evaluation_batch(run.image)});
  TaskProgress progress("predicting");
  std::size_t done = 0;
  evaluate(loaded.model, loader, [&](const Batch&, const Tensor& logits) {
    const Tensor probabilities = core::softmax(logits, 1);
    for (std::int64_t i = 0; i < probabilities.size(0); ++i, ++done)
      print(predict_row(run, files[done], probabilities[i].contiguous(), options.top), width,
            options.json);
    progress.show(static_cast<std::int64_t>(done), std::ssize(files));
  });
  return exit_ok;
}

}  // namespace gradus::app
