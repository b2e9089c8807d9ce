// What an index is made of: index(x, {Slice(1, 5), Ellipsis, None, 2, rows, mask}), in the words of
// PyTorch's C++ interface.
#pragma once

#include <gradus/core/tensor.h>

#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>

namespace gradus {

/// In an index, a new dimension of size 1; in a Slice, a bound that is not given.
inline constexpr std::nullopt_t None = std::nullopt;

/// As many whole dimensions as the other entries leave.
struct EllipsisType {};
inline constexpr EllipsisType Ellipsis{};

/// Elements start, start + step, ... below stop. Negative bounds count from the end, and what is out of
/// range is cut off: Slice() is all, Slice(None, 5) the first five, Slice(-3) the last three.
struct Slice {
  std::optional<std::int64_t> start, stop, step;

  explicit Slice(std::optional<std::int64_t> first = None, std::optional<std::int64_t> last = None,
                 std::optional<std::int64_t> stride = None)
      : start(first), stop(last), step(stride) {}
};

/// One entry of an index: a number, which takes its dimension away; a Slice; None; Ellipsis; a tensor of
/// int64, whose numbers choose; or a mask, a tensor of bool that covers as many dimensions as it has.
class TensorIndex {
 public:
  template <std::integral T>
  requires(!std::same_as<T, bool>) TensorIndex(T at)
      : kind(Kind::number), number(static_cast<std::int64_t>(at)) {}
  TensorIndex(std::nullopt_t) : kind(Kind::new_dimension) {}
  TensorIndex(EllipsisType) : kind(Kind::ellipsis) {}
  TensorIndex(Slice part) : kind(Kind::slice), slice(part) {}
  TensorIndex(Tensor chosen) : kind(Kind::tensor), tensor(std::move(chosen)) {}

  /// Which member holds it. Plain ones: a std::variant costs every unit that includes it a tenth of a second.
  enum class Kind { number, new_dimension, ellipsis, slice, tensor };
  Kind kind;
  std::int64_t number = 0;
  Slice slice{};
  Tensor tensor{};
};

}  // namespace gradus
