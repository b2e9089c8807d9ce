// The numbers of a training as TensorBoard wants them.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "event_file.h"
#include "records.h"

namespace gradus::app {

/// What TensorBoard is to show, written with the next checkpoint.
class Scalars {
 public:
  /// Behind the steps that an earlier process has `done`: TensorBoard forgets what any file says of later ones.
  explicit Scalars(std::int64_t done) : first_step_(done + 1) {}
  void add(const char* tag, std::int64_t step, double value) {
    if (!std::isnan(value)) waiting_.push_back({tag, step, value, wall_time()});
  }
  void add(const EpochRecord& epoch, std::int64_t step) {
    add("loss/epoch", step, epoch.train_loss);
    add("loss/validation", step, epoch.validation_loss);
    add("loss/test", step, epoch.test_loss);
    add("accuracy/validation", step, epoch.validation_accuracy);
    add("accuracy/test", step, epoch.test_accuracy);
    add("lr", step, epoch.lr);
  }
  void write(const std::filesystem::path& folder) {
    if (!file_) file_.emplace(folder, EventFileOptions{.first_step = first_step_});
    for (const Scalar& s : waiting_) file_->scalar(s.tag, s.step, s.value, s.time);
    file_->flush();
    waiting_.clear();
  }

 private:
  struct Scalar {
    std::string tag;
    std::int64_t step;
    double value;
    double time;
  };
  static double wall_time() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  std::int64_t first_step_;
  std::vector<Scalar> waiting_;
  std::optional<EventFile> file_;
};

}  // namespace gradus::app
