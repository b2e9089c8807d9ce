// When a rank may tell that others are lost: all that see it would say the same, and one is to.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <vector>

namespace gradus::detail {

/// How long rank `rank`, which waits for the ranks `lost`, leaves the word to others. Who waits for the fewest tells first,
/// since others may be waited for only because they wait themselves; of equal ones the first that is not lost. However
/// many are lost, not for more than some seconds.
inline std::chrono::seconds time_until_turn(const std::vector<int>& lost, int rank) {
  constexpr std::ptrdiff_t most = 4;
  int teller = 0;
  while (std::find(lost.begin(), lost.end(), teller) != lost.end()) ++teller;
  const auto waits_for = std::clamp<std::ptrdiff_t>(std::ssize(lost), 1, most);
  return std::chrono::seconds(waits_for - 1 + (teller == rank ? 0 : 3));
}

}  // namespace gradus::detail
