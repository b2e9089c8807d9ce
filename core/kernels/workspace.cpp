// The thread-local stack of scratch blocks behind Workspace.
#include <gradus/core/detail/environment.h>
#include <gradus/core/error.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/storage.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

namespace gradus::kernels::detail {
namespace {

constexpr std::align_val_t alignment{64};

// More than any vector, or row of a small image, that goes too far.
constexpr std::size_t guard_bytes = 4096;
// A NaN of float and double.
constexpr unsigned char guard_byte = 0xFF;

std::atomic<bool> guards_on{false};
std::atomic<std::int64_t> written_guards{0};

class Block {
 public:
  Block() = default;
  ~Block() { release(); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  Block(Block&& other) noexcept
      : data_(other.data_), bytes_(other.bytes_), guarded_(other.guarded_), lent_(other.lent_) {
    other.data_ = nullptr;
  }
  Block& operator=(Block&&) = delete;

  void* reserve(std::size_t bytes) {
    if (data_ == nullptr || bytes > bytes_) {
      release();
      data_ = ::operator new(bytes, alignment, std::nothrow);
      if (data_ == nullptr) {  // what the pool of tensors keeps may be what is missing
        empty_storage_cache();
        data_ = ::operator new(bytes, alignment, std::nothrow);
      }
      if (data_ == nullptr) fail<Error>("workspace: out of memory asking for ", bytes, " bytes");
      bytes_ = bytes;
    }
    return data_;
  }

  /// Filled with NaN, and the same on both sides.
  void* reserve_guarded(std::size_t bytes) {
    guarded_ = true;
    lent_ = bytes;
    auto* data = static_cast<unsigned char*>(reserve(guard_bytes + bytes + guard_bytes));
    std::memset(data, guard_byte, guard_bytes + bytes + guard_bytes);
    return data + guard_bytes;
  }

  /// What was lent out is back.
  void take_back() noexcept {
    if (!guarded_) return;
    guarded_ = false;
    const auto* before = static_cast<const unsigned char*>(data_);
    const auto* behind = before + guard_bytes + lent_;
    const auto is_whole = [](const unsigned char* guard) {
      return std::all_of(guard, guard + guard_bytes,
                         [](unsigned char byte) { return byte == guard_byte; });
    };
    if (!is_whole(before) || !is_whole(behind)) ++written_guards;
  }

  void release() noexcept {
    ::operator delete(data_, alignment);
    data_ = nullptr;
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  bool guarded_ = false;
  std::size_t lent_ = 0;  // if guarded
};

struct Stack {
  std::vector<Block> blocks;
  std::size_t depth = 0;  // blocks[0 .. depth) are lent out
};

Stack& stack() {
  thread_local Stack instance;
  return instance;
}

}  // namespace

void* workspace_push(std::int64_t count, std::int64_t size) {
  if (count < 0 || count > std::numeric_limits<std::int64_t>::max() / size) {
    fail<Error>("workspace: out of memory asking for ", count, " elements of ", size, " bytes");
  }
  const auto bytes = static_cast<std::size_t>(count * size);
  Stack& own = stack();
  if (own.depth == own.blocks.size()) own.blocks.emplace_back();
  Block& block = own.blocks[own.depth];
  void* data = guards_on ? block.reserve_guarded(bytes) : block.reserve(bytes);
  ++own.depth;
  return data;
}

void workspace_pop() noexcept {
  Stack& own = stack();
  Block& block = own.blocks[--own.depth];
  block.take_back();
  if (!gradus::detail::keeps_freed_memory()) block.release();
}

void guard_workspaces(bool on) { guards_on = on; }

std::int64_t overwritten_guards() { return written_guards; }

}  // namespace gradus::kernels::detail
