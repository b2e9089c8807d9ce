// Several pieces of work at once, on the threads of parallel_for, their results one by one in order.
#pragma once

#include <gradus/core/parallel.h>
#include <gradus/core/random.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace gradus::app {

/// visit(work(0)), visit(work(1)), ... up to work(count - 1), or until visit() says false. The work
/// is done by as many threads as there are, inside of which loops run on one; whoever has ended the
/// next in order visits it, one at a time. Each begins with default_generator() at a seed of its own:
/// results do not depend on the threads. The first exception of work() comes out here.
template <class Work, class Visit>
void in_order(std::size_t count, const Work& work, const Visit& visit) {
  using Result = std::invoke_result_t<const Work&, std::size_t>;
  std::mutex mutex;  // of all that follows
  std::vector<std::optional<Result>> results(count);
  std::size_t next = 0;
  bool goes_on = true;
  const auto run = [&](std::size_t i) {
    {
      const std::lock_guard lock(mutex);
      if (!goes_on) return;
    }
    manual_seed(i);
    Result result = work(i);
    const std::lock_guard lock(mutex);
    results[i] = std::move(result);
    for (; goes_on && next < count && results[next]; ++next) {
      goes_on = visit(std::move(*results[next]));
      results[next].reset();
    }
  };
  parallel_for(static_cast<std::int64_t>(count), 1, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) run(static_cast<std::size_t>(begin));
  });
}

}  // namespace gradus::app
