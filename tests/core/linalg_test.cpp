// matmul of every combination of ranks and layouts, against three loops.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>

#include <cmath>
#include <string>
#include <vector>

#include "support/error_message.h"
#include "support/fixtures.h"
#include "support/naive.h"

using namespace gradus;

namespace {

/// float64, sums of at most 70 products of standard normals.
constexpr double tolerance = 1e-12;

/// C[.., i, j] = Σ_k A[.., i, k]·B[.., k, j], index by index.
Tensor matmul_model(const Tensor& a_any, const Tensor& b_any) {
  const Tensor a = a_any.rank() == 1 ? a_any.unsqueeze(0) : a_any;
  const Tensor b = b_any.rank() == 1 ? b_any.unsqueeze(1) : b_any;
  const auto batch = [](const Tensor& x) {
    return Shape(std::span(x.shape().begin(), static_cast<std::size_t>(x.rank() - 2)));
  };
  Shape shape = broadcast("model", batch(a), batch(b));
  const int batch_rank = shape.rank();
  shape.push_back(a.size(-2));
  shape.push_back(b.size(-1));
  const Tensor product = naive::build(shape, [&](const Shape& at) {
    const auto element = [&](const Tensor& x, std::int64_t row, std::int64_t column) {
      Shape from;
      for (int d = 0; d < x.rank() - 2; ++d)
        from.push_back(x.shape()[d] == 1 ? 0 : at[batch_rank - (x.rank() - 2) + d]);
      from.push_back(row);
      from.push_back(column);
      return naive::get(x, from);
    };
    double total = 0;
    for (std::int64_t k = 0; k < a.size(-1); ++k)
      total += element(a, at[batch_rank], k) * element(b, k, at[batch_rank + 1]);
    return total;
  });
  Tensor result = product;
  if (b_any.rank() == 1) result = result.squeeze(-1);
  if (a_any.rank() == 1) result = result.squeeze(b_any.rank() == 1 ? -1 : -2);
  return result;
}

}  // namespace

TEST_CASE("matmul multiplies vectors, matrices and batches in every memory layout") {
  Generator generator(1);
  const std::vector<std::pair<Shape, Shape>> pairs{{{3}, {3}},
                                                   {{0}, {0}},
                                                   {{2, 3}, {3}},
                                                   {{3}, {3, 2}},
                                                   {{2, 3}, {3, 4}},
                                                   {{1, 1}, {1, 1}},
                                                   {{5, 1}, {1, 4}},
                                                   {{1, 5}, {5, 1}},
                                                   {{2, 0}, {0, 3}},
                                                   {{0, 2}, {2, 3}},
                                                   {{2, 3}, {3, 0}},
                                                   {{17, 33}, {33, 9}},
                                                   {{2, 3, 4}, {4, 2}},
                                                   {{3, 4}, {2, 4, 2}},
                                                   {{2, 3, 4}, {2, 4, 2}},
                                                   {{2, 3, 4}, {4}},
                                                   {{4}, {2, 4, 3}},
                                                   {{1, 3, 4}, {5, 4, 2}},
                                                   {{2, 1, 2, 3}, {4, 3, 2}},
                                                   {{2, 3, 2, 2}, {1, 3, 2, 2}},
                                                   {{0, 2, 3}, {3, 2}},
                                                   {{2, 1, 0, 3}, {1, 2, 3, 2}}};
  for (const auto& shapes : pairs) {
    const Shape& left = shapes.first;
    const Shape& right = shapes.second;
    for (const auto& a_laid_out : naive::layouts(left, generator)) {
      const auto& left_layout = a_laid_out.first;
      const Tensor& a = a_laid_out.second;
      for (const auto& b_laid_out : naive::layouts(right, generator)) {
        const auto& right_layout = b_laid_out.first;
        const Tensor& b = b_laid_out.second;
        CAPTURE(left);
        CAPTURE(right);
        CAPTURE(left_layout);
        CAPTURE(right_layout);
        const Tensor expected = matmul_model(a, b);
        check_close(core::matmul(a, b), expected, tolerance, 1);
        // float32: each product rounds to 2^-24 of itself, and they are below 20 in all.
        check_close(core::matmul(a.to(float32), b.to(float32)).to(float64), expected, 1e-5, 5);
      }
    }
  }
}

TEST_CASE("an empty inner size gives zeros, not what the memory held") {
  { const Tensor dirt = full({2, 3}, NAN); }
  CHECK(core::equal(core::matmul(zeros({2, 0}), zeros({0, 3})), zeros({2, 3})));
  CHECK(core::matmul(zeros({0}), zeros({0})).item() == 0);
}

