// The handler does only what POSIX allows in one: it sets a flag, or leaves.
#include "interrupt.h"

#include <csignal>

#include <unistd.h>

#include "exit_code.h"

namespace gradus::app {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;
volatile std::sig_atomic_t request_seen = 0;

extern "C" void on_interrupt(int) {
  if (interrupt_seen != 0) _exit(exit_interrupted);
  interrupt_seen = 1;
}

extern "C" void on_request(int) { request_seen = 1; }

}  // namespace

void catch_interrupts() {
  for (const int number : {SIGINT, SIGTERM, SIGUSR1}) {
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = number == SIGUSR1 ? on_request : on_interrupt;
    action.sa_flags = SA_RESTART;  // reading and writing go on as if nothing had happened
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, nullptr);
  }
}

bool interrupted() { return interrupt_seen != 0 || request_seen != 0; }

}  // namespace gradus::app
