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
#include <exception>
#include <filesystem>
#include <numeric>
#include <span>

#include "commands.h"
#include "exit_code.h"
#include "json.h"
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

/// Pictures that were read, with their files.
struct ReadPictures {
  std::vector<std::string> files;
  Tensor images;  // uint8 [N,C,H,W]
};

/// Counts what is left out.
struct LeftOut {
  std::size_t count = 0;
  std::string first;
};

/// Reads files[begin..end) on all threads; throws at the first that cannot be read, unless they are to be
/// skipped.
ReadPictures read(std::span<const std::string> files, const ImageForm& form, bool skip_bad,
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
  const std::vector<std::string> files = files_of(options.images);
  std::size_t width = 0;
  for (const std::string& file : files) width = std::max(width, printable(file).size());

  LeftOut left_out;
  const auto batch_size = static_cast<std::size_t>(evaluation_batch(run.image));
  for (std::size_t begin = 0; begin < files.size(); begin += batch_size) {
    const std::size_t count = std::min(batch_size, files.size() - begin);
    const ReadPictures pictures =
        read(std::span(files).subspan(begin, count), form, options.skip_bad, left_out);
    if (pictures.files.empty()) continue;
    const Dataset dataset{.name = "pictures",
                          .images = pictures.images,
                          .labels = zeros({std::ssize(pictures.files)}, int64),
                          .classes = run.image.classes,
                          .normalization = run.normalization};
    const DataLoader loader(dataset, {.batch_size = std::ssize(pictures.files), .prefetch = 0});
    evaluate(loaded.model, loader, [&](const Batch&, const Tensor& logits) {
      const Tensor probabilities = core::softmax(logits, 1);
      for (std::size_t i = 0; i < pictures.files.size(); ++i) {
        const Tensor row = probabilities[static_cast<std::int64_t>(i)].contiguous();
        print(predict_row(run, pictures.files[i], row, options.top), width, options.json);
      }
    });
  }
  if (left_out.count == files.size()) fail<BadDataError>("none of the pictures can be read");
  if (left_out.count > 0) {
    log_warn(text_of("left out ", left_out.count, " pictures that cannot be read, the first is ",
                     left_out.first));
  }
  return exit_ok;
}

}  // namespace gradus::app
