// The folder of a training: DIR/checkpoint.safetensors and DIR/metrics.jsonl.
//
// The checkpoint is one file, replaced as a whole: the model's tensors under their own names, those of the
// optimizer below "training.", and in its metadata the settings and the position. So whenever the program
// is killed, what is there is one state of one training, and goes on to the same bits as if nothing had
// happened. metrics.jsonl only gets longer; a checkpoint says how many of its bytes are its own.
//
// Nothing is written before the first checkpoint, so that an earlier training that is written over is whole
// until then. One process at a time: the folder is locked.
#pragma once

#include <gradus/layers/sequential.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "metrics_file.h"
#include "records.h"

namespace gradus::app {

/// What a file says of the model in it, whose weights are those of `epoch`: the same for the same training,
/// so nothing of time or threads.
std::map<std::string, std::string> metadata_of_model(const RunRecord& run, std::int64_t epoch);

/// Weights, and what their classes are called: nothing where that is not known.
struct KnownWeights {
  NamedTensors tensors;
  std::optional<std::vector<std::string>> class_names;
};

/// Of a .safetensors file, a checkpoint or the folder of a training: of the latter two the weights that count.
/// Throws NotFoundError, BadDataError.
KnownWeights load_weights(const std::string& file);

/// A training read back.
struct LoadedRun {
  RunRecord record;
  Sequential model;             ///< as the last step left it
  NamedTensors training_state;  ///< Training::state_dict()
};

/// Those of all classes: numbers where they have none.
std::vector<std::string> all_class_names(const RunRecord& run);

/// What an ONNX file of ours says under "pixels": what becomes of a pixel, or of numbers that are none. "mean" and "stddev"
/// have a number for each channel, "white" says how the numbers of the training were told from 0 to 1.
inline constexpr const char* pixels_of_pictures = "(pixel/255 - mean)/stddev";
inline constexpr const char* pixels_of_numbers = "(number - mean)/stddev";

/// Throws NotFoundError when `folder` holds no training, BadDataError when its checkpoint is damaged.
LoadedRun load_run(const std::filesystem::path& folder);
/// The same with the weights that count in the model, to be used rather than trained on.
LoadedRun load_trained(const std::filesystem::path& folder);

/// Writes into the folder of a training.
class RunFolder {
 public:
  enum class Purpose { fresh, overwrite, resume };
  /// Makes the folder and those above it. Throws UsageError, so that this is known before an hour of
  /// training, when it cannot be written, when another process has it, and with Purpose::fresh when a
  /// training is there; NotFoundError with Purpose::resume when none is.
  RunFolder(std::filesystem::path folder, Purpose purpose);
  /// When no checkpoint was kept, takes away what the constructor made.
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  std::filesystem::path checkpoint_file() const { return folder_ / "checkpoint.safetensors"; }
  /// Is a checkpoint of this training there?
  bool kept() const { return kept_; }
  /// Would the next checkpoint be in the place of another training's?
  bool replaces_another() const { return replaces_ && !kept_; }

  /// Of the training that goes on here. Throws IoError.
  void go_on_from(const MetricsRecord& metrics) { metrics_.go_on_from(metrics); }
  /// Adds a line to metrics.jsonl, which appears there with the next checkpoint.
  void add_metrics(const std::string& line) { metrics_.add(line); }
  /// Replaces the checkpoint; fills in run.metrics. Throws IoError, also where somebody has put another
  /// folder in the place of this one.
  void keep(const Module& model, const NamedTensors& training_state, RunRecord& run);

 private:
  void lock(const char* option);
  void settle_earlier();
  bool is_still_there() const;

  std::filesystem::path folder_;
  std::filesystem::path made_;  // the topmost folder that was made; empty: none
  int lock_ = -1;               // the folder, opened
  bool replaces_ = false;
  bool kept_ = false;
  MetricsFile metrics_;
};

/// Is this the checkpoint of a training? False also for what cannot be read.
bool is_checkpoint(const std::filesystem::path& file);

}  // namespace gradus::app
