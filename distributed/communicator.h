// Communicator: several ranks that send each other bytes. What trains on many processes is written against it alone:
// in_memory.h has ranks that are threads of one process, mpi.h those of MPI.
//
// It has two operations, and they are enough: each rank gives every other a part (all_to_all), and each rank gives
// all others the same (all_gather). Neither adds anything up: in which order numbers are added is decided by who
// receives them, and so is the same for any number of ranks. MPI_Iallreduce, whose order is its own affair and
// changes with the number of ranks and the size of the message, gives no such promise.
//
// Both begin at once and go on while the caller computes. Every rank begins the operations of a channel in the same
// order; those of different channels may be begun in any.
#pragma once

#include <gradus/core/error.h>
#include <gradus/distributed/watchdog.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gradus {

/// Another rank has died, failed, or kept silent; this one cannot go on.
class RankError : public Error {
 public:
  using Error::Error;
};

/// An operation under way. It must be done before its memory, or the Pending, goes away, unless a rank has failed.
class Pending {
 public:
  virtual ~Pending() = default;
  /// Is all here, and all that is sent on its way? Moves the work on; to be asked again and again. Throws RankError.
  virtual bool done() = 0;
  /// The ranks of which something is still to come, as of the last done().
  virtual std::vector<int> missing() const = 0;
};

/// Bytes for, or from, each rank.
using ByteCounts = std::vector<std::int64_t>;

/// Thread safety: operations may be begun and asked for by several threads of a rank.
class Communicator {
 public:
  /// Channels from here on are the caller's; those below serve gather() and broadcast().
  static constexpr int first_channel = 8;

  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  /// 0, 1, ..., size() - 1.
  int rank() const { return rank_; }
  int size() const { return size_; }

  /// Begins to give rank j the send_bytes[j] bytes that stand in `send` behind those of the ranks before it, and to
  /// receive as many from each rank j as it has for this one, into `receive`, likewise one behind the other.
  virtual std::unique_ptr<Pending> all_to_all(int channel, const std::byte* send,
                                              const ByteCounts& send_bytes, std::byte* receive,
                                              const ByteCounts& receive_bytes) = 0;
  /// Begins to give all ranks the bytes[rank()] bytes of `send`; `receive` gets those of all ranks in order.
  virtual std::unique_ptr<Pending> all_gather(int channel, const std::byte* send,
                                              std::byte* receive, const ByteCounts& bytes) = 0;
  /// The last call of a rank that is done: waits until all are. Throws RankError where one still waits for this rank.
  virtual void finish() = 0;
  /// Ends all ranks because of what this one has caught; the line that tells it names this rank. Processes exit, threads
  /// get a RankError.
  [[noreturn]] virtual void abort(const std::exception& error) = 0;

  /// Waits for an operation, and is watched. `what`, for the message: as in "the gradients".
  void wait(Pending& pending, const std::string& what);
  /// The texts of all ranks, in order.
  std::vector<std::string> gather(const std::string& mine, const std::string& what);
  /// Gives all ranks the bytes of rank 0.
  void broadcast(std::byte* data, std::int64_t bytes, const std::string& what);
  /// The watchdog of this rank; null where it has none.
  Watchdog* watchdog() const { return watchdog_.get(); }

 protected:
  Communicator(int rank, int size) : rank_(rank), size_(size) {}
  /// What looks after waits; a communicator takes its own away before it ends.
  void set_watchdog(std::unique_ptr<Watchdog> watchdog) { watchdog_ = std::move(watchdog); }

 private:
  int rank_;
  int size_;
  std::unique_ptr<Watchdog> watchdog_;
};

/// Waits a little longer each time between two looks at something, so that looking costs little.
class Patience {
 public:
  /// Looks in vain: gives the processor away, from the 64th time on for 50 microseconds.
  void pause();
  void reset() { looks_ = 0; }

 private:
  int looks_ = 0;
};

/// Throws ValueError, the same on every rank, unless all ranks state the same facts: names and values in one order.
/// The message names the first that differs, both ranks and both values.
void expect_same_facts(Communicator& world,
                       const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace gradus
