// Scratch memory for kernels: 64-byte aligned, one stack of blocks per thread,
// grown but never shrunk.
//
// The n-th workspace alive on a thread borrows that thread's n-th block, so nested kernels never
// share memory and a step that has run once allocates nothing new. Contents are undefined at the
// start. With GRADUS_POOL=0, and under the address sanitizer, every workspace is a fresh block of
// exactly the size asked for, so that an overrun is caught.
//
//   Workspace<float> columns(rows * width);
//   fill(..., columns.data());
//
// A workspace lives in a scope (neither copied nor moved) and is destroyed by the thread that made
// it, last made first. Other threads may read and write its memory in between.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradus::kernels {

namespace detail {

/// The next block of this thread's stack, with room for `count` elements of `size` bytes. Throws
/// Error with the number of bytes where the system has not so many.
void* workspace_push(std::int64_t count, std::int64_t size);

/// Gives the last pushed block back.
void workspace_pop() noexcept;

/// For tests: while it is on, a workspace is filled with NaN when it is made, and so are 4096 bytes
/// on both sides of it. What was left there earlier, or lies beyond, then shows in the results.
void guard_workspaces(bool on);

/// How many workspaces were found to have been written beyond, when they were given back.
std::int64_t overwritten_guards();

}  // namespace detail

template <class T> class Workspace {
 public:
  explicit Workspace(std::int64_t count)
      : data_(
            static_cast<T*>(detail::workspace_push(count, static_cast<std::int64_t>(sizeof(T))))) {}
  ~Workspace() { detail::workspace_pop(); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }

 private:
  T* data_;
};

}  // namespace gradus::kernels
