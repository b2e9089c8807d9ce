// In the order of what must be on the disk first: the lines of metrics.jsonl, the checkpoint that counts
// them, and where both are new the name of metrics.jsonl.
#include "run_folder.h"

#include <gradus/core/log.h>
#include <gradus/core/version.h>
#include <gradus/io/atomic_file.h>
#include <gradus/io/input_file.h>
#include <gradus/io/safetensors.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "build_model.h"
#include "event_file.h"
#include "exit_code.h"
#include "json.h"
#include "output_file.h"
#include "training.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

const std::string training_prefix = "training.";
constexpr const char* run_key = "run";
constexpr const char* names_key = "class_names";
constexpr const char* checkpoint_name = "checkpoint.safetensors";
constexpr const char* tested_name = "checkpoint.tested.safetensors";
constexpr const char* metrics_name = "metrics.jsonl";

/// All that a training writes into its folder.
struct KeptFile {
  std::string_view name;
  bool goes_on;  // is it only how the name begins?
  const char* what;
};
constexpr KeptFile kept_files[] = {
    {checkpoint_name, false, "the checkpoint of a training"},
    {".checkpoint.safetensors.", true, "an unfinished checkpoint of a training"},
    {tested_name, false, "the last good checkpoint of a training"},
    {".checkpoint.tested.safetensors.", true, "an unfinished checkpoint of a training"},
    {metrics_name, false, "the metrics of a training"},
    {"metrics.jsonl.new", false, "the unfinished metrics of a training"},  // see metrics_file.h
    {"metrics.jsonl.old", true, "the earlier metrics of a training"},
    {event_file_start, true, "an event file of a training"},
};

bool goes_on(RunFolder::Purpose purpose) {
  return purpose == RunFolder::Purpose::resume || purpose == RunFolder::Purpose::serve;
}

/// By which the folder was named.
const char* option_of(RunFolder::Purpose purpose) {
  if (purpose == RunFolder::Purpose::serve) return "serve";
  return purpose == RunFolder::Purpose::resume ? "--resume" : "--out";
}

[[noreturn]] void refuse(const char* option, const fs::path& folder, const std::string& what) {
  fail<UsageError>(option, " ", folder.string(), ": ", what);
}

void expect_checkpoint(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / checkpoint_name, error)) return;
  fail<NotFoundError>(folder.string(), ": no training here, ", checkpoint_name,
                      " is missing; to make one: gradus train --out ", folder.string());
}

/// Of all the topmost one that was not there; empty when there was nothing to make.
fs::path make_folders(const fs::path& folder, std::error_code& error) {
  fs::path made;
  for (fs::path above = folder; !above.empty() && !fs::exists(above, error);
       above = above.parent_path())
    made = above;
  error.clear();
  fs::create_directories(folder, error);
  return error ? fs::path() : made;
}

/// Of a folder that is taken: what it holds, and how that is used where it is of use.
std::string what_is_there(const fs::path& folder) {
  const fs::path checkpoint = folder / checkpoint_name;
  std::error_code error;
  if (!fs::exists(checkpoint, error)) return std::string(metrics_name) + " is there already: ";
  const std::string training = "a training is there already: ";
  try {
    const SafetensorsHeader header = read_safetensors_header(checkpoint.string());
    if (const auto run = header.metadata.find(run_key);
        run == header.metadata.end() || from_run_json(run->second, checkpoint.string()).diverged)
      return training;
    for (const auto& tensor : header.tensors) {
      if (tensor.name.starts_with(training_prefix))
        return training + "go on with it (gradus train --resume " + folder.string() + "), ";
    }
  } catch (const Error&) {  // damaged
    return training;
  }
  return "an imported net is there already: train it (gradus train --from " + folder.string() +
         "), ";
}

