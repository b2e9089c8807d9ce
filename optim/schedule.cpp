// The schedules' formulas.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/optim/detail/checks.h>
#include <gradus/optim/schedule.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <utility>

namespace gradus {

void Schedule::set_epoch(std::int64_t epoch) {
  if (epoch < 0) fail<ValueError>("Schedule: epoch must be at least 0, got ", epoch);
  for (std::size_t g = 0; g < optimizer_->group_count(); ++g)
    optimizer_->follow_schedule(lr_at(epoch, optimizer_->base_lr(g)), g);
  epoch_ = epoch;
}

namespace {

/// The one number under each of `keys`, in their order. Throws unless just these are there.
std::vector<double> read_numbers(const char* owner, const NamedTensors& tensors,
                                 const std::vector<std::string>& keys) {
  std::vector<double> numbers;
  for (const std::string& key : keys) {
    const auto has_key = [&](const auto& entry) { return entry.first == key; };
    const auto at = std::find_if(tensors.begin(), tensors.end(), has_key);
    if (at == tensors.end()) fail<ValueError>(owner, ": ", key, " is missing in the loaded state");
    if (!at->second.defined() || at->second.numel() != 1)
      fail<ValueError>(owner, ": ", key, " of the loaded state must be one number, got ",
                       describe(at->second));
    numbers.push_back(at->second.item());
  }
  for (const auto& [key, tensor] : tensors) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      fail<ValueError>(owner, ": ", key, " in the loaded state is unknown");
  }
  return numbers;
}

std::int64_t whole(const char* owner, const char* key, double number) {
  if (!(number >= 0 && number <= 0x1p53) || number != std::floor(number)) {
    fail<ValueError>(owner, ": ", key,
                     " of the loaded state must be a whole number from 0 to 2^53, got ", number);
  }
  return static_cast<std::int64_t>(number);
}

/// From `start` to `end` along half a cosine, `progress` from 0 to 1.
double cosine(double start, double end, double progress) {
  return end + (start - end) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

void check_rising(const char* schedule, const std::vector<std::int64_t>& milestones) {
  for (std::size_t k = 0; k < milestones.size(); ++k) {
    const std::int64_t before = k == 0 ? -1 : milestones[k - 1];
    if (milestones[k] <= before)
      fail<ValueError>(schedule, ": milestones must rise from 0 on, got ", milestones[k], " after ",
                       before);
  }
}

void check_positive(const char* schedule, const char* option, std::int64_t value) {
  if (value < 1) fail<ValueError>(schedule, ": ", option, " must be at least 1, got ", value);
}

}  // namespace

NamedTensors Schedule::state_dict() const { return {{"epoch", Tensor::from(&epoch_, Shape{})}}; }

void Schedule::load_state_dict(const NamedTensors& tensors) {
  set_epoch(whole("Schedule", "epoch", read_numbers("Schedule", tensors, {"epoch"})[0]));
}

StepLR::StepLR(Optimizer& optimizer, const StepLROptions& options)
    : Schedule(optimizer), options_(options) {
  if (options.step_size < 1)
    fail<ValueError>("StepLR: step_size must be at least 1, got ", options.step_size);
  if (!(options.gamma >= 0) || !std::isfinite(options.gamma)) {
    fail<ValueError>("StepLR: gamma must be finite and at least 0, got ", options.gamma);
  }
}

double StepLR::lr_at(std::int64_t epoch, double base_lr) const {
  return base_lr * std::pow(options_.gamma, static_cast<double>(epoch / options_.step_size));
}

CosineAnnealing::CosineAnnealing(Optimizer& optimizer, const CosineAnnealingOptions& options)
    : Schedule(optimizer), options_(options) {
  if (options.epochs < 1)
    fail<ValueError>("CosineAnnealing: epochs must be at least 1, got ", options.epochs);
  if (!(options.min_lr >= 0) || !std::isfinite(options.min_lr)) {
    fail<ValueError>("CosineAnnealing: min_lr must be finite and at least 0, got ", options.min_lr);
  }
}

double CosineAnnealing::lr_at(std::int64_t epoch, double base_lr) const {
  const double progress =
      std::min(1.0, static_cast<double>(epoch) / static_cast<double>(options_.epochs));
  return cosine(base_lr, options_.min_lr, progress);
}

MultiStepLR::MultiStepLR(Optimizer& optimizer, MultiStepLROptions options)
    : Schedule(optimizer), options_(std::move(options)) {
  check_rising("MultiStepLR", options_.milestones);
  check_not_negative("MultiStepLR", "gamma", options_.gamma);
  set_epoch(0);
}

double MultiStepLR::lr_at(std::int64_t epoch, double base_lr) const {
  const auto& all = options_.milestones;
  const auto past = std::upper_bound(all.begin(), all.end(), epoch) - all.begin();
  return base_lr * std::pow(options_.gamma, static_cast<double>(past));
}

ExponentialLR::ExponentialLR(Optimizer& optimizer, double gamma)
    : Schedule(optimizer), gamma_(gamma) {
  check_not_negative("ExponentialLR", "gamma", gamma);
}

double ExponentialLR::lr_at(std::int64_t epoch, double base_lr) const {
  return base_lr * std::pow(gamma_, static_cast<double>(epoch));
}

CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(
    Optimizer& optimizer, const CosineAnnealingWarmRestartsOptions& options)
    : Schedule(optimizer), options_(options) {
  check_positive("CosineAnnealingWarmRestarts", "period", options.period);
  check_positive("CosineAnnealingWarmRestarts", "factor", options.factor);
  check_not_negative("CosineAnnealingWarmRestarts", "min_lr", options.min_lr);
}

double CosineAnnealingWarmRestarts::lr_at(std::int64_t epoch, double base_lr) const {
  std::int64_t period = options_.period;
  if (options_.factor == 1) epoch %= period;
  while (epoch >= period) {
    epoch -= period;
    // The longest there is, longer than any training, stands for all that are longer.
    constexpr std::int64_t longest = std::numeric_limits<std::int64_t>::max();
    period = period > longest / options_.factor ? longest : period * options_.factor;
  }
  return cosine(base_lr, options_.min_lr, static_cast<double>(epoch) / static_cast<double>(period));
}

LinearLR::LinearLR(Optimizer& optimizer, const LinearLROptions& options)
    : Schedule(optimizer), options_(options) {
  if (!(options.start_factor > 0 && options.start_factor <= 1)) {
    fail<ValueError>("LinearLR: start_factor must be above 0 and at most 1, got ",
                     options.start_factor);
  }
  if (!(options.end_factor >= 0 && options.end_factor <= 1)) {
    fail<ValueError>("LinearLR: end_factor must be at least 0 and at most 1, got ",
                     options.end_factor);
  }
  check_positive("LinearLR", "epochs", options.epochs);
  set_epoch(0);
}

double LinearLR::lr_at(std::int64_t epoch, double base_lr) const {
  const double progress =
      static_cast<double>(std::min(epoch, options_.epochs)) / static_cast<double>(options_.epochs);
  return base_lr *
         (options_.start_factor + (options_.end_factor - options_.start_factor) * progress);
}

OneCycleLR::OneCycleLR(Optimizer& optimizer, const OneCycleLROptions& options)
    : Schedule(optimizer), options_(options) {
  check_positive("OneCycleLR", "steps", options.steps);
  if (!(options.rising >= 0 && options.rising <= 1))
    fail<ValueError>("OneCycleLR: rising must be from 0 to 1, got ", options.rising);
  if (!(options.div_factor >= 1) || !(options.final_div_factor >= 1)) {
    fail<ValueError>("OneCycleLR: div_factor and final_div_factor must be at least 1, got ",
                     options.div_factor, " and ", options.final_div_factor);
  }
  set_epoch(0);
}

double OneCycleLR::lr_at(std::int64_t epoch, double base_lr) const {
  // PyTorch's phases end at these steps, which need not be whole.
  const auto steps = static_cast<double>(options_.steps);
  const double top = options_.rising * steps - 1;
  const double last = steps - 1;
  const double step = std::min(static_cast<double>(epoch), last);
  const double start = base_lr / options_.div_factor;
  const double end = start / options_.final_div_factor;
  const bool rises = step <= top;
  const double from = rises ? start : base_lr;
  const double to = rises ? base_lr : end;
  const double length = rises ? top : last - top;
  const double progress = length > 0 ? (rises ? step : step - top) / length : 1;
  return options_.linear ? from + (to - from) * progress : cosine(from, to, progress);
}

LambdaLR::LambdaLR(Optimizer& optimizer, std::function<double(std::int64_t epoch)> factor)
    : Schedule(optimizer), factor_(std::move(factor)) {
  if (!factor_) fail<ValueError>("LambdaLR: there is no function");
  set_epoch(0);
}

double LambdaLR::lr_at(std::int64_t epoch, double base_lr) const {
  return base_lr * factor_(epoch);
}

SequentialLR::SequentialLR(Optimizer& optimizer, std::vector<std::unique_ptr<Schedule>> schedules,
                           std::vector<std::int64_t> milestones)
    : Schedule(optimizer), schedules_(std::move(schedules)), milestones_(std::move(milestones)) {
  if (schedules_.size() != milestones_.size() + 1) {
    fail<ValueError>("SequentialLR: ", schedules_.size(),
                     " schedules need one milestone less, got ", milestones_.size());
  }
  check_rising("SequentialLR", milestones_);
  for (std::size_t k = 0; k < schedules_.size(); ++k) {
    if (schedules_[k] == nullptr) fail<ValueError>("SequentialLR: schedule ", k, " is null");
  }
  set_epoch(0);
}

double SequentialLR::lr_at(std::int64_t epoch, double base_lr) const {
  const auto next = std::upper_bound(milestones_.begin(), milestones_.end(), epoch);
  const std::int64_t begin = next == milestones_.begin() ? 0 : *(next - 1);
  const auto which = static_cast<std::size_t>(next - milestones_.begin());
  return schedules_[which]->lr_at(epoch - begin, base_lr);
}

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& options)
    : optimizer_(&optimizer),
      options_(options),
      best_(options.maximize ? -std::numeric_limits<double>::infinity()
                             : std::numeric_limits<double>::infinity()) {
  check_decay("ReduceLROnPlateau", "factor", options.factor);
  check_not_negative("ReduceLROnPlateau", "threshold", options.threshold);
  check_not_negative("ReduceLROnPlateau", "min_lr", options.min_lr);
  if (options.patience < 0 || options.cooldown < 0) {
    fail<ValueError>("ReduceLROnPlateau: patience and cooldown must be at least 0, got ",
                     options.patience, " and ", options.cooldown);
  }
}

