// The training loop of `gradus train`, apart from files and terminals: it computes, and tells what
// happened through TrainingEvents.
#pragma once

#include <gradus/data/loader.h>
#include <gradus/distributed/data_parallel.h>
#include <gradus/layers/module.h>
#include <gradus/optim/optimizer.h>
#include <gradus/optim/schedule.h>
#include <gradus/report/vitals.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "kernel_history.h"
#include "records.h"
#include "stopwatch.h"

namespace gradus::app {

/// Images per evaluation batch: a function of their size alone, so that eval finds the very numbers that train
/// printed, and bounded in memory.
inline std::int64_t evaluation_batch(const ImageSpec& image) {
  constexpr std::int64_t most = 256;
  constexpr std::int64_t most_numbers = std::int64_t{1} << 20;
  const std::int64_t numbers = image.channels * image.height * image.width;
  return std::clamp<std::int64_t>(most_numbers / std::max<std::int64_t>(numbers, 1), 1, most);
}

struct Evaluation {
  double loss = 0;  ///< mean over all images
  double accuracy = 0;
  std::int64_t images = 0;
};

/// What is seen of each batch: its labels, and what the model made of its images [B,classes].
using SeeBatch = std::function<void(const Batch& batch, const Tensor& logits)>;

/// Runs `model` over all of `data` in evaluation mode, without recording; restores the mode. Where there are several
/// ranks each takes some of the batches, and all get the same result, to the bit that of one.
Evaluation evaluate(Module& model, const DataLoader& data, const SeeBatch& see = {},
                    Communicator* world = nullptr);

/// The state below training.best. in a checkpoint; what resume() and whoever wants the best weights read.
inline const std::string best_prefix = "best.";

/// Called by Training::run(); each may be left empty.
struct TrainingEvents {
  /// Of the very first step (epoch 0) and of the last one of each epoch, before its on_step.
  std::function<void(std::int64_t epoch, const std::vector<Movement>&)> on_movements{};
  std::function<void(const StepRecord&, double images_per_second)> on_step{};
  /// After the epoch's evaluation; position() is at the start of the next one.
  std::function<void(const EpochRecord&)> on_epoch{};
  /// Asked before every step; true ends the training there.
  std::function<bool()> should_stop{};
};

/// What a training trains with, chooses by (null: it does not choose), and tests with.
struct TrainingData {
  const DataLoader& train;
  const DataLoader* validation;
  const DataLoader& test;
};

/// The same names, with numbers of their own.
NamedTensors copies_of(const NamedTensors& tensors);

/// An optimizer for all parameters of `model`, as the settings say.
std::unique_ptr<Optimizer> make_optimizer(const Settings& settings, const Module& model);

/// Tries the smallest batch that `train` will give on another net like `model`, in training mode. Throws UsageError where it
/// takes none so small, as a BatchNorm1d takes no single image: known before the first step, not after an epoch.
void expect_to_take_all_batches(const Settings& settings, const ImageSpec& image,
                                const Module& model, const DataLoader& train);

/// How wrong scores [N,classes] are about labels, as the settings want it measured.
Variable loss_of(const Variable& scores, const Tensor& labels, const Settings& settings);
/// What the model makes of a batch, or of a shard of one, as the settings want it measured.
Variable loss_of(Module& model, const Batch& batch, const Settings& settings);
/// Clips the gradients that are there, if asked for, and takes a step against them.
void follow_gradients(Module& model, Optimizer& optimizer, const Settings& settings);
/// A step against that loss.
void descend(const Variable& loss, Module& model, Optimizer& optimizer, const Settings& settings);

/// Trains for settings.epochs passes over data.train, evaluating after each. Where there is something to
/// choose by, the weights of the best epoch are kept: that of the highest validation accuracy, of equal
/// ones the lowest loss; and settings.patience epochs without a better one end the training. Between two
/// steps its state can be taken, and another one that gets it goes on to the very same bits.
class Training {
 public:
  /// Borrows model, settings and loaders; and `world` where the settings have shards, on each rank of which there must
  /// be such a training. Then should_stop of one rank ends all of them, after one step more.
  Training(Module& model, const Settings& settings, const TrainingData& data,
           Communicator* world = nullptr, const DistributedOptions& distributed = {});

  /// Goes on from here to the end. Returns false when should_stop ended it early. Throws Diverged when a
  /// loss is not finite, before that loss has touched the model.
  bool run(const TrainingEvents& events);

  /// Where it stands; the seconds and the generator of this thread as of now.
  Position position() const;
  /// What belongs to a position beside the model's tensors: "optimizer.state.0.step" and so on, which share
  /// storage with the optimizer, "best.0.weight" and so on, and those of the KernelHistory.
  NamedTensors state_dict() const;
  /// Of the next step.
  double lr() const { return optimizer_->lr(); }
  /// From the next step on: `lr` is finite and above 0. A schedule goes on from there as it would have from the rate before.
  RateRecord change_lr(double lr);
  /// Makes a change again that was recorded.
  void set_base_lr(double base_lr);
  /// The epoch whose weights are the best; its epoch is 0 before there is one.
  const EpochRecord& best() const { return best_; }
  /// Goes on from there, with the model's tensors of then already in the model. Throws BadDataError,
  /// its message opening with `label`, for what fits no training like this one.
  void resume(const RunRecord& run, const NamedTensors& state, const std::string& label);
  /// So much of the time until now was not spent on training.
  void leave_out(Clock::duration pause) { start_ += pause; }

 private:
  void expect_possible(const Position& at, const std::string& label) const;
  bool stops(const TrainingEvents& events);
  void expect_finite(double loss, const char* which, std::int64_t step) const;
  double backward(const Batch& batch, std::int64_t step);
  void take_step(const Batch& batch, const TrainingEvents& events);
  void finish_epoch(const TrainingEvents& events);
  bool patience_has_run_out() const;
  double seconds() const;
  double images_per_second() const;

  Module& model_;
  const Settings& settings_;
  TrainingData data_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Schedule> schedule_;  // nullptr: the lr stays
  bool resumed_ = false;
  Position at_;
  EpochRecord best_;
  NamedTensors best_weights_;  // copies
  KernelHistory kernels_;
  std::unique_ptr<DistributedDataParallel> parallel_;  // nullptr: batches are whole
  Clock::time_point start_ = Clock::now();             // at_.seconds had passed then
};

}  // namespace gradus::app
