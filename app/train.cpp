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

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "build_model.h"
#include "commands.h"
#include "data_parts.h"
#include "event_file.h"
#include "exit_code.h"
#include "interrupt.h"
#include "json.h"
#include "loaders.h"
#include "progress.h"
#include "resolve.h"
#include "run_folder.h"
#include "stopwatch.h"
#include "training.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

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
  const EpochRecord& chosen = run.chosen();
  fmt::print("{} on {}: test accuracy {:.4f}, test loss {:.4f}, {} parameters\n",
             run.settings.model, short_name(run.settings.data), chosen.test_accuracy,
             chosen.test_loss, run.parameters);
  if (run.best.epoch > 0) {
    fmt::print(
        "chosen: epoch {}, validation accuracy {:.4f}{}\n", chosen.epoch,
        chosen.validation_accuracy,
        run.gave_up() ? fmt::format("; none better in {} epochs", run.settings.patience) : "");
  }
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
  return fs::path("runs") /
         (short_name(settings.data) + "-" + fs::path(settings.model).stem().string());
}

/// Of a training that goes on: its own, but for what its result does not depend on, and for epochs.
Settings settings_of(const RunRecord& run, const TrainOptions& options) {
  Settings settings = run.settings;
  settings.epochs = options.epochs.value_or(settings.epochs);
  settings.threads = options.threads.value_or(num_threads());
  look_for_data(settings.data, options.data, options.data_dir);
  settings.workers = options.workers.value_or(settings.workers);
  if (options.patience && settings.data.validation == 0) {
    fail<UsageError>("--resume ", options.resume,
                     ": was begun without --validation, which --patience needs");
  }
  if (run.position.epoch > settings.epochs) {
    fail<UsageError>("--resume ", options.resume, ": all of its ", run.position.epoch - 1,
                     " epochs are done; --epochs N goes on to more");
  }
  if (options.patience) settings.patience = *options.patience;
  if (RunRecord as_asked = run; as_asked.settings = settings, as_asked.gave_up()) {
    fail<UsageError>("--resume ", options.resume, ": ended after ", settings.patience,
                     " epochs that were no better than epoch ", run.best.epoch,
                     "; --patience N goes on for longer");
  }
  return settings;
}

RunRecord describe_run(const Settings& settings, const DataParts& data) {
  return {.settings = settings,
          .image = image_spec(data.train),
          .class_names = data.train.class_names,
          .pixels = data.pixels,
          .normalization = data.train.normalization,
          .train_images = data.train.size(),
          .validation_images = data.validation.size(),
          .test_images = data.test.size(),
          .data_checksum = data.checksum,
          .simd = simd_in_use()};
}

