// Reductions over every choice of dimensions and every memory layout, against loops; their accuracy
// in float32; and their bits at different thread counts.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "support/error_message.h"
#include "support/fixtures.h"
#include "support/naive.h"

using namespace gradus;

namespace {

/// float64, at most 24 numbers, in another order of adding.
constexpr double tolerance = 1e-13;

using Combine = std::function<double(const std::vector<double>&)>;

/// f over the elements that `dims` (all, when empty) bring together.
Tensor reduce_model(const Tensor& x, const Dims& dims, bool keepdim, const Combine& f) {
  std::vector<bool> gone(static_cast<std::size_t>(x.rank()), dims.empty());
  for (const std::int64_t d : dims) gone[static_cast<std::size_t>(d)] = true;
  Shape kept = x.shape();
  Shape dropped;
  for (int d = 0; d < x.rank(); ++d) {
    if (gone[static_cast<std::size_t>(d)]) {
      kept[d] = 1;
    } else {
      dropped.push_back(x.shape()[d]);
    }
  }
  const Tensor result = naive::build(kept, [&](const Shape& at) {
    std::vector<double> numbers;
    for (const Shape& i : naive::indices(x.shape())) {
      bool belongs = true;
      for (int d = 0; d < x.rank(); ++d)
        belongs = belongs && (gone[static_cast<std::size_t>(d)] || i[d] == at[d]);
      if (belongs) numbers.push_back(naive::get(x, i));
    }
    return f(numbers);
  });
  return keepdim ? result : result.reshape(dropped);
}

double sum_of(const std::vector<double>& x) {
  double total = 0;
  for (const double value : x) total += value;
  return total;
}

double mean_of(const std::vector<double>& x) { return sum_of(x) / static_cast<double>(x.size()); }

double var_of(const std::vector<double>& x) {
  double squares = 0;
  for (const double value : x) squares += (value - mean_of(x)) * (value - mean_of(x));
  return squares / std::max(static_cast<double>(x.size()) - 1, 0.0);
}

double log_sum_exp_of(const std::vector<double>& x) {
  double total = 0;
  for (const double value : x) total += std::exp(value);
  return std::log(total);
}

double max_of(const std::vector<double>& x) { return *std::max_element(x.begin(), x.end()); }
double min_of(const std::vector<double>& x) { return *std::min_element(x.begin(), x.end()); }

/// Calls f(x, dims) for every subset of the dimensions of tensors in every layout.
template <class F> void for_all_reductions(const F& f) {
  Generator generator(2);
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 3}, Shape{3, 1, 4}, Shape{2, 3, 2, 2},
                             Shape{0}, Shape{2, 0}, Shape{0, 3}, Shape{2, 0, 3}}) {
    for (const auto& laid_out : naive::layouts(shape, generator)) {
      const auto& layout = laid_out.first;
      const Tensor& x = laid_out.second;
      for (int subset = 0; subset < 1 << shape.rank(); ++subset) {
        Dims dims;
        for (int d = 0; d < shape.rank(); ++d) {
          if (subset & 1 << d) dims.push_back(d);
        }
        CAPTURE(shape);
        CAPTURE(layout);
        CAPTURE(dims);
        f(x, dims);
      }
    }
  }
}

