// The temporary file as an object: its destructor removes what commit() has not put in place.
//
// Its name is made from the target's, so that a leftover of a process that was killed is found, and removed,
// by whoever writes next. Who writes holds a lock on it, by which a leftover is told from a file that somebody
// is writing now. Nobody waits: what is locked, or is no file of ours, is left alone, and the next name taken.
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

/// ".NAME.0.gradus-tmp" and so on, in the folder of the target. Of a name that leaves no room for that, a
/// part, and the hash of all of it.
fs::path temporary_name(const fs::path& target, int number) {
  constexpr std::size_t longest = 255 - 15;  // bytes
  std::string name = target.filename().string();
  if (name.size() > longest)
    name = name.substr(0, 200) + "." + std::to_string(std::hash<std::string>()(name));
  return folder_of(target) / ("." + name + "." + std::to_string(number) + ".gradus-tmp");
}

enum class Lock { mine, of_another, none_here };  // the last: the file system has no locks

Lock try_lock(int descriptor) {
  for (;;) {
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return Lock::mine;
    if (errno == EWOULDBLOCK) return Lock::of_another;
    if (errno != EINTR) return Lock::none_here;
  }
}

/// Is the file that was opened still the one of that name?
bool is_named(int descriptor, const fs::path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/// Frees a name that is taken by the file of one who will not return; false: it is taken by another thing.
bool remove_leftover(const fs::path& name) {
  const int file = ::open(name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return errno == ENOENT;
  struct stat status {};
  bool is_free = false;
  if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && try_lock(file) == Lock::mine)
    is_free = !is_named(file, name) || ::unlink(name.c_str()) == 0;
  ::close(file);
  return is_free;
}

/// The error; 0 also for a folder that may be written but not read, in which files are complete all the same.
int flush_folder_entries(const fs::path& folder) {
  const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return 0;
  const int error = ::fsync(opened) == 0 ? 0 : errno;
  ::close(opened);
  return error == EINVAL ? 0 : error;  // a file system on which folders need no flushing
}

class TemporaryFile final : public ByteSink {
 public:
  explicit TemporaryFile(const fs::path& path) : path_(path), target_(follow_link(path)) {
    struct stat old {};
    const bool exists = ::stat(target_.c_str(), &old) == 0;
    // Root could rename over /dev/null.
    if (exists && !S_ISREG(old.st_mode)) {
      fail<IoError>("write: ", path_.string(), ": is not a regular file");
    }
    for (int number = 0; descriptor_ < 0; ++number) take(number);
    if (exists) static_cast<void>(::fchmod(descriptor_, old.st_mode & 07777));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  ~TemporaryFile() override {
    if (!committed_ && is_named(descriptor_, temporary_)) ::unlink(temporary_.c_str());
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
    // The lock is held until the name is another: closing, which tells nothing that fsync() has not, is
    // last. Without locks somebody may have taken the file for a leftover.
    if (!is_named(descriptor_, temporary_))
      fail<IoError>("write: ", path_.string(), ": ", temporary_.string(), " was removed meanwhile");
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) refuse(path_, "cannot rename", errno);
    committed_ = true;
    const int error = flush_folder_entries(folder_of(target_));
    if (error != 0) refuse(path_, "written, but cannot flush its folder", error);
  }

 private:
  /// Makes the file of that number, unless its name is taken by what may not be removed.
  void take(int number) {
    constexpr int most = 100;  // who write at once, or things in the way
    temporary_ = temporary_name(target_, number);
    if (number == most)
      refuse(path_, "all names up to " + temporary_.string() + " are taken", EEXIST);
    while (descriptor_ < 0) {
      descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ < 0 && errno != EEXIST)
        refuse(path_, "cannot create a file in " + folder_of(target_).string(), errno);
      if (descriptor_ < 0 && !remove_leftover(temporary_)) return;
      if (descriptor_ < 0) continue;
      // Before the lock another one may have taken it for a leftover: once more.
      if (try_lock(descriptor_) != Lock::of_another && is_named(descriptor_, temporary_)) break;
      ::close(descriptor_);
      descriptor_ = -1;
    }
    // What one left who was killed while another one wrote.
    static_cast<void>(remove_leftover(temporary_name(target_, number + 1)));
  }

  fs::path path_;       // as the caller named it, for messages
  fs::path target_;     // the file to replace
  fs::path temporary_;  // beside it
  int descriptor_ = -1;
  bool committed_ = false;
};

}  // namespace

void flush_folder(const std::string& path) {
  const int error = flush_folder_entries(path);
  if (error != 0) refuse(path, "cannot flush this folder", error);
}

void write_file_atomically(const std::string& path, std::string_view content) {
  write_file_atomically(path, [content](ByteSink& sink) { sink.write(content); });
}

void write_file_atomically(const std::string& path, const std::function<void(ByteSink&)>& writer) {
  TemporaryFile file(path);
  writer(file);
  file.commit();
}

}  // namespace gradus
