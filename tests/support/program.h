// Runs the program `gradus` from a C++ test: with its output in a pipe, or on a terminal of its own
// that the test reads. A test that only looks at exit codes and text is a shell script instead.
#pragma once

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sanitizer.h"

/// Whether a terminal can be had. If not, says so in the words by which ctest knows a skipped test
/// (SKIP_REGULAR_EXPRESSION in tests/CMakeLists.txt).
inline bool terminal_available() {
  int ends[2] = {-1, -1};
  if (::openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr) != 0) {
    std::printf("skipped: no pseudo-terminal (/dev/pts) here: %s\n", std::strerror(errno));
    return false;
  }
  ::close(ends[0]);
  ::close(ends[1]);
  return true;
}

class RunningProgram {
 public:
  enum class Output { pipe, terminal };
  struct Options {
    Output out = Output::pipe;  ///< stdout goes to a pipe alone; a terminal takes stderr as well
    std::vector<std::pair<std::string, std::string>> environment{};
    int columns = 100;  ///< of the terminal
  };

  RunningProgram(std::vector<std::string> arguments, const Options& options) {
    winsize size{};
    size.ws_col = static_cast<unsigned short>(options.columns);
    size.ws_row = 24;
    int ends[2] = {-1, -1};
    if (options.out == Output::pipe && ::pipe(ends) != 0) throw std::runtime_error("pipe");
    process_ =
        options.out == Output::terminal ? ::forkpty(&source_, nullptr, nullptr, &size) : ::fork();
    if (process_ < 0) throw std::runtime_error("fork");
    if (process_ == 0) run(std::move(arguments), options, ends);
    if (options.out == Output::pipe) {
      source_ = ends[0];
      ::close(ends[1]);
    }
  }
  explicit RunningProgram(std::vector<std::string> arguments)
      : RunningProgram(std::move(arguments), Options{}) {}
  ~RunningProgram() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    ::close(source_);
  }
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  void send(int signal) const { ::kill(process_, signal); }

  /// Waits until `condition` holds, however slow the machine is; false when the program has ended
  /// without. (A program that does neither is ended by ctest, with the test.)
  bool wait_until(const std::function<bool()>& condition) const {
    for (;;) {
      siginfo_t ended{};
      // Asked first: what the program did last is then seen below. WNOWAIT leaves it to finish().
      ::waitid(P_PID, static_cast<id_t>(process_), &ended, WEXITED | WNOHANG | WNOWAIT);
      if (condition()) return true;
      if (ended.si_pid == process_) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  /// Reads to the end and returns the exit code, or 128 and the signal's number.
  int finish() {
    char buffer[4096];
    for (;;) {
      const ssize_t count = ::read(source_, buffer, sizeof buffer);
      if (count <= 0) break;  // a terminal whose other end is gone reports an error
      output_.append(buffer, static_cast<std::size_t>(count));
    }
    int status = 0;
    ::waitpid(process_, &status, 0);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  /// What finish() has read.
  const std::string& output() const { return output_; }

 private:
  [[noreturn]] static void run(std::vector<std::string> arguments, const Options& options,
                               const int (&ends)[2]) {
    if (options.out == Output::pipe) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      // What a sanitizer reports goes there, and is wanted.
      if (!under_sanitizer()) ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
    }
    for (const auto& [name, value] : options.environment) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
    std::signal(SIGINT, SIG_DFL);  // a test runner may ignore it, and that is inherited
    arguments.insert(arguments.begin(), GRADUS_PROGRAM);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    ::execv(GRADUS_PROGRAM, pointers.data());
    ::_exit(127);
  }

  pid_t process_ = -1;
  int source_ = -1;
  std::string output_;
};
