// Shape arithmetic: broadcasting and dimension lists.
#include <gradus/core/error.h>
#include <gradus/core/shape.h>

#include <algorithm>
#include <limits>

namespace gradus {

Shape::Shape(std::initializer_list<std::int64_t> values)
    : Shape(std::span<const std::int64_t>(values.begin(), values.size())) {}

Shape::Shape(std::span<const std::int64_t> values) {
  for (const std::int64_t value : values) push_back(value);
}

Shape Shape::filled(int rank, std::int64_t value) {
  Shape shape;
  for (int d = 0; d < rank; ++d) shape.push_back(value);
  return shape;
}

void Shape::push_back(std::int64_t value) {
  if (rank_ == max_rank)
    fail<ShapeError>("shape: at most ", max_rank, " dimensions, got more after ", *this);
  values_[static_cast<std::size_t>(rank_++)] = value;
}

std::int64_t Shape::numel() const {
  std::int64_t count = 1;
  for (const std::int64_t value : *this) count *= value;
  return count;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int d = 0; d < shape.rank(); ++d) text += (d ? "," : "") + std::to_string(shape[d]);
  return text + "]";
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

Strides contiguous_strides(const Shape& shape) {
  Strides strides = shape;
  std::int64_t step = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    strides[d] = step;
    step *= std::max<std::int64_t>(shape[d], 1);
  }
  return strides;
}

Shape broadcast(std::string_view op, const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  const int lead = longer.rank() - shorter.rank();
  Shape result = longer;
  for (int d = 0; d < shorter.rank(); ++d) {
    const std::int64_t l = longer[lead + d];
    const std::int64_t s = shorter[d];
    if (l != s && l != 1 && s != 1) {
      fail<ShapeError>(op, ": shapes ", a, " and ", b, " do not broadcast (",
                       a[a.rank() - shorter.rank() + d], " against ",
                       b[b.rank() - shorter.rank() + d], " in dimension ", d - shorter.rank(), ")");
    }
    result[lead + d] = l == 1 ? s : l;
  }
  return result;
}

bool broadcasts(const Shape& a, const Shape& b) {
  for (int d = 1; d <= std::min(a.rank(), b.rank()); ++d) {
    const std::int64_t x = a[a.rank() - d];
    const std::int64_t y = b[b.rank() - d];
    if (x != y && x != 1 && y != 1) return false;
  }
  return true;
}

Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& target) {
  const int lead = target.rank() - shape.rank();
  Strides result = Strides::filled(target.rank(), 0);
  for (int d = 0; d < shape.rank(); ++d) result[lead + d] = shape[d] == 1 ? 0 : strides[d];
  return result;
}

Shape unravel(std::int64_t flat, const Shape& shape) {
  Shape index = shape;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    index[d] = flat % shape[d];
    flat /= shape[d];
  }
  return index;
}

namespace {

/// One of `count` dimensions; `tensor` is what a message says they belong to.
int normalize_among(std::string_view op, std::int64_t dim, int count, int rank,
                    std::string_view tensor) {
  if (count == 0)
    fail<ShapeError>(op, ": dimension ", dim, " of a tensor of rank 0, which has no dimensions");
  if (dim < -count || dim >= count) {
    fail<ShapeError>(op, ": dimension ", dim, " is out of range for a tensor of rank ", rank,
                     tensor, " (expected ", -count, " to ", count - 1, ")");
  }
  return static_cast<int>(dim < 0 ? dim + count : dim);
}

}  // namespace

int normalize_dim(std::string_view op, std::int64_t dim, int rank) {
  return normalize_among(op, dim, rank, rank, "");
}

int normalize_dim_of_line(std::string_view op, std::int64_t dim, int rank) {
  return normalize_among(op, dim, std::max(rank, 1), rank, "");
}

int normalize_new_dim(std::string_view op, std::int64_t dim, int rank) {
  return normalize_among(op, dim, rank + 1, rank, " and a new dimension");
}

Dims normalize_dims(std::string_view op, const Dims& dims, int rank) {
  std::array<bool, Shape::max_rank> chosen{};
  for (const std::int64_t dim : dims) {
    bool& seen = chosen[static_cast<std::size_t>(normalize_dim(op, dim, rank))];
    if (seen) fail<ShapeError>(op, ": dimension ", dim, " is named twice in ", dims);
    seen = true;
  }
  Dims result;
  for (int d = 0; d < rank; ++d) {
    if (dims.empty() || chosen[static_cast<std::size_t>(d)]) result.push_back(d);
  }
  return result;
}

void check_sizes(std::string_view op, const Shape& shape) {
  // 2^59 elements of 8 bytes are 2^62 bytes: with a header, and rounded up, still below 2^63.
  constexpr std::int64_t limit = std::int64_t{1} << 59;
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) fail<ShapeError>(op, ": sizes must not be negative, got ", shape);
    if (size > 0 && count > limit / size) {
      fail<ShapeError>(op, ": shape ", shape, " has too many elements: more than ", limit);
    }
    count *= std::max<std::int64_t>(size, 1);
  }
}

}  // namespace gradus
