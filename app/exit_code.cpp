// From an error to what the program exits with.
#include "exit_code.h"

#include <gradus/distributed/communicator.h>
#include <gradus/distributed/mpi.h>

#include <system_error>

namespace gradus::app {
namespace {

template <class E> bool is_a(const std::exception& error) {
  return dynamic_cast<const E*>(&error) != nullptr;
}

}  // namespace

int exit_code_of(const std::exception& error) {
  if (is_a<UsageError>(error) || is_a<MpirunError>(error)) return exit_usage;
  if (is_a<Diverged>(error) || is_a<AnomalyError>(error)) return exit_check_failed;
  if (is_a<RankError>(error)) return exit_rank_lost;
  if (is_a<NotFoundError>(error)) return exit_no_input;
  if (is_a<BadDataError>(error)) return exit_bad_data;
  if (is_a<IoError>(error) || is_a<std::system_error>(error)) return exit_io;
  return exit_internal;
}

}  // namespace gradus::app
