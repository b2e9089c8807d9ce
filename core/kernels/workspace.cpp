// The thread-local stack of scratch blocks behind Workspace.
#include <gradus/core/error.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/storage.h>

#include <cstdlib>
#include <limits>
#include <new>
#include <string_view>
#include <vector>

namespace gradus::kernels::detail {
namespace {

constexpr std::align_val_t alignment{64};

#if defined(__SANITIZE_ADDRESS__)
constexpr bool address_sanitizer = true;
#elif defined(__has_feature)
constexpr bool address_sanitizer = __has_feature(address_sanitizer);
#else
constexpr bool address_sanitizer = false;
#endif

bool keeps_blocks() {
  static const bool keeps = [] {
    const char* pool = std::getenv("GRADUS_POOL");
    return !address_sanitizer && (pool == nullptr || std::string_view(pool) != "0");
  }();
  return keeps;
}

class Block {
 public:
  Block() = default;
  ~Block() { release(); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  Block(Block&& other) noexcept : data_(other.data_), bytes_(other.bytes_) {
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

  void release() noexcept {
    ::operator delete(data_, alignment);
    data_ = nullptr;
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
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
  void* data = own.blocks[own.depth].reserve(bytes);
  ++own.depth;
  return data;
}

void workspace_pop() noexcept {
  Stack& own = stack();
  --own.depth;
  if (!keeps_blocks()) own.blocks[own.depth].release();
}

}  // namespace gradus::kernels::detail
