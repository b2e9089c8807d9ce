// An operation is a Round that all ranks enter with their memory; when the last one has, each copies what is its own.
#include <gradus/distributed/in_memory.h>

#include <cstring>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

namespace gradus {
namespace {

/// What a rank brings to an operation.
struct Entry {
  const std::byte* send = nullptr;
  std::vector<std::int64_t> offsets{};  // of the part of each rank
  std::vector<std::int64_t> bytes{};    // likewise
};

struct Round {
  explicit Round(std::size_t ranks) : entries(ranks) {}
  std::vector<std::optional<Entry>> entries;
  std::size_t copied = 0;  // ranks that have what is theirs

  bool complete() const {
    for (const auto& entry : entries) {
      if (!entry) return false;
    }
    return true;
  }
};

/// What the ranks share.
struct Room {
  explicit Room(int ranks)
      : size(static_cast<std::size_t>(ranks)), begun(size), finished(size, false) {}
  const std::size_t size;
  std::mutex mutex;                                                       // held for all of it
  std::map<std::pair<int, std::int64_t>, std::shared_ptr<Round>> rounds;  // channel, number in it
  std::vector<std::map<int, std::int64_t>> begun;  // by rank: operations of each channel
  std::vector<bool> finished;
  std::string failure;

  void expect_no_failure() const {
    if (!failure.empty()) throw RankError(failure);
  }
  /// The first failure is the one that is told.
  void fail_all(const std::string& line) {
    const std::lock_guard lock(mutex);
    if (failure.empty()) failure = line;
  }
};

class InMemoryPending final : public Pending {
 public:
  InMemoryPending(std::shared_ptr<Room> room, std::shared_ptr<Round> round, std::size_t rank,
                  std::byte* receive, std::vector<std::int64_t> receive_bytes)
      : room_(std::move(room)),
        round_(std::move(round)),
        rank_(rank),
        receive_(receive),
        receive_bytes_(std::move(receive_bytes)) {}

  bool done() override {
    const std::lock_guard lock(room_->mutex);
    if (copied_ && round_->copied == room_->size) return true;
    room_->expect_no_failure();
    if (!round_->complete()) {
      expect_not_finished();
      return false;
    }
    if (!copied_) copy();
    return round_->copied == room_->size;
  }

  std::vector<int> missing() const override {
    const std::lock_guard lock(room_->mutex);
    std::vector<int> ranks;
    for (std::size_t i = 0; i < room_->size; ++i) {
      if (!round_->entries[i]) ranks.push_back(static_cast<int>(i));
    }
    return ranks;
  }

 private:
  void expect_not_finished() const {
    for (std::size_t i = 0; i < room_->size; ++i) {
      if (round_->entries[i] || !room_->finished[i]) continue;
      room_->failure = text_of("rank ", i, " has finished, and rank ", rank_,
                               " waits for it: did it run out of data?");
      throw RankError(room_->failure);
    }
  }

  void copy() {
    std::byte* to = receive_;
    for (std::size_t from = 0; from < room_->size; ++from) {
      const Entry& entry = *round_->entries[from];
      if (entry.bytes[rank_] != receive_bytes_[from]) {
        room_->failure = text_of("rank ", rank_, " expects ", receive_bytes_[from],
                                 " bytes of rank ", from, ", which sends ", entry.bytes[rank_]);
        throw RankError(room_->failure);
      }
      const auto bytes = static_cast<std::size_t>(receive_bytes_[from]);
      if (bytes > 0) std::memcpy(to, entry.send + entry.offsets[rank_], bytes);
      to += bytes;
    }
    copied_ = true;
    ++round_->copied;
  }

  std::shared_ptr<Room> room_;
  std::shared_ptr<Round> round_;
  std::size_t rank_;
  std::byte* receive_;
  std::vector<std::int64_t> receive_bytes_;
  bool copied_ = false;
};

class InMemory final : public Communicator {
 public:
  InMemory(std::shared_ptr<Room> room, int rank, double timeout)
      : Communicator(rank, static_cast<int>(room->size)), room_(std::move(room)) {
    if (size() == 1) return;  // there is nobody to wait for
    set_watchdog(
        std::make_unique<Watchdog>(timeout, [shared = room_, rank](const WatchdogAlarm& alarm) {
          shared->fail_all(text_of("rank ", rank, ": ", alarm.what));
        }));
  }

