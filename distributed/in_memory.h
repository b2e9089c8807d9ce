// Ranks that are threads of one process: for tests, and with one rank for training by shards without MPI.
#pragma once

#include <gradus/distributed/communicator.h>

#include <memory>
#include <vector>

namespace gradus {

/// As many communicators as ranks, each for a thread of its own. A rank that aborts, finishes too early, or is silent
/// for longer than `timeout` seconds makes the others throw RankError. Throws ValueError for less than one rank.
std::vector<std::unique_ptr<Communicator>> in_memory_ranks(int ranks, double timeout = 300);

}  // namespace gradus
