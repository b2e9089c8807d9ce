// Tensor: making one, reading and writing elements, and every view against a model that only
// knows indices.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/tensor.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/error_message.h"
#include "support/naive.h"

using namespace gradus;

namespace {

const std::vector<Shape> shapes{
    {},        {1},       {5},          {0},          {2, 3},         {3, 1},
    {1, 4},    {0, 3},    {3, 0},       {2, 3, 4},    {2, 1, 3},      {1, 1, 1},
    {2, 0, 3}, {1, 2, 1}, {2, 2, 3, 2}, {3, 1, 1, 2}, {2, 1, 2, 1, 2}};

/// For every shape in every layout.
template <class F> void for_all(const F& f) {
  Generator generator(1);
  for (const Shape& shape : shapes) {
    for (const auto& laid_out : naive::layouts(shape, generator)) {
      const auto& layout = laid_out.first;
      const Tensor& x = laid_out.second;
      CAPTURE(shape);
      CAPTURE(layout);
      REQUIRE(x.shape() == shape);
      f(x);
    }
  }
}

void check_equals(const Tensor& actual, const Tensor& expected) {
  CHECK(actual.shape() == expected.shape());
  CHECK(core::equal(actual, expected));
}

/// All shapes of `count` elements with up to three dimensions, and the same with ones put in.
std::vector<Shape> shapes_of(std::int64_t count) {
  std::vector<Shape> all{{count}, {1, count, 1}};
  for (std::int64_t a = 1; a <= count; ++a) {
    if (count % a != 0) continue;
    all.push_back({a, count / a});
    all.push_back({a, 1, count / a});
    for (std::int64_t b = 1; b <= count / a; ++b) {
      if (count / a % b == 0) all.push_back({a, b, count / a / b});
    }
  }
  return all;
}

}  // namespace

TEST_CASE("nested lists give their shape, and their numbers row-major") {
  const Tensor matrix = Tensor::from({{1, 2, 3}, {4, 5, 6}});
  CHECK(matrix.shape() == Shape{2, 3});
  CHECK(matrix.to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6});
  CHECK(Tensor::from(7).shape() == Shape{});
  CHECK(Tensor::from({7}).shape() == Shape{1});
  CHECK(Tensor::from({{7}}).shape() == Shape{1, 1});
  CHECK(Tensor::from({{1, 2}}).shape() == Shape{1, 2});
  CHECK(Tensor::from({{{1}, {2}}}).shape() == Shape{1, 2, 1});
  CHECK(Tensor::from({}).shape() == Shape{0});
  CHECK(Tensor::from({{}, {}}).shape() == Shape{2, 0});
  CHECK(Tensor::from({{{{{{{{1, 2}}}}}}}}).shape() == Shape{1, 1, 1, 1, 1, 1, 1, 2});
}

TEST_CASE("the dtype of a list is bool, int64 or float32, whatever holds all its numbers") {
  CHECK(Tensor::from({true, false}).dtype() == boolean);
  CHECK(Tensor::from({1, 2}).dtype() == int64);
  CHECK(Tensor::from({true, 2}).dtype() == int64);
  CHECK(Tensor::from({1, 2.5}).dtype() == float32);
  CHECK(Tensor::from({1.5f}).dtype() == float32);
  CHECK(Tensor::from({}).dtype() == float32);
  CHECK(Tensor::from({1, 2}, float64).dtype() == float64);
  CHECK(Tensor::from({0.0, 2.5, -1.0}, boolean).to_vector<bool>() ==
        std::vector<bool>{false, true, true});
}

TEST_CASE("a list keeps integers that a double would round, and doubles that a float would") {
  const std::int64_t large = (std::int64_t{1} << 53) + 1;
  CHECK(Tensor::from({large}).at<std::int64_t>({0}) == large);
  CHECK(Tensor::from({0.1}, float64).at<double>({0}) == 0.1);
  CHECK(std::isnan(Tensor::from({NAN}).at<float>({0})));
  CHECK(Tensor::from({1e300}, float64).at<double>({0}) == 1e300);
}

