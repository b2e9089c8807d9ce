// Joining, selecting by index, and the adjoints of both, against loops.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <limits>
#include <string>
#include <vector>

#include "support/error_message.h"
#include "support/naive.h"

using namespace gradus;

namespace {

void check_equals(const Tensor& actual, const Tensor& expected) {
  CHECK(actual.shape() == expected.shape());
  CHECK(core::equal(actual, expected));
}

}  // namespace

TEST_CASE("cat joins along every dimension, from every memory layout, empty parts included") {
  Generator generator(1);
  const Shape base{2, 3, 2};
  for (int d = 0; d < 3; ++d) {
    for (const std::int64_t second : {0, 1, 4}) {
      Shape other = base;
      other[d] = second;
      for (const auto& a_laid_out : naive::layouts(base, generator)) {
        const auto& left_layout = a_laid_out.first;
        const Tensor& a = a_laid_out.second;
        for (const auto& b_laid_out : naive::layouts(other, generator)) {
          const auto& right_layout = b_laid_out.first;
          const Tensor& b = b_laid_out.second;
          CAPTURE(left_layout);
          CAPTURE(right_layout);
          Shape joined = base;
          joined[d] = base[d] + second + base[d];
          check_equals(core::cat({a, b, a}, d - 3), naive::build(joined, [&](Shape i) {
                         if (i[d] < base[d]) return naive::get(a, i);
                         i[d] -= base[d];
                         if (i[d] < second) return naive::get(b, i);
                         i[d] -= second;
                         return naive::get(a, i);
                       }));
        }
      }
    }
  }
  CHECK(core::cat({zeros({0, 2}), zeros({0, 2})}, 0).shape() == Shape{0, 2});
}

TEST_CASE("cat says which part does not fit") {
  CHECK(message_of<ShapeError>([] {
          core::cat({ones({2, 3}), ones({2, 4})}, 0);
        }) == "cat: part 1 is [2,4], part 0 is [2,3]; they may differ in dimension 0 only");
  CHECK(message_of<ShapeError>([] {
          core::cat({ones({2, 3}), ones({3})}, 0);
        }) == "cat: part 1 is [3], part 0 is [2,3]; they may differ in dimension 0 only");
  CHECK(message_of<DTypeError>([] {
          core::cat({ones({2}), ones({2}, int64)}, 0);
        }) == "cat: part 1 is int64, part 0 is float32; cast the other with .to(float32)");
  CHECK(message_of<ShapeError>([] { core::cat({}, 0); }) ==
        "cat: expects one part or more, got none");
  CHECK_THROWS_AS(core::cat({Tensor::scalar(1), Tensor::scalar(2)}, 0), ShapeError);
  CHECK_THROWS_AS(core::cat({ones({2})}, 1), ShapeError);
}

TEST_CASE("stack puts a new dimension anywhere") {
  const Tensor a = Tensor::from({1, 2});
  const Tensor b = Tensor::from({3, 4});
  check_equals(core::stack({a, b}, 0), Tensor::from({{1, 2}, {3, 4}}));
  check_equals(core::stack({a, b}, 1), Tensor::from({{1, 3}, {2, 4}}));
  check_equals(core::stack({a, b}, -1), Tensor::from({{1, 3}, {2, 4}}));
  check_equals(core::stack({Tensor::from(5), Tensor::from(6)}, 0), Tensor::from({5, 6}));
  CHECK(message_of<ShapeError>([&] {
          core::stack({a, ones({3}, int64)}, 0);
        }) == "stack: part 1 is [3], part 0 is [2]");
  CHECK(message_of<DTypeError>([&] { core::stack({a, ones({2})}, 0); }).find("stack: ") == 0);
  CHECK_THROWS_AS(core::stack({}, 0), ShapeError);
  CHECK_THROWS_AS(core::stack({a, b}, 2), ShapeError);
}

