// What the program tells its caller by its exit code, and the errors that only a program has.
// The codes above 64 are those of BSD's sysexits.h.
#pragma once

#include <gradus/core/error.h>

#include <exception>

namespace gradus::app {

enum ExitCode : int {
  exit_ok = 0,
  exit_check_failed = 1,  ///< a gradient is wrong, a training diverged, or an anomaly was found
  exit_usage =
      2,  ///< a command line that makes no sense, or a file it names that cannot be written
  exit_bad_data = 65,     ///< a file is there, but damaged or of another kind
  exit_no_input = 66,     ///< a file or data set is not there
  exit_internal = 70,     ///< a fault of the program itself
  exit_io = 74,           ///< reading or writing failed on the way: a full disk
  exit_rank_lost = 75,    ///< another process of a distributed training died, failed or was silent
  exit_interrupted = 130  ///< stopped by SIGINT (Ctrl-C) or SIGTERM
};

/// What the program exits with because of this.
int exit_code_of(const std::exception& error);

/// What the user asked for cannot be done.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// The loss of a training is no longer a number.
class Diverged : public Error {
 public:
  using Error::Error;
};

}  // namespace gradus::app
