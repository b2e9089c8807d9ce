// Whether a file can be written is found out by making another one in its folder.
#include "output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "exit_code.h"

namespace gradus::app {

void expect_writable(std::string_view option, const std::string& file) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail<UsageError>(option, " ", file, ": is there and is not a file");
  }
  const fs::path target =
      fs::is_symlink(file, error) ? fs::weakly_canonical(file, error) : fs::path(file);
  const std::string reason = why_not_writable(target.parent_path().string());
  if (!reason.empty()) fail<UsageError>(option, " ", file, ": cannot write there: ", reason);
}

void expect_picture(std::string_view option, const std::string& file, const std::string& data) {
  namespace fs = std::filesystem;
  if (!file.ends_with(".png")) fail<UsageError>(option, " ", file, ": a PNG file is named .png");
  expect_writable(option, file);
  std::error_code error;
  if (!fs::is_directory(data, error)) return;
  const fs::path folder = fs::canonical(data, error);
  for (fs::path at = fs::weakly_canonical(fs::absolute(file), error); !error;
       at = at.parent_path()) {
    if (at == folder) fail<UsageError>(option, " ", file, ": lies among the pictures of ", data);
    if (at == at.parent_path()) break;
  }
}

std::string why_not_writable(const std::string& folder) {
  // One name for all: what a process leaves that is killed here, the next one removes.
  const std::string probe = (folder.empty() ? "." : folder) + "/.gradus-probe";
  constexpr int most = 100;  // who try at once
  for (int attempt = 0;; ++attempt) {
    const int descriptor = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const int error = errno;
    if (descriptor >= 0) {
      ::close(descriptor);
      ::unlink(probe.c_str());
      return {};
    }
    const bool is_free = error == EEXIST && (::unlink(probe.c_str()) == 0 || errno == ENOENT);
    if (!is_free || attempt == most) return std::strerror(error);
  }
}

}  // namespace gradus::app
