// Sums, and what follows from them.
#include "profile_table.h"

#include <algorithm>

namespace gradus::app {
namespace {

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

/// "forward", "backward", "step"; "in backward" for the ops that a derivative is made of.
std::string direction_of(const ProfileEvent& event, bool in_backward) {
  if (in_backward && event.direction == ProfileDirection::forward) return "in backward";
  return std::string(to_string(event.direction));
}

}  // namespace

void ProfileTable::add(const std::vector<ProfileEvent>& events, std::int64_t wall_ns) {
  const std::vector<std::int64_t> own = own_nanoseconds(events);
  std::vector<bool> backward;  // by depth: is one of the events around, down to here, a derivative?
  for (std::size_t i = 0; i < events.size(); ++i) {
    const ProfileEvent& event = events[i];
    backward.resize(static_cast<std::size_t>(event.depth));
    const bool in_backward = !backward.empty() && backward.back();
    backward.push_back(in_backward || event.direction == ProfileDirection::backward);

    Sum& sum = sums_[{event.name, direction_of(event, in_backward)}];
    ++sum.calls;
    sum.own_ns += own[i];
    sum.flops += event.flops;
    sum.bytes += event.bytes;
  }
  wall_ns_ += wall_ns;
  ++steps_;
}

ProfileRow ProfileTable::row(const Key& key, const Sum& sum, const MachineRates& machine) const {
  const auto steps = static_cast<double>(steps_);
  ProfileRow row{.op = key.first, .direction = key.second};
  row.calls = static_cast<double>(sum.calls) / steps;
  row.ms = static_cast<double>(sum.own_ns) / steps / 1e6;
  row.percent = 100 * ratio(static_cast<double>(sum.own_ns), static_cast<double>(wall_ns_));
  row.flops = static_cast<double>(sum.flops) / steps;
  row.bytes = static_cast<double>(sum.bytes) / steps;
  row.gflops = ratio(row.flops / 1e6, row.ms);
  row.gbs = ratio(row.bytes / 1e6, row.ms);
  row.floor_ms = std::max(row.flops / machine.sgemm_gflops, row.bytes / machine.memory_gbs) / 1e6;
  row.floor_percent = 100 * ratio(row.floor_ms, row.ms);
  return row;
}

std::vector<ProfileRow> ProfileTable::rows(const MachineRates& machine) const {
  std::vector<ProfileRow> rows;
  Sum rest{.own_ns = wall_ns_};
  for (const auto& [key, sum] : sums_) {
    rows.push_back(row(key, sum, machine));
    rest.own_ns -= sum.own_ns;
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ProfileRow& a, const ProfileRow& b) { return a.ms > b.ms; });
  rows.push_back(row({"engine and the rest", ""}, rest, machine));
  return rows;
}

ProfileRow ProfileTable::total(const MachineRates& machine) const {
  Sum total{.own_ns = wall_ns_};
  double floor_ms = 0;
  for (const auto& [key, sum] : sums_) {
    total.calls += sum.calls;
    total.flops += sum.flops;
    total.bytes += sum.bytes;
    floor_ms += row(key, sum, machine).floor_ms;
  }
  ProfileRow all = row({"total", ""}, total, machine);
  all.floor_ms = floor_ms;  // one op after the other: the floors add up
  all.floor_percent = 100 * ratio(all.floor_ms, all.ms);
  return all;
}

}  // namespace gradus::app
