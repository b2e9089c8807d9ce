// Products by unpacked_gemm.h against plain loops: every size around the blocks, distances between
// rows, what is written and what is not.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gradus/core/kernels/matmul/gemm.h>
#include <gradus/core/kernels/matmul/unpacked_gemm.h>
#include <gradus/core/parallel.h>

using namespace gradus::kernels;

namespace {

constexpr float sentinel = 77;
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

// Sums of up to 1000 products below 1 in float32, with a rounding error of a few units each.
constexpr double tolerance = 1e-4;

std::vector<float> random_matrix(std::int64_t count, std::mt19937& engine) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values)
    value = static_cast<float>(static_cast<double>(engine()) / 2147483648.0 - 1.0);
  return values;
}

struct Sizes {
  std::int64_t m, n, k;
};

/// Around the blocks of all kinds of CPU, and some of a real net.
std::vector<Sizes> sizes() {
  std::vector<Sizes> all{{64, 10, 84}, {64, 120, 400}, {1, 84, 120}, {5, 7, 0}};
  for (const std::int64_t m : {1, 2, 3, 4, 5, 6, 7, 13}) {
    for (const std::int64_t n : {1, 3, 4, 5, 9, 16, 17, 31, 64, 65, 130}) {
      for (const std::int64_t k : {1, 2, 15, 16, 17, 33}) all.push_back({m, n, k});
    }
  }
  return all;
}

/// Compares c [m,n] in rows of ldc with expected(i, j), and wants the rest untouched.
template <class F>
void check_result(const Sizes& s, const std::vector<float>& c, std::int64_t ldc,
                  const F& expected) {
  int wrong = 0;
  int touched = 0;
  for (std::int64_t at = 0; at < static_cast<std::int64_t>(c.size()); ++at) {
    const float value = c[static_cast<std::size_t>(at)];
    if (at % ldc >= s.n) {
      touched += value != sentinel;
    } else {
      wrong += !(std::fabs(static_cast<double>(value) - expected(at / ldc, at % ldc)) <= tolerance);
    }
  }
  CAPTURE(s.m);
  CAPTURE(s.n);
  CAPTURE(s.k);
  CHECK(wrong == 0);
  CHECK(touched == 0);
}

double at(const std::vector<float>& values, std::int64_t index) {
  return static_cast<double>(values[static_cast<std::size_t>(index)]);
}

}  // namespace

TEST_CASE("rows against rows, with bias and relu") {
  std::mt19937 engine(1);
  for (const Sizes& s : sizes()) {
    const std::int64_t ldx = s.k + 1;
    const std::int64_t ldw = s.k + 2;
    const std::int64_t ldy = s.n + 3;
    const std::vector<float> x = random_matrix(s.m * ldx, engine);
    const std::vector<float> w = random_matrix(s.n * ldw, engine);
    const std::vector<float> bias = random_matrix(s.n, engine);
    for (const bool with_bias : {false, true}) {
      for (const bool relu : {false, true}) {
        std::vector<float> y(static_cast<std::size_t>(s.m * ldy), sentinel);
        unpacked_gemm_nt(s.m, s.n, s.k, x.data(), ldx, w.data(), ldw,
                         {.bias = with_bias ? bias.data() : nullptr, .relu = relu}, y.data(), ldy);
        check_result(s, y, ldy, [&](std::int64_t i, std::int64_t j) {
          double sum = with_bias ? at(bias, j) : 0;
          for (std::int64_t p = 0; p < s.k; ++p) sum += at(x, i * ldx + p) * at(w, j * ldw + p);
          return relu ? std::max(sum, 0.0) : sum;
        });
      }
    }
  }
}

