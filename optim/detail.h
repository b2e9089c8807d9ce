// What the optimizers' .cpp files share: the ranges that options must keep to.
#pragma once

#include <gradus/core/error.h>

#include <cmath>
#include <string_view>

namespace gradus {

/// Throws ValueError unless `value` is finite and at least 0.
inline void check_not_negative(std::string_view optimizer, std::string_view option, double value) {
  if (value >= 0 && std::isfinite(value)) return;
  fail<ValueError>(optimizer, ": ", option, " must be finite and at least 0, got ", value);
}

/// Throws ValueError unless 0 <= value < 1.
inline void check_decay(std::string_view optimizer, std::string_view option, double value) {
  if (value >= 0 && value < 1) return;
  fail<ValueError>(optimizer, ": ", option, " must be at least 0 and below 1, got ", value);
}

}  // namespace gradus
