// What goes to the disk, in which order, while a training runs.
#include "train_and_keep.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "event_file.h"
#include "exit_code.h"
#include "interrupt.h"
#include "json.h"
#include "stopwatch.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

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

}  // namespace

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

}  // namespace gradus::app
