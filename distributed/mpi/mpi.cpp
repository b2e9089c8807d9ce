// The only file that knows MPI. Messages are MPI_Isend and MPI_Irecv with the channel as their tag, asked for with
// MPI_Testsome; one thread at a time is in MPI (MPI_THREAD_SERIALIZED), by a lock. No call blocks but the first and the
// last, and these are watched: so whatever becomes of another rank, this one can still tell.
#include <gradus/core/words.h>
#include <gradus/distributed/mpi.h>
#include <gradus/distributed/mpi/detail/turn.h>

#include <mpi.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <thread>
#include <utility>

namespace gradus {
namespace {

constexpr int farewell_tag = 1;        // a rank is done
constexpr int first_message_tag = 16;  // and the channel
constexpr int code_of_failure = 70;

using Clock = std::chrono::steady_clock;

/// `peer`: the rank of the message; -1 where there are several.
void expect_success(int result, const char* call, int peer = -1) {
  if (result == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(result, text, &length);
  const std::string all(text, static_cast<std::size_t>(length));
  const std::string whose = peer < 0 ? "" : text_of("the connection to rank ", peer, " is lost: ");
  throw RankError(text_of(whose, call, ": ", all.substr(0, all.find('\n'))));
}

std::string first_line(const char* file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// Processes that can see each other by number say the same here: one running system, one space of numbers.
std::string place_of_process() {
  char space[64] = "";
  const ssize_t length = ::readlink("/proc/self/ns/pid", space, sizeof space - 1);
  return first_line("/proc/sys/kernel/random/boot_id") + " " +
         std::string(space, static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
}

/// "gradus: " and a line, in one call, so that lines of several ranks do not mix. To be followed by the end of all: mpirun hands
/// on what ranks write only until it sees one end, so this gives it the time.
void tell(const std::string& line) {
  const std::string text = "gradus: " + without_controls(line) + "\n";
  static_cast<void>(::write(STDERR_FILENO, text.data(), text.size()) > 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
}

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator(int rank, int size, MPI_Comm ranks, const MpiOptions& options)
      : Communicator(rank, size), options_(options), ranks_(ranks) {
    if (size == 1) return;
    set_watchdog(std::make_unique<Watchdog>(
        options.timeout, [this](const WatchdogAlarm& alarm) { end_of(alarm.ranks, alarm.what); }));
  }
  ~MpiCommunicator() override { set_watchdog(nullptr); }

  /// Finds out who is on this machine, and watches the processes that can be seen there.
  void meet() {
    const std::string mine = place_of_process() + " " + std::to_string(::getpid());
    const std::vector<std::string> all = gather(mine, "the other ranks to start");
    const auto place = [](const std::string& text) { return text.substr(0, text.rfind(' ')); };
    for (std::size_t i = 0; i < all.size(); ++i) {
      const int other = static_cast<int>(i);
      if (other == rank() || place(all[i]) != place(mine)) continue;
      watchdog()->watch(other, std::stoi(all[i].substr(all[i].rfind(' ') + 1)));
    }
  }

  std::unique_ptr<Pending> all_to_all(int channel, const std::byte* send,
                                      const ByteCounts& send_bytes, std::byte* receive,
                                      const ByteCounts& receive_bytes) override;
  std::unique_ptr<Pending> all_gather(int channel, const std::byte* send, std::byte* receive,
                                      const ByteCounts& bytes) override;
  void finish() override;
  [[noreturn]] void abort(const std::exception& error) override {
    // What another rank did the watchdog may know better, and others tell as well: the first of them may do it alone.
    const bool lost = dynamic_cast<const RankError*>(&error) != nullptr;
    if (lost) std::this_thread::sleep_for(std::chrono::seconds(rank() == 0 ? 1 : 4));
    const int code = lost                 ? options_.exit_code_of_lost_rank
                     : options_.exit_code ? options_.exit_code(error)
                                          : code_of_failure;
    tell(text_of("rank ", rank(), ": ", error.what()));
    leave(code);
  }

  /// Ends this process, and with it all, because of other ranks. Of those that see it one tells, and the others give it time to.
  [[noreturn]] void end_of(const std::vector<int>& lost, const std::string& what) {
    std::this_thread::sleep_for(detail::time_until_turn(lost, rank()));
    tell(text_of("rank ", rank(), ": ", what));
    leave(options_.exit_code_of_lost_rank);
  }

  /// Everything has been said, and nobody waits for this rank. Yet MPI_Finalize may hang: in MPICH 4.0.2 over UCX by TCP a rank
  /// may wait for its connection to one that has closed it already. Who is not through after some seconds leaves as it is.
  void end_mpi(int result) {
    constexpr double longest = 5;
    std::fflush(nullptr);
    set_watchdog(
        std::make_unique<Watchdog>(longest, [=](const WatchdogAlarm&) { ::_exit(result); }));
    const Watchdog::Wait watched(watchdog(), "MPI to end");
    MPI_Comm_free(&ranks_);
    MPI_Finalize();
  }

  std::mutex& mutex() { return mutex_; }
  MPI_Comm ranks() const { return ranks_; }

 private:
  /// With MPI_Abort where another thread does not hang in MPI; mpirun ends the others in either case.
  [[noreturn]] void leave(int code) {
    std::unique_lock lock(mutex_, std::defer_lock);
    for (int i = 0; i < 50 && !lock.try_lock(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (lock.owns_lock()) MPI_Abort(MPI_COMM_WORLD, code);
    ::_exit(code);
  }

  const MpiOptions& options_;
  MPI_Comm ranks_;
  std::mutex mutex_;  // held in MPI
};

/// One message to and one from each other rank.
class MpiPending final : public Pending {
 public:
  MpiPending(MpiCommunicator& world, int tag) : world_(world), tag_(tag) {}

  void receive(std::byte* to, std::int64_t bytes, int from) {
    if (bytes == 0) return;
    requests_.push_back(MPI_REQUEST_NULL);
    ranks_.push_back(from);
    expect_success(
        MPI_Irecv(to, checked(bytes), MPI_BYTE, from, tag_, world_.ranks(), &requests_.back()),
        "MPI_Irecv", from);
  }
  void send(const std::byte* from, std::int64_t bytes, int to) {
    if (bytes == 0) return;
    requests_.push_back(MPI_REQUEST_NULL);
    ranks_.push_back(to);
    expect_success(
        MPI_Isend(from, checked(bytes), MPI_BYTE, to, tag_, world_.ranks(), &requests_.back()),
        "MPI_Isend", to);
  }

  bool done() override {
    const std::lock_guard lock(world_.mutex());
    if (open() == 0) return true;
    std::vector<int> finished(requests_.size());
    int count = 0;
    expect_success(MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &count,
                                finished.data(), MPI_STATUSES_IGNORE),
                   "MPI_Testsome");
    if (open() == 0) return true;
    if (count <= 0) look_for_farewells();
    return false;
  }

  std::vector<int> missing() const override {
    const std::lock_guard lock(world_.mutex());
    return of_open_requests();
  }

 private:
  static int checked(std::int64_t bytes) {
    if (bytes <= INT_MAX) return static_cast<int>(bytes);
    fail<ValueError>("distributed: a message of MPI has at most ", INT_MAX, " bytes, this has ",
                     bytes, "; make bucket_bytes smaller");
  }
  /// Completed ones are MPI_REQUEST_NULL.
  std::ptrdiff_t open() const {
    return std::ssize(requests_) - std::count(requests_.begin(), requests_.end(), MPI_REQUEST_NULL);
  }
  std::vector<int> of_open_requests() const {
    std::vector<int> ranks;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      const bool listed = std::find(ranks.begin(), ranks.end(), ranks_[i]) != ranks.end();
      if (requests_[i] != MPI_REQUEST_NULL && !listed) ranks.push_back(ranks_[i]);
    }
    return ranks;
  }

  /// A rank that has said farewell sends nothing more. What it had sent before may be a little later than that.
  void look_for_farewells() {
    for (const int rank : of_open_requests()) {
      int there = 0;
      expect_success(MPI_Iprobe(rank, farewell_tag, world_.ranks(), &there, MPI_STATUS_IGNORE),
                     "MPI_Iprobe", rank);
      if (there == 0) continue;
      if (farewell_ == Clock::time_point{}) farewell_ = Clock::now();
      if (Clock::now() - farewell_ < std::chrono::seconds(2)) return;
      throw RankError(text_of("rank ", rank, " has finished, and rank ", world_.rank(),
                              " waits for it: did it run out of data?"));
    }
  }

  MpiCommunicator& world_;
  int tag_;
  std::vector<MPI_Request> requests_{};
  std::vector<int> ranks_{};      // of each
  Clock::time_point farewell_{};  // when the first was seen
};

std::unique_ptr<Pending> MpiCommunicator::all_to_all(int channel, const std::byte* send,
                                                     const ByteCounts& send_bytes,
                                                     std::byte* receive,
                                                     const ByteCounts& receive_bytes) {
  const std::lock_guard lock(mutex_);
  auto pending = std::make_unique<MpiPending>(*this, first_message_tag + channel);
  std::byte* own = nullptr;
  for (int from = 0; from < size(); ++from) {
    const std::int64_t bytes = receive_bytes[static_cast<std::size_t>(from)];
    if (from == rank()) own = receive;
    if (from != rank()) pending->receive(receive, bytes, from);
    receive += bytes;
  }
  for (int to = 0; to < size(); ++to) {
    const std::int64_t bytes = send_bytes[static_cast<std::size_t>(to)];
    if (to != rank()) pending->send(send, bytes, to);
    if (to == rank() && bytes > 0) std::memcpy(own, send, static_cast<std::size_t>(bytes));
    send += bytes;
  }
  return pending;
}

std::unique_ptr<Pending> MpiCommunicator::all_gather(int channel, const std::byte* send,
                                                     std::byte* receive, const ByteCounts& bytes) {
  const std::lock_guard lock(mutex_);
  auto pending = std::make_unique<MpiPending>(*this, first_message_tag + channel);
  const std::int64_t mine = bytes[static_cast<std::size_t>(rank())];
  for (int from = 0; from < size(); ++from) {
    const std::int64_t theirs = bytes[static_cast<std::size_t>(from)];
    if (from != rank()) pending->receive(receive, theirs, from);
    if (from == rank() && mine > 0) std::memcpy(receive, send, static_cast<std::size_t>(mine));
    receive += theirs;
  }
  for (int to = 0; to < size(); ++to) {
    if (to != rank()) pending->send(send, mine, to);
  }
  return pending;
}

void MpiCommunicator::finish() {
  if (watchdog() != nullptr) watchdog()->forget_processes();
  const std::byte nothing{};
  std::vector<std::byte> received(static_cast<std::size_t>(size()));
  MpiPending farewells(*this, farewell_tag);
  {
    const std::lock_guard lock(mutex_);
    for (int other = 0; other < size(); ++other) {
      if (other != rank()) farewells.receive(&received[static_cast<std::size_t>(other)], 1, other);
    }
    for (int other = 0; other < size(); ++other) {
      if (other != rank()) farewells.send(&nothing, 1, other);
    }
  }
  wait(farewells, "the others to finish");
}

/// By what MPICH's mpirun tells its processes.
bool hydra_has_all_ranks_here() {
  const char* here = std::getenv("MPI_LOCALNRANKS");
  const char* all = std::getenv("PMI_SIZE");
  return here != nullptr && all != nullptr && std::strcmp(here, all) == 0;
}

/// Other threads of this process never call MPI at the same time; see there.
MPI_Comm start_mpi(const MpiOptions& options) {
  constexpr double least =
      60;  // seconds: to start processes takes longer than a step, and nobody is slow yet
  Watchdog watchdog(std::max(options.timeout, least), [&](const WatchdogAlarm& alarm) {
    tell(alarm.what);
    ::_exit(options.exit_code_of_lost_rank);
  });
  const Watchdog::Wait watched(&watchdog, "all processes to start MPI");
  // UCX, below MPICH, ends a process that reads the memory of another one which is gone (cma), and nobody can tell
  // any more which that was. Through shared memory it does not notice; where all ranks are on one machine, nothing else
  // is needed (of connections by TCP see end_mpi).
  ::setenv("UCX_TLS", hydra_has_all_ranks_here() ? "posix,sysv,self" : "^cma", 0);
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
  if (provided < MPI_THREAD_SERIALIZED) {
    fail<Error>("mpi_run: this MPI lets only one thread of a process call it (level ", provided,
                "), Gradus needs MPI_THREAD_SERIALIZED");
  }
  MPI_Comm ranks = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &ranks);
  MPI_Comm_set_errhandler(ranks, MPI_ERRORS_RETURN);
  return ranks;
}

/// An mpirun of another MPI starts processes that are each alone to this one. What it tells them shows it: of all the
/// numbers of processes in the environment (an mpirun may have been started below another) none is that of MPI.
void expect_own_mpirun(int size) {
  const char* other = nullptr;
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    const char* told = std::getenv(name);
    if (told == nullptr) continue;
    if (std::atoi(told) == size) return;
    other = told;
  }
  if (other == nullptr) return;
  fail<MpirunError>("mpi_run: mpirun has started ", other, " processes, and MPI sees ", size,
                    ": this mpirun is not that of the MPI which this program was built with (",
                    mpi_description(), ")");
}

}  // namespace

int mpi_run(const MpiOptions& options, const std::function<int(Communicator&)>& body) {
  const MPI_Comm ranks = start_mpi(options);
  int rank = 0;
  int size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  int result = 0;
  {
    MpiCommunicator world(rank, size, ranks, options);
    try {
      expect_own_mpirun(size);
      if (size > 1) world.meet();
      result = body(world);
      world.finish();
      world.end_mpi(result);
    } catch (const std::exception& error) {
      world.abort(error);
    }
  }
  return result;
}

std::string mpi_description() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string all(text, static_cast<std::size_t>(length));
  return all.substr(0, all.find_first_of(",\n"));
}

}  // namespace gradus
