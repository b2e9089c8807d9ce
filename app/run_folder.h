// The folder of a training: DIR/checkpoint.safetensors and DIR/metrics.jsonl.
//
// The checkpoint is one file, replaced as a whole: the model's tensors under their own names, those of the
// optimizer below "training.", and in its metadata the settings and the position. So whenever the program
// is killed, what is there is one state of one training, and goes on to the same bits as if nothing had
// happened. metrics.jsonl only gets longer; a checkpoint says how many of its bytes are its own.
//
// A loss that is no number is seen a step or more after the model was ruined. So while another is on the disk, from within
// an epoch or after one that went wrong, the checkpoint of the last whole epoch that went well is kept in memory, and put
// back then.
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
/// Throws NotFoundError, BadDataError; that also where they are of no use.
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

/// What data are called where a training knows none, as a net that was imported without; a folder of that name has a path.
inline constexpr const char* no_data = "none";
/// Throws NotFoundError for a training in `folder` that knows no data; `advice` says what to do then.
void expect_known_data(const RunRecord& run, const std::string& folder, const char* advice);

/// Throws UsageError where `folder` holds a net that was imported and never trained: there is nothing to go on with.
void expect_begun(const LoadedRun& run, const std::string& folder);

/// Throws BadDataError for a training that diverged before there was anything good to keep, in `folder` or file.
void expect_usable(const RunRecord& run, const std::string& folder);

/// All of a file, of a checkpoint for one. Throws NotFoundError and IoError.
std::string bytes_of_file(const std::string& name);

/// Of the training in `folder`, without its tensors. Throws as load_run() does.
RunRecord load_record(const std::filesystem::path& folder);
/// Throws NotFoundError when `folder` holds no training, BadDataError when its checkpoint is damaged.
LoadedRun load_run(const std::filesystem::path& folder);
/// The same with the weights that count in the model, to be used rather than trained on.
LoadedRun load_trained(const std::filesystem::path& folder);

/// Writes into the folder of a training.
class RunFolder {
 public:
  /// Both resume and serve go on with a training; they have other words for what cannot be.
  enum class Purpose { fresh, overwrite, resume, serve };
  /// Makes the folder and those above it. Throws UsageError, so that this is known before an hour of
  /// training, when it cannot be written, when another process has it, and with Purpose::fresh when a
  /// training is there; NotFoundError when none is there to go on with.
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
  void go_on_from(const RunRecord& run) {
    metrics_.go_on_from(run.metrics);
    is_tested_ = run.tested();
  }
  /// Adds a line to metrics.jsonl, which appears there with the next checkpoint.
  void add_metrics(const std::string& line) { metrics_.add(line); }
  /// Replaces the checkpoint; fills in run.metrics. Throws IoError, also where somebody has put another
  /// folder in the place of this one. `tested`: shown to be good, RunRecord::tested() and nothing changed since.
  void keep(const Module& model, const NamedTensors& training_state, RunRecord& run, bool tested);
  /// The training ends at `failed`, where a loss is no number. Steps before that may have ruined the model already, so the
  /// checkpoint is again that of the last whole epoch that went well. Where there is none the model is kept, as one that is of no use, but
  /// not in the place of steps that went well. `run` then says what is kept. Throws IoError as keep() does.
  void keep_diverged(const Module& model, const NamedTensors& training_state, RunRecord& run,
                     const Position& failed);

 private:
  void expect_still_there() const;
  std::filesystem::path tested_file() const;
  void forget_tested();
  void put_aside();
  void put_tested_back(RunRecord& run);
  void lock(const char* option);
  void settle_earlier();
  bool is_still_there() const;

  std::filesystem::path folder_;
  std::filesystem::path made_;  // the topmost folder that was made; empty: none
  int lock_ = -1;               // the folder, opened
  bool replaces_ = false;
  bool kept_ = false;
  bool is_tested_ = false;  // the checkpoint; while it is not, the last such one stands beside it
  MetricsFile metrics_;
};

/// Is this the checkpoint of a training? False also for what cannot be read.
bool is_checkpoint(const std::filesystem::path& file);

/// Is there one in `folder`?
bool is_training(const std::filesystem::path& folder);

/// What a file is to a training, there or not: "the checkpoint of a training". Empty where it is none that a training
/// keeps in its folder.
std::string kept_by_training(const std::filesystem::path& file);
/// Would a training in `folder` write over `file`?
bool would_replace(const std::filesystem::path& folder, const std::string& file);

}  // namespace gradus::app
