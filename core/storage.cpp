// The pool: a list of free blocks for each size class, behind one lock. What two threads fight for is not
// the lock but the cache lines behind it, so a request touches three: the lock with all that is counted
// each time, the size class, and the block, whose own bytes link it to the next free one.
#include <gradus/core/detail/environment.h>
#include <gradus/core/error.h>
#include <gradus/core/storage.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>

#include <immintrin.h>
#include <pthread.h>
#include <sys/mman.h>

namespace gradus {
namespace {

constexpr std::size_t alignment = 64;  // of a block, as of its header

/// Rounds up to m · 2^e with m in 8..16: eight classes per power of two.
std::int64_t round_up(std::int64_t bytes) {
  const auto wanted = static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 512));
  const std::uint64_t step = std::bit_floor(wanted) / 8;
  return static_cast<std::int64_t>((wanted + step - 1) / step * step);
}

/// The capacity of a block for so many bytes behind its header.
std::int64_t capacity_for(std::int64_t bytes) {
  return round_up(bytes + static_cast<std::int64_t>(alignment));
}

/// So many classes above its own may serve a request, with up to 11/8 of its class: batches that are a
/// little smaller, as an epoch's last one, take what the others left, and no memory of their own.
constexpr std::size_t larger_classes = 3;

/// 0, 1, 2, ... for the capacities round_up returns.
std::size_t class_of(std::int64_t capacity) {
  const auto value = static_cast<std::uint64_t>(capacity);
  const auto power = static_cast<unsigned>(std::bit_width(value)) - 1;
  return static_cast<std::size_t>((power - 9) * 8 + ((value >> (power - 3)) & 7));
}

/// A lock for a few dozen instructions. A std::mutex puts the second thread to sleep: with two that
/// allocate all the time, as when `gradus gradcheck --all` checks two ops at once, that was 90,000
/// system calls.
class ShortLock {
 public:
  void lock() {
    for (int tries = 0; taken_.exchange(true, std::memory_order_acquire); ++tries) {
      if (tries < 64) {
        _mm_pause();
      } else {
        std::this_thread::yield();  // who holds it may be waiting for this very processor
      }
    }
  }
  void unlock() { taken_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> taken_{false};
};

class Pool {
 public:
  struct Block {
    std::byte* bytes;
    std::int64_t capacity;
  };

  /// A block of `capacity` bytes or somewhat more, `wanted` of which were asked for.
  Block take(std::int64_t capacity, std::int64_t wanted) {
    {
      const std::lock_guard lock(lock_);
      const std::size_t exact = class_of(capacity);
      ++requests_;
      classes_[exact].capacity = capacity;
      classes_[exact].last_request = requests_;
      for (std::size_t i = exact; i <= exact + larger_classes; ++i) {
        SizeClass& size = classes_[i];
        if (size.first == nullptr) continue;
        size.last_request = requests_;
        cached_ -= size.capacity;
        add_live(capacity, size.capacity);
        return {size.pop(), size.capacity};
      }
    }
    std::byte* block = from_system(capacity);
    if (block == nullptr) {  // what is cached may be what is missing
      empty();
      block = from_system(capacity);
    }
    const std::lock_guard lock(lock_);
    if (block == nullptr) {
      ++failures_;
      fail<Error>("storage: out of memory asking for ", wanted, " bytes (", live_,
                  " bytes in use)");
    }
    ++allocations_;
    add_live(capacity, capacity);
    return {block, capacity};
  }

  /// `wanted`: what its request was rounded up to.
  void give(std::byte* block, std::int64_t capacity, std::int64_t wanted) noexcept {
    const std::lock_guard lock(lock_);
    live_ -= wanted;
    used_ -= capacity;
    if (!keep_) return to_system(block, capacity);
    cached_ += capacity;
    classes_[class_of(capacity)].push(block);
    constexpr std::int64_t always = 1 << 20;  // little sizes differ more
    const std::int64_t most = always + 2 * std::max(recent_peak_, earlier_peak_);
    while (used_ + cached_ > most) give_up(stalest());
  }

  void empty() {
    const std::lock_guard lock(lock_);
    for (SizeClass& size : classes_) {
      while (size.first != nullptr) give_up(size);
    }
  }

  StorageStatistics statistics() {
    const std::lock_guard lock(lock_);
    return {.live_bytes = live_,
            .peak_bytes = peak_,
            .cached_bytes = cached_,
            .allocations = allocations_,
            .reuses = requests_ - allocations_ - failures_};
  }

  /// Around fork(): the child must not find the lock held by a thread that it does not have.
  void lock() { lock_.lock(); }
  void unlock() { lock_.unlock(); }

  void reset_peak() {
    const std::lock_guard lock(lock_);
    peak_ = live_;
  }

 private:
  /// Blocks of one capacity that nobody holds, the last one freed first: each begins with a pointer to
  /// the next.
  struct alignas(32) SizeClass {
    std::byte* first = nullptr;
    std::int64_t capacity = 0;
    std::int64_t last_request = 0;