  std::unique_ptr<Pending> all_to_all(int channel, const std::byte* send,
                                      const ByteCounts& send_bytes, std::byte* receive,
                                      const ByteCounts& receive_bytes) override {
    Entry entry{.send = send, .offsets = ByteCounts(send_bytes.size()), .bytes = send_bytes};
    std::exclusive_scan(send_bytes.begin(), send_bytes.end(), entry.offsets.begin(),
                        std::int64_t{0});
    return enter(channel, std::move(entry), receive, receive_bytes);
  }

  std::unique_ptr<Pending> all_gather(int channel, const std::byte* send, std::byte* receive,
                                      const ByteCounts& bytes) override {
    const std::int64_t mine = bytes[static_cast<std::size_t>(rank())];
    return enter(
        channel,
        {.send = send, .offsets = ByteCounts(room_->size), .bytes = ByteCounts(room_->size, mine)},
        receive, bytes);
  }

  void finish() override {
    Watchdog::Wait watched(watchdog(), "the others to finish");
    Patience patience;
    for (;; patience.pause()) {
      const std::lock_guard lock(room_->mutex);
      room_->expect_no_failure();
      room_->finished[static_cast<std::size_t>(rank())] = true;
      std::vector<int> others;
      for (std::size_t i = 0; i < room_->size; ++i) {
        if (!room_->finished[i]) others.push_back(static_cast<int>(i));
      }
      if (others.empty()) return;
      watched.missing(others);
    }
  }

  [[noreturn]] void abort(const std::exception& error) override {
    const std::string told = text_of("rank ", rank(), ": ", error.what());
    room_->fail_all(told);
    throw RankError(told);
  }

 private:
  std::unique_ptr<Pending> enter(int channel, Entry entry, std::byte* receive,
                                 const ByteCounts& receive_bytes) {
    const std::lock_guard lock(room_->mutex);
    room_->expect_no_failure();
    const auto me = static_cast<std::size_t>(rank());
    const std::int64_t number = room_->begun[me][channel]++;
    std::shared_ptr<Round>& round = room_->rounds[{channel, number}];
    if (!round) round = std::make_shared<Round>(room_->size);
    round->entries[me] = std::move(entry);
    auto pending = std::make_unique<InMemoryPending>(room_, round, me, receive, receive_bytes);
    if (round->complete()) room_->rounds.erase({channel, number});  // nobody else will enter
    return pending;
  }

  std::shared_ptr<Room> room_;
};

}  // namespace

std::vector<std::unique_ptr<Communicator>> in_memory_ranks(int ranks, double timeout) {
  if (ranks < 1) fail<ValueError>("in_memory_ranks: ranks must be at least 1, got ", ranks);
  const auto room = std::make_shared<Room>(ranks);
  std::vector<std::unique_ptr<Communicator>> all;
  for (int rank = 0; rank < ranks; ++rank)
    all.push_back(std::make_unique<InMemory>(room, rank, timeout));
  return all;
}

void run_in_memory(int ranks, const std::function<void(Communicator&)>& body, double timeout) {
  const auto communicators = in_memory_ranks(ranks, timeout);
  std::vector<std::string> failures(communicators.size());
  const auto run = [&](Communicator& world, std::string& failure) {
    try {
      body(world);
      world.finish();
    } catch (const std::exception& error) {
      const bool is_told = dynamic_cast<const RankError*>(&error) != nullptr;
      try {
        world.abort(error);
      } catch (const RankError& told) {
        failure = is_told ? error.what() : told.what();
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < communicators.size(); ++i)
      threads.emplace_back([&, i] { run(*communicators[i], failures[i]); });
  }
  for (const std::string& failure : failures) {
    if (!failure.empty()) throw RankError(failure);
  }
}

}  // namespace gradus
