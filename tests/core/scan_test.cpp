// Scans, sorting, and what finds and counts, against plain loops, in every layout.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "support/naive.h"

using namespace gradus;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

std::vector<std::int64_t> order_of(const Tensor& x, bool descending = false) {
  return core::argsort(x, -1, descending).to_vector<std::int64_t>();
}

}  // namespace

TEST_CASE("cumsum and a linear recurrence are their formulas, along any dimension, in any layout") {
  Generator generator(1);
  for (int d = 0; d < 3; ++d) {
    for (const auto& laid_out : naive::layouts({3, 4, 2}, generator)) {
      const std::string& layout = laid_out.first;
      const Tensor& x = laid_out.second;
      CAPTURE(d);
      CAPTURE(layout);
      const Tensor sums = core::cumsum(x, d);
      const Tensor b = randn({3, 4, 2}, generator, float64);
      const Tensor y = core::linear_recurrence(x, b, d - 3);
      for (const Shape& index : naive::indices({3, 4, 2})) {
        double total = 0;
        double value = 0;
        Shape at = index;
        for (at[d] = 0; at[d] <= index[d]; ++at[d]) {
          total += naive::get(x, at);
          value = (at[d] == 0 ? 0 : naive::get(x, at) * value) + naive::get(b, at);
        }
        CHECK(naive::get(sums, index) == total);
        CHECK(naive::get(y, index) == value);
      }
    }
  }
}

TEST_CASE("sums of float32 go on in float64, integers wrap around, and bool counts") {
  // In float32 2^24 + 1 is 2^24 again, however often it is added.
  const Tensor x = Tensor::from({0x1p24, 1.0, 1.0});
  CHECK(core::equal(core::cumsum(x, 0), Tensor::from({0x1p24, 0x1p24, 0x1p24 + 2})));
  CHECK(core::equal(core::linear_recurrence(ones({3}), x, 0),
                    Tensor::from({0x1p24, 0x1p24, 0x1p24 + 2})));
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const std::int64_t large[] = {most, 1};
  CHECK(core::cumsum(Tensor::from(large, {2}), 0).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{most, std::numeric_limits<std::int64_t>::min()});
  CHECK(core::equal(core::cumsum(Tensor::from({true, false, true}), 0), Tensor::from({1, 1, 2})));
  // What stands before the first element is nothing, not 0 times infinity.
  CHECK(core::equal(core::linear_recurrence(Tensor::from({inf, 2.0}), Tensor::from({1.0, 1.0}), 0),
                    Tensor::from({1.0, 3.0})));
}

TEST_CASE("sorting is stable, and a NaN is the greatest") {
  const Tensor x = Tensor::from({1.0, not_a_number, 3.0, 1.0, -inf, 3.0, not_a_number, inf});
  CHECK(order_of(x) == std::vector<std::int64_t>{4, 0, 3, 2, 5, 7, 1, 6});
  CHECK(order_of(x, true) == std::vector<std::int64_t>{1, 6, 7, 2, 5, 0, 3, 4});
  CHECK(order_of(Tensor::from({true, false, true, false})) ==
        std::vector<std::int64_t>{1, 3, 0, 2});
  CHECK(order_of(Tensor::from(7)) == std::vector<std::int64_t>{0});
  Generator generator(2);
  for (const auto& laid_out : naive::layouts({4, 5}, generator)) {
    const Tensor& y = laid_out.second;
    for (int d = 0; d < 2; ++d) {
      const Tensor sorted = core::gather(y, d, core::argsort(y, d));
      const std::int64_t last = y.size(d) - 1;
      CHECK(core::all(core::le(sorted.narrow(d, 0, last), sorted.narrow(d, 1, last))).item() == 1);
      CHECK(core::equal(core::argsort(core::argsort(y, d), d).clone(),
                        core::argsort(core::argsort(y.clone(), d), d)));
    }
  }
}

