// Progress on stderr, in one of three ways: a bar that is drawn over itself when stderr is a
// terminal, one plain line per epoch when it is not (a log file, a pipe), nothing with --quiet.
//
// What stderr does not take is lost, and nothing else: a training needs no reader.
//
// NO_COLOR (https://no-color.org) leaves the bar without any escape code; TERM=dumb gets lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "records.h"
#include "stopwatch.h"

namespace gradus::app {

/// One line of stderr that is drawn over itself.
class DrawnLine {
 public:
  DrawnLine();
  ~DrawnLine() { clear(); }
  DrawnLine(const DrawnLine&) = delete;
  DrawnLine& operator=(const DrawnLine&) = delete;

  /// Is stderr a terminal that can do that?
  bool possible() const { return possible_; }
  /// Columns that there are.
  std::size_t columns() const;
  void draw(std::string text);
  /// Removes it, so that something else may be written.
  void clear();

 private:
  bool possible_;
  bool color_;
  std::size_t drawn_ = 0;  // columns it takes now
};

/// How far a piece of work is that may take a while: shown from its second second on, on a terminal ten
/// times a second, else as a line every half minute.
class TaskProgress {
 public:
  explicit TaskProgress(std::string what) : what_(std::move(what)) {}
  void show(std::int64_t done, std::int64_t total);

 private:
  std::string what_;
  DrawnLine line_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_{};
};

class Progress {
 public:
  /// Of `epochs` of `steps` steps each; so many steps were `done` by an earlier process.
  Progress(bool quiet, std::int64_t epochs, std::int64_t steps, std::int64_t done = 0);
  /// Draws at most ten times a second.
  void step(const StepRecord& step, double images_per_second);
  /// The epoch's line, which stays.
  void epoch(const EpochRecord& epoch);
  /// A line of its own, unless quiet.
  void line(const std::string& text);
  /// Removes the bar, so that something else may be written.
  void clear() { bar_.clear(); }

 private:
  std::string bar(const StepRecord& step, double images_per_second) const;
  double seconds_left(std::int64_t steps_done) const;

  bool quiet_;
  DrawnLine bar_;
  std::int64_t epochs_;
  std::int64_t steps_;
  std::int64_t done_;
  double loss_ = 0;  // smoothed over some twenty steps: single batches flicker
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_draw_{};
};

}  // namespace gradus::app
