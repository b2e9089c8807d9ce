// Whether a file can be written is found out by making another one in its folder.
#include "output_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
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
  std::string probe =
      (folder.empty() ? "." : folder) + "/.gradus-XXXXXX";  // a name that nobody has
  const int descriptor = ::mkstemp(probe.data());
  if (descriptor < 0) return std::strerror(errno);
  ::close(descriptor);
  ::unlink(probe.c_str());
  return {};
}

}  // namespace gradus::app
