// The handler does only what POSIX allows in one: it sets a flag, or leaves.
#include "interrupt.h"

#include <csignal>

#include <unistd.h>

#include "exit_code.h"

namespace gradus::app {
namespace {

volatile std::sig_atomic_t signal_seen = 0;

extern "C" void on_signal(int) {
  if (signal_seen != 0) _exit(exit_interrupted);
  signal_seen = 1;
}

}  // namespace

void catch_interrupts() {
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;  // reading and writing go on as if nothing had happened
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, nullptr);
  }
}

bool interrupted() { return signal_seen != 0; }

}  // namespace gradus::app
