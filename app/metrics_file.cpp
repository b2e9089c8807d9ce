// No symbolic link is followed here, and no FIFO waited for: what is opened is a file of this folder.
#include "metrics_file.h"

#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/io/input_file.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "json.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

constexpr int other_flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

std::uint32_t crc32_of(std::uint32_t before, const char* bytes, std::size_t count) {
  return static_cast<std::uint32_t>(
      ::crc32_z(before, reinterpret_cast<const Bytef*>(bytes), count));
}

/// What the system refuses is told, and never taken for a file of other lines: that one would be put aside.
[[noreturn]] void cannot_be_read(const fs::path& file, int error) {
  fail<IoError>(file.string(), ": cannot be read: ", std::strerror(error));
}

/// Of the first bytes of a file, which may be shorter.
MetricsRecord measure(const fs::path& name, int file, std::int64_t bytes) {
  MetricsRecord found;
  std::array<char, 1 << 16> buffer{};
  while (found.bytes < bytes) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::int64_t>(bytes - found.bytes, buffer.size()));
    const ssize_t count = ::pread(file, buffer.data(), wanted, found.bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) cannot_be_read(name, errno);
    if (count == 0) break;
    found.crc32 = crc32_of(found.crc32, buffer.data(), static_cast<std::size_t>(count));
    found.bytes += count;
  }
  return found;
}

fs::path unnamed(const fs::path& file) { return file.string() + ".new"; }

/// Nothing, or something that is no file: a link, a folder, a socket.
bool is_no_file(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EISDIR || error == ENXIO;
}

/// A descriptor that closes itself, unless it is taken over.
class Opened {
 public:
  explicit Opened(int descriptor) : descriptor_(descriptor) {}
  ~Opened() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  int get() const { return descriptor_; }
  int take() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

/// Opens it, to read or also to write, where it is a file that begins with those lines; -1 where not. Throws IoError
/// where that cannot be told.
int open_if_counted(const fs::path& file, const MetricsRecord& counted, int access) {
  Opened opened(::open(file.c_str(), access | other_flags));
  if (opened.get() < 0 && is_no_file(errno)) return -1;
  if (opened.get() < 0) cannot_be_read(file, errno);
  struct stat status {};
  if (::fstat(opened.get(), &status) != 0) cannot_be_read(file, errno);
  if (!S_ISREG(status.st_mode)) return -1;
  const MetricsRecord found = measure(file, opened.get(), counted.bytes);
  return found.bytes == counted.bytes && found.crc32 == counted.crc32 ? opened.take() : -1;
}

/// Reading is enough here: a training that may only be read can be looked at.
bool is_counted(const fs::path& file, const MetricsRecord& counted) {
  return Opened(open_if_counted(file, counted, O_RDONLY)).get() >= 0;
}

/// Where nothing is yet: metrics.jsonl.old, then .old1, .old2, ...
fs::path free_name(const fs::path& file) {
  std::error_code error;
  fs::path name = file.string() + ".old";
  for (int i = 1; fs::symlink_status(name, error).type() != fs::file_type::not_found; ++i)
    name = file.string() + ".old" + std::to_string(i);
  return name;
}

/// Where the lines are that a checkpoint beside `file` counts: there, or in the file that has not got its name yet.
fs::path counted_metrics(const fs::path& file, const MetricsRecord& counted) {
  const bool has_no_name = !is_counted(file, counted) && is_counted(unnamed(file), counted);
  return has_no_name ? unnamed(file) : file;
}

/// The lines that a checkpoint counts, as text.
std::string read_counted(const InputFile& file, const MetricsRecord& counted) {
  if (counted.bytes < 0 || counted.bytes > file.size()) {
    fail<BadDataError>(file.label(), ": has ", file.size(), " bytes, its checkpoint counts ",
                       counted.bytes);
  }
  std::string text(static_cast<std::size_t>(counted.bytes), '\0');
  file.read(0, text.data(), counted.bytes);
  return text;
}

Metrics metrics_in(const InputFile& file, const std::string& text, const MetricsRecord& counted) {
  Metrics metrics = from_metrics_lines(text, file.label());
  const std::uint32_t crc = crc32_of(0, text.data(), text.size());
  if (crc != counted.crc32) {
    fail<BadDataError>(file.label(), ": is not that of its checkpoint: CRC-32 ", crc,
                       ", counted was ", counted.crc32);
  }
  return metrics;
}

/// With all that stands behind; of a process that was killed that may be anything, and does not count.
Metrics with_the_end(const InputFile& file, std::string text, Metrics metrics) {
  const std::int64_t behind = file.size() - std::ssize(text);
  if (behind == 0) return metrics;
  text.resize(static_cast<std::size_t>(file.size()));
  file.read(file.size() - behind, text.data() + text.size() - behind, behind);
  try {
    Metrics all = from_metrics_lines(text, file.label());
    return all.diverged ? all : metrics;
  } catch (const BadDataError&) {
    return metrics;
  }
}

std::string counted_file(const fs::path& folder, const MetricsRecord& counted) {
  return counted_metrics(folder / "metrics.jsonl", counted).string();
}

}  // namespace

