// Whether a file can be written is found out by making another one beside it.
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
  std::string beside = file + ".XXXXXX";  // a name that nobody has
  const int descriptor = ::mkstemp(beside.data());
  if (descriptor < 0) {
    fail<UsageError>(option, " ", file, ": cannot write there: ", std::strerror(errno));
  }
  ::close(descriptor);
  fs::remove(beside, error);
}

}  // namespace gradus::app