/// Goes on where `earlier` stands.
void resume(Training& training, RunFolder& folder, RunRecord& run, const LoadedRun& earlier) {
  const std::string label = folder.checkpoint_file().string();
  expect_same_data(label, run.settings.data.name, run.data_checksum, earlier.record.data_checksum);
  run.last = earlier.record.last;
  run.best = earlier.record.best;
  run.position = earlier.record.position;
  training.resume(run, earlier.training_state, label);
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

/// What TensorBoard is to show, written with the next checkpoint.
class Scalars {
 public:
  /// Behind the steps that an earlier process has `done`: TensorBoard forgets what any file says of later ones.
  explicit Scalars(std::int64_t done) : first_step_(done + 1) {}
  void add(const char* tag, std::int64_t step, double value) {
    if (!std::isnan(value)) waiting_.push_back({tag, step, value, wall_time()});
  }
  void add(const EpochRecord& epoch, std::int64_t step) {
    add("loss/epoch", step, epoch.train_loss);
    add("loss/validation", step, epoch.validation_loss);
    add("loss/test", step, epoch.test_loss);
    add("accuracy/validation", step, epoch.validation_accuracy);
    add("accuracy/test", step, epoch.test_accuracy);
    add("lr", step, epoch.lr);
  }
  void write(const fs::path& folder) {
    if (!file_) file_.emplace(folder, EventFileOptions{.first_step = first_step_});
    for (const Scalar& s : waiting_) file_->scalar(s.tag, s.step, s.value, s.time);
    file_->flush();
    waiting_.clear();
  }

 private:
  struct Scalar {
    std::string tag;
    std::int64_t step;
    double value;
    double time;
  };
  static double wall_time() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  std::int64_t first_step_;
  std::vector<Scalar> waiting_;
  std::optional<EventFile> file_;
};

/// Trains, with a checkpoint after every epoch, after as many steps as asked for, and after every minute.
/// Returns false when a signal ended it early.
bool train_and_keep(Training& training, const Module& model, RunFolder& folder, RunRecord& run,
                    Progress& progress, std::int64_t checkpoint_steps) {
  constexpr double most_seconds = 60;  // of work, for a power failure to take
  Clock::time_point last_kept = Clock::now();
  Scalars scalars(training.position().step);
  const auto keep = [&] {
    run.position = training.position();
    const auto write_scalars = [&] {
      if (run.settings.tensorboard && folder.kept())
        scalars.write(folder.checkpoint_file().parent_path());
    };
    write_scalars();  // before the checkpoint that counts them, but in no folder that has none yet
    folder.keep(model, training.state_dict(), run);
    write_scalars();
    last_kept = Clock::now();
  };
  const TrainingEvents events{.on_movements =
                                  [&](std::int64_t epoch, const std::vector<Movement>& all) {
                                    for (const Movement& movement : all)
                                      folder.add_metrics(to_json({epoch, movement}));
                                  },
                              .on_step =
                                  [&](const StepRecord& step, double images_per_second) {
                                    folder.add_metrics(to_json(step));
                                    if (run.settings.tensorboard)
                                      scalars.add("loss/step", step.step, step.loss);
                                    progress.step(step, images_per_second);
                                    const bool due =
                                        checkpoint_steps > 0 && step.step % checkpoint_steps == 0;
                                    if (due || seconds_since(last_kept) >= most_seconds) keep();
                                  },
                              .on_epoch =
                                  [&](const EpochRecord& epoch) {
                                    run.last = epoch;
                                    run.best = training.best();
                                    folder.add_metrics(to_json(epoch));
                                    if (run.settings.tensorboard)
                                      scalars.add(epoch, training.position().step);
                                    keep();
                                    progress.epoch(epoch);
                                  },
                              .should_stop = interrupted};
  bool complete = false;
  try {
    complete = training.run(events);
  } catch (const Diverged&) {
    if (folder.kept()) {  // the model is as it was before the step
      folder.add_metrics(diverged_line(training.position()));
      keep();
    }
    throw;
  }
  // An earlier training is not given up for less than what is due.
  if (!complete && !folder.replaces_another()) keep();
  return complete;
}

/// A new net, perhaps with weights of another training.
Sequential begin_model(RunRecord& run, const std::string& from, Progress& progress) {
  Sequential model = new_model(run.settings, run.image);
  if (from.empty()) return model;
  const FirstWeights first = load_weights_from(from, all_class_names(run), model);
  run.settings.from = fs::absolute(from).lexically_normal().string() + ", CRC-32 " + first.checksum;
  progress.line(
      "begins with the weights of " + from +
      (first.new_layers.empty() ? "" : ", but for " + first.new_layers + ": other classes"));
  return model;
}

}  // namespace

int run_train(const TrainOptions& options) {
  const bool resumes = !options.resume.empty();
  Settings settings = resumes ? Settings{} : resolve(options);
  if (!resumes && !options.from.empty() && options.model.empty())
    take_imported_model(options.from, settings);
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
  const DataParts data = load_parts(settings.data, options.quiet);
  RunRecord run = describe_run(settings, data);
  manual_seed(settings.seed);
  const DataLoader batches = training_loader(settings, data);
  std::optional<DataLoader> validation;
  if (data.validation.size() > 0) validation = evaluation_loader(settings, data.validation);
  const DataLoader test = evaluation_loader(settings, data.test);
  Progress progress(options.quiet, settings.epochs, batches.batches(),
                    resumes ? earlier.record.position.step : 0);
  Sequential model = resumes ? std::move(earlier.model) : begin_model(run, options.from, progress);
  run.parameters = model.parameter_count();
  expect_to_take_all_batches(settings, run.image, batches);
  Training training(model, settings, {batches, validation ? &*validation : nullptr, test});
  if (resumes) {
    resume(training, *folder, run, earlier);
  } else {
    folder.emplace(out, purpose_of(options));
  }

  catch_interrupts();
  progress.line(fmt::format(
      "{} on {}: {} parameters, {} images to train with{}, {} to test", settings.model,
      short_name(settings.data), run.parameters, run.train_images,
      validation ? fmt::format(", {} to choose by", run.validation_images) : "", run.test_images));
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
