// The temporary file as an object: its destructor removes what commit() has not put in place.
#include <gradus/core/error.h>
#include <gradus/io/atomic_file.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

namespace gradus {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& path, std::string_view what, int error) {
  fail<IoError>("write: ", path.string(), ": ", what, ": ", std::generic_category().message(error));
}

/// The file that a symbolic link stands for: a rename onto the link would replace the link.
fs::path follow_link(const fs::path& path) {
  std::error_code error;
  if (!fs::is_symlink(fs::symlink_status(path, error))) return path;
  const fs::path target = fs::weakly_canonical(path, error);
  return error ? path : target;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// Unique in this process by the counter, among processes by the id.
fs::path temporary_name(const fs::path& target) {
  static std::atomic<unsigned> counter = 0;
  return folder_of(target) / ("." + target.filename().string() + "." + std::to_string(::getpid()) +
                              "." + std::to_string(counter++) + ".tmp");
}

class TemporaryFile final : public ByteSink {
 public:
  explicit TemporaryFile(const fs::path& path)
      : path_(path), target_(follow_link(path)), temporary_(temporary_name(target_)) {
    struct stat old {};
    const bool exists = ::stat(target_.c_str(), &old) == 0;
    // Root could rename over /dev/null.
    if (exists && !S_ISREG(old.st_mode)) {
      fail<IoError>("write: ", path_.string(), ": is not a regular file");
    }
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0) {
      refuse(path_, "cannot create a file in " + folder_of(target_).string(), errno);
    }
    if (exists) static_cast<void>(::fchmod(descriptor_, old.st_mode & 07777));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  ~TemporaryFile() override {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!committed_) ::unlink(temporary_.c_str());
  }

  using ByteSink::write;
  void write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) refuse(path_, "cannot write", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void commit() {
    if (::fsync(descriptor_) != 0) refuse(path_, "cannot flush to the disk", errno);
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0) refuse(path_, "cannot close", errno);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) refuse(path_, "cannot rename", errno);
    committed_ = true;
    flush_folder();
  }

 private:
  void flush_folder() const {
    const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // A folder that may be written but not read cannot be flushed; the file is
    // complete all the same.
    if (folder < 0) return;
    const int error = ::fsync(folder) == 0 ? 0 : errno;
    ::close(folder);
    // EINVAL: a file system on which folders need no flushing.
    if (error != 0 && error != EINVAL) refuse(path_, "written, but cannot flush its folder", error);
  }

  fs::path path_;       // as the caller named it, for messages
  fs::path target_;     // the file to replace
  fs::path temporary_;  // beside it
  int descriptor_ = -1;
  bool committed_ = false;
};

}  // namespace

void write_file_atomically(const std::string& path, std::string_view content) {
  write_file_atomically(path, [content](ByteSink& sink) { sink.write(content); });
}

void write_file_atomically(const std::string& path, const std::function<void(ByteSink&)>& writer) {
  TemporaryFile file(path);
  writer(file);
  file.commit();
}

}  // namespace gradus
