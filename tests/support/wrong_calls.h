// Tables of wrong calls: who is called, how, and what the message must hold: first the name, then the rule
// and the values on both sides of it.
#pragma once

#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/error.h>

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/error_message.h"

enum class Kind { shape, dtype, value };

struct WrongCall {
  std::string op;
  Kind kind;
  std::function<void()> call;
  std::vector<std::string> parts;  // of the message
};
using WrongCalls = std::vector<WrongCall>;

/// The rule and a value, or the values on both sides.
constexpr std::size_t least_parts = 2;
/// Every function, layer and loss has so many in its table.
constexpr int least_wrong_calls = 3;

inline gradus::Tensor f32(const gradus::Shape& shape) { return gradus::ones(shape); }
inline gradus::Tensor f64(const gradus::Shape& shape) {
  return gradus::ones(shape, gradus::float64);
}
inline gradus::Tensor i64(const gradus::Shape& shape) { return gradus::ones(shape, gradus::int64); }
inline gradus::Tensor truth(const gradus::Shape& shape) {
  return gradus::ones(shape, gradus::boolean);
}

inline std::string thrown(const WrongCall& wrong) {
  switch (wrong.kind) {
    case Kind::shape:
      return message_of<gradus::ShapeError>(wrong.call);
    case Kind::dtype:
      return message_of<gradus::DTypeError>(wrong.call);
    case Kind::value:
      return message_of<gradus::ValueError>(wrong.call);
  }
  return {};
}

/// One line each, which begins with the name and holds the parts. A name like "Conv2d" is that of a layer,
/// whose function may be the one that finds the fault: then "conv2d" comes first.
inline void check_wrong_calls(const WrongCalls& calls,
                              const std::map<std::string, std::string>& functions = {}) {
  for (const WrongCall& wrong : calls) {
    const std::string message = thrown(wrong);
    CAPTURE(wrong.op);
    CAPTURE(message);
    const auto function = functions.find(wrong.op);
    const bool named = message.find(wrong.op + ": ") == 0 ||
                       (function != functions.end() && message.find(function->second + ": ") == 0);
    CHECK(named);
    CHECK(wrong.parts.size() >= least_parts);
    for (const std::string& part : wrong.parts) {
      CAPTURE(part);
      CHECK(contains(message, part));
    }
  }
}

/// How many each name has.
inline std::map<std::string, int> counted(const std::vector<WrongCalls>& tables) {
  std::map<std::string, int> counts;
  for (const WrongCalls& table : tables) {
    for (const WrongCall& wrong : table) ++counts[wrong.op];
  }
  return counts;
}
