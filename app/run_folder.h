// The folder of a training: DIR/model.safetensors, DIR/run.json and DIR/metrics.jsonl.
//
// An earlier training in the same folder is replaced only when the new one has finished its first
// epoch; until then the new metrics wait in metrics.jsonl.new. Each file is replaced as a whole.
#pragma once

#include <gradus/layers/sequential.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "records.h"

namespace gradus::app {

class RunFolder {
 public:
  /// Makes the folder and those above it. Throws UsageError when it cannot be written, so that this
  /// is known before an hour of training.
  explicit RunFolder(std::filesystem::path folder);
  /// When no epoch was kept, takes away what the constructor made.
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  std::filesystem::path model_file() const { return folder_ / "model.safetensors"; }

  /// Adds a line to metrics.jsonl.
  void add_metrics(const std::string& line);
  /// Replaces model and run.json, and makes the metrics so far visible. Throws IoError.
  void keep(const Module& model, const RunRecord& run);
  /// Replaces run.json alone.
  void update(const RunRecord& run) const;

 private:
  void check_metrics() const;

  std::filesystem::path folder_;
  bool made_folder_ = false;
  bool kept_ = false;
  std::ofstream metrics_;
};

/// A training read back.
struct LoadedRun {
  RunRecord record;
  Sequential model;
};

/// Throws NotFoundError when `folder` holds no training, BadDataError when its files are damaged or
/// do not belong together.
LoadedRun load_run(const std::filesystem::path& folder);

}  // namespace gradus::app