fs::path without_last_slash(const fs::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

/// Building a model takes memory for all it was asked for: no more than the file makes likely. Of the models with a
/// name only the mlp has weights for each pixel; what a net of a file may have, size_limits() says.
void check_image(const std::string& file, const RunRecord& run, std::int64_t elements) {
  constexpr std::int64_t small = 1 << 16;  // of which a net may have fewer weights
  constexpr std::int64_t most_pixels = std::int64_t{1} << 31;
  const std::int64_t most = std::max(elements, small);
  const ImageSpec& image = run.image;
  const bool sane = image.channels >= 1 && image.channels <= most && image.classes >= 1 &&
                    image.classes <= most && image.height >= 1 && image.height <= most_pixels &&
                    image.width >= 1 && image.width <= most_pixels / image.height &&
                    image.channels <= most_pixels / (image.height * image.width);
  const bool for_each_pixel = run.settings.net.empty() && run.settings.model == "mlp";
  if (sane && (!for_each_pixel || image.channels * image.height * image.width <= most)) return;
  fail<BadDataError>(file, ": its ", elements, " weights are too few for images of ",
                     Shape{image.channels, image.height, image.width}, " in ", image.classes,
                     " classes");
}

NetLimits size_limits(std::int64_t elements) {
  constexpr std::int64_t small = 1 << 20;
  return {.parameter_bytes =
              std::max(small, 8 * elements)};  // twice what float32 takes, for counters
}

/// What a checkpoint holds.
struct Separated {
  NamedTensors weights;   // of the model
  NamedTensors training;  // without their prefix
};

Separated separate(const NamedTensors& tensors) {
  Separated result;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(training_prefix)) {
      result.training.emplace_back(name.substr(training_prefix.size()), tensor);
    } else {
      result.weights.emplace_back(name, tensor);
    }
  }
  return result;
}

/// The weights that count: those of the best epoch where the training chose one, else the last.
NamedTensors best_of(const Separated& tensors) {
  NamedTensors best;
  for (const auto& [name, tensor] : tensors.training) {
    if (name.starts_with(best_prefix)) best.emplace_back(name.substr(best_prefix.size()), tensor);
  }
  return best.empty() ? tensors.weights : best;
}

}  // namespace

std::string bytes_of_file(const std::string& name) {
  const InputFile file("checkpoint", name);
  std::string bytes(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, bytes.data(), file.size());
  return bytes;
}

std::map<std::string, std::string> metadata_of_model(const RunRecord& run, std::int64_t epoch) {
  return {{"format", "pt"},  // what PyTorch's tools expect of a file with PyTorch's names
          {"gradus", std::string(version)},
          {"model", run.settings.model},
          {"data", run.settings.data.name},
          {names_key, to_json(all_class_names(run))},
          {"epoch", std::to_string(epoch)}};
}

RunFolder::RunFolder(fs::path folder, Purpose purpose)
    : folder_(without_last_slash(folder)),
      kept_(goes_on(purpose)),
      metrics_(folder_ / metrics_name) {
  const char* option = option_of(purpose);
  std::error_code error;
  if (goes_on(purpose)) {
    expect_checkpoint(folder_);
  } else {
    made_ = make_folders(folder_, error);
    if (error) refuse(option, folder_, "cannot make this folder: " + error.message());
  }
  lock(option);
  const auto is_there = [&](const char* name, const fs::file_status& status) {
    if (fs::exists(status) && !fs::is_regular_file(status))
      refuse(option, folder_, std::string(name) + " is there and is not a file");
    return fs::exists(status);
  };
  const bool training = is_there(checkpoint_name, fs::status(checkpoint_file(), error));
  const bool metrics = is_there(metrics_name, fs::symlink_status(folder_ / metrics_name, error));
  replaces_ = training || metrics;
  if (replaces_ && purpose == Purpose::fresh) {
    refuse(option, folder_,
           what_is_there(folder_) + "write over it (--overwrite), or name another folder");
  }
  const std::string reason = why_not_writable(folder_.string());
  if (!reason.empty()) refuse(option, folder_, "cannot write there: " + reason);
  if (training && purpose == Purpose::overwrite) settle_earlier();
}

/// The training that will be written over may have been killed before its lines had their name: until the first
/// checkpoint of the new one it is to be whole.
void RunFolder::settle_earlier() {
  try {
    const std::string file = checkpoint_file().string();
    const auto metadata = read_safetensors_header(file).metadata;
    if (const auto text = metadata.find(run_key); text != metadata.end())
      metrics_.settle_leftover(from_run_json(text->second, file).metrics);
  } catch (const BadDataError&) {
    return;  // it is no training, and counts nothing
  }
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
  if (kept_ || made_.empty()) return;
  std::error_code ignored;
  // Each is removed only when it is empty.
  for (fs::path below = folder_; fs::remove(below, ignored) && below != made_;)
    below = below.parent_path();
}