TEST_CASE("ragged lists are refused, with what was expected where") {
  CHECK(message_of<ShapeError>([] {
          Tensor::from({{1, 2}, {3}});
        }) == "from: the lists are ragged: expected 2 items at depth 1, got 1 items");
  CHECK(message_of<ShapeError>([] {
          Tensor::from({{1, 2}, 3});
        }) == "from: the lists are ragged: expected 2 items at depth 1, got a number");
  CHECK(message_of<ShapeError>([] {
          Tensor::from({1, {2, 3}});
        }) == "from: the lists are ragged: expected a number at depth 1, got 2 items");
  CHECK_THROWS_AS(Tensor::from({{}, {1}}), ShapeError);
  CHECK_THROWS_AS(Tensor::from({{1}, {}}), ShapeError);
  CHECK_THROWS_AS(Tensor::from({{{1}}, {{1, 2}}}), ShapeError);
}

TEST_CASE("from a pointer copies") {
  float numbers[] = {1, 2, 3, 4, 5, 6};
  const Tensor x = Tensor::from(numbers, {2, 3});
  numbers[0] = 9;
  CHECK(x.at<float>({0, 0}) == 1);
  CHECK(x.at<float>({1, 2}) == 6);
  CHECK(Tensor::from(static_cast<const double*>(nullptr), {0, 3}).numel() == 0);
}

TEST_CASE("elements are bounds-checked from both ends and typed") {
  const Tensor x = arange(0, 6).reshape({2, 3});
  CHECK(x.at<float>({1, 2}) == 5);
  CHECK(x.at<float>({-1, -3}) == 3);
  x.at<float>({0, 0}) = 7;
  CHECK(x.at<float>({0, 0}) == 7);
  CHECK(message_of<ShapeError>([&] {
          x.at<float>({0, 3});
        }) == "at: index [0,3] is outside of shape [2,3]");
  CHECK_THROWS_AS(x.at<float>({-3, 0}), ShapeError);
  CHECK_THROWS_AS(x.at<float>({std::numeric_limits<std::int64_t>::min(), 0}), ShapeError);
  CHECK(message_of<ShapeError>([&] { x.at<float>({0}); }) ==
        "at: index [0] has 1 entries, the tensor [2,3] has rank 2");
  CHECK(message_of<DTypeError>([&] {
          x.at<double>({0, 0});
        }) == "tensor: elements are float32, asked for as float64; cast with .to(float64)");
  CHECK_THROWS_AS(zeros({0}).at<float>({0}), ShapeError);
}

TEST_CASE("item is the one element, of any rank and dtype") {
  CHECK(Tensor::scalar(2.5).item() == 2.5);
  CHECK(ones({1, 1, 1}, int64).item() == 1);
  CHECK(arange(0, 6).slice(0, 4, 5).item() == 4);
  CHECK(Tensor::from(true).item() == 1);
  CHECK(message_of<ShapeError>([] {
          zeros({2, 1}).item();
        }) == "item: expects one element, got shape [2,1]");
  CHECK_THROWS_AS(zeros({0}).item(), ShapeError);
}

