// In the place of mpi.cpp in a build without MPI.
#include <gradus/distributed/mpi.h>

namespace gradus {

int mpi_run(const MpiOptions&, const std::function<int(Communicator&)>&) {
  fail<Error>(
      "mpi_run: this Gradus was built without MPI; install libopenmpi-dev or libmpich-dev and "
      "build it again");
}

std::string mpi_description() { return {}; }

}  // namespace gradus
