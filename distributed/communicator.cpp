// What follows from the two operations.
#include <gradus/distributed/communicator.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

namespace gradus {
namespace {

constexpr int lengths_channel = 0;
constexpr int texts_channel = 1;
constexpr int broadcast_channel = 2;

/// What cannot be in a name or a value: stands between them.
constexpr char separator = '\0';

std::string packed(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string text;
  for (const auto& [name, value] : facts) {
    text += name + separator;
    text += value + separator;
  }
  return text;
}

std::vector<std::string> unpacked(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// A value for a message: a net's text may be long, and what differs stands anywhere in it.
std::string excerpt(const std::string& value, const std::string& other) {
  constexpr std::size_t longest = 120;
  if (value.empty()) return "none";
  if (value.size() <= longest) return value;
  const auto [at, there] = std::mismatch(value.begin(), value.end(), other.begin(), other.end());
  const auto difference = static_cast<std::size_t>(at - value.begin());
  const std::size_t begin = difference < longest / 2 ? 0 : difference - longest / 2;
  return (begin > 0 ? "..." : "") + value.substr(begin, longest) + "...";
}

}  // namespace

void Patience::pause() {
  constexpr int yields = 64;
  if (looks_ < yields) {
    ++looks_;
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

void Communicator::wait(Pending& pending, const std::string& what) {
  Watchdog::Wait watched(watchdog(), what);
  Patience patience;
  while (!pending.done()) {
    watched.missing(pending.missing());
    patience.pause();
  }
}

std::vector<std::string> Communicator::gather(const std::string& mine, const std::string& what) {
  const auto ranks = static_cast<std::size_t>(size());
  const auto length = static_cast<std::int64_t>(mine.size());
  std::vector<std::int64_t> lengths(ranks);
  wait(*all_gather(lengths_channel, reinterpret_cast<const std::byte*>(&length),
                   reinterpret_cast<std::byte*>(lengths.data()), ByteCounts(ranks, sizeof length)),
       what);
  std::int64_t total = 0;
  for (const std::int64_t bytes : lengths) total += bytes;
  std::string all(static_cast<std::size_t>(total), '\0');
  wait(*all_gather(texts_channel, reinterpret_cast<const std::byte*>(mine.data()),
                   reinterpret_cast<std::byte*>(all.data()), lengths),
       what);
  std::vector<std::string> texts;
  std::size_t begin = 0;
  for (const std::int64_t bytes : lengths) {
    texts.push_back(all.substr(begin, static_cast<std::size_t>(bytes)));
    begin += static_cast<std::size_t>(bytes);
  }
  return texts;
}

void Communicator::broadcast(std::byte* data, std::int64_t bytes, const std::string& what) {
  constexpr std::int64_t most = std::int64_t{1}
                                << 26;  // at a time: a call of MPI takes less than 2^31
  for (std::int64_t begin = 0; begin < bytes; begin += most) {
    ByteCounts counts(static_cast<std::size_t>(size()), 0);
    counts[0] = std::min(most, bytes - begin);
    // Rank 0 receives its own bytes too, and may not read where it writes.
    std::vector<std::byte> own;
    if (rank() == 0) own.assign(data + begin, data + begin + counts[0]);
    wait(*all_gather(broadcast_channel, own.data(), data + begin, counts), what);
  }
}

void expect_same_facts(Communicator& world,
                       const std::vector<std::pair<std::string, std::string>>& facts) {
  const std::vector<std::string> all =
      world.gather(packed(facts), "what the other ranks are to compute");
  const std::vector<std::string> first = unpacked(all[0]);
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    const std::vector<std::string> other = unpacked(all[rank]);
    for (std::size_t i = 0; i + 1 < std::max(first.size(), other.size()); i += 2) {
      const auto at = [i](const std::vector<std::string>& parts, std::size_t j) {
        return i + j < parts.size() ? parts[i + j] : std::string();
      };
      if (at(first, 0) == at(other, 0) && at(first, 1) == at(other, 1)) continue;
      const bool same_name = at(first, 0) == at(other, 0);
      fail<ValueError>("distributed: all ranks must compute the same: ",
                       at(same_name || !at(first, 0).empty() ? first : other, 0), " is ",
                       excerpt(at(first, 1), at(other, 1)), " on rank 0, ",
                       same_name ? excerpt(at(other, 1), at(first, 1))
                                 : at(other, 0) + " " + excerpt(at(other, 1), at(first, 1)),
                       " on rank ", rank);
    }
  }
}

}  // namespace gradus
