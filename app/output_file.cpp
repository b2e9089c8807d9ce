// Whether a file can be written is found out by making another one in its folder.
#include "output_file.h"

#include <gradus/data/image.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "exit_code.h"
#include "run_folder.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

/// `file`, what it is a link to, and so on: the last is what would be written, whether it is there or not.
std::vector<fs::path> with_links(const fs::path& file) {
  constexpr std::size_t most = 40;  // as the kernel has it
  std::vector<fs::path> all = {file};
  std::error_code error;
  while (all.size() <= most) {
    const fs::path next = fs::read_symlink(all.back(), error);
    if (error) break;
    all.push_back(next.is_absolute() ? next : all.back().parent_path() / next);
  }
  return all;
}

/// One path for all that lead there.
fs::path place_of(const fs::path& file) {
  std::error_code error;
  const fs::path target = fs::absolute(with_links(file).back(), error);
  const fs::path place = fs::weakly_canonical(target, error);
  return error ? target.lexically_normal() : place;
}

bool lies_in(const fs::path& file, const fs::path& folder) {
  const fs::path top = place_of(folder);
  for (fs::path at = place_of(file); at.has_relative_path(); at = at.parent_path())
    if (at == top) return true;
  return false;
}

/// By its name, as those who read folders of data tell.
bool is_data(const fs::path& file) {
  const std::string name = file.filename().string();
  return is_image_name(name) || name.ends_with(".npy") || name.ends_with("-ubyte") ||
         name.ends_with("-ubyte.gz");
}

/// Would writing `file` take away what `read` is?
bool takes_away(const std::string& file, const ReadFile& read) {
  std::error_code error;
  if (!fs::exists(file, error) || !fs::exists(read.path, error)) return false;
  if (!fs::is_directory(read.path, error)) return is_same_file(file, read.path);
  return is_data(place_of(file)) && lies_in(file, read.path);
}

void expect_free(std::string_view option, const std::string& file,
                 const std::vector<ReadFile>& read, const std::vector<std::string>& written) {
  const auto refuse = [&](const std::string& what) {
    fail<UsageError>(option, " ", file, ": is ", what, ", another file is expected");
  };
  for (const fs::path& path : with_links(file)) {
    const std::string what = kept_by_training(path);
    if (!what.empty()) refuse(what);
  }
  std::error_code error;
  for (const ReadFile& input : read) {
    if (takes_away(file, input))
      refuse((fs::is_directory(input.path, error) ? "a file of " : "the file of ") + input.what);
  }
  for (const std::string& other : written)
    if (is_same_file(file, other)) refuse("the file of another output");
}

}  // namespace

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return fs::equivalent(a, b, error) || place_of(a) == place_of(b);
}

void expect_writable(std::string_view option, const std::string& file,
                     const std::vector<ReadFile>& read, const std::vector<std::string>& written) {
  if (file.empty()) fail<UsageError>(option, " '': names no file");
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail<UsageError>(option, " ", file, ": is there and is not a file");
  }
  if (status.type() == fs::file_type::none)
    fail<UsageError>(option, " ", file, ": cannot write there: ", error.message());
  const std::string reason = why_not_writable(with_links(file).back().parent_path().string());
  if (!reason.empty()) fail<UsageError>(option, " ", file, ": cannot write there: ", reason);
  expect_free(option, file, read, written);
}

void expect_picture(std::string_view option, const std::string& file, const std::string& data) {
  if (!file.ends_with(".png")) fail<UsageError>(option, " ", file, ": a PNG file is named .png");
  std::error_code error;
  if (fs::is_directory(data, error) && lies_in(file, data))
    fail<UsageError>(option, " ", file, ": lies among the pictures of ", data);
  expect_writable(option, file, {{data, "the data"}});
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