TEST_CASE("an undefined tensor is refused by everything, and crashes nothing") {
  const Tensor none;
  const Tensor some = ones({});
  CHECK(!none.defined());
  CHECK_THROWS_AS(none.item(), Error);
  CHECK_THROWS_AS(none.data<float>(), Error);
  CHECK_THROWS_AS(none.at<float>({}), Error);
  CHECK_THROWS_AS(none.to_vector<float>(), Error);
  CHECK_THROWS_AS(none.clone(), Error);
  CHECK_THROWS_AS(none.reshape({1}), Error);
  CHECK_THROWS_AS(none.view({1}), Error);
  CHECK_THROWS_AS(none.flatten(), Error);
  CHECK_THROWS_AS(none.unsqueeze(0), Error);
  CHECK_THROWS_AS(none.expand({2}), Error);
  CHECK_THROWS_AS(none.permute({}), Error);
  CHECK_THROWS_AS(some.flatten(1), ShapeError);
  CHECK_THROWS_AS(none.to(float64), Error);
  CHECK_THROWS_AS(none.fill_(1), Error);
  CHECK_THROWS_AS(none.copy_(some), Error);
  CHECK_THROWS_AS(some.copy_(none), Error);
  CHECK_THROWS_AS(core::add(some, none), Error);
  CHECK_THROWS_AS(core::sum(none), Error);
  CHECK_THROWS_AS(core::mean(none), Error);
  CHECK_THROWS_AS(core::var(none), Error);
  CHECK_THROWS_AS(core::argmax(none), Error);
  CHECK_THROWS_AS(core::softmax(none, 0), Error);
  CHECK_THROWS_AS(core::log_softmax(none, 0), Error);
  CHECK_THROWS_AS(core::matmul(none, some), Error);
  CHECK_THROWS_AS(core::cat({some, none}, 0), Error);
  CHECK_THROWS_AS(core::stack({none, some}, 0), Error);
  CHECK_THROWS_AS(core::index_select(none, 0, Tensor::from({0})), Error);
  CHECK_THROWS_AS(core::gather(ones({2}), 0, none), Error);
  CHECK_THROWS_AS(core::one_hot(none, 3), Error);
  CHECK_THROWS_AS(core::add_(some, none), Error);
  CHECK_THROWS_AS(core::mul_(none, 2), Error);
}

TEST_CASE("a view is the same memory: a write through one is seen through the others") {
  const Tensor x = zeros({2, 3, 4});
  const std::vector<Tensor> views{x.view({6, 4}),       x.reshape({-1}), x.flatten(1),
                                  x.permute({2, 0, 1}), x.transpose(),   x.slice(2, 0, 4, 2),
                                  x.narrow(1, 1, 2),    x.select(0, 1),  x[0],
                                  x.unsqueeze(1),       x.squeeze(),     x.expand({5, 2, 3, 4}),
                                  x.contiguous(),       x.to(float32)};
  const std::int64_t live = storage_statistics().live_bytes;
  for (const Tensor& view : views) CHECK(view.storage() == x.storage());
  CHECK(storage_statistics().live_bytes == live);
  x.at<float>({1, 1, 2}) = 5;
  CHECK(x.permute({2, 0, 1}).at<float>({2, 1, 1}) == 5);
  x.slice(2, 0, 4, 2).at<float>({1, 1, 1}) = 6;
  CHECK(x.at<float>({1, 1, 2}) == 6);
  CHECK(!(x.clone().storage() == x.storage()));
  CHECK(!(x.to(float64).storage() == x.storage()));
}

TEST_CASE("clone, contiguous, to_vector and copy_ read every layout") {
  for_all([](const Tensor& x) {
    const Tensor model = naive::build(x.shape(), [&](const Shape& i) { return naive::get(x, i); });
    check_equals(x.clone(), model);
    CHECK(x.clone().is_contiguous());
    check_equals(x.contiguous(), model);
    CHECK(x.contiguous().is_contiguous());
    CHECK(x.to_vector<double>() == model.to_vector<double>());
    check_equals(zeros(x.shape(), float64).copy_(x), model);
    const Tensor rounded = x.to(float32);
    for (const Shape& i : naive::indices(x.shape()))
      CHECK(rounded.at<float>(i) == static_cast<float>(naive::get(x, i)));
  });
}

