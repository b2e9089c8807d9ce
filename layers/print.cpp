// Numbers as Python prints them.
#include <gradus/layers/print.h>

#include <charconv>
#include <cmath>

namespace gradus {

std::string print_float(double number) {
  const double size = std::fabs(number);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  char text[32];
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  std::string printed(text, std::to_chars(text, text + sizeof text, number, format).ptr);
  if (plain && printed.find('.') == std::string::npos) printed += ".0";
  return printed;
}

}  // namespace gradus
