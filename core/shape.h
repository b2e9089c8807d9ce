// Shapes and strides: a short list of int64 kept in place, since a tensor has at most 8 dimensions.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

namespace gradus {

/// Sizes of each dimension, outermost first. Also used for strides (in elements) and for lists
/// of dimensions.
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> values);
  explicit Shape(std::span<const std::int64_t> values);
  /// `rank` entries, all `value`.
  static Shape filled(int rank, std::int64_t value);

  int rank() const { return rank_; }
  int size() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  std::int64_t operator[](int d) const { return values_[static_cast<std::size_t>(d)]; }
  std::int64_t& operator[](int d) { return values_[static_cast<std::size_t>(d)]; }
  const std::int64_t* begin() const { return values_.data(); }
  const std::int64_t* end() const { return values_.data() + rank_; }
  /// One entry more at the end. Throws ShapeError beyond max_rank.
  void push_back(std::int64_t value);

  /// Product of all entries; 1 for rank 0.
  std::int64_t numel() const;
  bool operator==(const Shape& other) const;

 private:
  std::array<std::int64_t, max_rank> values_{};
  int rank_ = 0;
};

using Strides = Shape;
using Dims = Shape;

/// "[8,3,32,32]"
std::string to_string(const Shape& shape);
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// Strides of a row-major tensor: [2,3,4] -> [12,4,1].
Strides contiguous_strides(const Shape& shape);

/// The shape both broadcast to (NumPy's rule). Throws ShapeError naming `op` and both shapes.
Shape broadcast(std::string_view op, const Shape& a, const Shape& b);

/// Would broadcast() succeed?
bool broadcasts(const Shape& a, const Shape& b);

/// Strides to read a tensor of `shape` and `strides` as one of shape `target`: 0 where it repeats.
Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& target);

/// Row-major position -> index.
Shape unravel(std::int64_t flat, const Shape& shape);

/// Maps a dimension counted from either end to 0..rank-1. Throws ShapeError naming `op`.
int normalize_dim(std::string_view op, std::int64_t dim, int rank);
/// The same for functions along one dimension, of which a scalar counts as [1]: 0 or -1 there.
int normalize_dim_of_line(std::string_view op, std::int64_t dim, int rank);
/// The same for a dimension that a tensor of `rank` shall have more: 0..rank.
int normalize_new_dim(std::string_view op, std::int64_t dim, int rank);

/// Sorted, normalized, unique dimensions; an empty list means all. Throws ShapeError on duplicates.
Dims normalize_dims(std::string_view op, const Dims& dims, int rank);

/// Throws ShapeError naming `op` when a size is negative or the element count overflows.
void check_sizes(std::string_view op, const Shape& shape);

}  // namespace gradus