TEST_CASE("reshape gives the elements in row-major order, into every shape from every layout") {
  for_all([](const Tensor& x) {
    const std::vector<double> flat = x.to_vector<double>();
    for (const Shape& target :
         x.numel() > 0 ? shapes_of(x.numel()) : std::vector<Shape>{{0}, {0, 5}, {3, 0, 2}}) {
      CAPTURE(target);
      const Tensor y = x.reshape(target);
      CHECK(y.shape() == target);
      CHECK(y.to_vector<double>() == flat);
    }
  });
}

TEST_CASE("view succeeds exactly where strides can say it, and shares memory then") {
  // Strides can say it when walking the target in order meets the source's offsets in order: the
  // model tries all strides that the first steps allow.
  for_all([](const Tensor& x) {
    if (x.numel() == 0) return;
    std::vector<std::int64_t> offsets;
    for (const Shape& index : naive::indices(x.shape())) {
      std::int64_t offset = 0;
      for (int d = 0; d < x.rank(); ++d) offset += index[d] * x.strides()[d];
      offsets.push_back(offset);
    }
    for (const Shape& target : shapes_of(x.numel())) {
      CAPTURE(target);
      Strides strides = Strides::filled(target.rank(), 0);
      std::int64_t step = 1;  // elements between neighbours along the dimension
      for (int d = target.rank() - 1; d >= 0; --d) {
        if (target[d] > 1) strides[d] = offsets[static_cast<std::size_t>(step)];
        step *= target[d];
      }
      bool possible = true;
      std::size_t at = 0;
      for (const Shape& index : naive::indices(target)) {
        std::int64_t offset = 0;
        for (int d = 0; d < target.rank(); ++d) offset += index[d] * strides[d];
        possible = possible && offset == offsets[at++];
      }
      if (possible) {
        CHECK(x.view(target).storage() == x.storage());
        CHECK(x.view(target).to_vector<double>() == x.to_vector<double>());
        CHECK(x.reshape(target).storage() == x.storage());
      } else {
        CHECK_THROWS_AS(x.view(target), ShapeError);
      }
    }
  });
}

TEST_CASE("reshape infers one size, and refuses what does not fit") {
  const Tensor x = zeros({2, 3, 4});
  CHECK(x.reshape({-1}).shape() == Shape{24});
  CHECK(x.reshape({4, -1}).shape() == Shape{4, 6});
  CHECK(zeros({0, 3}).reshape({-1, 3}).shape() == Shape{0, 3});
  CHECK(ones({1}).reshape({}).shape() == Shape{});
  CHECK(Tensor::scalar(1).reshape({1, 1}).shape() == Shape{1, 1});
  CHECK(message_of<ShapeError>([&] {
          x.reshape({5, -1});
        }) == "reshape: [2,3,4] has 24 elements and cannot become [5,-1]");
  CHECK_THROWS_AS(x.reshape({-1, -1}), ShapeError);
  CHECK_THROWS_AS(x.reshape({-2, 12}), ShapeError);
  CHECK_THROWS_AS(x.reshape({}), ShapeError);
  CHECK_THROWS_AS(zeros({0, 3}).reshape({-1, 0}), ShapeError);  // any size would do
  CHECK(message_of<ShapeError>([&] { x.transpose().view({24}); }) ==
        "view: [2,4,3] with strides [12,1,4] cannot be seen as [24] without a copy; use reshape");
}

