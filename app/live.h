// What a training and those who watch it tell each other, whoever these are.
//
// The training thread says what happened, and calls attend() between two steps: there it hands out what was asked for,
// changes the rate, and waits while it is paused. All other threads ask and wish, and touch nothing that is the
// training's: a LiveSnapshot is copies. So a training that is watched does the same steps to the bit, and one that
// nobody watches pays for a lock for each step.
#pragma once

#include <gradus/io/safetensors.h>
#include <gradus/report/report.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "records.h"
#include "stopwatch.h"

namespace gradus::app {

/// What a training does just now.
enum class LiveState { running, paused, finished };
/// "running", "paused", "finished".
std::string_view to_string(LiveState state);

/// A training between two steps.
struct LiveSnapshot {
  RunRecord
      run{};  ///< its position and last epoch as of then; no best one: these are the weights of now
  NamedTensors weights{};  ///< copies
  NamedTensors
      kernels{};  ///< of Training::state_dict() those of the KernelHistory, which nobody writes to
  Metrics metrics{};
};

/// What somebody does not know yet who knows all up to a step and an epoch. Of more than `most` steps or epochs as many,
/// evenly chosen, with the last.
struct LiveNews {
  static constexpr std::size_t most = 2000;
  LiveState state = LiveState::running;
  std::int64_t step = 0;   ///< steps that are done
  std::int64_t steps = 0;  ///< of the whole training, so far as it is planned
  std::int64_t epoch = 0;  ///< that of the next step
  std::int64_t epochs = 0;
  double lr = 0;                 ///< of the next step
  double images_per_second = 0;  ///< NaN before the first step
  std::vector<ReportStep> new_steps{};
  std::vector<EpochRecord> new_epochs{};
};

class Live {
 public:
  /// What attend() asks the training for.
  struct Answers {
    std::function<LiveSnapshot()> snapshot;    ///< without metrics
    std::function<RateRecord(double)> change;  ///< of the learning rate
    std::function<bool()> should_stop;         ///< ends waiting
  };

  // ---- The training thread.

  /// Of `steps_per_epoch` steps an epoch; `before` is what an earlier process has done.
  void begin(const LiveSnapshot& start, std::int64_t steps_per_epoch, double lr);
  void add(const ParameterRecord& parameter);
  /// `lr` is that of the next step.
  void add(const StepRecord& step, double lr, double images_per_second);
  void add(const EpochRecord& epoch, double lr);
  /// Between two steps. Returns how long it has waited.
  Clock::duration attend(const Answers& answers);
  /// It has finished: no step follows, and snapshot() gives the last.
  void end(LiveSnapshot last);

  // ---- Any thread.

  /// Each false where no step can follow.
  bool pause();
  bool go_on();
  /// One more step, and then none.
  bool step();
  /// `lr` is finite and above 0; in force when the next step begins.
  bool change_lr(double lr);

  /// As it is now: waits for the step that is being done, or an evaluation. Null where that takes more than a minute,
  /// and when it is closed or nothing has begun.
  std::shared_ptr<const LiveSnapshot> snapshot();
  /// The last that was handed out, the first one of begin(): at once. Null before that.
  std::shared_ptr<const LiveSnapshot> last_snapshot() const;
  bool finished() const;
  LiveNews news(std::int64_t after_step, std::int64_t after_epoch) const;
  /// Nobody waits any longer, for anything.
  void close();
  bool closed() const { return closed_; }

 private:
  bool wish(const std::function<void()>& change);
  void answer(std::unique_lock<std::mutex>& lock, const Answers& answers);

  mutable std::mutex mutex_;  // guards all below but the two that are atomic
  std::condition_variable changed_;
  std::atomic<bool> attention_{false};  // somebody wants something, or the training is paused
  std::atomic<bool> closed_{false};

  bool paused_ = false;       // asked for
  std::int64_t allowed_ = 0;  // steps to be done all the same
  double wanted_lr_ = 0;      // 0: as it is
  bool wants_snapshot_ = false;

  LiveState state_ = LiveState::running;
  std::int64_t epochs_ = 0;
  std::int64_t steps_per_epoch_ = 1;
  std::int64_t step_ = 0;
  std::int64_t epoch_ = 1;
  double lr_ = 0;
  double images_per_second_ = std::numeric_limits<double>::quiet_NaN();
  Metrics metrics_;
  std::vector<double> rates_;  // of metrics_.steps
  std::shared_ptr<const LiveSnapshot> last_;
  bool last_is_now_ = false;
};

}  // namespace gradus::app