bool over_nothing(const Tensor& x, const Dims& dims) {
  for (const std::int64_t d : normalize_dims("test", dims, x.rank())) {
    if (x.shape()[static_cast<int>(d)] == 0) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("sum, mean, var and logsumexp over every choice of dimensions are what loops give") {
  for_all_reductions([](const Tensor& x, const Dims& dims) {
    for (const bool keepdim : {false, true}) {
      check_close(core::sum(x, dims, keepdim), reduce_model(x, dims, keepdim, sum_of), tolerance,
                  1);
      check_close(core::mean(x, dims, keepdim), reduce_model(x, dims, keepdim, mean_of), tolerance,
                  1);
      check_close(core::var(x, dims, keepdim), reduce_model(x, dims, keepdim, var_of), tolerance,
                  1);
      check_close(core::logsumexp(x, dims, keepdim), reduce_model(x, dims, keepdim, log_sum_exp_of),
                  tolerance, 1);
    }
  });
}

TEST_CASE("max and min over every choice of dimensions are what loops give, and refuse nothing") {
  for_all_reductions([](const Tensor& x, const Dims& dims) {
    if (over_nothing(x, dims)) {
      CHECK_THROWS_AS(core::max(x, dims), ShapeError);
      CHECK_THROWS_AS(core::min(x, dims), ShapeError);
      return;
    }
    for (const bool keepdim : {false, true}) {
      CHECK(core::equal(core::max(x, dims, keepdim), reduce_model(x, dims, keepdim, max_of)));
      CHECK(core::equal(core::min(x, dims, keepdim), reduce_model(x, dims, keepdim, min_of)));
    }
  });
}

TEST_CASE("argmax and argmin point at the first of the greatest and least, along every dimension") {
  const auto first_at = [](const Combine& best) {
    return [best](const std::vector<double>& x) {
      return static_cast<double>(std::find(x.begin(), x.end(), best(x)) - x.begin());
    };
  };
  Generator generator(3);
  for (const Shape& shape : {Shape{7}, Shape{3, 4}, Shape{2, 3, 4}, Shape{2, 1, 3}, Shape{0, 3}}) {
    const Tensor values = randint(0, 4, shape, generator, float64);  // with ties
    for (const Tensor& x : {values, values.transpose(0, -1).clone().transpose(0, -1)}) {
      CAPTURE(shape);
      for (int d = 0; d < x.rank(); ++d) {
        if (x.shape()[d] == 0) {
          CHECK_THROWS_AS(core::argmax(x, d), ShapeError);
          continue;
        }
        for (const bool keepdim : {false, true}) {
          CHECK(core::equal(core::argmax(x, d, keepdim),
                            reduce_model(x, {d}, keepdim, first_at(max_of)).to(int64)));
          CHECK(core::equal(core::argmin(x, d - x.rank(), keepdim),
                            reduce_model(x, {d}, keepdim, first_at(min_of)).to(int64)));
        }
      }
      if (x.numel() == 0) {
        CHECK_THROWS_AS(core::argmax(x), ShapeError);
      } else {
        CHECK(core::equal(core::argmax(x), reduce_model(x, {}, false, first_at(max_of)).to(int64)));
      }
    }
  }
  CHECK(core::argmax(Tensor::scalar(3)).item() == 0);
  CHECK(core::argmax(Tensor::from({{1.0, NAN}, {NAN, 9.0}})).item() == 1);
  CHECK(core::argmax(ones({2, 3}), std::nullopt, true).shape() == Shape{1, 1});
}

TEST_CASE("NaN wins a maximum wherever it stands") {
  for (const std::int64_t size : {1, 2, 9, 40}) {
    for (std::int64_t at = 0; at < size; ++at) {
      const Tensor x = ones({size});
      x.at<float>({at}) = NAN;
      CHECK(std::isnan(core::max(x).item()));
      CHECK(std::isnan(core::min(x).item()));
      const Tensor columns = x.unsqueeze(1).expand({size, 3}).clone();
      CHECK(core::sum(core::isnan(core::max(columns, {0}))).item() == 3);
    }
  }
}

TEST_CASE("integers and bools are summed in int64") {
  CHECK(core::sum(full({1000}, 255, uint8)).item() == 255000);
  CHECK(core::sum(full({3, 2}, true, boolean), {0}).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{3, 3});
  const std::int64_t large = std::int64_t{1} << 60;
  CHECK(core::sum(Tensor::from({large, 1})).at<std::int64_t>({}) == large + 1);
}

TEST_CASE("a float32 sum of ten million times 0.1 is right to the last bit of a float") {
  constexpr std::int64_t count = 10000000;
  const Tensor x = full({count}, 0.1);
  const double expected = static_cast<double>(0.1f) * static_cast<double>(count);
  CHECK(core::sum(x).item() == static_cast<double>(static_cast<float>(expected)));
  CHECK(core::mean(x).item() == doctest::Approx(static_cast<double>(0.1f)).epsilon(1e-7));
  const Tensor columns = x.reshape({count / 4, 4});
  for (const float total : core::sum(columns, {0}).to_vector<float>())
    CHECK(total == static_cast<float>(expected / 4));
}

TEST_CASE("the variance of float32 numbers far from zero is right") {
  // The mean is rounded to float32, off by up to 2^-25·1e4 = 3e-4: that squared is 1e-7.
  Generator generator(4);
  const Tensor noise = randn({10000}, generator);
  const Tensor x = core::add(noise, 1e4);
  const double exact = core::var(x.to(float64)).item();
  CHECK(core::var(x).item() == doctest::Approx(exact).epsilon(1e-6));
  CHECK(core::var(full({1000}, 1e4)).item() == 0);
  // Beyond float32 it is infinite, which is not NaN.
  CHECK(std::isinf(core::var(Tensor::from({3e38, -3e38, 1e37}).to(float32)).item()));
}

TEST_CASE("softmax of large float32 logits is as accurate as of small ones") {
  // Only differences matter, and these are exact in float32 up to 2^20.
  const Tensor x = Tensor::from({0.0, 1.0, 2.5, -3.0});
  for (const double shift : {0.0, 1000.0, 65536.0, 1048576.0}) {
    CAPTURE(shift);
    const Tensor far = core::add(x, shift);
    const Tensor exact = core::softmax(x.to(float64), 0);
    check_close(core::softmax(far, 0).to(float64), exact, 5e-7);
    check_close(core::log_softmax(far, 0).to(float64), core::log(exact), 5e-7);
  }
}

TEST_CASE("a scalar has a softmax of 1, along the one dimension PyTorch gives it") {
  CHECK(core::softmax(Tensor::scalar(5), 0).item() == 1);
  CHECK(core::log_softmax(Tensor::scalar(5), -1).item() == 0);
  CHECK_THROWS_AS(core::softmax(Tensor::scalar(5), 1), ShapeError);
}

TEST_CASE("var takes a correction, and has no value for too few elements") {
  const Tensor x = Tensor::from({1.0, 2.0, 4.0}, float64);
  CHECK(core::var(x).item() == doctest::Approx(7.0 / 3));
  CHECK(core::var(x, {}, false, 0).item() == doctest::Approx(14.0 / 9));
  CHECK(std::isnan(core::var(ones({1})).item()));
  CHECK(core::var(x, {}, false, std::numeric_limits<std::int64_t>::min()).item() ==
        doctest::Approx(14.0 / 3 * 0x1p-63));
}

TEST_CASE("sum_to is the adjoint of expand: what was repeated is added up") {
  Generator generator(5);
  const Tensor x = randn({2, 3, 4}, generator, float64);
  check_close(core::sum_to(x, {3, 4}), core::sum(x, {0}), 0);
  check_close(core::sum_to(x, {2, 1, 4}), core::sum(x, {1}, true), 0);
  check_close(core::sum_to(x, {1, 1}), core::sum(x).reshape({1, 1}), tolerance, 1);
  check_close(core::sum_to(x, {}), core::sum(x), tolerance, 1);
  check_close(core::sum_to(zeros({0, 3}), {1, 3}), zeros({1, 3}), 0);
  CHECK(message_of<ShapeError>([&] {
          core::sum_to(x, {2, 4});
        }) == "sum_to: shapes [2,3,4] and [2,4] do not broadcast (3 against 2 in dimension -2)");
  CHECK_THROWS_AS(core::sum_to(ones({3}), {2, 3}), ShapeError);
}

TEST_CASE("reductions give the same bits with one, two and three threads") {
  Generator generator(6);
  const Tensor x = randn({67, 301, 19}, generator);
  const auto results = [&](int threads) {
    set_num_threads(threads);
    std::vector<Tensor> all;
    for (const Dims& dims :
         {Dims{}, Dims{0}, Dims{1}, Dims{2}, Dims{0, 1}, Dims{0, 2}, Dims{1, 2}}) {
      for (const Tensor& layout : {x, x.transpose(), x.slice(1, 0, 300, 3)}) {
        all.push_back(core::sum(layout, dims));
        all.push_back(core::var(layout, dims));
        all.push_back(core::logsumexp(layout, dims));
      }
    }
    return all;
  };
  const int before = num_threads();
  const std::vector<Tensor> expected = results(1);
  for (const int threads : {2, 3}) {
    const std::vector<Tensor> again = results(threads);
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(core::equal(again[i], expected[i]));
  }
  set_num_threads(before);
}

TEST_CASE("equal and allclose take NaN for equal to NaN") {
  const Tensor x = Tensor::from({1.0, NAN, HUGE_VAL});
  CHECK(core::equal(x, x.clone()));
  CHECK(!core::equal(x, Tensor::from({1.0, NAN, -HUGE_VAL})));
  CHECK(!core::equal(x, x.reshape({1, 3})));
  CHECK(!core::equal(x, x.to(float64)));
  CHECK(core::equal(zeros({0}), zeros({0})));
  CHECK(core::allclose(x, x.clone()));
  CHECK(core::allclose(Tensor::from({1.0, 100.0}), Tensor::from({1.000009, 100.0009})));
  CHECK(!core::allclose(Tensor::from({1.0}), Tensor::from({1.00002})));
  CHECK(!core::allclose(Tensor::from({1.0}), Tensor::from({NAN})));
  CHECK(!core::allclose(Tensor::from({HUGE_VAL}), Tensor::from({1.0})));
  CHECK_THROWS_AS(core::allclose(x, zeros({2})), ShapeError);
  CHECK_THROWS_AS(core::allclose(x, x.to(float64)), DTypeError);
}

TEST_CASE("an infinite number is close to itself alone, and integers are told apart") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const auto close = [](double a, double b) {
    return core::allclose(Tensor::from({a}, float64), Tensor::from({b}, float64));
  };
  CHECK(close(inf, inf));
  CHECK_FALSE(close(1, inf));
  CHECK_FALSE(close(inf, 1));
  CHECK_FALSE(close(-inf, inf));
  constexpr std::int64_t big = std::int64_t{1} << 53;
  const Tensor a = Tensor::from({big + 1});
  const Tensor b = Tensor::from({big});
  CHECK_FALSE(core::allclose(a, b, 0, 0));
  CHECK(core::allclose(a, b, 0, 1));
  CHECK(core::allclose(a, a, 0, 0));
}

TEST_CASE("the greatest of a scalar has a dimension and a dtype to fit") {
  CHECK(core::argmax(Tensor::scalar(3), 0).item() == 0);
  CHECK_THROWS_AS(core::argmax(Tensor::scalar(3), 5), ShapeError);
  CHECK_THROWS_AS(core::argmax(Tensor::scalar(1, boolean), 0), DTypeError);
  CHECK(core::sum_to(ones({2, 3}, uint8), {3}).dtype() == uint8);
}
