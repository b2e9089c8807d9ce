// The processes of one `gradus train`: one alone, or all that mpirun has started.
//
// What may go wrong before the first step may go wrong on one of them or on all, and is to be told once. So a training is set
// up in stages without a word between processes; after each all know whether it went well everywhere.
#pragma once

#include <gradus/core/error.h>
#include <gradus/distributed/communicator.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "records.h"
#include "run_folder.h"

namespace gradus::app {

/// A stage failed, on this rank or on another: all of them exit with this code, and the first tells why.
class StageFailed : public Error {
 public:
  StageFailed(int exit_code, const std::string& line) : Error(line), code(exit_code) {}
  int code;
};

/// How many threads a rank may compute with, where `places` says of each rank its machine and the numbers of the
/// processors that it may use: "MACHINE 0 1 2". A processor that several may use counts for each as a part, so that mpirun may
/// have shared them out already, or not. At least 1; 0 where the rank does not know its processors.
int share_of_processors(const std::vector<std::string>& places, std::size_t rank);

class Ranks {
 public:
  /// Those of a communicator, which are all to call this; of none: this process alone.
  explicit Ranks(Communicator* world);

  /// Is it one of several?
  bool many() const { return world_->size() > 1; }
  /// Does it write files, and print?
  bool is_first() const { return world_->rank() == 0; }
  /// Of one process alone a communicator in memory.
  Communicator& world() const { return *world_; }

  /// Runs a stage on each rank. Throws StageFailed on all where it threw on one; alone what it threw.
  void stage(const std::function<void()>& body) const;
  /// Runs what all ranks do together, and what throws on all alike: then StageFailed, with the exit code of usage. Alone
  /// what it threw.
  void agree(const std::function<void()>& body) const;
  /// How many threads this one computes with: its share of the processors, unless the environment says it.
  int threads() const;
  /// To be called in agree(): throws ValueError on all ranks, naming two of them and what differs, unless they are to
  /// train the same.
  void expect_same(const RunRecord& run) const;
  /// Of the first rank the net that it has imported, `imported`, for all others that were not told a model themselves.
  void share_imported(Settings& settings, bool imported, bool told) const;
  /// The training in `folder`, which the first rank has read, for all others.
  void share(LoadedRun& run, const std::filesystem::path& folder) const;

 private:
  std::unique_ptr<Communicator> alone_;
  Communicator* world_;
  std::vector<std::string> places_{};  // of all ranks, where there are several
};

}  // namespace gradus::app
