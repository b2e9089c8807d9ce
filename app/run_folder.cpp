// In the order of what must be on the disk first: the lines of metrics.jsonl, then the checkpoint that
// counts them.
#include "run_folder.h"

#include <gradus/core/log.h>
#include <gradus/core/version.h>
#include <gradus/io/atomic_file.h>
#include <gradus/io/safetensors.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
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

const std::string training_prefix = "training.";
constexpr const char* run_key = "run";
constexpr const char* checkpoint_name = "checkpoint.safetensors";

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

/// The entry of `folder` in the one above it reaches the disk.
void flush_folder(const fs::path& folder) {
  const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return;
  ::fsync(opened);  // some file systems cannot, and need not
  ::close(opened);
}

std::uint32_t crc32_of(std::uint32_t before, const char* bytes, std::size_t count) {
  return static_cast<std::uint32_t>(
      ::crc32(before, reinterpret_cast<const Bytef*>(bytes), static_cast<uInt>(count)));
}

/// The sum of the first bytes of a file, which may be shorter.
MetricsRecord measure(int file, std::int64_t bytes) {
  MetricsRecord found;
  std::array<char, 1 << 16> buffer{};
  while (found.bytes < bytes) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::int64_t>(bytes - found.bytes, buffer.size()));
    const ssize_t count = ::pread(file, buffer.data(), wanted, found.bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    found.crc32 = crc32_of(found.crc32, buffer.data(), static_cast<std::size_t>(count));
    found.bytes += count;
  }
  return found;
}

}  // namespace

std::map<std::string, std::string> metadata_of_model(const RunRecord& run) {
  return {{"format", "pt"},  // what PyTorch's tools expect of a file with PyTorch's names
          {"gradus", std::string(version)},
          {"model", run.settings.model},
          {"data", run.settings.data},
          {"epoch", std::to_string(run.last.epoch)}};
}

RunFolder::RunFolder(fs::path folder, Purpose purpose)
    : folder_(std::move(folder)), kept_(purpose == Purpose::resume) {
  if (!folder_.has_filename()) folder_ = folder_.parent_path();  // "runs/a/"
  const char* option = purpose == Purpose::resume ? "--resume" : "--out";
  std::error_code error;
  if (purpose == Purpose::resume) {
    expect_checkpoint(folder_);
  } else {
    made_ = make_folders(folder_, error);
    if (error) refuse(option, folder_, "cannot make this folder: " + error.message());
  }
  lock(option);
  const fs::file_status status = fs::status(checkpoint_file(), error);
  if (fs::exists(status) && !fs::is_regular_file(status))
    refuse(option, folder_, "checkpoint.safetensors is there and is not a file");
  replaces_ = fs::exists(status);
  if (replaces_ && purpose == Purpose::fresh) {
    refuse(option, folder_,
           "a training is there already: go on with it (--resume " + folder_.string() +
               "), write over it (--overwrite), or name another folder");
  }
  open_metrics(option);
}

void RunFolder::go_on_from(const MetricsRecord& metrics) {
  const std::string file = (folder_ / "metrics.jsonl").string();
  written_ = measure(metrics_file_, metrics.bytes);
  if (written_.bytes != metrics.bytes || written_.crc32 != metrics.crc32) {
    log_warn(file + ": is not that of this training; it begins anew here");
    written_ = {};
  }
  if (::ftruncate(metrics_file_, written_.bytes) != 0)
    fail<IoError>(file, ": ", std::strerror(errno));
}

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (!kept_ && made_metrics_) fs::remove(folder_ / "metrics.jsonl", ignored);
  if (metrics_file_ >= 0) ::close(metrics_file_);
  if (lock_ >= 0) ::close(lock_);
  if (kept_ || made_.empty()) return;
  // Each is removed only when it is empty.
  for (fs::path below = folder_; fs::remove(below, ignored) && below != made_;)
    below = below.parent_path();
}

void RunFolder::lock(const char* option) {
  lock_ = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ < 0) refuse(option, folder_, std::string("cannot open it: ") + std::strerror(errno));
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    refuse(option, folder_, "another process is training there");
}

