// From the events of profiled steps to the table of `gradus bench --profile`.
#pragma once

#include <gradus/autograd/profile.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "records.h"

namespace gradus::app {

/// Sums events by op and direction. Times are own times, without those of nested events, so that
/// all rows together, with one for what no event covers, are the whole of the steps.
class ProfileTable {
 public:
  /// One step, which took `wall_ns` in all.
  void add(const std::vector<ProfileEvent>& events, std::int64_t wall_ns);

  /// Means per step: the slowest row first, the row of the rest last.
  std::vector<ProfileRow> rows(const MachineRates& machine) const;
  /// All rows as one.
  ProfileRow total(const MachineRates& machine) const;

 private:
  struct Sum {
    std::int64_t calls = 0;
    std::int64_t own_ns = 0;
    std::int64_t flops = 0;
    std::int64_t bytes = 0;
  };
  using Key = std::pair<std::string, std::string>;  // op, direction

  ProfileRow row(const Key& key, const Sum& sum, const MachineRates& machine) const;

  std::map<Key, Sum> sums_;
  std::int64_t steps_ = 0;
  std::int64_t wall_ns_ = 0;
};

}  // namespace gradus::app
