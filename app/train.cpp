// gradus train: data, model and folder in, a trained model out.
#include <gradus/core/log.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/core/random.h>
#include <gradus/core/simd.h>
#include <gradus/core/storage.h>
#include <gradus/core/words.h>
#include <gradus/data/loader.h>
#include <gradus/layers/models.h>

#include <spdlog/fmt/fmt.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "commands.h"
#include "exit_code.h"
#include "interrupt.h"
#include "json.h"
#include "progress.h"
#include "run_folder.h"
#include "stopwatch.h"
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
  fmt::print("{} epochs in {:.1f} s, {:.0f} images/s; kept in {}\n", last.epoch, last.seconds,
             last.images_per_second, out.string());
}

/// Where things stand when a training ends early.
std::string what_is_kept(const RunRecord& run, const RunFolder& folder, const fs::path& out) {
  if (!folder.kept()) return "no checkpoint was made, no file was changed";
  return fmt::format("{} holds {} epochs and {} steps; to go on: gradus train --resume {}",
                     folder.checkpoint_file().string(), run.last.epoch, run.position.step,
                     out.string());
}

RunFolder::Purpose purpose_of(const TrainOptions& options) {
  if (!options.resume.empty()) return RunFolder::Purpose::resume;
  return options.overwrite ? RunFolder::Purpose::overwrite : RunFolder::Purpose::fresh;
}

fs::path folder_of(const TrainOptions& options, const Settings& settings) {
  if (!options.resume.empty()) return options.resume;
  if (!options.out.empty()) return options.out;
  return fs::path("runs") / (settings.data + "-" + settings.model);
}

/// Of a training that goes on: its own, but for what its result does not depend on, and for epochs.
Settings settings_of(const RunRecord& run, const TrainOptions& options) {
  Settings settings = run.settings;
  settings.epochs = options.epochs.value_or(settings.epochs);
  settings.threads = options.threads.value_or(num_threads());
  std::error_code error;
  if (!options.data_dir.empty()) {
    settings.data_dir = fs::absolute(options.data_dir).string();
  } else if (!fs::exists(settings.data_dir, error)) {
    settings.data_dir.clear();
  }
  if (run.position.epoch > settings.epochs) {
    fail<UsageError>("--resume ", options.resume, ": all of its ", run.position.epoch - 1,
                     " epochs are done; --epochs N goes on to more");
  }
  return settings;
}

RunRecord describe_run(const Settings& settings, const DataSplit& split) {
  return {.settings = settings,
          .image = image_spec(split.train),
          .train_images = split.train.size(),
          .test_images = split.test.size(),
          .data_checksum = checksum(split),
          .simd = simd_in_use()};
}

/// Goes on where `earlier` stands.
void resume(Training& training, RunFolder& folder, RunRecord& run, const LoadedRun& earlier) {
  const std::string label = folder.checkpoint_file().string();
  if (run.data_checksum != earlier.record.data_checksum) {
    fail<BadDataError>(label, ": ", run.settings.data,
                       " is not the data of this training: checksum ", run.data_checksum, ", then ",
                       earlier.record.data_checksum);
  }
  run.last = earlier.record.last;
  run.position = earlier.record.position;
  training.resume(run.position, earlier.training_state, label);
  folder.go_on_from(earlier.record.metrics);
  if (run.simd != earlier.record.simd) {
    log_warn(label + ": was computed with " + in_quotes(earlier.record.simd) +
             " vectors, here with " + run.simd + ": the last bits differ");
  }
  const std::int64_t epochs = earlier.record.settings.epochs;
  if (run.settings.epochs != epochs && run.settings.schedule != "none") {
    log_warn(fmt::format("{}: the {} schedule was planned for {} epochs, from here on for {}",
                         label, run.settings.schedule, epochs, run.settings.epochs));
  }
}

/// Trains, with a checkpoint after every epoch, after as many steps as asked for, and after every minute.
/// Returns false when a signal ended it early.
bool train_and_keep(Training& training, const Module& model, RunFolder& folder, RunRecord& run,
                    Progress& progress, std::int64_t checkpoint_steps) {
  constexpr double most_seconds = 60;  // of work, for a power failure to take
  Clock::time_point last_kept = Clock::now();
  const auto keep = [&] {
    run.position = training.position();
    folder.keep(model, training.state_dict(), run);
    last_kept = Clock::now();
  };
  const TrainingEvents events{.on_step =
                                  [&](const StepRecord& step, double images_per_second) {
                                    folder.add_metrics(to_json(step));
                                    progress.step(step, images_per_second);
                                    const bool due =
                                        checkpoint_steps > 0 && step.step % checkpoint_steps == 0;
                                    if (due || seconds_since(last_kept) >= most_seconds) keep();
                                  },
                              .on_epoch =
                                  [&](const EpochRecord& epoch) {
                                    run.last = epoch;
                                    folder.add_metrics(to_json(epoch));
                                    keep();
                                    progress.epoch(epoch);
                                  },
                              .should_stop = interrupted};
  const bool complete = training.run(events);
  // An earlier training is not given up for less than what is due.
  if (!complete && !folder.replaces_another()) keep();
  return complete;
}

}  // namespace

int run_train(const TrainOptions& options) {
  const bool resumes = !options.resume.empty();
  Settings settings = resumes ? Settings{} : resolve(options);
  const fs::path out = folder_of(options, settings);
  // When nobody reads any more, or a file may not grow, that is an error to tell, and not the end.
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);

  std::optional<RunFolder> folder;
  LoadedRun earlier;
  if (resumes) {
    folder.emplace(out, purpose_of(options));  // locked before it is read
    earlier = load_run(out);
    settings = settings_of(earlier.record, options);
  }
  set_num_threads(settings.threads);
  log_surroundings();
  const DataSplit split = load_dataset(settings.data, {.data_dir = settings.data_dir});
  RunRecord run = describe_run(settings, split);
  manual_seed(settings.seed);
  Sequential model = resumes ? std::move(earlier.model) : build_model(settings, run.image);
  run.parameters = model.parameter_count();
  const DataLoader batches(
      split.train, {.batch_size = settings.batch_size, .shuffle = true, .seed = settings.seed});
  const DataLoader test(split.test, {.batch_size = evaluation_batch});
  Training training(model, settings, batches, test);
  if (resumes) {
    resume(training, *folder, run, earlier);
  } else {
    folder.emplace(out, purpose_of(options));
  }

  catch_interrupts();
  Progress progress(options.quiet, settings.epochs, batches.batches(), run.position.step);
  progress.line(fmt::format("{} on {}: {} parameters, {} images to train with, {} to test",
                            settings.model, settings.data, run.parameters, run.train_images,
                            run.test_images));
  if (resumes)
    progress.line(
        fmt::format("epoch {}: goes on after step {}", run.position.epoch, run.position.step));
  bool complete = false;
  try {
    complete = train_and_keep(training, model, *folder, run, progress,
                              options.checkpoint_steps.value_or(0));
  } catch (const Diverged& error) {
    progress.clear();
    fail<Diverged>(error.what(), "; ", what_is_kept(run, *folder, out));
  }
  progress.clear();
  log_pool();
  if (!complete)
    std::fputs(("gradus: interrupted; " + what_is_kept(run, *folder, out) + "\n").c_str(), stderr);
  if (options.json) {
    fmt::print("{}\n", to_result_json(run, out));
  } else if (run.last.epoch > 0) {
    print_result(run, out);
  }
  return complete ? exit_ok : exit_interrupted;
}

}  // namespace gradus::app
