// Ranks that are processes of MPI: `mpirun -n 4 my_program`.
//
// This header knows nothing of MPI, and neither does the library; the target gradus::mpi has what does, and links the
// MPI that was found when Gradus was built (CMake: GRADUS_MPI). Each operation is a message to and from every other
// rank (MPI_Isend, MPI_Irecv), which is what MPI_Ialltoallv and MPI_Iallgatherv send; but only so is it known which rank
// has not answered.
#pragma once

#include <gradus/distributed/communicator.h>

#include <exception>
#include <functional>

namespace gradus {

/// The program was started by the mpirun of another MPI than its own: each of its processes would be alone.
class MpirunError : public Error {
 public:
  using Error::Error;
};

/// How the ranks of a program live together.
struct MpiOptions {
  /// After so many seconds of silence a rank counts as lost. It must be longer than the ranks may differ in a step, in
  /// reading their data, and than rank 0 takes to write a checkpoint. Until MPI has started it is 60 at least.
  double timeout = 300;
  /// What a rank exits with because of what it has caught, a MpirunError among it; null: 70.
  std::function<int(const std::exception&)> exit_code{};
  /// What a rank exits with that has lost another.
  int exit_code_of_lost_rank = 75;
};

/// Starts MPI, calls `body` on each rank, and waits until all have returned. Returns what `body` returned. What it throws
/// ends all ranks with one line on stderr that names this rank, and so do the death and the silence of another; then the
/// process exits and this call does not return. To be called once in a program, from its first thread. Throws Error in a
/// build without MPI.
int mpi_run(const MpiOptions& options, const std::function<int(Communicator&)>& body);

/// Which MPI this program was built with, as it names itself; empty: none.
std::string mpi_description();

}  // namespace gradus