/// Nothing is changed there yet.
void RunFolder::open_metrics(const char* option) {
  const fs::path file = folder_ / "metrics.jsonl";
  // No link is followed, and no wait for who might read a FIFO.
  const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  metrics_file_ = ::open(file.c_str(), flags | O_CREAT | O_EXCL, 0666);
  made_metrics_ = metrics_file_ >= 0;
  if (!made_metrics_ && errno == EEXIST) metrics_file_ = ::open(file.c_str(), flags);
  const int reason = errno;
  struct stat status {};
  if (metrics_file_ >= 0 && ::fstat(metrics_file_, &status) == 0 && S_ISREG(status.st_mode)) return;
  if (metrics_file_ >= 0 || reason == ELOOP || reason == EISDIR || reason == ENXIO)
    refuse(option, folder_, "metrics.jsonl is there and is not a file");
  refuse(option, folder_, std::string("cannot write there: ") + std::strerror(reason));
}

void RunFolder::write_metrics() {
  const std::string file = (folder_ / "metrics.jsonl").string();
  if (!kept_ && ::ftruncate(metrics_file_, 0) != 0)  // those of the training that is replaced
    fail<IoError>(file, ": ", std::strerror(errno));
  std::size_t done = 0;
  while (done < metrics_.size()) {
    const ssize_t count = ::pwrite(metrics_file_, metrics_.data() + done, metrics_.size() - done,
                                   written_.bytes + static_cast<std::int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const std::string reason = count < 0 ? std::strerror(errno) : "the system takes no bytes";
      static_cast<void>(::ftruncate(metrics_file_, written_.bytes));  // no line without its end
      fail<IoError>(file, ": cannot write: ", reason);
    }
    done += static_cast<std::size_t>(count);
  }
  if (::fsync(metrics_file_) != 0)
    fail<IoError>(file, ": cannot flush to the disk: ", std::strerror(errno));
  written_.crc32 = crc32_of(written_.crc32, metrics_.data(), metrics_.size());
  written_.bytes += static_cast<std::int64_t>(metrics_.size());
  metrics_.clear();
}

void RunFolder::keep(const Module& model, const NamedTensors& training_state, RunRecord& run) {
  write_metrics();
  run.metrics = written_;
  NamedTensors tensors = model.state_dict();
  for (const auto& [name, tensor] : training_state)
    tensors.emplace_back(training_prefix + name, tensor);
  std::map<std::string, std::string> metadata = metadata_of_model(run);
  metadata.emplace(run_key, to_run_json(run));
  save_safetensors(checkpoint_file().string(), tensors, metadata);
  if (!kept_ && !made_.empty()) {
    for (fs::path below = folder_;; below = below.parent_path()) {
      flush_folder(below.has_parent_path() ? below.parent_path() : fs::path("."));
      if (below == made_) break;
    }
  }
  kept_ = true;
}

LoadedRun load_run(const fs::path& folder) {
  expect_checkpoint(folder);
  const std::string file = (folder / checkpoint_name).string();
  std::map<std::string, std::string> metadata;
  NamedTensors tensors = load_safetensors(file, &metadata);
  const auto text = metadata.find(run_key);
  if (text == metadata.end()) fail<BadDataError>(file, ": is not a checkpoint of gradus train");
  LoadedRun run{.record = from_run_json(text->second, file), .model = {}, .training_state = {}};
  NamedTensors weights;
  for (auto& [name, tensor] : tensors) {
    if (name.starts_with(training_prefix)) {
      run.training_state.emplace_back(name.substr(training_prefix.size()), std::move(tensor));
    } else {
      weights.emplace_back(name, std::move(tensor));
    }
  }
  try {
    Generator unused;
    run.model = make_model(run.record.settings.model, run.record.image, unused);
    run.model.load_state_dict(weights);
  } catch (const Error& wrong) {  // an image spec or tensors that fit no such model
    fail<BadDataError>(file, ": its tensors and what it says of them do not fit: ", wrong.what());
  }
  return run;
}

}  // namespace gradus::app
