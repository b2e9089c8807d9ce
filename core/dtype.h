// Element types. A dtype is a run-time value; dispatch() turns it into a C++ type, once, in
// core's .cpp files.
//
// float16 and bfloat16 are for storage: tensors of them are converted, moved, printed and saved, and
// whatever computes refuses them with the cast that helps.
#pragma once

#include <gradus/core/error.h>
#include <gradus/core/float16.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <ostream>
#include <string_view>
#include <type_traits>
#include <utility>

namespace gradus {

enum class DType : std::uint8_t { float32, float64, int64, uint8, boolean, float16, bfloat16 };

inline constexpr DType float32 = DType::float32;
inline constexpr DType float64 = DType::float64;
inline constexpr DType int64 = DType::int64;
inline constexpr DType uint8 = DType::uint8;
inline constexpr DType boolean = DType::boolean;
inline constexpr DType float16 = DType::float16;
inline constexpr DType bfloat16 = DType::bfloat16;

template <class T>
concept Element = std::same_as<T, float> || std::same_as<T, double> ||
    std::same_as<T, std::int64_t> || std::same_as<T, std::uint8_t> || std::same_as<T, bool> ||
    std::same_as<T, Float16> || std::same_as<T, BFloat16>;

/// The dtype of a C++ element type.
template <Element T> constexpr DType dtype_of() {
  if constexpr (std::same_as<T, float>) return float32;
  if constexpr (std::same_as<T, double>) return float64;
  if constexpr (std::same_as<T, std::int64_t>) return int64;
  if constexpr (std::same_as<T, std::uint8_t>) return uint8;
  if constexpr (std::same_as<T, bool>) return boolean;
  if constexpr (std::same_as<T, Float16>) return float16;
  if constexpr (std::same_as<T, BFloat16>) return bfloat16;
}

/// What zeros(), rand() and the other factories make, and what a layer's parameters are, unless told:
/// float32, or what the innermost DefaultDType of this thread says.
DType default_dtype();

/// While it lives, default_dtype() of this thread is another. Throws DTypeError unless it is float32
/// or float64.
class DefaultDType {
 public:
  explicit DefaultDType(DType dtype);
  ~DefaultDType();
  DefaultDType(const DefaultDType&) = delete;
  DefaultDType& operator=(const DefaultDType&) = delete;

 private:
  DType previous_;
};

/// Does it have arithmetic with fractions, and so derivatives?
constexpr bool is_floating(DType dtype) { return dtype == float32 || dtype == float64; }
/// Is it for storage, without arithmetic?
constexpr bool is_storage_only(DType dtype) { return dtype == float16 || dtype == bfloat16; }

/// Bytes of one element.
constexpr std::int64_t size_of(DType dtype) {
  switch (dtype) {
    case float32:
      return 4;
    case float64:
    case int64:
      return 8;
    case float16:
    case bfloat16:
      return 2;
    case uint8:
    case boolean:
      return 1;
  }
  return 0;
}

constexpr std::string_view to_string(DType dtype) {
  switch (dtype) {
    case float32:
      return "float32";
    case float64:
      return "float64";
    case int64:
      return "int64";
    case uint8:
      return "uint8";
    case boolean:
      return "bool";
    case float16:
      return "float16";
    case bfloat16:
      return "bfloat16";
  }
  return "?";
}

/// The advice of an error: how two dtypes come together without a loss. "cast one with .to(int64)"
constexpr std::string_view cast_to_match(DType a, DType b) {
  const bool single = a == float32 || b == float32;
  const bool wide = a == float64 || b == float64;
  if (single && wide) return "cast one with .to(float32) or .to(float64)";
  if (single) return "cast the other with .to(float32)";
  if (wide) return "cast the other with .to(float64)";
  if (is_storage_only(a) || is_storage_only(b)) return "cast both with .to(float32)";
  if (a == int64 || b == int64) return "cast the other with .to(int64)";
  return "cast the other with .to(uint8)";
}

inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << to_string(dtype); }

/// Throws DTypeError naming `op` for a dtype that is for storage.
[[noreturn]] inline void refuse_storage(std::string_view op, DType dtype) {
  fail<DTypeError>(op, ": ", dtype,
                   " is for storage and has no arithmetic; cast with .to(float32)");
}

/// Calls f<T>() with the C++ type of `dtype` where that has arithmetic: every dtype but bool, float16
/// and bfloat16. Throws DTypeError naming `op`.
template <class F> decltype(auto) dispatch_number(std::string_view op, DType dtype, F&& f) {
  switch (dtype) {
    case float32:
      return f.template operator()<float>();
    case float64:
      return f.template operator()<double>();
    case int64:
      return f.template operator()<std::int64_t>();
    case uint8:
      return f.template operator()<std::uint8_t>();
    case float16:
    case bfloat16:
      refuse_storage(op, dtype);
    case boolean:
      break;
  }
  fail<DTypeError>(op, ": does not take bool; cast with .to(int64) or .to(float32)");
}

/// The same with bool: `dispatch("sum", x.dtype(), [&]<class T>() { ... })`.
template <class F> decltype(auto) dispatch(std::string_view op, DType dtype, F&& f) {
  if (dtype == boolean) return f.template operator()<bool>();
  return dispatch_number(op, dtype, f);
}
template <class F> decltype(auto) dispatch(DType dtype, F&& f) {
  return dispatch("tensor", dtype, f);
}

/// The same for every dtype, for what moves and converts elements and does nothing else with them.
template <class F> decltype(auto) dispatch_stored(DType dtype, F&& f) {
  if (dtype == float16) return f.template operator()<Float16>();
  if (dtype == bfloat16) return f.template operator()<BFloat16>();
  return dispatch(dtype, f);
}

/// The same for float32 and float64 only. Throws DTypeError naming `op`.
template <class F> decltype(auto) dispatch_floating(std::string_view op, DType dtype, F&& f) {
  if (dtype == float32) return f.template operator()<float>();
  if (dtype == float64) return f.template operator()<double>();
  fail<DTypeError>(op, ": expects float32 or float64, got ", dtype, "; cast with .to(float32)");
}

/// A number as an element of type T. Throws DTypeError, naming `op`, where T cannot hold it: a
/// fraction or a number out of range among integers. A bool is true for all but 0.
template <Element T> T number_as(std::string_view op, double value) {
  if constexpr (std::is_same_v<T, bool>) return value != 0;
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    using limits = std::numeric_limits<T>;
    // 2^digits: max() itself may not be a double.
    constexpr double end = 2.0 * static_cast<double>(std::uint64_t{1} << (limits::digits - 1));
    constexpr double low = limits::is_signed ? -end : 0;
    if (!(value >= low && value < end && value == static_cast<double>(static_cast<T>(value)))) {
      fail<DTypeError>(op, ": the number ", value, " does not fit a tensor of ", dtype_of<T>(),
                       "; cast with .to(float32)");
    }
  }
  return static_cast<T>(value);
}

}  // namespace gradus