bool ReduceLROnPlateau::is_better(double metric) const {
  // Before the first metric; and a share of an infinity is none.
  if (std::isinf(best_)) return options_.maximize ? metric > best_ : metric < best_;
  const double sign = options_.maximize ? 1 : -1;
  const double bar = options_.absolute ? best_ + sign * options_.threshold
                                       : best_ * (1 + sign * options_.threshold);
  return options_.maximize ? metric > bar : metric < bar;
}

void ReduceLROnPlateau::step(double metric) {
  if (is_better(metric)) {
    best_ = metric;
    bad_epochs_ = 0;
  } else {
    ++bad_epochs_;
  }
  if (cooldown_left_ > 0) {
    --cooldown_left_;
    bad_epochs_ = 0;
  }
  if (bad_epochs_ <= options_.patience) return;
  for (std::size_t g = 0; g < optimizer_->group_count(); ++g) {
    const double before = optimizer_->lr(g);
    const double lower = std::max(before * options_.factor, options_.min_lr);
    if (before - lower > 1e-8) optimizer_->set_lr(lower, g);
  }
  cooldown_left_ = options_.cooldown;
  bad_epochs_ = 0;
}

NamedTensors ReduceLROnPlateau::state_dict() const {
  return {{"best", Tensor::scalar(best_, float64)},
          {"bad_epochs", Tensor::scalar(static_cast<double>(bad_epochs_), float64)},
          {"cooldown", Tensor::scalar(static_cast<double>(cooldown_left_), float64)}};
}

void ReduceLROnPlateau::load_state_dict(const NamedTensors& tensors) {
  const std::vector<double> numbers =
      read_numbers("ReduceLROnPlateau", tensors, {"best", "bad_epochs", "cooldown"});
  const std::int64_t bad_epochs = whole("ReduceLROnPlateau", "bad_epochs", numbers[1]);
  cooldown_left_ = whole("ReduceLROnPlateau", "cooldown", numbers[2]);
  bad_epochs_ = bad_epochs;
  best_ = numbers[0];
}

}  // namespace gradus