Metrics read_metrics(const char* operation, const fs::path& folder, const MetricsRecord& counted) {
  const InputFile file(operation, counted_file(folder, counted));
  return metrics_in(file, read_counted(file, counted), counted);
}

Metrics read_course(const char* operation, const fs::path& folder, const MetricsRecord& counted) {
  const InputFile file(operation, counted_file(folder, counted));
  std::string text = read_counted(file, counted);
  Metrics metrics = metrics_in(file, text, counted);
  return with_the_end(file, std::move(text), std::move(metrics));
}

MetricsFile::~MetricsFile() {
  if (unnamed_) ::unlink(unnamed(file_).c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MetricsFile::refuse(const std::string& what, int error) const {
  fail<IoError>(file_.string(), ": ", what, ": ", std::strerror(error));
}

void MetricsFile::begin() {
  ::unlink(unnamed(file_).c_str());  // of one that was killed
  descriptor_ = ::open(unnamed(file_).c_str(), O_RDWR | O_CREAT | O_EXCL | other_flags, 0666);
  if (descriptor_ < 0) refuse("cannot make " + unnamed(file_).filename().string(), errno);
  unnamed_ = true;
}

void MetricsFile::settle_leftover(const MetricsRecord& counted) {
  if (is_counted(file_, counted) || !is_counted(unnamed(file_), counted)) {
    ::unlink(unnamed(file_).c_str());
  } else if (::rename(unnamed(file_).c_str(), file_.c_str()) != 0) {
    refuse("cannot rename", errno);
  }
}

void MetricsFile::go_on_from(const MetricsRecord& counted) {
  settle_leftover(counted);
  descriptor_ = open_if_counted(file_, counted, O_RDWR);
  if (descriptor_ >= 0) {
    written_ = counted;
    // Perhaps. Until there is a line to write, what follows is all that tells how it ended.
    has_more_ = true;
    return;
  }
  std::error_code error;
  if (fs::symlink_status(file_, error).type() == fs::file_type::not_found) {
    log_warn(file_.string() + ": is gone; it begins anew here");
  } else {
    const fs::path aside = free_name(file_);
    fs::rename(file_, aside, error);
    if (error) refuse("cannot rename it", error.value());
    log_warn(file_.string() + ": is not that of this training, and is " +
             aside.filename().string() + " now");
  }
  begin();
  take_name();
}

MetricsRecord MetricsFile::flush() {
  if (descriptor_ < 0) begin();
  if (has_more_ && !waiting_.empty()) {
    if (::ftruncate(descriptor_, written_.bytes) != 0) refuse("cannot cut it", errno);
    has_more_ = false;
  }
  std::size_t done = 0;
  while (done < waiting_.size()) {
    const ssize_t count = ::pwrite(descriptor_, waiting_.data() + done, waiting_.size() - done,
                                   written_.bytes + static_cast<std::int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int reason = count < 0 ? errno : ENOSPC;
      static_cast<void>(::ftruncate(descriptor_, written_.bytes));  // no line without its end
      refuse("cannot write", reason);
    }
    done += static_cast<std::size_t>(count);
  }
  if (::fsync(descriptor_) != 0) refuse("cannot flush to the disk", errno);
  written_.crc32 = crc32_of(written_.crc32, waiting_.data(), waiting_.size());
  written_.bytes += static_cast<std::int64_t>(waiting_.size());
  waiting_.clear();
  return written_;
}

void MetricsFile::take_name() {
  if (!unnamed_) return;
  if (::rename(unnamed(file_).c_str(), file_.c_str()) != 0) refuse("cannot rename", errno);
  unnamed_ = false;
}

}  // namespace gradus::app
