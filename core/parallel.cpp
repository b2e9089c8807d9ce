// The pool behind parallel_for: workers that wait for a job, spin a little, then sleep.
//
// One atomic word, state_, carries the protocol: a job number, whether the job is open, and how
// many workers are in it. A worker joins an open job by adding one to the word and leaves by taking
// it away; the caller closes the job and waits for the count to be zero. Joining is voluntary: a
// worker that the system has not scheduled yet is not waited for, so a loop costs little more than
// its chunks even on a busy machine. The job's fields are written only while the word says closed
// and empty, and read only by those who joined.
#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/core/parallel.h>

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <immintrin.h>

namespace gradus {
namespace {

constexpr int max_threads = 1024;

// About 250 microseconds: longer than the serial gaps inside a training step, an optimizer's among
// them, shorter than anyone notices on a laptop.
constexpr int spins_before_sleep = 5000;

// True in a worker, and in a caller while it owns the pool: a parallel_for met there is nested
// and runs inline.
thread_local bool inside_parallel_for = false;

int available_processors() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    return std::clamp(CPU_COUNT(&allowed), 1, max_threads);
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, max_threads);
}

int initial_threads() {
  const int fallback = available_processors();
  const char* text = std::getenv("GRADUS_NUM_THREADS");
  if (text == nullptr || *text == '\0') return fallback;
  const char* end = text + std::strlen(text);
  int count = 0;
  const auto [stop, error] = std::from_chars(text, end, count);
  if (error == std::errc() && stop == end && count >= 1 && count <= max_threads) return count;
  log_warn("GRADUS_NUM_THREADS='" + std::string(text) + "' is not a number from 1 to " +
           std::to_string(max_threads) + "; using " + std::to_string(fallback));
  return fallback;
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count{initial_threads()};
  return count;
}

void run_inline(std::int64_t count, std::int64_t grain, detail::ChunkFunction function,
                void* body) {
  for (std::int64_t begin = 0; begin < count;) {
    const std::int64_t end = begin + std::min(grain, count - begin);
    function(body, begin, end);
    begin = end;
  }
}

struct Job {
  detail::ChunkFunction function = nullptr;
  void* body = nullptr;
  std::int64_t count = 0;
  std::int64_t grain = 1;
  std::int64_t chunks = 0;
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;  // written by the one that sets `failed`

  /// Takes chunks until none is left or one has thrown.
  void work() noexcept {
    while (!failed.load(std::memory_order_relaxed)) {
      const std::int64_t chunk = next.fetch_add(1, std::memory_order_relaxed);
      if (chunk >= chunks) return;
      const std::int64_t begin = chunk * grain;
      try {
        function(body, begin, begin + std::min(grain, count - begin));
      } catch (...) {
        if (!failed.exchange(true)) error = std::current_exception();
      }
    }
  }
};

class Pool {
 public:
  /// Runs the job on the pool; false, with nothing done, when another thread owns the pool.
  bool try_run(std::int64_t count, std::int64_t grain, std::int64_t chunks,
               detail::ChunkFunction function, void* body) {
    std::unique_lock ownership(ownership_, std::try_to_lock);
    if (!ownership || shut_down_) return false;
    start_workers();
    job_.function = function;
    job_.body = body;
    job_.count = count;
    job_.grain = grain;
    job_.chunks = chunks;
    job_.next.store(0, std::memory_order_relaxed);
    job_.failed.store(false, std::memory_order_relaxed);
    open_job(chunks - 1);
    inside_parallel_for = true;
    job_.work();
    inside_parallel_for = false;
    close_job();
    if (job_.failed.load(std::memory_order_relaxed))
      std::rethrow_exception(std::exchange(job_.error, nullptr));
    return true;
  }

  void resize(int count) {
    const std::scoped_lock ownership(ownership_);
    join_workers();
    thread_count().store(count, std::memory_order_relaxed);
  }

  /// For the end of the program: later calls run inline.
  void shut_down() {
    if (inside_parallel_for) return;  // exit() from inside a chunk: workers cannot be waited for
    const std::scoped_lock ownership(ownership_);
    shut_down_ = true;
    join_workers();
  }

 private:
  // state_: bits 0..15 workers in the job, bit 16 open, the rest the job's number.
  static constexpr std::uint64_t joined_mask = 0xffff;
  static constexpr std::uint64_t open_bit = 0x10000;
  static constexpr std::uint64_t next_job = 0x20000;
  static std::uint64_t job_number(std::uint64_t state) { return state / next_job; }

