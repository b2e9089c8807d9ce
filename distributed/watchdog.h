// The watchdog: a thread that looks after waits on other ranks, so that none lasts for ever.
//
// Two things alarm it: a wait that is older than the time allowed, and the end of a process that it was told to watch.
// Time counts only while this process runs: one that was stopped (Ctrl-Z, a sleeping laptop) finds on going on that
// its waits are as old as before.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gradus {

/// Of what it has found.
struct WatchdogAlarm {
  std::string what;        ///< one line
  std::vector<int> ranks;  ///< those that kept silent or have ended
};

/// Thread safety: all of it may be called from several threads.
class Watchdog {
  struct State;

 public:
  /// Calls `alarm` once, from its own thread, when a wait has lasted for `seconds`.
  Watchdog(double seconds, std::function<void(const WatchdogAlarm&)> alarm);
  /// Ends the thread and waits for it.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// From now on the end of that process of this machine is the end of `rank`. Where the system does not know how to
  /// tell (Linux before 5.3), nothing happens, and silence alone alarms.
  void watch(int rank, int process);
  /// Processes may end from now on.
  void forget_processes();

  /// While it lives, something is waited for.
  class Wait {
   public:
    /// `what`: as in "the gradients". A null watchdog watches nothing.
    Wait(Watchdog* watchdog, const std::string& what);
    ~Wait();
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    /// The wait goes on for these ranks.
    void missing(std::vector<int> ranks);
    /// There was progress: its age is 0 again.
    void restart();

   private:
    std::shared_ptr<State> state_;
    int number_ = 0;
  };

 private:
  std::shared_ptr<State> state_;
};

}  // namespace gradus
