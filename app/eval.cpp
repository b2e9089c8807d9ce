// gradus eval: a model that train wrote, measured again.
#include <gradus/core/log.h>
#include <gradus/core/parallel.h>
#include <gradus/data/loader.h>

#include <spdlog/fmt/fmt.h>

#include <filesystem>

#include "commands.h"
#include "exit_code.h"
#include "json.h"
#include "run_folder.h"
#include "stopwatch.h"
#include "training.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

/// The folder asked for, else the one that train used, if it is still there.
fs::path data_folder(const EvalOptions& options, const RunRecord& run) {
  if (!options.data_dir.empty()) return options.data_dir;
  std::error_code error;
  return fs::exists(run.settings.data_dir, error) ? run.settings.data_dir : "";
}

void check_image(const fs::path& folder, const Dataset& data, const ImageSpec& wanted) {
  const Shape found = data.images.shape();  // [N,C,H,W]
  if (found[1] == wanted.channels && found[2] == wanted.height && found[3] == wanted.width &&
      data.classes == wanted.classes) {
    return;
  }
  fail<BadDataError>(folder.string(), ": the model takes images of ",
                     Shape{wanted.channels, wanted.height, wanted.width}, " in ", wanted.classes,
                     " classes, ", data.name, " has ", found, " in ", data.classes);
}

}  // namespace

int run_eval(const EvalOptions& options) {
  const fs::path folder = options.folder;
  LoadedRun loaded = load_run(folder);
  RunRecord& run = loaded.record;
  run.settings.threads = options.threads.value_or(num_threads());
  set_num_threads(run.settings.threads);

  const DataSplit split = load_dataset(run.settings.data, {.data_dir = data_folder(options, run)});
  check_image(folder, split.test, run.image);
  if (const std::string found = checksum(split); found != run.data_checksum) {
    log_warn(fmt::format("{} is not the data of the training: checksum {}, then {}",
                         run.settings.data, found, run.data_checksum));
  }
  const DataLoader test(split.test, {.batch_size = evaluation_batch});
  const Clock::time_point start = Clock::now();
  const Evaluation result = evaluate(loaded.model, test);
  run.last.seconds = seconds_since(start);
  run.last.images_per_second = static_cast<double>(result.images) / run.last.seconds;
  run.last.test_loss = result.loss;
  run.last.test_accuracy = result.accuracy;

  if (options.json) {
    fmt::print("{}\n", to_result_json(run, folder));
    return exit_ok;
  }
  fmt::print("{} on {}, epoch {}: test accuracy {:.4f}, test loss {:.4f}, {} parameters\n",
             run.settings.model, run.settings.data, run.last.epoch, result.accuracy, result.loss,
             run.parameters);
  fmt::print("{} images in {:.2f} s, {:.0f} images/s\n", result.images, run.last.seconds,
             run.last.images_per_second);
  return exit_ok;
}

}  // namespace gradus::app
