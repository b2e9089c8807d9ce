// Several pieces of work at once, on threads, their results one by one in order.
#pragma once

#include <gradus/core/parallel.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <future>
#include <semaphore>
#include <type_traits>
#include <utility>

namespace gradus::app {

/// visit(work(0)), visit(work(1)), ... up to work(count - 1), or until visit() says false. As many
/// work() run at once as there are threads (num_threads()), each on a thread of its own; visit() runs
/// on this one. What work() throws comes out here, in its turn.
template <class Work, class Visit>
void in_order(std::size_t count, const Work& work, const Visit& visit) {
  using Result = std::invoke_result_t<const Work&, std::size_t>;
  const int threads = std::max(1, num_threads());
  // Beyond the one that is waited for, some may be done already: short ones behind a long one.
  const std::size_t ahead = 8 * static_cast<std::size_t>(threads);
  std::counting_semaphore<> free_threads(threads);
  const auto run = [&](std::size_t i) {
    free_threads.acquire();
    struct Release {
      std::counting_semaphore<>& semaphore;
      ~Release() { semaphore.release(); }
    } const release{free_threads};
    return work(i);
  };
  std::deque<std::future<Result>> started;
  std::size_t next = 0;
  for (std::size_t shown = 0; shown < count; ++shown) {
    for (; next < count && started.size() < ahead; ++next)
      started.push_back(std::async(std::launch::async, run, next));
    Result result = started.front().get();
    started.pop_front();
    if (!visit(std::move(result))) return;  // the destructors of the others wait for them
  }
}

}  // namespace gradus::app