TEST_CASE("slice takes what Python's slice takes") {
  const Tensor x = arange(7);
  for (const std::int64_t start : {-9, -7, -3, -1, 0, 2, 6, 7, 9}) {
    for (const std::int64_t stop : {-9, -7, -2, 0, 1, 5, 7, 20}) {
      for (const std::int64_t step : {1, 2, 3, 7, 100}) {
        CAPTURE(start);
        CAPTURE(stop);
        CAPTURE(step);
        std::vector<std::int64_t> expected;
        const std::int64_t first = std::max<std::int64_t>(start < 0 ? start + 7 : start, 0);
        const std::int64_t last = std::min<std::int64_t>(stop < 0 ? stop + 7 : stop, 7);
        for (std::int64_t i = first; i < last; i += step) expected.push_back(i);
        CHECK(x.slice(0, start, stop, step).to_vector<std::int64_t>() == expected);
      }
    }
  }
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK(x.slice(0, 0, most, most).to_vector<std::int64_t>() == std::vector<std::int64_t>{0});
  CHECK(x.slice(0, std::numeric_limits<std::int64_t>::min(), 2).numel() == 2);
  CHECK_THROWS_AS(x.slice(0, 0, 7, 0), ValueError);
  CHECK_THROWS_AS(x.slice(0, 0, 7, -1), ValueError);
  CHECK_THROWS_AS(x.slice(1, 0, 7), ShapeError);
  CHECK_THROWS_AS(Tensor::scalar(1).slice(0, 0, 1), ShapeError);
}

TEST_CASE("the step of a slice of a slice does not grow beyond int64") {
  Tensor x = arange(std::int64_t{4});
  for (int i = 0; i < 100; ++i) x = x.slice(0, 0, 4, 3);  // [4] -> [2] -> [1] -> [1] ...
  CHECK(x.shape() == Shape{1});
  CHECK(x.item() == 0);
}

TEST_CASE("slices, selections and permutations of every layout hold the right elements") {
  for_all([](const Tensor& x) {
    for (int d = 0; d < x.rank(); ++d) {
      const auto taken = [&](const Shape& i, std::int64_t start, std::int64_t step) {
        Shape from = i;
        from[d] = start + i[d] * step;
        return naive::get(x, from);
      };
      Shape odd = x.shape();
      odd[d] = x.shape()[d] / 2;
      check_equals(x.slice(d, 1, x.shape()[d], 2).narrow(d, 0, odd[d]),
                   naive::build(odd, [&](const Shape& i) { return taken(i, 1, 2); }));
      for (std::int64_t k = 0; k < x.shape()[d]; ++k) {
        Shape rest;
        for (int e = 0; e < x.rank(); ++e) {
          if (e != d) rest.push_back(x.shape()[e]);
        }
        check_equals(x.select(d - x.rank(), k - x.shape()[d]),
                     naive::build(rest, [&](const Shape& i) {
                       Shape from;
                       for (int e = 0; e < x.rank(); ++e)
                         from.push_back(e == d ? k : i[e < d ? e : e - 1]);
                       return naive::get(x, from);
                     }));
      }
      for (int e = 0; e < x.rank(); ++e) {
        Shape swapped = x.shape();
        std::swap(swapped[d], swapped[e]);
        check_equals(x.transpose(d, e), naive::build(swapped, [&](Shape i) {
                       std::swap(i[d], i[e]);
                       return naive::get(x, i);
                     }));
      }
    }
  });
}

TEST_CASE("views refuse indices outside of the shape") {
  const Tensor x = zeros({2, 3});
  CHECK(message_of<ShapeError>([&] { x.select(1, 3); }) ==
        "select: index 3 is out of range for dimension 1 of shape [2,3]");
  CHECK_THROWS_AS(x.select(0, -3), ShapeError);
  CHECK_THROWS_AS(x[2], ShapeError);
  CHECK(message_of<ShapeError>([&] { x.narrow(1, 1, 3); }) ==
        "narrow: 3 elements from 1 do not fit dimension 1 of shape [2,3]");
  CHECK(x.narrow(1, 3, 0).shape() == Shape{2, 0});
  CHECK(x.narrow(1, -2, 2).offset() == 1);
  CHECK_THROWS_AS(x.narrow(1, 4, 0), ShapeError);
  CHECK_THROWS_AS(x.narrow(0, 0, -1), ShapeError);
  CHECK_THROWS_AS(x.narrow(0, 1, std::numeric_limits<std::int64_t>::max()), ShapeError);
  CHECK_THROWS_AS(x.narrow(0, std::numeric_limits<std::int64_t>::min(), 1), ShapeError);
  CHECK_THROWS_AS(x.permute({0, 0}), ShapeError);
  CHECK_THROWS_AS(x.permute({0}), ShapeError);
  CHECK_THROWS_AS(x.permute({0, 2}), ShapeError);
  CHECK_THROWS_AS(x.transpose(0, 2), ShapeError);
  CHECK_THROWS_AS(zeros({3}).transpose(), ShapeError);
  CHECK_THROWS_AS(x.unsqueeze(3), ShapeError);
  CHECK_THROWS_AS(x.squeeze(2), ShapeError);
  CHECK_THROWS_AS(x.flatten(1, 0), ShapeError);
  CHECK_THROWS_AS(x.size(2), ShapeError);
  CHECK_THROWS_AS(
      Shape::filled(8, 1).numel() == 1 ? zeros(Shape::filled(8, 1)).unsqueeze(0) : Tensor(),
      ShapeError);
}