TEST_CASE("index_select and index_add are each other's adjoint: <select x, y> = <x, add y>") {
  Generator generator(2);
  const Tensor index = Tensor::from({2, 0, 2, 1});
  for (int d = 0; d < 3; ++d) {
    const Shape shape = Shape::filled(3, 3);
    for (const auto& laid_out : naive::layouts(shape, generator)) {
      const auto& layout = laid_out.first;
      const Tensor& x = laid_out.second;
      CAPTURE(layout);
      const Tensor selected = core::index_select(x, d, index);
      Shape expected = shape;
      expected[d] = 4;
      check_equals(selected, naive::build(expected, [&](Shape i) {
                     i[d] = index.at<std::int64_t>({i[d]});
                     return naive::get(x, i);
                   }));
      // Small integers: every sum is exact, in any order.
      const Tensor whole = randint(-3, 4, shape, generator, float64);
      const Tensor y = randint(-3, 4, expected, generator, float64);
      CHECK(core::sum(core::mul(core::index_select(whole, d, index), y)).item() ==
            core::sum(core::mul(whole, core::index_add(shape, d, index, y))).item());
    }
  }
  CHECK(core::index_select(ones({2, 3}), 0, zeros({0}, int64)).shape() == Shape{0, 3});
}

TEST_CASE("gather and scatter_add are each other's adjoint, and follow PyTorch's formula") {
  Generator generator(3);
  const Shape shape{3, 4, 2};
  for (int d = 0; d < 3; ++d) {
    Shape small{2, 3, 2};
    small[d] = 5;
    const Tensor index = randint(0, shape[d], small, generator);
    for (const auto& laid_out : naive::layouts(shape, generator)) {
      const auto& layout = laid_out.first;
      const Tensor& x = laid_out.second;
      CAPTURE(layout);
      check_equals(core::gather(x, d, index), naive::build(small, [&](const Shape& i) {
                     Shape from = i;
                     from[d] = index.at<std::int64_t>(i);
                     return naive::get(x, from);
                   }));
    }
    const Tensor whole = randint(-3, 4, shape, generator, float64);
    const Tensor y = randint(-3, 4, small, generator, float64);
    CHECK(core::sum(core::mul(core::gather(whole, d, index), y)).item() ==
          core::sum(core::mul(whole, core::scatter_add(shape, d, index, y))).item());
    check_equals(core::gather(whole, d, index.transpose().clone().transpose()),
                 core::gather(whole, d, index));
  }
  CHECK(core::gather(ones({2, 3}), 1, zeros({2, 0}, int64)).shape() == Shape{2, 0});
}

TEST_CASE("slice_scatter puts back what slice took") {
  Generator generator(4);
  const Tensor x = randn({3, 7}, generator);
  for (const std::int64_t start : {0, 2, 6}) {
    for (const std::int64_t step : {1, 2, 3, 50}) {
      const Tensor taken = x.slice(1, start, 7, step);
      const Tensor back = core::slice_scatter({3, 7}, taken, 1, start, step);
      check_equals(back.slice(1, start, 7, step), taken);
      CHECK(core::sum(core::ne(back, 0)).item() == static_cast<double>(taken.numel()));
    }
  }
  CHECK(message_of<ShapeError>([&] {
          core::slice_scatter({3, 7}, ones({3, 4}), 1, 5, 1);
        }) == "slice_scatter: source [3,4] does not fit [3,7] from 5 in steps of 1");
  CHECK_THROWS_AS(core::slice_scatter({3, 7}, ones({3}), 1, 0, 1), ShapeError);
  CHECK_THROWS_AS(core::slice_scatter({3, 7}, ones({3, 1}), 1, 0, 0), ValueError);
  check_equals(core::slice_scatter({3}, ones({2}), 0, -2, 1), Tensor::from({0.0, 1.0, 1.0}));
}

