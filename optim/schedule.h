// Learning-rate schedules: a formula from the epoch to the learning rate.
//
// A schedule refers to its optimizer, which must outlive it and stay where it is. step(), called
// after each epoch, sets the lr of the next. The lr is a pure function of the epoch and of the
// optimizer's base_lr(), which is saved with the optimizer's state and which no schedule changes: so
// set_epoch(n) after loading a checkpoint is all that resuming takes, whichever was made first.
#pragma once

#include <gradus/optim/optimizer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace gradus {

/// Base of schedules.
class Schedule {
 public:
  virtual ~Schedule() = default;
  /// Goes on to the next epoch.
  void step() { set_epoch(epoch_ + 1); }
  /// Throws ValueError for a negative epoch.
  void set_epoch(std::int64_t epoch);
  std::int64_t epoch() const { return epoch_; }

  /// "epoch" (int64, 0-d). Loading is set_epoch(): the optimizer's own state, its base_lr among it, is to be
  /// loaded before. Throws ValueError where the key is missing, and for any other.
  NamedTensors state_dict() const;
  /// Sets the epoch, and with it the lr.
  void load_state_dict(const NamedTensors& tensors);
  double base_lr() const { return optimizer_->base_lr(); }

 protected:
  explicit Schedule(Optimizer& optimizer) : optimizer_(&optimizer) {}
  /// The learning rate at `epoch`, counted from 0, of a group that starts from base_lr.
  virtual double lr_at(std::int64_t epoch, double base_lr) const = 0;
  friend class SequentialLR;

 private:
  Optimizer* optimizer_;
  std::int64_t epoch_ = 0;
};

/// Options of StepLR.
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
  double lr_at(std::int64_t epoch, double base_lr) const override;
  StepLROptions options_;
};

/// Options of CosineAnnealing.
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
  double lr_at(std::int64_t epoch, double base_lr) const override;
  CosineAnnealingOptions options_;
};

/// Options of MultiStepLR.
struct MultiStepLROptions {
  std::vector<std::int64_t> milestones;  ///< epochs, rising
  double gamma = 0.1;
};

/// lr = base·gamma^(how many milestones are past)
class MultiStepLR final : public Schedule {
 public:
  /// Sets the lr of the first epoch, which may be a milestone. Throws ValueError unless milestones rise
  /// and gamma is finite and not negative.
  MultiStepLR(Optimizer& optimizer, MultiStepLROptions options);

 private:
  double lr_at(std::int64_t epoch, double base_lr) const override;
  MultiStepLROptions options_;
};

/// lr = base·gamma^epoch
class ExponentialLR final : public Schedule {
 public:
  /// Throws ValueError unless gamma is finite and not negative.
  ExponentialLR(Optimizer& optimizer, double gamma);

 private:
  double lr_at(std::int64_t epoch, double base_lr) const override;
  double gamma_;
};

/// Options of CosineAnnealingWarmRestarts.
struct CosineAnnealingWarmRestartsOptions {
  std::int64_t period = 1;  ///< epochs to the first restart
  std::int64_t factor = 1;  ///< each period is so many times as long as the one before
  double min_lr = 0;
};

/// Within each period CosineAnnealing's; then it starts again from base. Loshchilov and Hutter, eq. 5.
class CosineAnnealingWarmRestarts final : public Schedule {
 public:
  /// Throws ValueError unless period and factor are at least 1 and min_lr is finite and not negative.
  CosineAnnealingWarmRestarts(Optimizer& optimizer,
                              const CosineAnnealingWarmRestartsOptions& options);

 private:
  double lr_at(std::int64_t epoch, double base_lr) const override;
  CosineAnnealingWarmRestartsOptions options_;
};

/// Options of LinearLR.
struct LinearLROptions {
  double start_factor = 1.0 / 3;
  double end_factor = 1;
  std::int64_t epochs = 5;  ///< from one to the other
};

/// A warm-up: lr = base·(start + (end - start)·min(epoch, epochs)/epochs)
class LinearLR final : public Schedule {
 public:
  /// Throws ValueError unless 0 < start_factor <= 1, 0 <= end_factor <= 1 and epochs > 0.
  LinearLR(Optimizer& optimizer, const LinearLROptions& options = {});

 private:
  double lr_at(std::int64_t epoch, double base_lr) const override;
  LinearLROptions options_;
};

/// Options of OneCycleLR.
struct OneCycleLROptions {
  std::int64_t steps = 0;         ///< of the whole cycle; step() is then called after each batch
  double rising = 0.3;            ///< the share of steps in which lr rises
  double div_factor = 25;         ///< lr begins with base/div_factor
  double final_div_factor = 1e4;  ///< and ends with that over final_div_factor
  bool linear = false;            ///< or by cosines
};

/// Up to base, which is the greatest lr, and down far below the start. L. Smith, N. Topin,
/// "Super-convergence: very fast training of neural networks using large learning rates", 2018; in two
/// phases, without a cycle of momentum. After the last step lr stays.
class OneCycleLR final : public Schedule {
 public:
  /// Sets the lr of the first step. Throws ValueError unless steps > 0, 0 <= rising <= 1 and both
  /// factors are at least 1.
  OneCycleLR(Optimizer& optimizer, const OneCycleLROptions& options);

 private:
  double lr_at(std::int64_t epoch, double base_lr) const override;
  OneCycleLROptions options_;
};

/// lr = base·factor(epoch)
class LambdaLR final : public Schedule {
 public:
  LambdaLR(Optimizer& optimizer, std::function<double(std::int64_t epoch)> factor);

 private:
  double lr_at(std::int64_t epoch, double base_lr) const override;
  std::function<double(std::int64_t)> factor_;
};

/// One schedule after the other, each counting from 0 when its turn comes.
class SequentialLR final : public Schedule {
 public:
  /// From epoch milestones[k] on, schedule k + 1 is in force. Throws ValueError unless there is one
  /// milestone less than schedules, they rise, and no schedule is null. All schedules are of `optimizer`.
  SequentialLR(Optimizer& optimizer, std::vector<std::unique_ptr<Schedule>> schedules,
               std::vector<std::int64_t> milestones);

 private:
  double lr_at(std::int64_t epoch, double base_lr) const override;
  std::vector<std::unique_ptr<Schedule>> schedules_;
  std::vector<std::int64_t> milestones_;
};

/// Options of ReduceLROnPlateau.
struct ReduceLROnPlateauOptions {
  double factor = 0.1;
  std::int64_t patience = 10;  ///< epochs without improvement that are borne
  double threshold = 1e-4;  ///< an improvement is better by this share (or, absolute, by as much)
  bool absolute = false;
  bool maximize = false;  ///< the metric shall rise, as an accuracy
  std::int64_t cooldown = 0;
  double min_lr = 0;
};

/// Lowers lr when a metric has stopped getting better. It depends on what was measured, so it is no
/// Schedule: its state is saved.
class ReduceLROnPlateau {
 public:
  /// Throws ValueError unless 0 <= factor < 1 and the other options are not negative.
  explicit ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& options = {});
  /// After each epoch. A metric that is no number counts as none that is better.
  void step(double metric);

  /// "best", "bad_epochs", "cooldown" (float64, 0-d).
  NamedTensors state_dict() const;
  /// Throws ValueError for a key that is missing, or unknown.
  void load_state_dict(const NamedTensors& tensors);

 private:
  bool is_better(double metric) const;

  Optimizer* optimizer_;
  ReduceLROnPlateauOptions options_;
  double best_;
  std::int64_t bad_epochs_ = 0;
  std::int64_t cooldown_left_ = 0;
};

}  // namespace gradus
