// Ranks that are threads of one process: for tests, and with one rank for training by shards without MPI.
#pragma once

#include <gradus/distributed/communicator.h>

#include <functional>
#include <memory>
#include <vector>

namespace gradus {

/// As many communicators as ranks, each for a thread of its own. A rank whose thread throws must abort(), or the others wait
/// for it: run_in_memory() sees to that. A rank that aborts, finishes too early, or is silent
/// for longer than `timeout` seconds makes the others throw RankError. Throws ValueError for less than one rank.
std::vector<std::unique_ptr<Communicator>> in_memory_ranks(int ranks, double timeout = 300);

/// Calls `body` on each of so many ranks, each on a thread of its own, as mpi_run does with processes, and waits until all
/// have returned. What one throws, wherever, ends the others as well; then this throws a RankError that tells the rank and
/// the cause: "rank 1: no such file".
void run_in_memory(int ranks, const std::function<void(Communicator&)>& body, double timeout = 300);

}  // namespace gradus
