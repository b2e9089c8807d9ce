// How the kernels of a training came to be: the weights of its convolutions as they were after some of the
// epochs, which a checkpoint carries along for looking at.
#pragma once

#include <gradus/io/safetensors.h>
#include <gradus/layers/module.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gradus::app {

/// What names in KernelHistory::state_dict() begin with.
inline const std::string kernels_prefix = "kernels.";

/// A model's kernels after an epoch.
struct KernelSnapshot {
  std::int64_t epoch = 0;  ///< 0: before the first
  NamedTensors kernels;    ///< under the parameters' names, [F,C,kh,kw]
};

/// Keeps at most `most_snapshots`, whatever the number of epochs: those of every epoch at first, then of every
/// second, every fourth, and so on. Which ones follows from the last epoch alone, so a training that was
/// interrupted keeps the same.
class KernelHistory {
 public:
  static constexpr std::int64_t most_snapshots = 16;
  /// Of a snapshot, in all of its kernels; what is behind that in the model's order is left out.
  static constexpr std::int64_t most_numbers = 16384;

  /// Copies the model's kernels, if those of this epoch are to be kept, and forgets some of the earlier ones.
  void add(const Module& model, std::int64_t epoch);
  const std::vector<KernelSnapshot>& snapshots() const { return snapshots_; }

  /// "kernels.3.features.0.weight" and so on: those of epoch 3.
  NamedTensors state_dict() const;
  /// What state_dict() gave. Throws BadDataError, its message opening with `label`, for what no model like this
  /// one gives after `epoch` epochs.
  void load_state_dict(const NamedTensors& state, const Module& model, std::int64_t epoch,
                       const std::string& label);

 private:
  std::vector<KernelSnapshot> snapshots_;  // epochs rise
};

}  // namespace gradus::app
