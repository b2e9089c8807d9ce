// What follows from its arguments alone, kept for the next time that it is asked for.
//
// A convolution is planned before it is computed: cut into tiles, its taps and windows listed. Of a
// small one planning costs as much as computing, and a training asks for the same few plans in every
// step.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

namespace gradus::detail {

/// Value(args...), made now or when this thread last asked for it. Of each kind of Value it keeps the
/// `kept_values` that it asked for last; whoever holds one keeps it as well. Arguments are compared
/// by ==, and copied.
constexpr std::size_t kept_values = 32;
template <class Value, class... Args> std::shared_ptr<const Value> recent(const Args&... args) {
  struct Entry {
    std::tuple<Args...> args;
    std::shared_ptr<const Value> value;
  };
  thread_local std::vector<Entry> all;  // the one that was asked for last is the first
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const Entry& entry) { return entry.args == std::tie(args...); });
  if (found != all.end()) {
    std::rotate(all.begin(), found, found + 1);
  } else {
    auto value = std::make_shared<const Value>(args...);
    if (all.size() == kept_values) all.pop_back();
    all.insert(all.begin(), Entry{std::tuple<Args...>(args...), std::move(value)});
  }
  return all.front().value;
}

}  // namespace gradus::detail