TEST_CASE("squeeze and unsqueeze drop and insert sizes of one, and only those") {
  const Tensor x = arange(0, 6).reshape({1, 2, 1, 3});
  CHECK(x.squeeze().shape() == Shape{2, 3});
  CHECK(x.squeeze(2).shape() == Shape{1, 2, 3});
  CHECK(x.squeeze(1).shape() == x.shape());
  CHECK(x.squeeze().unsqueeze(-1).shape() == Shape{2, 3, 1});
  CHECK(x.squeeze().unsqueeze(0).shape() == Shape{1, 2, 3});
  CHECK(Tensor::scalar(3).unsqueeze(0).shape() == Shape{1});
  CHECK(Tensor::scalar(3).squeeze().shape() == Shape{});
  for_all([](const Tensor& y) {
    for (int d = 0; d <= y.rank(); ++d) {
      if (y.rank() == Shape::max_rank) continue;
      CHECK(y.unsqueeze(d).to_vector<double>() == y.to_vector<double>());
      check_equals(y.unsqueeze(d).squeeze(d), y);
    }
    CHECK(y.squeeze().to_vector<double>() == y.to_vector<double>());
  });
}

TEST_CASE("flatten joins a range of dimensions") {
  const Tensor x = arange(0, 24).reshape({2, 3, 4});
  CHECK(x.flatten().shape() == Shape{24});
  CHECK(x.flatten(1).shape() == Shape{2, 12});
  CHECK(x.flatten(0, 1).shape() == Shape{6, 4});
  CHECK(x.flatten(-1).shape() == Shape{2, 3, 4});
  CHECK(Tensor::scalar(1).flatten().shape() == Shape{1});
  CHECK(zeros({0, 3, 2}).flatten(1).shape() == Shape{0, 6});
}

TEST_CASE("expand repeats without memory, and only sizes of one") {
  const Tensor x = Tensor::from({{1.0}, {2.0}});
  check_equals(
      x.expand({3, 2, 2}),
      Tensor::from({{{1.0, 1.0}, {2.0, 2.0}}, {{1.0, 1.0}, {2.0, 2.0}}, {{1.0, 1.0}, {2.0, 2.0}}}));
  CHECK(x.expand({-1, 4}).shape() == Shape{2, 4});
  CHECK(x.expand({2, 0}).numel() == 0);
  CHECK(Tensor::scalar(3).expand({2, 2}).to_vector<float>() == std::vector<float>(4, 3));
  CHECK(message_of<ShapeError>([&] {
          x.expand({3, 1});
        }) == "expand: [2,1] does not expand to [3,1]");
  CHECK_THROWS_AS(x.expand({2}), ShapeError);
  CHECK_THROWS_AS(x.expand({-1, 2, 1}), ShapeError);
  CHECK_THROWS_AS(x.expand({2, -2}), ShapeError);
}

