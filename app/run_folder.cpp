// model.safetensors is written first: when the program dies between two files, run.json describes
// the model before, which differs in nothing that eval needs unless the model itself is another
// one, and that load_run() notices.
#include "run_folder.h"

#include <gradus/core/version.h>
#include <gradus/io/atomic_file.h>
#include <gradus/io/input_file.h>
#include <gradus/io/safetensors.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

#include "exit_code.h"
#include "json.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* temporary_metrics = "metrics.jsonl.new";
constexpr std::int64_t largest_run_json = 1 << 20;

/// What a model file says of itself: the same for the same training, so nothing of time or threads.
std::map<std::string, std::string> metadata_of(const RunRecord& run) {
  return {{"format", "pt"},  // what PyTorch's tools expect of a file with PyTorch's names
          {"gradus", std::string(version)},
          {"model", run.settings.model},
          {"data", run.settings.data},
          {"epoch", std::to_string(run.last.epoch)}};
}

std::string read_text(const fs::path& path, std::int64_t limit) {
  const InputFile file("run", path);
  if (file.size() > limit) {
    fail<BadDataError>(file.label(), ": ", file.size(), " bytes, at most ", limit, " expected");
  }
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, text.data(), file.size());
  return text;
}

}  // namespace

RunFolder::RunFolder(fs::path folder) : folder_(std::move(folder)) {
  std::error_code error;
  made_folder_ = fs::create_directories(folder_, error);
  if (error) {
    fail<UsageError>("--out ", folder_.string(), ": cannot make this folder: ", error.message());
  }
  for (const char* name : {"model.safetensors", "run.json", "metrics.jsonl"}) {
    const fs::file_status status = fs::status(folder_ / name, error);
    if (fs::exists(status) && !fs::is_regular_file(status)) {
      fail<UsageError>("--out ", folder_.string(), ": ", name, " is there and is not a file");
    }
  }
  errno = 0;
  metrics_.open(folder_ / temporary_metrics, std::ios::trunc);
  if (!metrics_) {
    const int reason = errno;
    if (made_folder_) fs::remove(folder_, error);
    fail<UsageError>("--out ", folder_.string(), ": cannot write there: ", std::strerror(reason));
  }
}

RunFolder::~RunFolder() {
  if (kept_) return;
  metrics_.close();
  std::error_code ignored;
  fs::remove(folder_ / temporary_metrics, ignored);
  if (made_folder_) fs::remove(folder_, ignored);  // succeeds only when it is empty
}

void RunFolder::add_metrics(const std::string& line) { metrics_ << line << '\n'; }

void RunFolder::check_metrics() const {
  if (!metrics_) {
    fail<IoError>((folder_ / "metrics.jsonl").string(), ": writing failed: ", std::strerror(errno));
  }
}

void RunFolder::keep(const Module& model, const RunRecord& run) {
  metrics_.flush();
  check_metrics();
  save_safetensors(model_file(), model.state_dict(), metadata_of(run));
  update(run);
  if (kept_) return;
  // The open stream follows its file to the new name.
  std::error_code error;
  fs::rename(folder_ / temporary_metrics, folder_ / "metrics.jsonl", error);
  if (error) fail<IoError>((folder_ / "metrics.jsonl").string(), ": ", error.message());
  kept_ = true;
}

void RunFolder::update(const RunRecord& run) const {
  write_file_atomically(folder_ / "run.json", to_run_json(run));
}

LoadedRun load_run(const fs::path& folder) {
  const fs::path run_file = folder / "run.json";
  const fs::path model_file = folder / "model.safetensors";
  for (const fs::path& file : {run_file, model_file}) {
    std::error_code error;
    if (fs::exists(file, error)) continue;
    fail<NotFoundError>(folder.string(), ": no training here, ", file.filename().string(),
                        " is missing; to make one: gradus train --out ", folder.string());
  }
  RunRecord run = from_run_json(read_text(run_file, largest_run_json), run_file.string());

  const std::map<std::string, std::string> metadata = read_safetensors_header(model_file).metadata;
  for (const auto& [key, wanted] :
       {std::pair{"model", run.settings.model}, std::pair{"data", run.settings.data}}) {
    const auto found = metadata.find(key);
    if (found == metadata.end() || found->second == wanted) continue;
    fail<BadDataError>(folder.string(), ": run.json has ", key, " \"", wanted,
                       "\", model.safetensors has \"", found->second, "\"");
  }
  try {
    Generator unused;
    Sequential model = make_model(run.settings.model, run.image, unused);
    model.load_state_dict(load_safetensors(model_file));
    return {std::move(run), std::move(model)};
  } catch (const IoError&) {
    throw;
  } catch (const Error& error) {  // an image spec or tensors that fit no such model
    fail<BadDataError>(folder.string(),
                       ": run.json and model.safetensors do not fit: ", error.what());
  }
}

}  // namespace gradus::app
