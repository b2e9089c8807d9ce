// gradus train: data, model and folder in, a trained model out.
#include <gradus/core/log.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/core/random.h>
#include <gradus/core/storage.h>
#include <gradus/data/loader.h>
#include <gradus/layers/models.h>

#include <spdlog/fmt/fmt.h>

#include <cstdio>
#include <filesystem>

#include "commands.h"
#include "exit_code.h"
#include "interrupt.h"
#include "json.h"
#include "progress.h"
#include "run_folder.h"
#include "training.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

/// Defaults that depend on the data set or the optimizer; the help text states them too.
Settings resolve(const TrainOptions& o) {
  const bool digits = o.data == "digits";
  const bool sgd = o.optimizer == "sgd";
  if (o.momentum && !sgd) {
    fail<UsageError>("--momentum belongs to --optimizer sgd, not to ", o.optimizer);
  }
  return {.data = o.data,
          .data_dir = o.data_dir.empty() ? "" : fs::absolute(o.data_dir).string(),
          .model = !o.model.empty() ? o.model
                   : digits         ? "cnn"
                                    : "lenet",
          .epochs = o.epochs.value_or(digits              ? 20
                                      : o.data == "mnist" ? 3
                                                          : 5),
          .batch_size = o.batch_size.value_or(digits ? 32 : 64),
          .optimizer = o.optimizer,
          .lr = o.lr.value_or(sgd      ? 0.05
                              : digits ? 0.005
                                       : 0.002),
          .momentum = sgd ? o.momentum.value_or(0.9) : 0,
          .weight_decay = o.weight_decay.value_or(o.optimizer == "adamw" ? 0.01 : 0),
          .schedule = o.schedule,
          .seed = o.seed,
          .threads = o.threads.value_or(num_threads())};
}

ImageSpec image_spec(const Dataset& data) {
  return {.channels = data.images.size(1),
          .height = data.images.size(2),
          .width = data.images.size(3),
          .classes = data.classes};
}

Sequential build_model(const Settings& settings, const ImageSpec& image) {
  Generator generator(settings.seed);
  try {
    return make_model(settings.model, image, generator);
  } catch (const Error& error) {
    fail<UsageError>("--model ", settings.model, " does not suit --data ", settings.data, ": ",
                     error.what());
  }
}

void log_surroundings() {
  if (!core::blas_is_single_threaded()) {
    log_warn("the BLAS library uses threads of its own; results may depend on their number");
  }
  if (!logs_debug()) return;
  log_debug("BLAS: " + core::blas_description());
}

void log_pool() {
  if (!logs_debug()) return;
  const StorageStatistics pool = storage_statistics();
  log_debug(fmt::format("storage: peak {} bytes, cached {}, {} blocks from the system, {} reused",
                        pool.peak_bytes, pool.cached_bytes, pool.allocations, pool.reuses));
}

void print_result(const RunRecord& run, const fs::path& out) {
  const EpochRecord& last = run.last;
  fmt::print("{} on {}: test accuracy {:.4f}, test loss {:.4f}, {} parameters\n",
             run.settings.model, run.settings.data, last.test_accuracy, last.test_loss,
             run.parameters);
  fmt::print("{} epochs in {:.1f} s, {:.0f} images/s; the model is in {}\n", last.epoch,
             last.seconds, last.images_per_second, (out / "model.safetensors").string());
}

/// Where things stand when a training ends early.
std::string what_is_kept(const RunRecord& run, const RunFolder& folder) {
  if (run.last.epoch == 0) return "no epoch was finished, no file was changed";
  return fmt::format("{} holds the model of epoch {}", folder.model_file().string(),
                     run.last.epoch);
}

}  // namespace

int run_train(const TrainOptions& options) {
  const Settings settings = resolve(options);
  const fs::path out = options.out.empty()
                           ? fs::path("runs") / (settings.data + "-" + settings.model)
                           : fs::path(options.out);
  set_num_threads(settings.threads);
  log_surroundings();

  const DataSplit split = load_dataset(settings.data, {.data_dir = settings.data_dir});
  RunRecord run{.settings = settings,
                .image = image_spec(split.train),
                .train_images = split.train.size(),
                .test_images = split.test.size(),
                .data_checksum = checksum(split)};
  manual_seed(settings.seed);
  Sequential model = build_model(settings, run.image);
  run.parameters = model.parameter_count();
  const DataLoader training(
      split.train, {.batch_size = settings.batch_size, .shuffle = true, .seed = settings.seed});
  const DataLoader test(split.test, {.batch_size = evaluation_batch});
  RunFolder folder(out);

  catch_interrupts();
  Progress progress(options.quiet, settings.epochs, training.batches());
  progress.line(fmt::format("{} on {}: {} parameters, {} images to train with, {} to test",
                            settings.model, settings.data, run.parameters, run.train_images,
                            run.test_images));
  const TrainingEvents events{
      .on_step =
          [&](const StepRecord& step, double images_per_second) {
            folder.add_metrics(to_json(step));
            progress.step(step, images_per_second);
          },
      .on_epoch =
          [&](const EpochRecord& epoch) {
            run.last = epoch;
            run.interrupted = epoch.epoch < settings.epochs;  // true until shown otherwise
            folder.add_metrics(to_json(epoch));
            folder.keep(model, run);
            progress.epoch(epoch);
          },
      .should_stop = interrupted};
  try {
    run.interrupted = !train(model, settings, training, test, events);
  } catch (const Diverged& error) {
    progress.clear();
    fail<Diverged>(error.what(), "; ", what_is_kept(run, folder));
  }
  progress.clear();
  log_pool();
  if (run.interrupted) {
    fmt::print(stderr, "gradus: interrupted; {}\n", what_is_kept(run, folder));
  }
  if (options.json) {
    fmt::print("{}\n", to_result_json(run, out));
  } else if (run.last.epoch > 0) {
    print_result(run, out);
  }
  return run.interrupted ? exit_interrupted : exit_ok;
}

}  // namespace gradus::app
