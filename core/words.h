// Words in messages: what came from outside is quoted, so that no terminal obeys it and a line stays a line;
// and a name that is not known is answered with the one that was meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// `text` in quotes, fit for one line of a message: cut after `longest` bytes, control characters (of C0 and
/// of C1, U+0080 to U+009F) replaced by '?'.
std::string in_quotes(std::string_view text, std::size_t longest = 80);
/// `text` with each control character replaced by '?'.
std::string without_controls(std::string_view text);
/// `text` as it is where it holds no control character, else in_quotes(text).
std::string printable(std::string_view text);

/// Is `text` UTF-8, as RFC 3629 has it?
bool is_utf8(std::string_view text);

/// How far two words are apart: how many letters, whatever their case, must be put in, left out, replaced, or
/// exchanged with their neighbour, none of them twice.
/// F. J. Damerau, "A technique for computer detection and correction of spelling errors", CACM 7(3), 1964.
std::size_t letters_apart(std::string_view a, std::string_view b);

/// The one of `known` that is nearest to `word`; of several the one that begins like it for longest, then
/// the first; empty when none is near: at most a third of the letters of `word`, though at least 1, and fewer
/// than the longer of the two has.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

/// The end of a message: "; did you mean resnet20?", or "" when none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace gradus
