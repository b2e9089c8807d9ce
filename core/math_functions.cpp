// Functions of one number: those of the C++ library, and those that round it or ask what it is.
#include <gradus/core/detail/map.h>
#include <gradus/core/math.h>

#include <cmath>

namespace gradus::core {
namespace {

/// f(x[i]) where there can be a fraction; integers are whole already.
template <class F> Tensor whole_map(std::string_view op, const Tensor& x, const F& f) {
  check_defined(op, x);
  return dispatch_number(op, x.dtype(), [&]<class T>() {
    return map<T, T>(x, [&](T value) {
      if constexpr (std::is_floating_point_v<T>) return f(value);
      return value;
    });
  });
}

/// f(x[i]), a bool, of numbers that may be infinite; no integer is.
template <class F> Tensor infinity_map(std::string_view op, const Tensor& x, const F& f) {
  check_defined(op, x);
  return dispatch(x.dtype(), [&]<class T>() {
    return map<bool, T>(x, [&](T value) {
      if constexpr (std::is_floating_point_v<T>) return f(value);
      return false;
    });
  });
}

}  // namespace

Tensor sin(const Tensor& x) {
  return floating_map("sin", x, [](auto value) { return std::sin(value); });
}
Tensor cos(const Tensor& x) {
  return floating_map("cos", x, [](auto value) { return std::cos(value); });
}
Tensor tan(const Tensor& x) {
  return floating_map("tan", x, [](auto value) { return std::tan(value); });
}
Tensor asin(const Tensor& x) {
  return floating_map("asin", x, [](auto value) { return std::asin(value); });
}
Tensor acos(const Tensor& x) {
  return floating_map("acos", x, [](auto value) { return std::acos(value); });
}
Tensor atan(const Tensor& x) {
  return floating_map("atan", x, [](auto value) { return std::atan(value); });
}
Tensor sinh(const Tensor& x) {
  return floating_map("sinh", x, [](auto value) { return std::sinh(value); });
}
Tensor cosh(const Tensor& x) {
  return floating_map("cosh", x, [](auto value) { return std::cosh(value); });
}
Tensor erf(const Tensor& x) {
  return floating_map("erf", x, [](auto value) { return std::erf(value); });
}
Tensor expm1(const Tensor& x) {
  return floating_map("expm1", x, [](auto value) { return std::expm1(value); });
}
Tensor log1p(const Tensor& x) {
  return floating_map("log1p", x, [](auto value) { return std::log1p(value); });
}
Tensor log2(const Tensor& x) {
  return floating_map("log2", x, [](auto value) { return std::log2(value); });
}
Tensor log10(const Tensor& x) {
  return floating_map("log10", x, [](auto value) { return std::log10(value); });
}

Tensor floor(const Tensor& x) {
  return whole_map("floor", x, [](auto value) { return std::floor(value); });
}
Tensor ceil(const Tensor& x) {
  return whole_map("ceil", x, [](auto value) { return std::ceil(value); });
}
Tensor round(const Tensor& x) {
  // std::round() would go away from 0; this one goes by the rounding mode, which is half to even.
  return whole_map("round", x, [](auto value) { return std::nearbyint(value); });
}
Tensor trunc(const Tensor& x) {
  return whole_map("trunc", x, [](auto value) { return std::trunc(value); });
}

Tensor isinf(const Tensor& x) {
  return infinity_map("isinf", x, [](auto value) { return std::isinf(value); });
}
Tensor isposinf(const Tensor& x) {
  return infinity_map("isposinf", x, [](auto value) { return std::isinf(value) && value > 0; });
}
Tensor isneginf(const Tensor& x) {
  return infinity_map("isneginf", x, [](auto value) { return std::isinf(value) && value < 0; });
}

Tensor map(const Tensor& x, const std::function<double(double)>& f) {
  if (!f) fail<ValueError>("map: the function is empty");
  return floating_map(
      "map", x, [&f]<class T>(T value) { return static_cast<T>(f(static_cast<double>(value))); });
}

}  // namespace gradus::core
