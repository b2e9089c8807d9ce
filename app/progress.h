// Progress on stderr, in one of three ways: a bar that is drawn over itself when stderr is a
// terminal, one plain line per epoch when it is not (a log file, a pipe), nothing with --quiet.
//
// What stderr does not take is lost, and nothing else: a training needs no reader.
//
// NO_COLOR (https://no-color.org) leaves the bar without any escape code; TERM=dumb gets lines.
#pragma once

#include <cstdint>
#include <string>

#include "records.h"
#include "stopwatch.h"

namespace gradus::app {

class Progress {
 public:
  /// Of `epochs` of `steps` steps each; so many steps were `done` by an earlier process.
  Progress(bool quiet, std::int64_t epochs, std::int64_t steps, std::int64_t done = 0);
  /// Removes the bar.
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Draws at most ten times a second.
  void step(const StepRecord& step, double images_per_second);
  /// The epoch's line, which stays.
  void epoch(const EpochRecord& epoch);
  /// A line of its own, unless quiet.
  void line(const std::string& text);
  /// Removes the bar, so that something else may be written.
  void clear();

 private:
  std::string bar(const StepRecord& step, double images_per_second) const;
  double seconds_left(std::int64_t steps_done) const;

  bool quiet_;
  bool bar_;    // draw one
  bool color_;  // and in colour
  std::int64_t epochs_;
  std::int64_t steps_;
  std::int64_t done_;
  double loss_ = 0;        // smoothed over some twenty steps: single batches flicker
  std::size_t drawn_ = 0;  // columns the bar takes now
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_draw_{};
};

}  // namespace gradus::app