    void push(std::byte* block) noexcept {
      std::memcpy(block, &first, sizeof first);
      first = block;
    }
    std::byte* pop() noexcept {
      std::byte* block = first;
      std::memcpy(&first, block, sizeof first);
      return block;
    }
  };

  /// The class with blocks that was asked for longest ago.
  SizeClass& stalest() {
    SizeClass* found = nullptr;
    for (SizeClass& size : classes_) {
      if (size.first == nullptr) continue;
      if (found == nullptr || size.last_request < found->last_request) found = &size;
    }
    return *found;
  }

  void give_up(SizeClass& size) noexcept {
    to_system(size.pop(), size.capacity);
    cached_ -= size.capacity;
  }

  // Large blocks are mapped one by one: the allocator of the language would hold them in a heap,
  // whose holes stay with the process. They begin at differing places of a page, or rows of several
  // tensors would fight for the same lines of the cache. nullptr where there is no memory.
  static constexpr std::uintptr_t page = 4096;
  bool is_mapped(std::int64_t capacity) const { return keep_ && capacity >= (1 << 18); }

  std::byte* from_system(std::int64_t capacity) const {
    const auto bytes = static_cast<std::size_t>(capacity);
    if (!is_mapped(capacity)) {
      return static_cast<std::byte*>(
          ::operator new (bytes, std::align_val_t{alignment}, std::nothrow));
    }
    void* pages =
        mmap(nullptr, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return nullptr;
    static std::atomic<std::size_t> count = 0;
    const std::size_t place = count.fetch_add(1, std::memory_order_relaxed) * 5 % 64;
    return static_cast<std::byte*>(pages) + place * alignment;
  }

  void to_system(std::byte* block, std::int64_t capacity) const noexcept {
    if (!is_mapped(capacity)) return ::operator delete (block, std::align_val_t{alignment});
    const std::uintptr_t past_page = reinterpret_cast<std::uintptr_t>(block) % page;
    munmap(block - past_page, static_cast<std::size_t>(capacity) + page);
  }

  void add_live(std::int64_t wanted, std::int64_t capacity) {
    live_ += wanted;
    used_ += capacity;
    peak_ = std::max(peak_, live_);
    constexpr std::int64_t window = 4096;  // requests
    if (requests_ % window == 0) {
      earlier_peak_ = recent_peak_;
      recent_peak_ = 0;
    }
    recent_peak_ = std::max(recent_peak_, used_);
  }

  // One cache line.
  alignas(alignment) ShortLock lock_;
  std::int64_t requests_ = 0;
  std::int64_t live_ = 0;  // bytes, as in StorageStatistics: of requests, rounded up
  std::int64_t used_ = 0;  // of the blocks that serve them
  std::int64_t peak_ = 0;
  std::int64_t cached_ = 0;
  std::int64_t recent_peak_ = 0;   // of used_, in this window of requests
  std::int64_t earlier_peak_ = 0;  // and in the one before

  std::array<SizeClass, 8 * 64> classes_;
  std::int64_t allocations_ = 0;
  std::int64_t failures_ = 0;
  const bool keep_ = detail::keeps_freed_memory();
};

/// Never destroyed: tensors in static storage may be freed after every other static object is gone.
Pool& pool() {
  static Pool& instance = *new Pool;
  static const int at_fork =
      pthread_atfork([] { instance.lock(); }, [] { instance.unlock(); }, [] { instance.unlock(); });
  static_cast<void>(at_fork);
  return instance;
}

}  // namespace

Storage::Storage(std::int64_t bytes) {
  // With its header, and rounded up, 2^62 bytes are still below 2^63.
  constexpr std::int64_t most = std::int64_t{1} << 62;
  if (bytes < 0 || bytes > most)
    fail<Error>("storage: a block has 0 to ", most, " bytes, asked for ", bytes);
  const auto [block, capacity] = pool().take(capacity_for(bytes), bytes);
  block_ = block;
  new (block_) Header{.owners = 1, .bytes = bytes, .capacity = capacity};
}

namespace {
thread_local const char* written_by = nullptr;
}

void Storage::count_write(const char* name) const noexcept {
  if (block_ == nullptr) return;
  header()->version.fetch_add(1, std::memory_order_relaxed);
  header()->writer.store(written_by == nullptr ? name : written_by, std::memory_order_relaxed);
}

WrittenBy::WrittenBy(const char* name) : previous_(written_by) {
  if (written_by == nullptr) written_by = name;  // the outermost says most
}
WrittenBy::~WrittenBy() { written_by = previous_; }

void Storage::give_back() noexcept {
  pool().give(block_, header()->capacity, capacity_for(header()->bytes));
}

StorageStatistics storage_statistics() { return pool().statistics(); }
void reset_peak_storage() { pool().reset_peak(); }
void empty_storage_cache() { pool().empty(); }

}  // namespace gradus
