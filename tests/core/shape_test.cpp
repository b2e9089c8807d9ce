// Shapes: broadcasting, dimension lists, and the limits.
#include <doctest/doctest.h>
#include <gradus/core/error.h>
#include <gradus/core/shape.h>
#include <gradus/core/tensor.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

/// NumPy's rule, said the slow way: both padded with ones in front, size by size.
std::optional<Shape> broadcast_model(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape result;
  for (int d = 0; d < rank; ++d) {
    const int from_a = d - (rank - a.rank());
    const int from_b = d - (rank - b.rank());
    const std::int64_t x = from_a < 0 ? 1 : a[from_a];
    const std::int64_t y = from_b < 0 ? 1 : b[from_b];
    if (x == y || y == 1) {
      result.push_back(x);
    } else if (x == 1) {
      result.push_back(y);
    } else {
      return std::nullopt;
    }
  }
  return result;
}

/// All shapes up to `rank` with sizes 0 .. 3.
std::vector<Shape> small_shapes(int rank) {
  std::vector<Shape> all{Shape{}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].rank() == rank) break;
    for (std::int64_t size = 0; size < 4; ++size) {
      Shape longer = all[i];
      longer.push_back(size);
      all.push_back(longer);
    }
  }
  return all;
}

}  // namespace

TEST_CASE("broadcasting follows NumPy's rule for every pair of small shapes") {
  const std::vector<Shape> shapes = small_shapes(3);
  CHECK(shapes.size() == 85);
  for (const Shape& a : shapes) {
    for (const Shape& b : shapes) {
      CAPTURE(a);
      CAPTURE(b);
      if (const auto expected = broadcast_model(a, b)) {
        CHECK(broadcast("add", a, b) == *expected);
      } else {
        CHECK_THROWS_AS(broadcast("add", a, b), ShapeError);
      }
    }
  }
}

TEST_CASE("a failed broadcast names the operation, both shapes and the place") {
  CHECK(message_of<ShapeError>([] {
          broadcast("add", {2, 3, 4}, {5, 4});
        }) == "add: shapes [2,3,4] and [5,4] do not broadcast (3 against 5 in dimension -2)");
  CHECK(message_of<ShapeError>([] {
          broadcast("add", {5, 4}, {2, 3, 4});
        }) == "add: shapes [5,4] and [2,3,4] do not broadcast (5 against 3 in dimension -2)");
}

TEST_CASE("broadcast strides repeat with 0 and keep what is there") {
  CHECK(broadcast_strides({3, 1}, {7, 2}, {4, 3, 5}) == Strides{0, 7, 0});
  CHECK(broadcast_strides({}, {}, {2, 2}) == Strides{0, 0});
}

TEST_CASE("contiguous strides are row-major, also around a size of zero") {
  CHECK(contiguous_strides({2, 3, 4}) == Strides{12, 4, 1});
  CHECK(contiguous_strides({}) == Strides{});
  CHECK(contiguous_strides({2, 0, 4}) == Strides{4, 4, 1});
}

TEST_CASE("dimensions count from either end, and a bad one is named with the range") {
  CHECK(normalize_dim("sum", 0, 3) == 0);
  CHECK(normalize_dim("sum", -3, 3) == 0);
  CHECK(normalize_dim("sum", -1, 3) == 2);
  CHECK(message_of<ShapeError>([] { normalize_dim("sum", 3, 3); }) ==
        "sum: dimension 3 is out of range for a tensor of rank 3 (expected -3 to 2)");
  CHECK_THROWS_AS(normalize_dim("sum", -4, 3), ShapeError);
  CHECK(message_of<ShapeError>([] { normalize_dim("sum", 0, 0); }) ==
        "sum: dimension 0 of a tensor of rank 0, which has no dimensions");
}

TEST_CASE("dimension lists come out sorted, unique, and all when empty") {
  CHECK(normalize_dims("sum", {-1, 0}, 3) == Dims{0, 2});
  CHECK(normalize_dims("sum", {}, 3) == Dims{0, 1, 2});
  CHECK(normalize_dims("sum", {}, 0) == Dims{});
  CHECK(message_of<ShapeError>([] {
          normalize_dims("sum", {1, -2}, 3);
        }) == "sum: dimension -2 is named twice in [1,-2]");
}

TEST_CASE("a shape holds at most eight dimensions") {
  Shape shape = Shape::filled(8, 1);
  CHECK_THROWS_AS(shape.push_back(1), ShapeError);
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
  CHECK(shape.rank() == 8);
}

TEST_CASE(
    "sizes that are negative or whose bytes overflow are refused before anything is allocated") {
  CHECK_THROWS_AS(Tensor::empty({-1}), ShapeError);
  CHECK_THROWS_AS(Tensor::empty({2, -1, 0}), ShapeError);
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  for (const Shape& shape :
       {Shape{huge}, Shape{huge, huge}, Shape{std::int64_t{1} << 32, std::int64_t{1} << 32},
        Shape{std::int64_t{1} << 60}, Shape{(std::int64_t{1} << 60) - 1},
        Shape{std::int64_t{1} << 40, std::int64_t{1} << 40, 0}}) {
    CAPTURE(shape);
    CHECK_THROWS_AS(Tensor::empty(shape, float64), ShapeError);
    CHECK_THROWS_AS(Tensor::empty({1}).expand(shape), ShapeError);
    CHECK_THROWS_AS(Tensor::empty({0}).reshape(shape), ShapeError);
    CHECK_THROWS_AS(Tensor::empty({1}).view(shape), ShapeError);
  }
}
