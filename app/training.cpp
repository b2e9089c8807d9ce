// One step is five lines; the rest of this file measures, reports, and stops in time.
#include "training.h"

#include <gradus/autograd/functions.h>
#include <gradus/core/math.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/schedule.h>
#include <gradus/optim/sgd.h>

#include <cmath>

#include "exit_code.h"
#include "stopwatch.h"

namespace gradus::app {
namespace {

std::unique_ptr<Schedule> make_schedule(const Settings& settings, Optimizer& optimizer) {
  if (settings.schedule == "none") return nullptr;
  return std::make_unique<CosineAnnealing>(optimizer,
                                           CosineAnnealingOptions{.epochs = settings.epochs});
}

void expect_finite(double loss, const char* which, std::int64_t epoch, std::int64_t step,
                   const Settings& settings) {
  if (std::isfinite(loss)) return;
  fail<Diverged>("training diverged: the ", which, " is ", loss, " in epoch ", epoch, ", at step ",
                 step, "; try an --lr below ", settings.lr);
}

/// What an epoch has come to so far.
struct Totals {
  double loss_sum = 0;  // over images
  std::int64_t images = 0;

  void add(double batch_loss, std::int64_t batch_size) {
    loss_sum += batch_loss * static_cast<double>(batch_size);
    images += batch_size;
  }
  double mean_loss() const { return images == 0 ? 0 : loss_sum / static_cast<double>(images); }
};

}  // namespace

Evaluation evaluate(Module& model, const DataLoader& data) {
  const NoGrad no_grad;
  const bool was_training = model.is_training();
  model.eval();
  Totals totals;
  double correct = 0;
  for (const Batch& batch : data.epoch(0)) {
    const Variable logits = model(batch.images);  // [B,classes]
    totals.add(cross_entropy(logits, batch.labels).item(), batch.labels.size(0));
    const Tensor hits = core::eq(core::argmax(logits.value(), 1), batch.labels);
    correct += core::sum(hits.to(int64)).item();
  }
  model.train(was_training);
  return {.loss = totals.mean_loss(),
          .accuracy = correct / static_cast<double>(totals.images),
          .images = totals.images};
}

std::unique_ptr<Optimizer> make_optimizer(const Settings& s, const Module& model) {
  if (s.optimizer == "sgd") {
    return std::make_unique<SGD>(
        model.parameters(),
        SGDOptions{.lr = s.lr, .momentum = s.momentum, .weight_decay = s.weight_decay});
  }
  if (s.optimizer == "adamw") {
    return std::make_unique<AdamW>(model.parameters(),
                                   AdamWOptions{.lr = s.lr, .weight_decay = s.weight_decay});
  }
  return std::make_unique<Adam>(model.parameters(),
                                AdamOptions{.lr = s.lr, .weight_decay = s.weight_decay});
}

bool train(Module& model, const Settings& settings, const DataLoader& train, const DataLoader& test,
           const TrainingEvents& events) {
  const std::unique_ptr<Optimizer> optimizer = make_optimizer(settings, model);
  const std::unique_ptr<Schedule> schedule = make_schedule(settings, *optimizer);
  const Clock::time_point start = Clock::now();
  double evaluation_seconds = 0;
  std::int64_t images = 0;
  const auto images_per_second = [&] {
    return static_cast<double>(images) / (seconds_since(start) - evaluation_seconds);
  };

  StepRecord step;
  for (step.epoch = 1; step.epoch <= settings.epochs; ++step.epoch) {
    model.train();
    Totals totals;
    for (const Batch& batch : train.epoch(step.epoch - 1)) {
      if (events.should_stop && events.should_stop()) return false;
      ++step.step;
      const Variable loss = cross_entropy(model(batch.images), batch.labels);
      step.loss = loss.item();
      expect_finite(step.loss, "loss", step.epoch, step.step, settings);
      optimizer->zero_grad();
      loss.backward();
      optimizer->step();

      totals.add(step.loss, batch.labels.size(0));
      images += batch.labels.size(0);
      if (events.on_step) events.on_step(step, images_per_second());
    }
    EpochRecord epoch{.epoch = step.epoch,
                      .lr = optimizer->lr(),
                      .train_loss = totals.mean_loss(),
                      .images_per_second = images_per_second()};
    const Clock::time_point evaluation_start = Clock::now();
    const Evaluation result = evaluate(model, test);
    evaluation_seconds += seconds_since(evaluation_start);
    expect_finite(result.loss, "test loss", step.epoch, step.step, settings);
    epoch.test_loss = result.loss;
    epoch.test_accuracy = result.accuracy;
    epoch.seconds = seconds_since(start);
    if (events.on_epoch) events.on_epoch(epoch);
    if (schedule) schedule->step();
  }
  return true;
}

}  // namespace gradus::app