  void open_job(std::int64_t wanted) {
    // Sequentially consistent, as in sleep(): either the sleeper sees the job, or we
    // see the sleeper.
    state_.store((job_number(state_.load()) + 1) * next_job + open_bit);
    if (sleepers_.load() == 0) return;
    const std::scoped_lock lock(sleep_mutex_);
    for (std::int64_t i = std::min<std::int64_t>(wanted, sleepers_.load()); i > 0; --i)
      wake_.notify_one();
  }

  void close_job() {
    state_.fetch_and(~open_bit);
    for (int spin = 0; (state_.load(std::memory_order_acquire) & joined_mask) != 0; ++spin) {
      if (spin < spins_before_sleep) {
        _mm_pause();
      } else {
        std::this_thread::yield();  // the worker may be waiting for this very processor
      }
    }
  }

  bool has_news(std::uint64_t last_job) const {
    const std::uint64_t state = state_.load();
    return stopping_.load() || ((state & open_bit) != 0 && job_number(state) != last_job);
  }

  void wait_for_news(std::uint64_t last_job) {
    for (int spin = 0; spin < spins_before_sleep; ++spin) {
      if (has_news(last_job)) return;
      _mm_pause();
    }
    std::unique_lock lock(sleep_mutex_);
    ++sleepers_;
    wake_.wait(lock, [&] { return has_news(last_job); });
    --sleepers_;
  }

  void worker(std::uint64_t last_job) {
    inside_parallel_for = true;
    for (;;) {
      wait_for_news(last_job);
      if (stopping_.load()) return;
      std::uint64_t state = state_.load();
      if ((state & open_bit) == 0 || !state_.compare_exchange_strong(state, state + 1)) continue;
      last_job = job_number(state);
      job_.work();
      state_.fetch_sub(1, std::memory_order_release);
    }
  }

  void start_workers() {
    const auto wanted =
        static_cast<std::size_t>(thread_count().load(std::memory_order_relaxed) - 1);
    if (workers_.size() >= wanted) return;
    const std::uint64_t last_job = job_number(state_.load());
    try {
      while (workers_.size() < wanted)
        workers_.emplace_back([this, last_job] { worker(last_job); });
    } catch (const std::system_error&) {
      // The system refuses more threads; those that started, and the caller, do the work.
      thread_count().store(static_cast<int>(workers_.size()) + 1, std::memory_order_relaxed);
    }
  }

  void join_workers() {
    {
      const std::scoped_lock lock(sleep_mutex_);
      stopping_.store(true);
    }
    wake_.notify_all();
    for (std::thread& thread : workers_) thread.join();
    workers_.clear();
    stopping_.store(false);
  }

  std::mutex ownership_;  // held by the caller whose job runs
  bool shut_down_ = false;
  std::vector<std::thread> workers_;
  Job job_;
  std::atomic<std::uint64_t> state_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<int> sleepers_{0};
  std::mutex sleep_mutex_;
  std::condition_variable wake_;
};

Pool& pool();

struct ShutDownAtExit {
  ~ShutDownAtExit() { pool().shut_down(); }
};

/// Never deleted: a static object destroyed after the shutdown may still call parallel_for, which
/// then runs inline. A child of fork() has none of the workers, and perhaps a lock that one of them
/// held: it begins with a pool of its own.
Pool& pool() {
  static std::atomic<Pool*> current{new Pool};
  static const int at_fork = pthread_atfork(nullptr, nullptr, [] { current.store(new Pool); });
  static_cast<void>(at_fork);
  static const ShutDownAtExit shut_down_at_exit;
  return *current.load(std::memory_order_relaxed);
}

}  // namespace

int num_threads() { return thread_count().load(std::memory_order_relaxed); }

void set_num_threads(int count) {
  if (count < 1 || count > max_threads) {
    fail<ValueError>("set_num_threads: the count must be from 1 to ", max_threads, ", got ", count);
  }
  if (inside_parallel_for) fail<Error>("set_num_threads: called from inside a parallel_for");
  pool().resize(count);
}

namespace detail {

void run_chunks(std::int64_t count, std::int64_t grain, ChunkFunction function, void* body) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  const std::int64_t chunks = (count - 1) / grain + 1;
  if (chunks == 1 || inside_parallel_for || num_threads() == 1 ||
      !pool().try_run(count, grain, chunks, function, body)) {
    run_inline(count, grain, function, body);
  }
}

}  // namespace detail
}  // namespace gradus
