// gradus predict: what a trained model takes pictures for.
#include <gradus/core/log.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/core/words.h>
#include <gradus/data/loader.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "commands.h"
#include "exit_code.h"
#include "json.h"
#include "own_pictures.h"
#include "run_folder.h"
#include "training.h"

namespace gradus::app {
namespace {

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

/// Of each picture: probabilities of anything else are no answer.
void expect_scores(const Tensor& logits, const std::string& folder,
                   const std::vector<std::string>& files) {
  const std::vector<double> scores = logits.to(float64).to_vector<double>();
  const auto wrong = std::find_if_not(scores.begin(), scores.end(),
                                      [](double score) { return std::isfinite(score); });
  if (wrong == scores.end()) return;
  const auto row = (wrong - scores.begin()) / logits.size(1);
  fail<BadDataError>(folder, ": gives ", files[static_cast<std::size_t>(row)], " a score that is ",
                     "no finite number: these weights are of no use");
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
  expect_usable(run, options.folder);
  loaded.model.eval();
  if (options.fuse) loaded.model.fuse();
  const ImageForm form = picture_form(run);
  const std::vector<std::string> files = picture_files(options.images);
  std::size_t width = 0;
  for (const std::string& file : files) width = std::max(width, printable(file).size());

  LeftOut left_out;
  const auto batch_size = static_cast<std::size_t>(evaluation_batch(run.image));
  for (std::size_t begin = 0; begin < files.size(); begin += batch_size) {
    const std::size_t count = std::min(batch_size, files.size() - begin);
    const ReadPictures pictures =
        read_pictures(std::span(files).subspan(begin, count), form, options.skip_bad, left_out);
    if (pictures.files.empty()) continue;
    const Dataset dataset = as_dataset(pictures, run);
    const DataLoader loader(dataset, {.batch_size = std::ssize(pictures.files), .prefetch = 0});
    evaluate(loaded.model, loader, [&](const Batch&, const Tensor& logits) {
      expect_scores(logits, options.folder, pictures.files);
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
