// Reading with pread, which needs no position of its own.
#include <gradus/core/error.h>
#include <gradus/io/input_file.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace gradus {

InputFile::InputFile(std::string_view format, const std::string& path)
    : label_(std::string(format) + ": " + path) {
  // Without O_NONBLOCK a pipe that nobody writes to would wait here for ever.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0 && (errno == ENOENT || errno == ENOTDIR)) {
    fail<NotFoundError>(label_, ": no such file");
  }
  if (descriptor < 0) fail<IoError>(label_, ": ", std::generic_category().message(errno));
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    fail<IoError>(label_, ": is not a regular file");
  }
  descriptor_ = descriptor;
  size_ = status.st_size;
}

InputFile::~InputFile() { ::close(descriptor_); }

std::int64_t InputFile::read_some(std::int64_t offset, void* target, std::int64_t count) const {
  auto* bytes = static_cast<char*>(target);
  std::int64_t done = 0;
  while (done < count) {
    const ssize_t got =
        ::pread(descriptor_, bytes + done, static_cast<std::size_t>(count - done), offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail<IoError>(label_, ": cannot read: ", std::generic_category().message(errno));
    if (got == 0) break;
    done += got;
  }
  return done;
}

void InputFile::read(std::int64_t offset, void* target, std::int64_t count) const {
  const std::int64_t got = read_some(offset, target, count);
  if (got == count) return;
  fail<BadDataError>(label_, ": file ends after ", offset + got, " bytes, ", offset + count,
                     " expected");
}

}  // namespace gradus
