// The training loop of `gradus train`, apart from files and terminals: it computes, and tells what
// happened through TrainingEvents.
#pragma once

#include <gradus/data/loader.h>
#include <gradus/layers/module.h>
#include <gradus/optim/optimizer.h>
#include <gradus/optim/schedule.h>

#include <functional>
#include <memory>
#include <string>

#include "records.h"
#include "stopwatch.h"

namespace gradus::app {

/// Images per evaluation batch: fixed, so that eval finds the very numbers that train printed.
inline constexpr std::int64_t evaluation_batch = 256;

struct Evaluation {
  double loss = 0;  ///< mean over all images
  double accuracy = 0;
  std::int64_t images = 0;
};

/// Runs `model` over all of `data` in evaluation mode, without recording; restores the mode.
Evaluation evaluate(Module& model, const DataLoader& data);

/// Called by Training::run(); each may be left empty.
struct TrainingEvents {
  std::function<void(const StepRecord&, double images_per_second)> on_step{};
  /// After the epoch's evaluation; position() is at the start of the next one.
  std::function<void(const EpochRecord&)> on_epoch{};
  /// Asked before every step; true ends the training there.
  std::function<bool()> should_stop{};
};

/// Trains for settings.epochs passes over `train`, evaluating on `test` after each. Between two steps its
/// state can be taken, and another one that gets it goes on to the very same bits.
class Training {
 public:
  /// Borrows all four.
  Training(Module& model, const Settings& settings, const DataLoader& train,
           const DataLoader& test);

  /// Goes on from here to the end. Returns false when should_stop ended it early. Throws Diverged when a
  /// loss is not finite, before that loss has touched the model.
  bool run(const TrainingEvents& events);

  /// Where it stands; the seconds and the generator of this thread as of now.
  Position position() const;
  /// What belongs to a position beside the model's tensors, "optimizer.state.0.step" and so on. They share
  /// storage with the optimizer.
  NamedTensors state_dict() const;
  /// Goes on from there, with the model's tensors of then already in the model. Throws BadDataError,
  /// its message opening with `label`, for what fits no training like this one.
  void resume(const Position& position, const NamedTensors& state, const std::string& label);

 private:
  void expect_possible(const Position& at, const std::string& label) const;
  void take_step(const Batch& batch, const TrainingEvents& events);
  void finish_epoch(const TrainingEvents& events);
  double seconds() const;
  double images_per_second() const;

  Module& model_;
  const Settings& settings_;
  const DataLoader& train_;
  const DataLoader& test_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Schedule> schedule_;  // nullptr: the lr stays
  Position at_;
  Clock::time_point start_ = Clock::now();  // at_.seconds had passed then
};

}  // namespace gradus::app
