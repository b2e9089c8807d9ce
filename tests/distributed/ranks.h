// Ranks that are threads, for tests: what each of them returns or throws.
#pragma once

#include <gradus/distributed/in_memory.h>

#include <cstddef>
#include <exception>
#include <string>
#include <thread>
#include <vector>

/// Of one rank.
template <class Result> struct RankOutcome {
  Result value{};
  std::string error{};
};

/// Calls `body(communicator)` on each of so many ranks; all must end.
template <class Result, class Body>
std::vector<RankOutcome<Result>> on_ranks(int ranks, const Body& body, double timeout = 300) {
  const auto communicators = gradus::in_memory_ranks(ranks, timeout);
  std::vector<RankOutcome<Result>> outcomes(communicators.size());
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < communicators.size(); ++rank) {
    threads.emplace_back([&, rank] {
      try {
        outcomes[rank].value = body(*communicators[rank]);
      } catch (const std::exception& error) {
        outcomes[rank].error = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return outcomes;
}
