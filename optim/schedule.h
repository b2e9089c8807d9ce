// Learning-rate schedules: a formula from the epoch to the learning rate.
//
// A schedule refers to its optimizer, which must outlive it and stay where it is. step(), called
// after each epoch, sets the lr of the next. The lr is a pure function of the epoch and of the
// optimizer's base_lr(), which is saved with the optimizer's state and which no schedule changes: so
// set_epoch(n) after loading a checkpoint is all that resuming takes, whichever was made first.
#pragma once

#include <gradus/optim/optimizer.h>

#include <cstdint>

namespace gradus {

class Schedule {
 public:
  virtual ~Schedule() = default;
  /// Goes on to the next epoch.
  void step() { set_epoch(epoch_ + 1); }
  /// Throws ValueError for a negative epoch.
  void set_epoch(std::int64_t epoch);
  std::int64_t epoch() const { return epoch_; }
  double base_lr() const { return optimizer_->base_lr(); }

 protected:
  explicit Schedule(Optimizer& optimizer) : optimizer_(&optimizer) {}
  /// The learning rate at `epoch`, counted from 0.
  virtual double lr_at(std::int64_t epoch) const = 0;

 private:
  Optimizer* optimizer_;
  std::int64_t epoch_ = 0;
};

struct StepLROptions {
  std::int64_t step_size = 1;
  double gamma = 0.1;
};

/// lr = base·gamma^floor(epoch/step_size)
class StepLR final : public Schedule {
 public:
  /// Throws ValueError unless step_size > 0 and gamma is finite and not negative.
  StepLR(Optimizer& optimizer, const StepLROptions& options);

 private:
  double lr_at(std::int64_t epoch) const override;
  StepLROptions options_;
};

struct CosineAnnealingOptions {
  std::int64_t epochs = 1;  ///< half a period: lr reaches min_lr at this epoch
  double min_lr = 0;
};

/// lr = min + (base - min)·(1 + cos(π·epoch/epochs))/2; after `epochs` it stays at min.
/// I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
/// ICLR 2017, eq. 5.
class CosineAnnealing final : public Schedule {
 public:
  /// Throws ValueError unless epochs > 0 and min_lr is finite and not negative.
  CosineAnnealing(Optimizer& optimizer, const CosineAnnealingOptions& options);

 private:
  double lr_at(std::int64_t epoch) const override;
  CosineAnnealingOptions options_;
};

}  // namespace gradus
