// How layers print their options: as Python would.
#pragma once

#include <gradus/core/conv.h>

#include <string>

namespace gradus {

/// "(5, 3)"
inline std::string print_tuple(Pair pair) {
  std::string text = "(";
  text += std::to_string(pair.height);
  text += ", ";
  text += std::to_string(pair.width);
  return text + ")";
}

/// "5", or "(5, 3)" when the axes differ.
inline std::string print_pair(Pair pair) {
  return pair.height == pair.width ? std::to_string(pair.height) : print_tuple(pair);
}

}  // namespace gradus
