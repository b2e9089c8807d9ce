// gradus train: data, model and folder in, a trained model out.
#include <gradus/core/log.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/core/random.h>
#include <gradus/core/storage.h>
#include <gradus/core/words.h>
#include <gradus/data/loader.h>
#include <gradus/distributed/mpi.h>

#include <spdlog/fmt/fmt.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "build_model.h"
#include "commands.h"
#include "data_parts.h"
#include "exit_code.h"
#include "interrupt.h"
#include "json.h"
#include "live_server.h"
#include "loaders.h"
#include "progress.h"
#include "ranks.h"
#include "resolve.h"
#include "run_description.h"
#include "run_folder.h"
#include "train_and_keep.h"
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

/// Where things stand when a training ends early; `next` is what may be done about it.
std::string what_is_kept(const RunRecord& run, const RunFolder& folder, const fs::path& out,
                         const char* next) {
  if (!folder.kept()) return "no checkpoint was made, no file was changed";
  return fmt::format("{} holds {} epochs and {} steps; {} {}", folder.checkpoint_file().string(),
                     run.last.epoch, run.position.step, next, out.string());
}

RunFolder::Purpose purpose_of(const TrainOptions& options, bool of_serve) {
  if (of_serve) return RunFolder::Purpose::serve;
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

/// Goes on where `earlier` stands.
void resume(Training& training, const std::string& label, RunRecord& run, const LoadedRun& earlier,
            bool warns) {
  expect_same_data(label, run.settings.data.name, run.data_checksum, earlier.record.data_checksum);
  expect_same_form(label, earlier.record, run.image, run.class_names);
  run.last = earlier.record.last;
  run.best = earlier.record.best;
  run.position = earlier.record.position;
  training.resume(run, earlier.training_state, label);
  if (!warns) return;
  if (run.simd != earlier.record.simd) {
    log_warn(label + ": was computed with " + in_quotes(earlier.record.simd) +
             " vectors, here with " + run.simd + ": the last bits differ");
  }
  if (!earlier.record.blas.empty() && run.blas != earlier.record.blas) {
    log_warn(label + ": its matrix products are those of " +
             in_quotes(earlier.record.blas, longest_blas) + ", here of " + run.blas +
             ": the last bits differ");
  }
  const std::int64_t epochs = earlier.record.settings.epochs;
  if (run.settings.epochs != epochs && run.settings.schedule != "none") {
    log_warn(fmt::format("{}: the {} schedule was planned for {} epochs, from here on for {}",
                         label, run.settings.schedule, epochs, run.settings.epochs));
  }
}

/// Known before data are read: whether all processes have something to do.
void expect_shards(const Settings& settings, const TrainOptions& options,
                   const Communicator& world) {
  if (!options.distributed) return;
  if (settings.shards == 0) {
    fail<UsageError>(
        "--distributed: ", options.resume,
        " was begun without --shards, and batches that are not cut are for one process");
  }
  if (settings.shards < world.size()) {
    fail<UsageError>("--distributed: ", world.size(),
                     " processes need as many shards at least, there are ", settings.shards,
                     options.resume.empty() ? "; choose --shards" : " in this training");
  }
}

/// What there is to show of a training that goes on; one whose lines are gone goes on without.
Metrics metrics_so_far(const fs::path& folder, const MetricsRecord& counted) {
  try {
    return read_metrics("serve", folder, counted);
  } catch (const IoError&) {
    return {};
  }
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

/// All that a training is made of, set up in stages that throw before anything is trained.
class TrainCommand {
 public:
  TrainCommand(const TrainOptions& options, Ranks& ranks, LiveServer* server)
      : options_(options), ranks_(ranks), server_(server) {}

  /// Settings; of a training that goes on its folder, locked before it is read.
  void settle();
  /// What the settings name: data, net, loaders.
  void build();
  /// The training itself, and the folder of a new one.
  void begin();
  /// Trains, and tells the result. Returns the exit code.
  int run();

 private:
  bool resumes() const { return !options_.resume.empty(); }
  /// Is it `gradus serve` that trains?
  bool of_serve() const { return server_ != nullptr && !options_.serve; }
  bool quiet() const { return options_.quiet || !ranks_.is_first(); }
  void show();
  bool train_to_the_end();

  const TrainOptions& options_;
  Ranks& ranks_;
  LiveServer* server_;  // null: nobody watches
  Settings settings_;
  fs::path out_;
  std::optional<RunFolder> folder_;  // of the first rank
  LoadedRun earlier_;
  DataParts data_;
  RunRecord run_;
  std::optional<DataLoader> batches_;
  std::optional<DataLoader> validation_;
  std::optional<DataLoader> test_;
  std::optional<Progress> progress_;
  Sequential model_;
  std::optional<Training> training_;
};

void TrainCommand::settle() {
  const bool told_model = !options_.model.empty();
  bool imported = false;
  ranks_.stage([&] {
    settings_ = resumes() ? Settings{} : resolve(options_);
    // Only the first rank needs to have what --from names.
    if (!resumes() && ranks_.is_first() && !options_.from.empty() && !told_model)
      imported = take_imported_model(options_.from, settings_);
    if (!resumes() || !ranks_.is_first()) return;
    folder_.emplace(options_.resume, purpose_of(options_, of_serve()));
    earlier_ = load_run(options_.resume);
    expect_usable(earlier_.record, options_.resume);
    expect_begun(earlier_, options_.resume);
  });
  if (!resumes()) {
    ranks_.share_imported(settings_, imported, told_model);
  } else if (ranks_.many()) {
    ranks_.share(earlier_, options_.resume);
  }
  out_ = folder_of(options_, settings_);
}

void TrainCommand::build() {
  ranks_.stage([&] {
    if (resumes()) settings_ = settings_of(earlier_.record, options_);
    if (!options_.threads) settings_.threads = ranks_.threads();
    expect_shards(settings_, options_, ranks_.world());
    set_num_threads(settings_.threads);
    if (ranks_.is_first()) log_surroundings();
    data_ = load_parts(settings_.data, quiet());
    run_ = describe_run(settings_, data_);
    manual_seed(settings_.seed);
    BatchShards part;
    if (settings_.shards > 0) part = shards_of(settings_.shards, ranks_.world());
    batches_ = training_loader(settings_, data_, part);
    if (data_.validation.size() > 0) validation_ = evaluation_loader(settings_, data_.validation);
    test_ = evaluation_loader(settings_, data_.test);
    progress_.emplace(quiet(), settings_.epochs, batches_->batches(),
                      resumes() ? earlier_.record.position.step : 0);
    // The weights of --from come to the others from the first rank.
    model_ = resumes() ? std::move(earlier_.model)
                       : begin_model(run_, ranks_.is_first() ? options_.from : "", *progress_);
    run_.parameters = model_.parameter_count();
    if (ranks_.is_first())  // which alone has the weights of --from
      expect_to_take_all_batches(settings_, run_.image, model_, *batches_);
  });
}

void TrainCommand::begin() {
  ranks_.agree([&] {
    ranks_.expect_same(run_);
    training_.emplace(model_, settings_,
                      TrainingData{*batches_, validation_ ? &*validation_ : nullptr, *test_},
                      &ranks_.world(),
                      DistributedOptions{.bucket_bytes = options_.bucket_kilobytes * 1024,
                                         .overlap = !options_.no_overlap});
  });
  ranks_.stage([&] {
    const std::string label = (out_ / "checkpoint.safetensors").string();
    if (resumes()) {
      resume(*training_, label, run_, earlier_, ranks_.is_first());
      if (folder_) folder_->go_on_from(earlier_.record);
    } else if (ranks_.is_first()) {
      folder_.emplace(out_, purpose_of(options_, of_serve()));
    }
  });
}

/// To whoever asks the server, from now on.
void TrainCommand::show() {
  LiveSnapshot start = snapshot_of(*training_, model_, run_);
  if (resumes()) start.metrics = metrics_so_far(out_, earlier_.record.metrics);
  server_->live().begin(start, batches_->batches(), training_->lr());
  server_->show(data_, out_.string());
  if (!of_serve()) {
    std::fputs(("shown at " + server_->url() + "\n").c_str(), stderr);
    return;
  }
  fmt::print("{} is at {}, paused where it was; Ctrl-C ends\n", out_.string(), server_->url());
  std::fflush(stdout);
}

bool TrainCommand::train_to_the_end() {
  if (!ranks_.is_first()) return training_->run({.should_stop = interrupted});
  return train_and_keep(*training_, model_, *folder_, run_, *progress_,
                        options_.checkpoint_steps.value_or(0),
                        server_ != nullptr ? &server_->live() : nullptr);
}

int TrainCommand::run() {
  catch_interrupts();
  const auto processes = [&] {
    if (!ranks_.many()) return std::string();
    return fmt::format("; {} processes, {} shards, {} threads each", ranks_.world().size(),
                       settings_.shards, settings_.threads);
  };
  progress_->line(
      fmt::format("{} on {}: {} parameters, {} images to train with{}, {} to test{}",
                  settings_.model, short_name(settings_.data), run_.parameters, run_.train_images,
                  validation_ ? fmt::format(", {} to choose by", run_.validation_images) : "",
                  run_.test_images, processes()));
  if (resumes())
    progress_->line(
        fmt::format("epoch {}: goes on after step {}", run_.position.epoch, run_.position.step));
  if (server_ != nullptr) show();
  bool complete = false;
  try {
    complete = train_to_the_end();
  } catch (const Diverged& error) {  // on all ranks alike
    progress_->clear();
    if (!ranks_.is_first()) return exit_check_failed;
    const std::string line = text_of(
        error.what(), "; ", what_is_kept(run_, *folder_, out_, "to see why: gradus report"));
    if (ranks_.many()) throw StageFailed(exit_check_failed, line);
    throw Diverged(line);
  }
  progress_->clear();
  if (!ranks_.is_first()) return complete ? exit_ok : exit_interrupted;
  log_pool();
  if (!complete)
    std::fputs(("gradus: interrupted; " +
                what_is_kept(run_, *folder_, out_, "to go on: gradus train --resume") + "\n")
                   .c_str(),
               stderr);
  if (options_.json) {
    fmt::print("{}\n", to_result_json(run_, out_));
  } else if (run_.last.epoch > 0) {
    print_result(run_, out_);
  }
  return complete ? exit_ok : exit_interrupted;
}

int train_on(const TrainOptions& options, Communicator* world, LiveServer* server) {
  Ranks ranks(world);
  TrainCommand command(options, ranks, server);
  command.settle();
  command.build();
  command.begin();
  return command.run();
}

}  // namespace

int run_train(const TrainOptions& options, LiveServer* server) {
  // When nobody reads any more, or a file may not grow, that is an error to tell, and not the end.
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
  std::optional<LiveServer> own_server;  // first of all: a port that is taken has cost nothing
  if (options.serve) server = &own_server.emplace("--serve", options.address);
  if (!options.distributed) return train_on(options, nullptr, server);
  if (mpi_description().empty()) {
    fail<UsageError>(
        "--distributed: this gradus was built without MPI; install libopenmpi-dev or libmpich-dev "
        "and "
        "build it again");
  }
  const MpiOptions mpi{.timeout = options.timeout,
                       .exit_code = exit_code_of,
                       .exit_code_of_lost_rank = exit_rank_lost};
  return mpi_run(mpi, [&](Communicator& world) {
    try {
      return train_on(options, &world, nullptr);
    } catch (const StageFailed& failed) {
      if (world.rank() == 0)
        std::fputs(text_of("gradus: ", without_controls(failed.what()), "\n").c_str(), stderr);
      return failed.code;
    }
  });
}

}  // namespace gradus::app
