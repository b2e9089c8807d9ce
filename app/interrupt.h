// Ctrl-C, politely: the first SIGINT or SIGTERM raises a flag that the training loop looks at
// between two steps; the second ends the program at once. SIGUSR1 raises it too, and as often as it comes does no more: it is
// what mpirun hands on without ending anything, and a batch system may send it to mpirun and to each process.
#pragma once

namespace gradus::app {

/// From now on SIGINT, SIGTERM and SIGUSR1 raise the flag. A signal that the caller had ignored (nohup, a
/// background job of a script) stays ignored.
void catch_interrupts();

/// Whether a signal has come.
bool interrupted();

}  // namespace gradus::app
