// A snapshot has the first kernels in the order of the model: those that are looked at first.
#include "kernel_history.h"

#include <gradus/core/error.h>
#include <gradus/core/words.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace gradus::app {
namespace {

/// The smallest power of two of which 0 to `last` has at most most_snapshots multiples.
std::int64_t epochs_between(std::int64_t last) {
  std::int64_t step = 1;
  while (last / step + 1 > KernelHistory::most_snapshots) step *= 2;
  return step;
}

/// The first kernels of a model, without their history.
NamedTensors kernels_of(const Module& model) {
  NamedTensors kernels;
  std::int64_t left = KernelHistory::most_numbers;
  for (const auto& [name, parameter] : model.named_parameters()) {
    if (parameter.value().shape().size() != 4) continue;
    left -= parameter.value().numel();
    if (left < 0) break;
    kernels.emplace_back(name, parameter.value());
  }
  return kernels;
}

/// "3" and "features.0.weight" of "kernels.3.features.0.weight"; -1 of another name.
std::pair<std::int64_t, std::string> parts_of(const std::string& name) {
  const char* const begin = name.data() + kernels_prefix.size();
  const char* const end = name.data() + name.size();
  std::int64_t epoch = -1;
  const auto [rest, error] = std::from_chars(begin, end, epoch);
  if (error != std::errc() || rest == end || *rest != '.') return {-1, {}};
  return {epoch, std::string(rest + 1, end)};
}

}  // namespace

void KernelHistory::add(const Module& model, std::int64_t epoch) {
  const std::int64_t step = epochs_between(epoch);
  std::erase_if(snapshots_, [&](const KernelSnapshot& s) { return s.epoch % step != 0; });
  const bool there = !snapshots_.empty() && snapshots_.back().epoch == epoch;
  if (epoch % step != 0 || there) return;
  KernelSnapshot snapshot{.epoch = epoch, .kernels = {}};
  for (const auto& [name, kernel] : kernels_of(model))
    snapshot.kernels.emplace_back(name, kernel.clone());
  if (!snapshot.kernels.empty()) snapshots_.push_back(std::move(snapshot));
}

NamedTensors KernelHistory::state_dict() const {
  NamedTensors state;
  for (const KernelSnapshot& snapshot : snapshots_) {
    for (const auto& [name, kernel] : snapshot.kernels)
      state.emplace_back(kernels_prefix + std::to_string(snapshot.epoch) + "." + name, kernel);
  }
  return state;
}

void KernelHistory::load_state_dict(const NamedTensors& state, const Module& model,
                                    std::int64_t epoch, const std::string& label) {
  std::vector<KernelSnapshot> snapshots;
  for (const auto& [name, kernel] : state) {
    const auto [of, parameter] = parts_of(name);
    const bool goes_on = snapshots.empty() || of >= snapshots.back().epoch;
    if (of < 0 || of > epoch || !goes_on) {
      fail<BadDataError>(label, ": ", in_quotes(name), " is no kernel of the ", epoch,
                         " epochs that it has done");
    }
    if (snapshots.empty() || of > snapshots.back().epoch)
      snapshots.push_back({.epoch = of, .kernels = {}});
    snapshots.back().kernels.emplace_back(parameter, kernel);
  }
  const NamedTensors expected = kernels_of(model);
  for (const KernelSnapshot& snapshot : snapshots) {
    const bool fits =
        std::ranges::equal(snapshot.kernels, expected, [](const auto& a, const auto& b) {
          return a.first == b.first && a.second.shape() == b.second.shape() &&
                 a.second.dtype() == b.second.dtype();
        });
    if (!fits) {
      fail<BadDataError>(label, ": its kernels after epoch ", snapshot.epoch,
                         " are not those of its model");
    }
  }
  snapshots_ = std::move(snapshots);
}

}  // namespace gradus::app
