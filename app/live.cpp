// One lock for all: whoever holds it does next to nothing. Only what the training does for others, a copy of its
// weights or a checkpoint, is done without it.
#include "live.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace gradus::app {
namespace {

/// Where in `all` those stand that are behind what `known` holds for; at most LiveNews::most.
template <class T, class Known>
std::vector<std::size_t> chosen_behind(const std::vector<T>& all, const Known& known) {
  const auto first =
      static_cast<std::size_t>(std::partition_point(all.begin(), all.end(), known) - all.begin());
  const std::size_t count = all.size() - first;
  const std::size_t most = std::min(count, LiveNews::most);
  std::vector<std::size_t> chosen;
  for (std::size_t i = 1; i <= most; ++i) chosen.push_back(first + i * count / most - 1);
  return chosen;
}

}  // namespace

std::string_view to_string(LiveState state) {
  switch (state) {
    case LiveState::running:
      return "running";
    case LiveState::paused:
      return "paused";
    case LiveState::finished:
      return "finished";
  }
  return "?";
}

void Live::begin(const LiveSnapshot& start, std::int64_t steps_per_epoch, double lr) {
  const std::lock_guard lock(mutex_);
  const Position& at = start.run.position;
  metrics_ = start.metrics;
  rates_ = learning_rates(metrics_);
  epochs_ = start.run.settings.epochs;
  steps_per_epoch_ = steps_per_epoch;
  step_ = at.step;
  epoch_ = at.epoch;
  lr_ = lr;
  last_ = std::make_shared<const LiveSnapshot>(start);
  last_is_now_ = true;
}

void Live::add(const ParameterRecord& parameter) {
  const std::lock_guard lock(mutex_);
  metrics_.parameters.push_back(parameter);
}

void Live::add(const StepRecord& step, double lr, double images_per_second) {
  const std::lock_guard lock(mutex_);
  metrics_.steps.push_back(step);
  rates_.push_back(lr_);
  step_ = step.step;
  lr_ = lr;
  images_per_second_ = images_per_second;
  last_is_now_ = false;
}

void Live::add(const EpochRecord& epoch, double lr) {
  const std::lock_guard lock(mutex_);
  metrics_.epochs.push_back(epoch);
  epoch_ = epoch.epoch + 1;
  lr_ = lr;
  last_is_now_ = false;
}

void Live::answer(std::unique_lock<std::mutex>& lock, const Answers& answers) {
  if (const double lr = std::exchange(wanted_lr_, 0); lr > 0) {
    lock.unlock();
    const RateRecord change = answers.change(lr);
    lock.lock();
    metrics_.rates.push_back(change);
    lr_ = change.lr;
    last_is_now_ = false;
  }
  if (!wants_snapshot_) return;
  lock.unlock();
  LiveSnapshot now = answers.snapshot();
  lock.lock();
  now.metrics = metrics_;
  last_ = std::make_shared<const LiveSnapshot>(std::move(now));
  last_is_now_ = true;
  wants_snapshot_ = false;
  changed_.notify_all();
}

Clock::duration Live::attend(const Answers& answers) {
  if (!attention_.load()) return {};
  constexpr std::chrono::milliseconds glance{50};  // a signal raises a flag that nobody is woken by
  Clock::duration waited{};
  std::unique_lock lock(mutex_);
  answer(lock, answers);
  while (paused_ && allowed_ == 0 && !answers.should_stop()) {
    const Clock::time_point start = Clock::now();
    state_ = LiveState::paused;
    changed_.wait_for(lock, glance);
    answer(lock, answers);
    waited += Clock::now() - start;
  }
  state_ = LiveState::running;
  if (allowed_ > 0) --allowed_;
  attention_ = paused_ || wanted_lr_ > 0 || wants_snapshot_;
  return waited;
}

void Live::end(LiveSnapshot last) {
  const std::lock_guard lock(mutex_);
  state_ = LiveState::finished;
  last_ = std::make_shared<const LiveSnapshot>(std::move(last));
  last_is_now_ = true;
  wants_snapshot_ = false;
  changed_.notify_all();
}

bool Live::wish(const std::function<void()>& change) {
  const std::lock_guard lock(mutex_);
  if (state_ == LiveState::finished) return false;
  change();
  attention_ = true;
  changed_.notify_all();
  return true;
}

bool Live::pause() {
  return wish([&] { paused_ = true; });
}

bool Live::go_on() {
  return wish([&] {
    paused_ = false;
    allowed_ = 0;
  });
}

bool Live::step() {
  return wish([&] {
    paused_ = true;
    ++allowed_;
  });
}

bool Live::change_lr(double lr) {
  return wish([&] { wanted_lr_ = lr; });
}

std::shared_ptr<const LiveSnapshot> Live::snapshot() {
  constexpr std::chrono::minutes longest{1};
  std::unique_lock lock(mutex_);
  if (!last_ || closed_) return nullptr;
  if (last_is_now_) return last_;
  wants_snapshot_ = true;
  attention_ = true;
  changed_.notify_all();
  changed_.wait_for(lock, longest, [&] { return last_is_now_ || !wants_snapshot_ || closed_; });
  return wants_snapshot_ || closed_ ? nullptr : last_;
}

std::shared_ptr<const LiveSnapshot> Live::last_snapshot() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

bool Live::finished() const {
  const std::lock_guard lock(mutex_);
  return state_ == LiveState::finished;
}

LiveNews Live::news(std::int64_t after_step, std::int64_t after_epoch) const {
  const std::lock_guard lock(mutex_);
  LiveNews news{.state = state_,
                .step = step_,
                .steps = epochs_ * steps_per_epoch_,
                .epoch = epoch_,
                .epochs = epochs_,
                .lr = lr_,
                .images_per_second = images_per_second_};
  const std::vector<StepRecord>& steps = metrics_.steps;
  const std::vector<EpochRecord>& epochs = metrics_.epochs;
  for (const std::size_t i :
       chosen_behind(steps, [&](const StepRecord& step) { return step.step <= after_step; })) {
    news.new_steps.push_back(
        {.step = steps[i].step, .loss = steps[i].loss, .learning_rate = rates_[i]});
  }
  for (const std::size_t i :
       chosen_behind(epochs, [&](const EpochRecord& each) { return each.epoch <= after_epoch; }))
    news.new_epochs.push_back(epochs[i]);
  return news;
}

void Live::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

}  // namespace gradus::app
