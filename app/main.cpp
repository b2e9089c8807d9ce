// gradus, the program. A thin shell around the library: this file turns errors into one line and an
// exit code, app/command_line.cpp reads the options, and each subcommand has a file of its own.
//
// It is built twice. `gradus` starts fast because it loads no library for servers, MPI and ONNX; the few commands that need one
// it hands on, in the same process and unread, to `gradus-more`, which is the same program with these libraries.
#include <spdlog/fmt/fmt.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "commands.h"
#include "exit_code.h"

namespace {

using namespace gradus;
using namespace gradus::app;

/// A message may quote what a file says, and a terminal would obey it.
std::string on_one_line(std::string_view text) {
  constexpr std::size_t longest = 2000;
  std::string line;
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x20 && byte != 0x7f;
    line += plain ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return text.size() > longest ? line + "..." : line;
}

int report(int code, const char* what) {
  std::fprintf(stderr, "gradus: %s\n", on_one_line(what).c_str());
  return code;
}

/// A file that is opened while one of the three is closed would get its number, and what is printed.
void fill_standard_descriptors() {
  for (int descriptor = 0; descriptor < 3; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) != -1) continue;
    // The lowest free number is this one. What cannot be read or written here fails as if it were closed.
    ::open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
  }
}

/// A result that did not reach its reader is no success: stdout may be a full disk.
int flush_output(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  return report(exit_io, (std::string("stdout: ") + std::strerror(errno)).c_str());
}

#ifdef GRADUS_MORE
/// May the command need one of those libraries? Where in doubt yes: there the answer is the same, and later.
bool needs_more(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "serve" || command == "import" || command == "run") return true;
  for (int i = 2; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with("--serve") || word.starts_with("--distributed") || word.ends_with(".onnx"))
      return true;
  }
  return false;
}

/// Returns where gradus-more does not stand beside this program: then the command says what it lacks.
void hand_on(char** argv) {
  std::error_code error;
  std::filesystem::path more = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return;
  more.replace_filename(GRADUS_MORE);
  ::execv(more.c_str(), argv);
}
#endif

}  // namespace

int main(int argc, char** argv) {
#ifdef GRADUS_MORE
  if (needs_more(argc, argv)) hand_on(argv);
#endif
  fill_standard_descriptors();
  try {
    return flush_output(run_command_line(argc, argv));
  } catch (const std::bad_alloc& error) {
    return report(exit_code_of(error), "out of memory");
  } catch (const std::exception& error) {
    return report(exit_code_of(error), error.what());
  }
}
