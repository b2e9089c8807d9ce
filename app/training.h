// The training loop of `gradus train`, apart from files and terminals: it computes, and tells what
// happened through TrainingEvents.
#pragma once

#include <gradus/data/loader.h>
#include <gradus/layers/module.h>
#include <gradus/optim/optimizer.h>

#include <functional>
#include <memory>

#include "records.h"

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

/// The optimizer that `settings` describes.
std::unique_ptr<Optimizer> make_optimizer(const Settings& settings, const Module& model);

/// Called by train(); each may be left empty.
struct TrainingEvents {
  std::function<void(const StepRecord&, double images_per_second)> on_step{};
  /// After the epoch's evaluation: the moment to save the model.
  std::function<void(const EpochRecord&)> on_epoch{};
  /// Asked after every step; true ends the training there.
  std::function<bool()> should_stop{};
};

/// Trains for settings.epochs passes over `train`, evaluating on `test` after each. Returns false
/// when should_stop ended it early. Throws Diverged when a loss is not finite, before that loss has
/// touched the model.
bool train(Module& model, const Settings& settings, const DataLoader& train, const DataLoader& test,
           const TrainingEvents& events);

}  // namespace gradus::app