TEST_CASE("a repeated window cannot be written through") {
  // PyTorch refuses too: which of the writes to one number wins would be left to chance.
  const Tensor x = zeros({1, 3});
  CHECK_THROWS_AS(x.expand({2, 3}).copy_(ones({2, 3})), ShapeError);
  CHECK_THROWS_AS(x.expand({2, 3}).fill_(1), ShapeError);
  CHECK_THROWS_AS(core::add_(x.expand({2, 3}), ones({2, 3})), ShapeError);
  CHECK_THROWS_AS(core::mul_(x.expand({2, 3}), 2), ShapeError);
  CHECK(core::equal(x, zeros({1, 3})));
}

TEST_CASE("copy_ converts, broadcasts and writes through views") {
  const Tensor x = zeros({2, 4});
  x.slice(1, 0, 4, 2).copy_(Tensor::from({7, 8}));
  check_equals(x, Tensor::from({{7.0, 0.0, 8.0, 0.0}, {7.0, 0.0, 8.0, 0.0}}));
  CHECK(message_of<ShapeError>([&] { x.copy_(zeros({3, 4})); }).find("copy_: ") == 0);
  CHECK_THROWS_AS(x.copy_(zeros({5, 2, 4})), ShapeError);
  zeros({0, 4}).copy_(zeros({0, 4}));
}

TEST_CASE("copy_ between overlapping windows copies what was there before") {
  const auto numbers = [] { return arange(0, 8, 1, float64); };
  Tensor x = numbers();
  x.slice(0, 1, 8).copy_(x.slice(0, 0, 7));
  check_equals(x, Tensor::from({0, 0, 1, 2, 3, 4, 5, 6}, float64));
  x = numbers();
  x.slice(0, 0, 7).copy_(x.slice(0, 1, 8));
  check_equals(x, Tensor::from({1, 2, 3, 4, 5, 6, 7, 7}, float64));
  x = numbers();
  x.slice(0, 2, 8, 2).copy_(x.slice(0, 0, 6, 2));
  check_equals(x, Tensor::from({0, 1, 0, 3, 2, 5, 4, 7}, float64));
  x = numbers().reshape({2, 4}).slice(1, 0, 2);
  x.copy_(x.transpose());
  check_equals(x, Tensor::from({{0, 4}, {1, 5}}, float64));
  x = numbers().reshape({2, 4});
  x.copy_(x.select(0, 1));
  check_equals(x, Tensor::from({{4, 5, 6, 7}, {4, 5, 6, 7}}, float64));
}

TEST_CASE("fill_ writes every element of a view and no other") {
  for_all([](const Tensor& layout) {
    if (layout.rank() == 0) return;
    Shape wide = layout.shape();
    wide[wide.rank() - 1] = wide[wide.rank() - 1] * 2 + 1;
    const Tensor whole = zeros(wide, float64);
    const Tensor window = whole.slice(-1, 1, wide[wide.rank() - 1], 2)
                              .narrow(-1, 0, layout.shape()[layout.rank() - 1]);
    window.fill_(2);
    CHECK(core::sum(whole).item() == 2.0 * static_cast<double>(layout.numel()));
    CHECK(core::sum(window).item() == 2.0 * static_cast<double>(layout.numel()));
  });
}

TEST_CASE("float to integer truncates, and does the same at every position of a long row") {
  const Tensor x = full({1000}, -1.75, float64);
  CHECK(core::equal(x.to(int64), full({1000}, -1, int64)));
  CHECK(core::equal(full({1000}, 200.9).to(uint8), full({1000}, 200, uint8)));
  // What C++ leaves open, Gradus does as PyTorch on x86-64: by way of int64.
  CHECK(core::equal(x.to(uint8), full({1000}, 255, uint8)));
  CHECK(core::equal(full({1000}, 300.5).to(uint8), full({1000}, 44, uint8)));
  const std::int64_t open = std::numeric_limits<std::int64_t>::min();
  CHECK(full({1000}, NAN).to(int64).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>(1000, open));
  CHECK(full({1000}, 1e30).to(int64).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>(1000, open));
  CHECK(full({2}, NAN).to(boolean).to_vector<bool>() == std::vector<bool>{true, true});
}

