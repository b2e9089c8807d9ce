// What the optimizers' .cpp files share: the ranges that options must keep to, and two habits of their
// loops.
#pragma once

#include <gradus/core/error.h>

#include <cmath>
#include <limits>
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

/// g + weight_decay·p. Without decay g itself: 0·p would turn an infinite parameter into NaN.
template <class T> T decayed(T g, T p, T weight_decay) {
  return weight_decay == 0 ? g : g + weight_decay * p;
}

/// `value`, but 0 for a subnormal one. The momentum of a weight whose gradient has become 0 (its
/// unit died) shrinks until it is subnormal, and rounding keeps it so for good: 0.9·4 units in the
/// last place are 4 again. Each operation on such numbers takes a hundred cycles.
template <class T> T normal_or_zero(T value) {
  return std::fabs(value) < std::numeric_limits<T>::min() ? T{0} : value;
}

}  // namespace gradus
