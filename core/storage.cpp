// The pool: one free list per size class, behind one mutex.
#include <gradus/core/error.h>
#include <gradus/core/storage.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <string_view>
#include <vector>

#include <pthread.h>

namespace gradus {
namespace {

constexpr std::size_t alignment = 64;  // of a block, as of its header

/// Rounds up to m · 2^e with m in 8..16: eight classes per power of two.
std::int64_t round_up(std::int64_t bytes) {
  const auto wanted = static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 512));
  const std::uint64_t step = std::bit_floor(wanted) / 8;
  return static_cast<std::int64_t>((wanted + step - 1) / step * step);
}

/// 0, 1, 2, ... for the capacities round_up returns.
std::size_t class_of(std::int64_t capacity) {
  const auto value = static_cast<std::uint64_t>(capacity);
  const auto power = static_cast<unsigned>(std::bit_width(value)) - 1;
  return static_cast<std::size_t>((power - 9) * 8 + ((value >> (power - 3)) & 7));
}

bool pooling_wanted() {
#if defined(__SANITIZE_ADDRESS__)
  return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
  return false;
#endif
#endif
  const char* setting = std::getenv("GRADUS_POOL");
  return setting == nullptr || std::string_view(setting) != "0";
}

class Pool {
 public:
  /// A block of `capacity` bytes, `wanted` of which were asked for.
  std::byte* take(std::int64_t capacity, std::int64_t wanted) {
    {
      const std::lock_guard lock(mutex_);
      auto& blocks = free_[class_of(capacity)];
      if (!blocks.empty()) {
        std::byte* block = blocks.back();
        blocks.pop_back();
        statistics_.cached_bytes -= capacity;
        ++statistics_.reuses;
        add_live(capacity);
        return block;
      }
    }
    std::byte* block = from_system(capacity);
    if (block == nullptr) {  // what is cached may be what is missing
      empty();
      block = from_system(capacity);
    }
    const std::lock_guard lock(mutex_);
    if (block == nullptr) {
      fail<Error>("storage: out of memory asking for ", wanted, " bytes (", statistics_.live_bytes,
                  " bytes in use)");
    }
    ++statistics_.allocations;
    add_live(capacity);
    return block;
  }

  void give(std::byte* block, std::int64_t capacity) noexcept {
    {
      const std::lock_guard lock(mutex_);
      statistics_.live_bytes -= capacity;
      if (keep_) {
        statistics_.cached_bytes += capacity;
        free_[class_of(capacity)].push_back(block);
        return;
      }
    }
    ::operator delete (block, std::align_val_t{alignment});
  }

  void empty() {
    const std::lock_guard lock(mutex_);
    for (auto& blocks : free_) {
      for (std::byte* block : blocks) ::operator delete (block, std::align_val_t{alignment});
      blocks.clear();
    }
    statistics_.cached_bytes = 0;
  }

  StorageStatistics statistics() {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }

  /// Around fork(): the child must not find the lock held by a thread that it does not have.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    statistics_.peak_bytes = statistics_.live_bytes;
  }

 private:
  static std::byte* from_system(std::int64_t capacity) {
    return static_cast<std::byte*>(::operator new (static_cast<std::size_t>(capacity),
                                                   std::align_val_t{alignment}, std::nothrow));
  }

  void add_live(std::int64_t capacity) {
    statistics_.live_bytes += capacity;
    statistics_.peak_bytes = std::max(statistics_.peak_bytes, statistics_.live_bytes);
  }

  std::mutex mutex_;
  std::vector<std::byte*> free_[8 * 64];
  StorageStatistics statistics_;
  const bool keep_ = pooling_wanted();
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
  const std::int64_t capacity = round_up(bytes + static_cast<std::int64_t>(sizeof(Header)));
  block_ = pool().take(capacity, bytes);
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

void Storage::give_back() noexcept { pool().give(block_, header()->capacity); }

StorageStatistics storage_statistics() { return pool().statistics(); }
void reset_peak_storage() { pool().reset_peak(); }
void empty_storage_cache() { pool().empty(); }

}  // namespace gradus