TEST_CASE("numbers against rows, A as it lies and transposed") {
  std::mt19937 engine(2);
  for (const Sizes& s : sizes()) {
    const std::int64_t ldb = s.n + 1;
    const std::int64_t ldc = s.n + 3;
    const std::vector<float> b = random_matrix(s.k * ldb, engine);
    for (const bool transposed : {false, true}) {
      const std::int64_t row = transposed ? 1 : s.k + 2;
      const std::int64_t inner = transposed ? s.m + 2 : 1;
      const std::vector<float> a = random_matrix((s.m + 2) * (s.k + 2), engine);
      std::vector<float> c(static_cast<std::size_t>(s.m * ldc), sentinel);
      unpacked_gemm(s.m, s.n, s.k, a.data(), row, inner, b.data(), ldb, c.data(), ldc);
      check_result(s, c, ldc, [&](std::int64_t i, std::int64_t j) {
        double sum = 0;
        for (std::int64_t p = 0; p < s.k; ++p)
          sum += at(a, i * row + p * inner) * at(b, p * ldb + j);
        return sum;
      });
    }
  }
}

TEST_CASE("a NaN comes through relu, garbage in the result does not") {
  const std::vector<float> x{1, nan_value, -1, -1};  // [2,2]
  const std::vector<float> w{1, 1, 2, 2, 3, 3};      // [3,2]
  std::vector<float> y(6, nan_value);
  unpacked_gemm_nt(2, 3, 2, x.data(), 2, w.data(), 2, {.bias = nullptr, .relu = true}, y.data(), 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(std::isnan(y[i]));
    CHECK(y[i + 3] == 0);
  }
  std::vector<float> c(4, nan_value);
  unpacked_gemm(2, 2, 1, x.data() + 2, 1, 1, w.data(), 2, c.data(), 2);
  CHECK(c == std::vector<float>(4, -1));
}

TEST_CASE("a row of the result does not depend on the rows beside it, nor on threads") {
  std::mt19937 engine(3);
  constexpr std::int64_t m = 150;
  constexpr std::int64_t n = 210;
  constexpr std::int64_t k = 300;
  const std::vector<float> x = random_matrix(m * k, engine);
  const std::vector<float> w = random_matrix(n * k, engine);
  const std::vector<float> b = random_matrix(k * n, engine);
  const auto products = [&](std::int64_t first, std::int64_t rows) {
    std::vector<float> y(static_cast<std::size_t>(2 * rows * n));
    gemm_linear<float>(rows, n, k, x.data() + first * k, k, w.data(), k, nullptr, false, y.data(),
                       n);
    gemm_parallel<float>(Transpose::no, Transpose::no, rows, n, k, 1, x.data() + first * k, k,
                         b.data(), n, 0, y.data() + rows * n, n);
    return y;
  };
  gradus::set_num_threads(1);
  const std::vector<float> all = products(0, m);
  gradus::set_num_threads(3);
  CHECK(products(0, m) == all);
  const std::vector<float> one = products(101, 1);
  for (std::int64_t j = 0; j < n; ++j) {
    CHECK(at(one, j) == at(all, 101 * n + j));
    CHECK(at(one, n + j) == at(all, (m + 101) * n + j));
  }
}

TEST_CASE("a linear layer that is too large for the cache goes by BLAS, to the same result") {
  std::mt19937 engine(4);
  const Sizes s{400, 9, 400};
  const std::vector<float> x = random_matrix(s.m * s.k, engine);
  const std::vector<float> w = random_matrix(s.n * s.k, engine);
  const std::vector<float> bias = random_matrix(s.n, engine);
  for (const bool relu : {false, true}) {
    std::vector<float> y(static_cast<std::size_t>(s.m * s.n), nan_value);
    gemm_linear(s.m, s.n, s.k, x.data(), s.k, w.data(), s.k, bias.data(), relu, y.data(), s.n);
    check_result(s, y, s.n, [&](std::int64_t i, std::int64_t j) {
      double sum = at(bias, j);
      for (std::int64_t p = 0; p < s.k; ++p) sum += at(x, i * s.k + p) * at(w, j * s.k + p);
      return relu ? std::max(sum, 0.0) : sum;
    });
  }
}
