// gradus eval: a model that train wrote, measured again: as a whole, by class, and by its worst mistakes.
#include <gradus/core/log.h>
#include <gradus/core/parallel.h>
#include <gradus/data/contact_sheet.h>
#include <gradus/data/image.h>
#include <gradus/data/loader.h>

#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <filesystem>
#include <optional>

#include "answers.h"
#include "commands.h"
#include "confusion.h"
#include "data_parts.h"
#include "exit_code.h"
#include "json.h"
#include "loaders.h"
#include "output_file.h"
#include "picture.h"
#include "progress.h"
#include "run_folder.h"
#include "stopwatch.h"
#include "training.h"

namespace gradus::app {
namespace {

constexpr std::int64_t most_classes = 4096;  // whose table still says something

namespace fs = std::filesystem;

/// The data asked for, else those of the training.
DataSettings data_of(const EvalOptions& options, const RunRecord& run) {
  DataSettings data = run.settings.data;
  look_for_data(data, options.data, options.data_dir);
  // Pictures in the form of then, whatever size they have now.
  data.form.channels = run.image.channels == 1 || run.image.channels == 3 ? run.image.channels : 0;
  data.form.height = run.image.height;
  data.form.width = run.image.width;
  data.validation = 0;
  if (!options.data.empty()) data.test_fraction = 0;
  return data;
}

void check_image(const fs::path& folder, const Dataset& data, const ImageSpec& wanted) {
  const ImageSpec found = image_spec(data);
  if (found.channels == wanted.channels && found.height == wanted.height &&
      found.width == wanted.width) {
    return;
  }
  fail<BadDataError>(folder.string(), ": the model takes images of ",
                     Shape{wanted.channels, wanted.height, wanted.width}, ", ", data.name, " has ",
                     Shape{found.channels, found.height, found.width});
}

/// Known before anything is measured: what can be drawn, and where.
void check_pictures(const EvalOptions& options, const RunRecord& run, const DataSettings& data) {
  constexpr std::int64_t most_drawn = 512;
  if (!options.confusion.empty()) {
    expect_picture("--confusion", options.confusion, data.name);
    if (run.image.classes > most_drawn) {
      fail<UsageError>("--confusion draws at most ", most_drawn, " classes, the model has ",
                       run.image.classes);
    }
  }
  if (!options.worst.empty() && run.image.classes > most_classes)
    fail<UsageError>("--worst: of at most ", most_classes, " classes, the model has ",
                     run.image.classes);
  if (!options.worst.empty()) expect_picture("--worst", options.worst, data.name);
  if (!options.worst.empty() && !run.pixels.unit)
    fail<UsageError>("--worst: the model takes numbers that are not those of pictures");
  if (!options.worst.empty() && !options.confusion.empty() &&
      is_same_file(options.worst, options.confusion))
    fail<UsageError>("--confusion and --worst name one file, ", options.worst);
}

/// The mistakes of which the model was surest, with what they are and what they were taken for.
Tensor picture_of_mistakes(const RunRecord& run, const Dataset& data,
                           const std::vector<Mistake>& mistakes) {
  std::vector<Tensor> images;
  std::vector<std::string> captions;
  for (const Mistake& mistake : mistakes) {
    images.push_back(as_picture(data.get(mistake.index).image));
    captions.push_back(run.class_name(mistake.label) + ">" + run.class_name(mistake.predicted));
  }
  return contact_sheet(images, captions);
}

void write_pictures(const EvalOptions& options, const RunRecord& run, const Dataset& data,
                    const Answers& answers, const ClassificationReport& report) {
  if (!options.confusion.empty())
    write_png(options.confusion, confusion_picture(report.counts, run.class_names));
  if (options.worst.empty()) return;
  constexpr std::size_t most = 49;
  const std::vector<Mistake> mistakes = answers.worst(most);
  if (mistakes.empty()) {
    log_warn("no image was taken for another class: " + options.worst + " is not written");
  } else {
    write_png(options.worst, picture_of_mistakes(run, data, mistakes));
  }
}

}  // namespace

int run_eval(const EvalOptions& options) {
  const fs::path folder = options.folder;
  LoadedRun loaded = load_trained(folder);
  RunRecord& run = loaded.record;
  expect_usable(run, folder.string());
  run.settings.threads = options.threads.value_or(num_threads());
  set_num_threads(run.settings.threads);

  if (options.data.empty())
    expect_known_data(run, folder.string(), "--data DATA tells what to test it with");
  const DataSettings where = data_of(options, run);
  check_pictures(options, run, where);
  const TestData data =
      load_test_data(where, run, !options.data.empty(), folder.string(), options.json);
  check_image(folder, data.test, run.image);
  if (options.data.empty() && data.checksum != run.data_checksum) {
    log_warn(fmt::format("{} is not the data of the training: checksum {}, then {}", where.name,
                         data.checksum, run.data_checksum));
  }
  run.settings.data = where;
  const DataLoader test = evaluation_loader(run.settings, data.test);
  loaded.model.eval();
  if (options.fuse) loaded.model.fuse();
  Answers answers;
  TaskProgress progress("evaluating");
  const Clock::time_point start = Clock::now();
  const Evaluation result =
      evaluate(loaded.model, test, [&](const Batch& batch, const Tensor& logits) {
        answers.add(batch, logits);
        if (!options.json) progress.show(answers.size(), data.test.size());
      });
  if (!std::isfinite(result.loss)) {
    fail<BadDataError>(folder.string(), ": on ", where.name, " the test loss is ",
                       "no finite number: these weights are of no use");
  }
  EpochRecord measured = run.chosen();
  measured.seconds = seconds_since(start);
  measured.images_per_second = static_cast<double>(result.images) / measured.seconds;
  measured.test_loss = result.loss;
  measured.test_accuracy = result.accuracy;
  (run.best.epoch > 0 ? run.best : run.last) = measured;
  run.last.seconds = measured.seconds;
  run.last.images_per_second = measured.images_per_second;
  std::optional<ClassificationReport> report;
  if (run.image.classes <= most_classes) {
    report = classification_report(answers.labels(), answers.predictions(), run.image.classes);
    write_pictures(options, run, data.test, answers, *report);
  }

  if (options.json) {
    fmt::print("{}\n", to_result_json(run, folder, report ? &*report : nullptr));
    return exit_ok;
  }
  fmt::print("{} on {}, epoch {}: test accuracy {:.4f}, test loss {:.4f}, {} parameters\n",
             run.settings.model, short_name(where), measured.epoch, result.accuracy, result.loss,
             run.parameters);
  fmt::print("{} images in {:.2f} s, {:.0f} images/s\n", result.images, measured.seconds,
             measured.images_per_second);
  if (report) fmt::print("\n{}", to_text(*report, run.class_names));
  return exit_ok;
}

}  // namespace gradus::app
