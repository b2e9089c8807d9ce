// One thread, which sleeps in poll(): on the processes it watches, and for a tick, by which waits grow older.
#include <gradus/core/error.h>
#include <gradus/distributed/watchdog.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace gradus {
namespace {

/// A descriptor that can be read from when that process has ended; -1 where there is none to be had.
int open_process(int process) { return static_cast<int>(::syscall(SYS_pidfd_open, process, 0)); }

}  // namespace

struct Watchdog::State {
  struct Waiting {
    std::string what;
    double age = 0;  // seconds
    std::vector<int> missing{};
  };
  struct Process {
    int rank;
    int number;
    int descriptor;  // -1: it had ended before it was watched
  };

  double limit = 0;
  std::function<void(const WatchdogAlarm&)> alarm;
  int wake[2] = {-1, -1};  // a pipe: a byte ends the sleep

  std::mutex mutex;  // held for what follows
  bool stopping = false;
  int next_number = 0;
  std::map<int, Waiting> waits;
  std::vector<Process> processes;
  std::thread thread;

  ~State() {
    forget();
    for (const int end : wake) ::close(end);
  }

  void forget() {
    for (const Process& process : processes) {
      if (process.descriptor >= 0) ::close(process.descriptor);
    }
    processes.clear();
  }

  void stir() {
    const char byte = 0;
    static_cast<void>(::write(wake[1], &byte, 1) == 1);  // a full pipe wakes it as well
  }

  void run();
  bool grow_older(double seconds, WatchdogAlarm& found);
  bool has_ended(const std::vector<pollfd>& polled, WatchdogAlarm& found);
};

bool Watchdog::State::grow_older(double seconds, WatchdogAlarm& found) {
  for (auto& [number, wait] : waits) {
    wait.age += seconds;
    if (wait.age < limit) continue;
    PlainText line;
    line << "no word from";
    for (std::size_t i = 0; i < wait.missing.size(); ++i)
      line << (i == 0 ? " rank " : ", ") << wait.missing[i];
    if (wait.missing.empty()) line << " the others";
    line << " for " << limit << " s while waiting for " << wait.what;
    found = {line.str(), wait.missing};
    return true;
  }
  return false;
}

/// `polled`: the pipe, then the processes.
bool Watchdog::State::has_ended(const std::vector<pollfd>& polled, WatchdogAlarm& found) {
  for (const Process& process : processes) {
    const bool ended = process.descriptor < 0 ||
                       std::any_of(polled.begin() + 1, polled.end(), [&](const pollfd& p) {
                         return p.fd == process.descriptor && p.revents != 0;
                       });
    if (!ended) continue;
    found = {text_of("rank ", process.rank, " (process ", process.number,
                     ") has ended before its time: killed, or crashed"),
             {process.rank}};
    return true;
  }
  return false;
}

void Watchdog::State::run() {
  using Clock = std::chrono::steady_clock;
  const double tick = std::clamp(limit / 8, 0.001, 0.25);
  Clock::time_point last = Clock::now();
  std::unique_lock lock(mutex);
  while (!stopping) {
    std::vector<pollfd> polled{{wake[0], POLLIN, 0}};
    for (const Process& process : processes) polled.push_back({process.descriptor, POLLIN, 0});
    lock.unlock();
    ::poll(polled.data(), polled.size(), static_cast<int>(tick * 1000) + 1);
    char bytes[64];
    if (polled[0].revents != 0) static_cast<void>(::read(wake[0], bytes, sizeof bytes) > 0);
    lock.lock();
    const Clock::time_point now = Clock::now();
    // More than two ticks have passed only while this process did not run.
    const double passed = std::min(std::chrono::duration<double>(now - last).count(), 2 * tick);
    last = now;
    WatchdogAlarm found;
    if (stopping || !(has_ended(polled, found) || grow_older(passed, found))) continue;
    lock.unlock();
    alarm(found);
    return;
  }
}

Watchdog::Watchdog(double seconds, std::function<void(const WatchdogAlarm&)> alarm)
    : state_(std::make_shared<State>()) {
  if (!(seconds > 0)) fail<ValueError>("watchdog: seconds must be above 0, got ", seconds);
  state_->limit = seconds;
  state_->alarm = std::move(alarm);
  if (::pipe2(state_->wake, O_CLOEXEC | O_NONBLOCK) != 0) fail<IoError>("watchdog: no pipe");
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->stir();
  state_->thread.join();
}

void Watchdog::watch(int rank, int process) {
  const int descriptor = open_process(process);
  if (descriptor < 0 && errno != ESRCH) return;  // ESRCH: it has ended already
  {
    const std::lock_guard lock(state_->mutex);
    state_->processes.push_back({rank, process, descriptor});
  }
  state_->stir();
}

void Watchdog::forget_processes() {
  const std::lock_guard lock(state_->mutex);
  state_->forget();
}

Watchdog::Wait::Wait(Watchdog* watchdog, const std::string& what)
    : state_(watchdog == nullptr ? nullptr : watchdog->state_) {
  if (!state_) return;
  const std::lock_guard lock(state_->mutex);
  number_ = state_->next_number++;
  state_->waits.emplace(number_, State::Waiting{.what = what});
}

Watchdog::Wait::~Wait() {
  if (!state_) return;
  const std::lock_guard lock(state_->mutex);
  state_->waits.erase(number_);
}

void Watchdog::Wait::missing(std::vector<int> ranks) {
  if (!state_) return;
  const std::lock_guard lock(state_->mutex);
  state_->waits.at(number_).missing = std::move(ranks);
}

void Watchdog::Wait::restart() {
  if (!state_) return;
  const std::lock_guard lock(state_->mutex);
  state_->waits.at(number_).age = 0;
}

}  // namespace gradus