TEST_CASE("flip reads from the other end, in any layout") {
  Generator generator(3);
  for (const auto& laid_out : naive::layouts({3, 4}, generator)) {
    const std::string& layout = laid_out.first;
    const Tensor& x = laid_out.second;
    CAPTURE(layout);
    CHECK(core::equal(core::flip(x, {0}), naive::build({3, 4}, [&](const Shape& i) {
                        return naive::get(x, {2 - i[0], i[1]});
                      })));
    CHECK(core::equal(core::flip(x, {-1, 0}), naive::build({3, 4}, [&](const Shape& i) {
                        return naive::get(x, {2 - i[0], 3 - i[1]});
                      })));
    CHECK(core::equal(core::flip(core::flip(x, {1}), {1}), x.clone()));
  }
  CHECK(core::flip(ones({0, 3}), {1}).shape() == Shape{0, 3});
}

TEST_CASE("nonzero, any and all take a NaN for something, and count nothing in nothing") {
  const Tensor x = Tensor::from({{0.0, not_a_number}, {-0.0, 2.0}});
  CHECK(core::equal(core::nonzero(x), Tensor::from({{0, 1}, {1, 1}})));
  CHECK(core::equal(core::nonzero(x.transpose()), Tensor::from({{1, 0}, {1, 1}})));
  CHECK(core::nonzero(Tensor::from(3)).shape() == Shape{1, 0});
  CHECK(core::nonzero(Tensor::from(0)).shape() == Shape{0, 0});
  CHECK(core::equal(core::any(x, {0}), Tensor::from({false, true})));
  CHECK(core::equal(core::all(x, {0}, true), Tensor::from({{false, true}})));
  CHECK(core::any(ones({0})).item() == 0);
  CHECK(core::all(ones({0})).item() == 1);
  CHECK(core::any(x).dtype() == boolean);
}

TEST_CASE("bincount and one_hot count the classes themselves where they are not told") {
  const Tensor labels = Tensor::from({2, 0, 2});
  CHECK(core::equal(core::bincount(labels), Tensor::from({1, 0, 2})));
  CHECK(core::equal(core::bincount(labels, {}, 5), Tensor::from({1, 0, 2, 0, 0})));
  CHECK(core::equal(core::bincount(labels, Tensor::from({0.5, 4.0, 1.0})),
                    Tensor::from({4.0, 0.0, 1.5})));
  CHECK(core::bincount(zeros({0}, int64)).shape() == Shape{0});
  CHECK_THROWS_AS(core::bincount(Tensor::from({1, -2})), ValueError);
  CHECK_THROWS_AS(core::bincount(labels, ones({2})), ShapeError);
  CHECK_THROWS_AS(core::bincount(labels, {}, -1), ValueError);
  CHECK_THROWS_AS(core::bincount(ones({2})), DTypeError);
  CHECK(core::equal(core::one_hot(labels), core::one_hot(labels, 3)));
  CHECK_THROWS_AS(core::one_hot(zeros({0}, int64)), ValueError);
  CHECK_THROWS_AS(core::one_hot(labels, -2), ValueError);
}

TEST_CASE("rounding goes half to even, and what is infinite is told by its sign") {
  const Tensor x = Tensor::from({-2.5, -0.5, 0.5, 1.5, 2.5, inf, -inf});
  CHECK(core::equal(core::round(x), Tensor::from({-2.0, -0.0, 0.0, 2.0, 2.0, inf, -inf})));
  CHECK(core::equal(core::trunc(x), Tensor::from({-2.0, 0.0, 0.0, 1.0, 2.0, inf, -inf})));
  CHECK(core::sum(core::isinf(x)).item() == 2);
  CHECK(core::isposinf(x).at<bool>({5}));
  CHECK(core::isneginf(x).at<bool>({6}));
  CHECK(core::equal(core::floor(Tensor::from({-3, 4})), Tensor::from({-3, 4})));
  CHECK(core::equal(eye(2, 3), Tensor::from({{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}})));
}