void RunFolder::lock(const char* option) {
  lock_ = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ < 0) refuse(option, folder_, std::string("cannot open it: ") + std::strerror(errno));
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) refuse(option, folder_, "another process is training there");
    log_warn(folder_.string() + ": cannot be locked (" + std::strerror(errno) +
             "): see to it that no other process trains there");
  }
  if (!is_still_there()) refuse(option, folder_, "somebody replaces this folder");
}

/// A lock is on a folder, whatever its name; files are written by name.
bool RunFolder::is_still_there() const {
  struct stat opened {};
  struct stat named {};
  return ::fstat(lock_, &opened) == 0 && ::stat(folder_.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

void RunFolder::expect_still_there() const {
  if (is_still_there()) return;
  fail<IoError>(folder_.string(), ": is no longer the folder that this training has locked");
}

void RunFolder::keep(const Module& model, const NamedTensors& training_state, RunRecord& run,
                     bool tested) {
  expect_still_there();
  if (!kept_) {
    forget_tested();  // another training's
  } else if (!tested && is_tested_) {
    put_aside();
  }
  run.metrics = metrics_.flush();
  NamedTensors tensors = model.state_dict();
  for (const auto& [name, tensor] : training_state)
    tensors.emplace_back(training_prefix + name, tensor);
  std::map<std::string, std::string> metadata = metadata_of_model(run, run.last.epoch);
  metadata.emplace(run_key, to_run_json(run));
  save_safetensors(checkpoint_file().string(), tensors, metadata);
  is_tested_ = tested;
  if (tested) forget_tested();
  if (kept_) return;
  kept_ = true;
  metrics_.take_name();
  flush_folder(folder_.string());
  for (fs::path below = folder_; !made_.empty(); below = below.parent_path()) {
    flush_folder(below.has_parent_path() ? below.parent_path().string() : ".");
    if (below == made_) break;
  }
}

fs::path RunFolder::tested_file() const { return folder_ / tested_name; }

void RunFolder::forget_tested() {
  std::error_code error;
  if (fs::exists(tested_file(), error)) fs::remove(tested_file(), error);
}

/// A second name for the checkpoint that another is about to replace.
void RunFolder::put_aside() {
  forget_tested();
  std::error_code error;
  fs::create_hard_link(checkpoint_file(), tested_file(), error);
  if (error)  // file systems without links
    write_file_atomically(tested_file().string(), bytes_of_file(checkpoint_file().string()));
}

void RunFolder::put_tested_back(RunRecord& run) {
  const std::string file = checkpoint_file().string();
  std::error_code error;
  fs::rename(tested_file(), file, error);
  if (error)
    fail<IoError>(file, ": the last good checkpoint, ", tested_file().string(),
                  ", cannot take its place: ", error.message());
  flush_folder(folder_.string());
  is_tested_ = true;
  const RunRecord kept = from_run_json(read_safetensors_header(file).metadata.at(run_key), file);
  run.last = kept.last;
  run.best = kept.best;
  run.position = kept.position;
}

void RunFolder::keep_diverged(const Module& model, const NamedTensors& training_state,
                              RunRecord& run, const Position& failed) {
  expect_still_there();
  const bool holds_the_ruin = kept_ && !is_tested_ && run.position.step == failed.step;
  std::error_code unreadable;
  if (kept_ && !is_tested_ && fs::exists(tested_file(), unreadable)) {
    metrics_.flush();
    put_tested_back(run);
  } else if (!kept_ || (holds_the_ruin && run.best.epoch == 0)) {
    run.position = failed;
    run.diverged = true;
    keep(model, training_state, run, false);
  } else {
    metrics_.flush();
  }
}

void expect_usable(const RunRecord& run, const std::string& folder) {
  if (!run.diverged) return;
  fail<BadDataError>(folder, ": diverged after step ", run.position.step,
                     ", before anything good was kept: its weights are of no use; gradus report ",
                     folder, " says why");
}

void expect_known_data(const RunRecord& run, const std::string& folder, const char* advice) {
  if (run.settings.data.name == no_data)
    fail<NotFoundError>(folder, ": this net was imported without data, and knows none; ", advice);
}

void expect_begun(const LoadedRun& run, const std::string& folder) {
  if (!run.training_state.empty()) return;
  fail<UsageError>(folder, ": is a net that was imported and not trained yet; to train it: ",
                   "gradus train --from ", folder);
}

std::string kept_by_training(const fs::path& file) {
  if (is_checkpoint(file)) return kept_files[0].what;
  const std::string name = file.filename().string();
  for (const KeptFile& kept : kept_files) {
    if (kept.goes_on ? !name.starts_with(kept.name) : name != kept.name) continue;
    const fs::path folder = file.parent_path();
    std::error_code error;
    // One whose checkpoint is damaged has its metrics still.
    if (is_checkpoint(folder / checkpoint_name) || fs::exists(folder / metrics_name, error))
      return kept.what;
  }
  return {};
}

bool would_replace(const fs::path& folder, const std::string& file) {
  return std::any_of(std::begin(kept_files), std::end(kept_files), [&](const KeptFile& kept) {
    return !kept.goes_on && is_same_file((folder / kept.name).string(), file);
  });
}

bool is_checkpoint(const fs::path& file) {
  try {
    return read_safetensors_header(file.string()).metadata.contains(run_key);
  } catch (const Error&) {
    return false;
  }
}

bool is_training(const fs::path& folder) { return is_checkpoint(folder / checkpoint_name); }

RunRecord load_record(const fs::path& folder) {
  expect_checkpoint(folder);
  const std::string file = (folder / checkpoint_name).string();
  const auto metadata = read_safetensors_header(file).metadata;
  const auto text = metadata.find(run_key);
  if (text == metadata.end()) fail<BadDataError>(file, ": is not a checkpoint of gradus train");
  return from_run_json(text->second, file);
}

LoadedRun load_run(const fs::path& folder) {
  expect_checkpoint(folder);
  const std::string file = (folder / checkpoint_name).string();
  std::map<std::string, std::string> metadata;
  const NamedTensors tensors = load_safetensors(file, &metadata);
  const auto text = metadata.find(run_key);
  if (text == metadata.end()) fail<BadDataError>(file, ": is not a checkpoint of gradus train");
  const Separated found = separate(tensors);
  const NamedTensors& weights = found.weights;
  LoadedRun run{
      .record = from_run_json(text->second, file), .model = {}, .training_state = found.training};
  std::int64_t elements = 0;
  for (const auto& [name, tensor] : weights) elements += tensor.numel();
  check_image(file, run.record, elements);
  try {
    Generator unused;
    run.model = build_model(run.record.settings, run.record.image, unused, size_limits(elements));
    run.model.load_state_dict(weights);
  } catch (const Error& wrong) {  // an image spec or tensors that fit no such model
    fail<BadDataError>(file, ": its tensors and what it says of them do not fit: ", wrong.what());
  }
  return run;
}

std::vector<std::string> all_class_names(const RunRecord& run) {
  std::vector<std::string> names;
  for (std::int64_t label = 0; label < run.image.classes; ++label)
    names.push_back(run.class_name(label));
  return names;
}

KnownWeights load_weights(const std::string& file) {
  std::error_code error;
  const bool folder = fs::is_directory(file, error);
  if (folder) expect_checkpoint(file);
  const std::string path = folder ? (fs::path(file) / checkpoint_name).string() : file;
  std::map<std::string, std::string> metadata;
  const Separated found = separate(load_safetensors(path, &metadata));
  if (const auto run = metadata.find(run_key); run != metadata.end())
    expect_usable(from_run_json(run->second, path), file);
  KnownWeights known{.tensors = best_of(found), .class_names = {}};
  if (const auto names = metadata.find(names_key); names != metadata.end())
    known.class_names = names_from_json(names->second, path);
  return known;
}

LoadedRun load_trained(const fs::path& folder) {
  LoadedRun run = load_run(folder);
  try {
    run.model.load_state_dict(best_of({run.model.state_dict(), run.training_state}));
  } catch (const Error& wrong) {
    fail<BadDataError>((folder / checkpoint_name).string(),
                       ": its best weights do not fit its model: ", wrong.what());
  }
  return run;
}

}  // namespace gradus::app