TEST_CASE("NaN and infinities go through a product, and only where they belong") {
  Tensor a = ones({3, 3});
  a.at<float>({1, 1}) = NAN;
  const Tensor product = core::matmul(a, zeros({3, 3}));
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) CHECK(std::isnan(product.at<float>({i, j})) == (i == 1));
  }
  a.at<float>({1, 1}) = HUGE_VALF;
  CHECK(core::matmul(a, ones({3})).at<float>({1}) == HUGE_VALF);
}

TEST_CASE("a product has the same bits at any number of threads") {
  Generator generator(2);
  const Tensor a = randn({131, 257}, generator);
  const Tensor b = randn({257, 67}, generator);
  const Tensor batch = randn({5, 31, 257}, generator);
  const int before = num_threads();
  set_num_threads(1);
  const Tensor one = core::matmul(a, b);
  const Tensor one_batch = core::matmul(batch, b);
  for (const int threads : {2, 3}) {
    set_num_threads(threads);
    CHECK(core::equal(core::matmul(a, b), one));
    CHECK(core::equal(core::matmul(batch, b), one_batch));
  }
  set_num_threads(before);
}

TEST_CASE("matmul of int64 is exact, where float64 would round") {
  Generator generator(5);
  for (const auto& [left, right] : std::vector<std::pair<Shape, Shape>>{{{3}, {3}},
                                                                        {{2, 3}, {3}},
                                                                        {{2, 3}, {3, 4}},
                                                                        {{5, 1, 2, 3}, {4, 3, 2}},
                                                                        {{2, 0}, {0, 3}}}) {
    const Tensor a = randint(-9, 9, left, generator);
    const Tensor b = randint(-9, 9, right, generator);
    CHECK(core::equal(core::matmul(a, b), core::matmul(a.to(float64), b.to(float64)).to(int64)));
  }
  const Tensor a = randint(-9, 9, {4, 3}, generator).transpose();
  CHECK(core::equal(core::matmul(a, a.transpose()),
                    core::matmul(a.contiguous(), a.transpose().contiguous())));
  const std::int64_t odd = (std::int64_t{1} << 53) + 1;
  const Tensor large = Tensor::from({1}, int64);
  large.at<std::int64_t>({0}) = odd;
  CHECK(core::matmul(large, Tensor::from({1}, int64)).at<std::int64_t>({}) == odd);
}

TEST_CASE("matmul says which sizes do not fit") {
  CHECK(message_of<ShapeError>([] {
          core::matmul(ones({2, 3}), ones({4, 5}));
        }) == "matmul: inner sizes differ: 3 and 4 ([2,3] · [4,5])");
  CHECK(message_of<ShapeError>([] { core::matmul(ones({3}), ones({4})); }) ==
        "matmul: inner sizes differ: 3 and 4 ([3] · [4])");
  CHECK(message_of<ShapeError>([] {
          core::matmul(ones({2, 2, 3}), ones({3, 3, 4}));
        }) == "matmul: batches [2] and [3] do not broadcast ([2,2,3] · [3,3,4])");
  CHECK(message_of<ShapeError>([] { core::matmul(ones({}), ones({4})); }) ==
        "matmul: expects vectors or matrices, got [] and [4]");
  CHECK(message_of<DTypeError>([] {
          core::matmul(ones({2, 2}), ones({2, 2}, float64));
        }) ==
        "matmul: dtypes differ: float32 [2,2] and float64 [2,2]; cast one with .to(float32) or "
        ".to(float64)");
  CHECK_THROWS_AS(core::matmul(ones({2, 2}, uint8), ones({2, 2}, uint8)), DTypeError);
}

TEST_CASE("linear is x·weightᵀ + bias, and relu of that, whatever the layout") {
  Generator generator(9);
  for (const DType dtype : {float32, float64}) {
    const Tensor x = randint(-3, 4, {2, 3, 10}, generator).to(dtype);
    const Tensor weight = randint(-3, 4, {5, 10}, generator).to(dtype);
    const Tensor bias = randint(-3, 4, {5}, generator).to(dtype);
    const Tensor expected = core::add(core::matmul(x, weight.transpose()), bias);
    CHECK(core::equal(core::linear(x, weight, bias), expected));
    CHECK(core::equal(core::linear(x, weight, bias, Activation::relu), core::relu(expected)));
    CHECK(core::equal(core::linear(x, weight), core::matmul(x, weight.transpose())));
    const Tensor strided = weight.transpose().clone().transpose();
    CHECK(core::equal(core::linear(x.slice(1, 0, 3, 2), strided, bias),
                      expected.slice(1, 0, 3, 2).contiguous()));
  }
}
