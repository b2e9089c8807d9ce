// The temporary file as an object: its destructor removes what commit() has not put in place.
//
// Its name is the target's, so that a leftover of a process that was killed is found, and removed, by
// whoever writes next. Who writes holds a lock on it, by which a leftover is told from a file that
// somebody is writing now; that one is waited for. No lock is asked of the target, which stays readable.
#include <gradus/core/error.h>
#include <gradus/io/atomic_file.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>
#include <system_error>

namespace gradus {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& path, std::string_view what, int error) {
  fail<IoError>("write: ", path.string(), ": ", what, ": ", std::generic_category().message(error));
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// The file that a symbolic link stands for, whether it is there or not: a rename onto the link would
/// replace the link.
fs::path follow_link(const fs::path& path) {
  constexpr int most = 40;  // as the kernel has it
  fs::path target = path;
  for (int links = 0; links < most; ++links) {
    std::error_code error;
    const fs::path next = fs::read_symlink(target, error);
    if (error) return target;
    target = next.is_absolute() ? next : folder_of(target) / next;
  }
  refuse(path, "cannot follow it", ELOOP);
}

/// ".NAME.tmp", in the folder of the target. Of a name that leaves no room for that, a part, and the hash
/// of all of it.
fs::path temporary_name(const fs::path& target) {
  constexpr std::size_t longest = 255 - 5;  // bytes
  std::string name = target.filename().string();
  if (name.size() > longest)
    name = name.substr(0, 200) + "." + std::to_string(std::hash<std::string>()(name));
  return folder_of(target) / ("." + name + ".tmp");
}

/// Waits until nobody else has the lock. Where a file system has none, two writers may meet.
void lock(int descriptor) {
  while (::flock(descriptor, LOCK_EX) != 0 && errno == EINTR) {
  }
}

/// Is the file that was opened still the one of that name?
bool is_named(int descriptor, const fs::path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
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
    while (!create()) remove_leftover();
    if (exists) static_cast<void>(::fchmod(descriptor_, old.st_mode & 07777));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  ~TemporaryFile() override {
    if (!committed_) ::unlink(temporary_.c_str());  // before the lock is gone
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  using ByteSink::write;
  void write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) refuse(path_, "cannot write", errno);
      if (written == 0) fail<IoError>("write: ", path_.string(), ": the system takes no bytes");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void commit() {
    if (::fsync(descriptor_) != 0) refuse(path_, "cannot flush to the disk", errno);
    // The lock is held until the name is another: closing, which tells nothing that fsync() has not, is last.
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) refuse(path_, "cannot rename", errno);
    committed_ = true;
    flush_folder();
  }

 private:
  /// False: the name is taken.
  bool create() {
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno == EEXIST) return false;
    if (descriptor_ < 0)
      refuse(path_, "cannot create a file in " + folder_of(target_).string(), errno);
    lock(descriptor_);
    // Another one may have taken it for a leftover before the lock.
    if (is_named(descriptor_, temporary_)) return true;
    ::close(descriptor_);
    descriptor_ = -1;
    return false;
  }

  /// Waits for who writes there; removes the file of one who will not return.
  void remove_leftover() {
    const int leftover = ::open(temporary_.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (leftover < 0) {
      if (errno == ENOENT) return;
      refuse(path_, temporary_.string() + " is in the way", errno);
    }
    lock(leftover);
    int error = 0;
    if (is_named(leftover, temporary_) && ::unlink(temporary_.c_str()) != 0) error = errno;
    ::close(leftover);
    if (error != 0) refuse(path_, temporary_.string() + " is in the way", error);
  }

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