TEST_CASE("a tensor that was moved from is undefined, and says so when it is used") {
  Tensor source = ones({3});
  Tensor target = std::move(source);
  CHECK(target.defined());
  CHECK_FALSE(source.defined());
  for (const auto& use : std::vector<std::function<void()>>{
           [&] { source.fill_(1); }, [&] { core::add(source, target); },
           [&] { core::add_(source, target); }, [&] { source.to_vector<float>(); },
           [&] { source.clone(); }, [&] { source.item(); }, [&] { source.data<float>(); }}) {
    CHECK(contains(message_of<ShapeError>(use), "undefined"));
  }
  source = std::move(target);
  CHECK(source.defined());
  CHECK_FALSE(target.defined());
  CHECK(source.to_vector<float>() == std::vector<float>{1, 1, 1});
}

TEST_CASE("nothing is like an undefined tensor") {
  CHECK(contains(message_of([] { zeros_like(Tensor()); }), "zeros_like: an operand is undefined"));
  CHECK(contains(message_of([] { ones_like(Tensor()); }), "ones_like: an operand is undefined"));
  CHECK(contains(message_of([] { empty_like(Tensor()); }), "empty_like: an operand is undefined"));
}

TEST_CASE("a number that a dtype cannot hold is refused where it is stored") {
  CHECK(message_of<DTypeError>([] { full({1}, 1e40, float32); }) ==
        "fill_: the number 1e+40 does not fit a tensor of float32");
  CHECK_THROWS_AS(full({1}, 1e6, float16), DTypeError);
  CHECK_THROWS_AS(full({1}, -1e39, bfloat16), DTypeError);
  CHECK(std::isinf(full({1}, std::numeric_limits<double>::infinity(), float32).item()));
  CHECK(full({1}, 1e40, float64).item() == 1e40);
  CHECK_THROWS_AS(Tensor::from({300, -1}, uint8), DTypeError);
  CHECK_THROWS_AS(Tensor::from({256.0}, uint8), DTypeError);
  CHECK_THROWS_AS(Tensor::from({1e19}, int64), DTypeError);
  CHECK_THROWS_AS(Tensor::from({std::nan("")}, int64), DTypeError);
  CHECK_THROWS_AS(Tensor::from({18446744073709551615ULL}), DTypeError);
  CHECK(Tensor::from({255.9, -0.5}, uint8).to_vector<std::uint8_t>() ==
        std::vector<std::uint8_t>{255, 0});
  CHECK_THROWS_AS(linspace(0, 1000, 5, uint8), DTypeError);
  CHECK_THROWS_AS(arange(0, 2, 0.5, int64), DTypeError);
  CHECK_THROWS_AS(arange(254, 259, 1, uint8), DTypeError);
  CHECK(linspace(0, 10, 4, int64).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{0, 3, 6, 10});
}

TEST_CASE("large integers become numbers of 16 bits by one rounding") {
  const auto rounded = [](std::int64_t number) {
    return Tensor::from({number}).to(bfloat16).to(float64).item();
  };
  constexpr std::int64_t big = std::int64_t{1} << 60;
  constexpr std::int64_t half_step = std::int64_t{1} << 52;
  CHECK(rounded(big + half_step) == 0x1p60);  // in the middle, to even
  CHECK(rounded(big + half_step + 1) == 0x1p60 + 0x1p53);
  CHECK(rounded(big + half_step - 1) == 0x1p60);
  CHECK(rounded(-big - half_step - 1) == -0x1p60 - 0x1p53);
  CHECK(rounded(-big - half_step) == -0x1p60);
}
