// What goes to the disk, in which order, while a training runs.
#include "train_and_keep.h"

#include <spdlog/fmt/fmt.h>

#include <string>
#include <vector>

#include "exit_code.h"
#include "interrupt.h"
#include "json.h"
#include "kernel_history.h"
#include "scalars.h"
#include "stopwatch.h"

namespace gradus::app {

LiveSnapshot snapshot_of(const Training& training, const Module& model, const RunRecord& run) {
  LiveSnapshot now{.run = run, .weights = copies_of(model.state_dict())};
  now.run.position = training.position();
  now.run.best = {};
  for (const auto& [name, tensor] : training.state_dict())
    if (name.starts_with(kernels_prefix)) now.kernels.emplace_back(name, tensor);
  return now;
}

bool train_and_keep(Training& training, const Module& model, RunFolder& folder, RunRecord& run,
                    Progress& progress, std::int64_t checkpoint_steps, Live* live) {
  constexpr double most_seconds = 60;  // of work, for a power failure to take
  Clock::time_point last_kept = Clock::now();
  Scalars scalars(training.position().step);
  const auto write_scalars = [&] {
    if (run.settings.tensorboard && folder.kept())
      scalars.write(folder.checkpoint_file().parent_path());
  };
  const auto keep = [&](bool rate_is_new = false) {
    run.position = training.position();
    write_scalars();  // before the checkpoint that counts them, but in no folder that has none yet
    folder.keep(model, training.state_dict(), run, run.tested() && !rate_is_new);
    write_scalars();
    last_kept = Clock::now();
  };
  const Live::Answers answers{
      .snapshot = [&] { return snapshot_of(training, model, run); },
      .change =
          [&](double lr) {
            const RateRecord change = training.change_lr(lr);
            folder.add_metrics(to_json(change));
            progress.line(fmt::format("learning rate {} instead of {}, from step {} on", change.lr,
                                      change.from, change.step + 1));
            if (!folder.replaces_another()) keep(true);
            return change;
          },
      .should_stop = interrupted};
  const TrainingEvents events{.on_movements =
                                  [&](std::int64_t epoch, const std::vector<Movement>& all) {
                                    for (const Movement& movement : all) {
                                      folder.add_metrics(to_json({epoch, movement}));
                                      if (live != nullptr) live->add({epoch, movement});
                                    }
                                  },
                              .on_step =
                                  [&](const StepRecord& step, double images_per_second) {
                                    folder.add_metrics(to_json(step));
                                    if (run.settings.tensorboard)
                                      scalars.add("loss/step", step.step, step.loss);
                                    progress.step(step, images_per_second);
                                    if (live != nullptr)
                                      live->add(step, training.lr(), images_per_second);
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
                                    if (live != nullptr) live->add(epoch, training.lr());
                                  },
                              .should_stop =
                                  [&] {
                                    if (live != nullptr) training.leave_out(live->attend(answers));
                                    return interrupted();
                                  }};
  bool complete = false;
  try {
    complete = training.run(events);
  } catch (const Diverged&) {
    folder.add_metrics(diverged_line(training.position()));
    if (!folder.replaces_another()) {  // the model is as it was before the step
      folder.keep_diverged(model, training.state_dict(), run, training.position());
      write_scalars();
    }
    throw;
  }
  // An earlier training is not given up for less than what is due.
  if (!complete && !folder.replaces_another()) keep();
  return complete;
}

}  // namespace gradus::app
