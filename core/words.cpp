// A distance is found in the table of the distances of all beginnings of one word to all of the other, of which
// three rows are enough: a letter that changes places with its neighbour looks two rows back.
#include <gradus/core/words.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <utility>

namespace gradus {
namespace {

using Row = std::vector<std::size_t>;

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

/// Bytes of the control character that begins at `at`; 0 where none does.
std::size_t control_bytes(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(at) < 0x20 || byte(at) == 0x7f) return 1;
  const bool second_set =  // C1 in UTF-8
      byte(at) == 0xc2 && at + 1 < text.size() && byte(at + 1) >= 0x80 && byte(at + 1) < 0xa0;
  return second_set ? 2 : 0;
}

std::size_t common_beginning(std::string_view a, std::string_view b) {
  const auto parted = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return static_cast<std::size_t>(parted - a.begin());
}

}  // namespace

std::string without_controls(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t control = control_bytes(text, i);
    result += control > 0 ? '?' : text[i];
    i += std::max<std::size_t>(control, 1);
  }
  return result;
}

std::string in_quotes(std::string_view text, std::size_t longest) {
  return "'" + without_controls(text.substr(0, longest)) + (text.size() > longest ? "...'" : "'");
}

std::string printable(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (control_bytes(text, i) > 0) return in_quotes(text);
  }
  return std::string(text);
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    const int more = lead < 0x80       ? 0
                     : lead >> 5 == 6  ? 1
                     : lead >> 4 == 14 ? 2
                     : lead >> 3 == 30 ? 3
                                       : -1;
    if (more < 0) return false;
    unsigned code = more == 0 ? lead : lead & (0x3fU >> more);
    for (int k = 0; k < more; ++k, ++i) {
      if (i == text.size() || (text[i] & 0xc0) != 0x80) return false;
      code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fU);
    }
    constexpr std::array<unsigned, 4> least = {0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    if (code < least[static_cast<std::size_t>(more)] || code > 0x10ffff || surrogate) return false;
  }
  return true;
}

std::size_t letters_apart(std::string_view a, std::string_view b) {
  Row before_last(b.size() + 1);
  Row last(b.size() + 1);
  Row row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool exchanged =
          i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]);
      if (exchanged) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t least = std::max<std::size_t>(word.size() / 3, 1);
  std::size_t begins_alike = 0;
  for (const std::string& name : known) {
    const std::size_t longer = std::max(word.size(), name.size());
    const std::size_t shorter = std::min(word.size(), name.size());
    if (longer - shorter > least) continue;  // the distance is at least that
    const std::size_t distance = letters_apart(word, name);
    if (distance > least || distance >= longer) continue;
    const std::size_t alike = common_beginning(word, name);
    if (!best.empty() && distance == least && alike <= begins_alike) continue;
    best = name;
    least = distance;
    begins_alike = alike;
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::string name = nearest(word, known);
  return name.empty() ? "" : "; did you mean " + name + "?";
}

}  // namespace gradus
