// Ctrl-C, politely: the first SIGINT or SIGTERM raises a flag that the training loop looks at
// between two steps; the second ends the program at once.
#pragma once

namespace gradus::app {

/// From now on SIGINT and SIGTERM raise the flag. A signal that the caller had ignored (nohup, a
/// background job of a script) stays ignored.
void catch_interrupts();

/// Whether a signal has come.
bool interrupted();

}  // namespace gradus::app