TEST_CASE("what is put beyond the end of an int64 is refused, before anything is allocated") {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t vast = std::int64_t{1} << 59;
  const Tensor many = ones({1}).expand({vast});  // of one number
  CHECK(core::slice_scatter({3}, ones({1}), 0, 2, most).at<float>({2}) == 1);
  CHECK_THROWS_AS(core::slice_scatter({3}, ones({1}), 0, most, 1), ShapeError);
  CHECK_THROWS_AS(core::slice_scatter({3}, ones({2}), 0, 1, most), ShapeError);
  CHECK_THROWS_AS(core::slice_scatter({3}, ones({1}), 0, -most, 1), ShapeError);
  CHECK_THROWS_AS(core::slice_scatter({vast}, many, 0, 0, vast), ShapeError);
  CHECK_THROWS_AS(core::slice_scatter({most, most}, ones({1, 1}), 0, 0, 1), ShapeError);
  CHECK_THROWS_AS(core::cat(std::vector<Tensor>(16, many), 0), ShapeError);
  CHECK(contains(message_of<ShapeError>([&] { core::stack(std::vector<Tensor>(16, many), 0); }),
                 "has too many elements: more than 576460752303423488"));
}

TEST_CASE("one_hot marks each label, in any shape and dtype") {
  check_equals(core::one_hot(Tensor::from({2, 0}), 3), Tensor::from({{0, 0, 1}, {1, 0, 0}}));
  check_equals(core::one_hot(Tensor::from(1), 2, float32), Tensor::from({0.0, 1.0}));
  CHECK(core::one_hot(zeros({2, 3}, int64).transpose(), 4).shape() == Shape{3, 2, 4});
  CHECK(core::one_hot(zeros({0}, int64), 4).shape() == Shape{0, 4});
  CHECK(message_of<ValueError>([] {
          core::one_hot(Tensor::from({0, 3}), 3);
        }) == "one_hot: label 3 at position 1 is outside of 0..2");
  CHECK_THROWS_AS(core::one_hot(Tensor::from({-1}), 3), ValueError);
  CHECK_THROWS_AS(core::one_hot(Tensor::from({0}), 0), ValueError);
  CHECK_THROWS_AS(core::one_hot(ones({2}), 3), DTypeError);
}

TEST_CASE("an index out of range is named, with the shape it misses") {
  const Tensor x = ones({2, 3});
  CHECK(message_of<ShapeError>([&] {
          core::index_select(x, 1, Tensor::from({0, 3}));
        }) == "index_select: index 3 is out of range 0..2 of shape [2,3]");
  CHECK(message_of<ShapeError>([&] {
          core::gather(x, 0, Tensor::from({{0, 2, 0}}));
        }) == "gather: index 2 is out of range 0..1 of shape [2,3]");
  CHECK_THROWS_AS(core::index_select(x, 0, Tensor::from({-1})), ShapeError);
  CHECK_THROWS_AS(core::index_add({2}, 0, Tensor::from({2}), ones({1})), ShapeError);
  CHECK_THROWS_AS(core::scatter_add({2}, 0, Tensor::from({-1}), ones({1})), ShapeError);
  CHECK_THROWS_AS(core::gather(x, 0, Tensor::from({{0, 0, 0, 0}})), ShapeError);
  CHECK_THROWS_AS(core::gather(x, 0, Tensor::from({0})), ShapeError);
  CHECK_THROWS_AS(core::gather(x, 0, ones({1, 3})), DTypeError);
  CHECK_THROWS_AS(core::index_select(x, 0, ones({1})), DTypeError);
  CHECK_THROWS_AS(core::index_select(x, 0, Tensor::from({{0}})), ShapeError);
  CHECK_THROWS_AS(core::scatter_add({2}, 0, Tensor::from({0}), ones({2})), ShapeError);
  CHECK_THROWS_AS(core::index_add({2}, 0, Tensor::from({0}), ones({2})), ShapeError);
}
