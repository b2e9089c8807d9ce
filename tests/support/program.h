// Runs the program `gradus` from a C++ test: with its output in a pipe, or on a terminal of its own
// that the test reads. A test that only looks at exit codes and text is a shell script instead.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdlib>
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

  /// Waits until `condition` holds; false when half a minute was not enough.
  static bool wait_until(const std::function<bool()>& condition) {
    for (int i = 0; i < 3000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
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
      ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
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
