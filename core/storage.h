// Storage: aligned, reference-counted memory from a pool that keeps what it frees.
//
// A training step frees and asks for the same sizes again and again, so a step that has run once
// takes all its memory from the pool and nothing from the system. Sizes are rounded up to one of
// eight classes per power of two (at most 12.5% waste); where no block of its class is free, one of the
// next three will do, so that an epoch's last, smaller batch runs in the memory of the others. With
// GRADUS_POOL=0, or under a sanitizer, every block goes straight back to the system, so that a stale
// read is caught. Thread-safe.
//
// The pool has a limit: what is in use and what is kept are together at most twice what was in use at
// the most lately, and 1 MiB. Lately means within the last 4096 to 8192 requests. (Training needs 1.0
// to 1.4 times its peak, because its sizes change.) Beyond that, freed blocks go back to the system,
// those first whose size was asked for longest ago.
//
// A block counts how often it was written in place, so that whoever keeps its numbers for later can
// tell whether they are still the same.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

namespace gradus {

/// A handle to a block of bytes, 64-byte aligned; copies share the block. Contents start undefined.
class Storage {
 public:
  Storage() = default;
  /// Throws Error with the number of bytes where the system has not so many.
  explicit Storage(std::int64_t bytes);
  Storage(const Storage& other) noexcept : block_(other.block_) { retain(); }
  Storage(Storage&& other) noexcept : block_(other.block_) { other.block_ = nullptr; }
  Storage& operator=(Storage other) noexcept {
    std::byte* mine = block_;
    block_ = other.block_;
    other.block_ = mine;
    return *this;
  }
  ~Storage() { release(); }

  std::byte* data() const { return block_ == nullptr ? nullptr : block_ + sizeof(Header); }
  std::int64_t bytes() const { return block_ == nullptr ? 0 : header()->bytes; }
  /// How many handles share the block; 0 for an empty handle.
  std::int64_t use_count() const {
    return block_ == nullptr ? 0 : header()->owners.load(std::memory_order_acquire);
  }
  bool operator==(const Storage& other) const { return block_ == other.block_; }

  /// How many calls have written here in place since the block was made. What writes through a
  /// pointer is not counted.
  std::uint64_t version() const {
    return block_ == nullptr ? 0 : header()->version.load(std::memory_order_relaxed);
  }
  /// The last of these calls; nullptr before the first.
  const char* writer() const {
    return block_ == nullptr ? nullptr : header()->writer.load(std::memory_order_relaxed);
  }
  /// Counts a call that writes here. `name` lives as long as the program, as a literal does; an
  /// enclosing WrittenBy goes before it.
  void count_write(const char* name) const noexcept;

 private:
  static constexpr std::size_t alignment = 64;
  /// Stands in front of the bytes; its own cache line,
  /// so that counting does not disturb the numbers.
  struct alignas(alignment) Header {
    std::atomic<std::int64_t> owners;
    std::int64_t bytes;     // asked for
    std::int64_t capacity;  // of the whole block, header included
    std::atomic<std::uint64_t> version = 0;
    std::atomic<const char*> writer = nullptr;
  };
  static_assert(sizeof(Header) == alignment);

  // Every handle that comes or goes counts: these are in the header to be inlined.
  Header* header() const { return std::launder(reinterpret_cast<Header*>(block_)); }
  void retain() noexcept {
    if (block_ != nullptr) header()->owners.fetch_add(1, std::memory_order_relaxed);
  }
  void release() noexcept {
    if (block_ != nullptr && header()->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
      give_back();
  }
  void give_back() noexcept;
  std::byte* block_ = nullptr;  // the Header, then the bytes
};

/// While it lives, what this thread writes in place counts as written by `name`: "load_state_dict"
/// says more than the copy_ inside.
class WrittenBy {
 public:
  explicit WrittenBy(const char* name);
  ~WrittenBy();
  WrittenBy(const WrittenBy&) = delete;
  WrittenBy& operator=(const WrittenBy&) = delete;

 private:
  const char* previous_;
};

/// What the pool holds and has done. Bytes count whole blocks, headers included; those in use as if each
/// had a block of its own class, whichever larger one was free.
struct StorageStatistics {
  std::int64_t live_bytes = 0;    ///< in blocks that somebody holds
  std::int64_t peak_bytes = 0;    ///< the highest live_bytes since start or reset
  std::int64_t cached_bytes = 0;  ///< in freed blocks, kept for reuse
  std::int64_t allocations = 0;   ///< blocks taken from the system
  std::int64_t reuses = 0;        ///< blocks taken from the pool
};

StorageStatistics storage_statistics();
/// Sets peak_bytes to live_bytes.
void reset_peak_storage();
/// Gives the cached blocks back to the system.
void empty_storage_cache();

}  // namespace gradus
