// How layers print their options: as Python would.
#pragma once

#include <gradus/core/conv.h>

#include <string>

namespace gradus {

/// "(5, 3)", "(5,)"
inline std::string print_tuple(const Shape& numbers) {
  std::string text = "(";
  for (int i = 0; i < numbers.rank(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(numbers[i]);
  }
  return text + (numbers.rank() == 1 ? ",)" : ")");
}

inline std::string print_tuple(Pair pair) { return print_tuple(Shape{pair.height, pair.width}); }

/// "5", or "(5, 3)" when the axes differ.
inline std::string print_pair(Pair pair) {
  return pair.height == pair.width ? std::to_string(pair.height) : print_tuple(pair);
}

/// "True" or "False"
inline const char* print_bool(bool value) { return value ? "True" : "False"; }

/// "0.1", "1.0", "1e-05": as few digits as say which number it is.
std::string print_float(double number);

}  // namespace gradus
