// The schedules' formulas.
#include <gradus/core/error.h>
#include <gradus/optim/schedule.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gradus {

void Schedule::set_epoch(std::int64_t epoch) {
  if (epoch < 0) fail<ValueError>("Schedule: epoch must be at least 0, got ", epoch);
  optimizer_->follow_schedule(lr_at(epoch));
  epoch_ = epoch;
}

StepLR::StepLR(Optimizer& optimizer, const StepLROptions& options)
    : Schedule(optimizer), options_(options) {
  if (options.step_size < 1)
    fail<ValueError>("StepLR: step_size must be at least 1, got ", options.step_size);
  if (!(options.gamma >= 0) || !std::isfinite(options.gamma)) {
    fail<ValueError>("StepLR: gamma must be finite and at least 0, got ", options.gamma);
  }
}

double StepLR::lr_at(std::int64_t epoch) const {
  return base_lr() * std::pow(options_.gamma, static_cast<double>(epoch / options_.step_size));
}

CosineAnnealing::CosineAnnealing(Optimizer& optimizer, const CosineAnnealingOptions& options)
    : Schedule(optimizer), options_(options) {
  if (options.epochs < 1)
    fail<ValueError>("CosineAnnealing: epochs must be at least 1, got ", options.epochs);
  if (!(options.min_lr >= 0) || !std::isfinite(options.min_lr)) {
    fail<ValueError>("CosineAnnealing: min_lr must be finite and at least 0, got ", options.min_lr);
  }
}

double CosineAnnealing::lr_at(std::int64_t epoch) const {
  const double progress =
      std::min(1.0, static_cast<double>(epoch) / static_cast<double>(options_.epochs));
  return options_.min_lr +
         (base_lr() - options_.min_lr) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

}  // namespace gradus
