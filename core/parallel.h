// A parallel loop whose partition depends on the problem alone.
//
// parallel_for cuts [0, count) into chunks of `grain` indices; which thread runs a chunk is left to
// chance, but where a chunk begins and ends never is. A loop whose chunks write disjoint results,
// or whose partial sums are kept per chunk and added in order afterwards, therefore gives the same
// bits with 1 thread or with 64.
//
// What always holds:
//   - every index is passed exactly once (unless a chunk throws), in chunks [i·grain,
//     min((i+1)·grain, count));
//   - no call allocates; one chunk, or one thread, runs inline with no synchronisation at all;
//   - a nested call, or a call made while another thread owns the pool, runs the same chunks
//     inline, in order;
//   - a child of fork() starts threads of its own; only a fork() from inside a chunk leaves it without
//     a way to end that loop;
//   - when chunks throw, the first exception caught is rethrown in the caller, after every running
//     chunk has ended.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace gradus {

/// How many threads a parallel_for may use, the caller included. Starts as GRADUS_NUM_THREADS when
/// that is a positive number, else as the number of processors this process may run on.
int num_threads();

/// Sets num_threads(); waits for a running parallel_for to end. Results do not depend on it, only
/// speed does. Throws ValueError when count < 1. Not to be called from inside a parallel_for.
void set_num_threads(int count);

namespace detail {

using ChunkFunction = void (*)(void* body, std::int64_t begin, std::int64_t end);

/// The untyped half of parallel_for: `function(body, begin, end)` for every chunk.
void run_chunks(std::int64_t count, std::int64_t grain, ChunkFunction function, void* body);

}  // namespace detail

/// Calls body(begin, end) for the chunks of [0, count), `grain` indices each (the last may be
/// shorter; a grain below 1 counts as 1). Chunks run concurrently: body must be safe to call from
/// several threads at once.
template <class Body> void parallel_for(std::int64_t count, std::int64_t grain, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  // A pointer to the body and a plain function stand in for std::function, which would allocate.
  const auto call = [](void* erased, std::int64_t begin, std::int64_t end) {
    (*static_cast<Plain*>(erased))(begin, end);
  };
  void* erased = const_cast<void*>(static_cast<const void*>(std::addressof(body)));
  detail::run_chunks(count, grain, call, erased);
}

}  // namespace gradus
