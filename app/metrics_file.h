// metrics.jsonl: lines that a training adds and a checkpoint counts.
//
// What is behind those that the checkpoint counts was written before the program was killed, or tells how a training
// diverged that went back to its checkpoint: when it goes on from there, that is cut off.
// A new training writes into metrics.jsonl.new, which takes the name when there is a checkpoint that counts
// it: until then the lines of an earlier training are whole.
#pragma once

#include <filesystem>
#include <string>

#include "records.h"

namespace gradus::app {

/// The lines of a training that its checkpoint counts; of what stands behind them it does not know. Throws
/// NotFoundError, its message opening with `operation`, and BadDataError for other lines than those counted.
Metrics read_metrics(const char* operation, const std::filesystem::path& folder,
                     const MetricsRecord& counted);
/// The same, and what came behind them of a training that diverged, for which it went back to its checkpoint.
Metrics read_course(const char* operation, const std::filesystem::path& folder,
                    const MetricsRecord& counted);

class MetricsFile {
 public:
  explicit MetricsFile(std::filesystem::path file) : file_(std::move(file)) {}
  /// Takes away a file that never got its name.
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

  /// What a process that was killed has left as metrics.jsonl.new takes the name where a checkpoint counts its lines and
  /// those of metrics.jsonl are others, and else is removed. Throws IoError.
  void settle_leftover(const MetricsRecord& counted);
  /// Goes on with the lines that a checkpoint counts. Where the file has others it is put aside as
  /// metrics.jsonl.old, with a warning. Throws IoError, also for one that cannot be opened or read, which stays where
  /// it is: nobody knows whose lines it has.
  void go_on_from(const MetricsRecord& counted);
  void add(const std::string& line) { waiting_ += line + '\n'; }
  /// Writes the lines that wait, so that they are on the disk: what a checkpoint may count. Throws IoError.
  MetricsRecord flush();
  /// The checkpoint is there. Throws IoError.
  void take_name();

 private:
  [[noreturn]] void refuse(const std::string& what, int error) const;
  void begin();

  std::filesystem::path file_;
  int descriptor_ = -1;
  bool unnamed_ = false;  // it is metrics.jsonl.new
  std::string waiting_;
  MetricsRecord written_{};
  bool has_more_ = false;  // may lines stand behind those?
};

}  // namespace gradus::app
