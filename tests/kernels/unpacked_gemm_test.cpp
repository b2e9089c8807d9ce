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

constexpr int sentinel = 77;
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

// Sums of up to 400 products below 1, each of which is rounded twice: 1e-4 in float.
template <class T>
constexpr double tolerance = 840 * static_cast<double>(std::numeric_limits<T>::epsilon());

template <class T> std::vector<T> random_matrix(std::int64_t count, std::mt19937& engine) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values)
    value = static_cast<T>(static_cast<double>(engine()) / 2147483648.0 - 1.0);
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

template <class T> void fill_rows(const Sizes& s, std::vector<T>& c, std::int64_t ldc, T value) {
  for (std::int64_t i = 0; i < s.m; ++i) std::fill_n(c.data() + i * ldc, s.n, value);
}

/// Compares c [m,n] in rows of ldc with expected(i, j), and wants the rest untouched.
template <class T, class F>
void check_result(const Sizes& s, const std::vector<T>& c, std::int64_t ldc, const F& expected) {
  int wrong = 0;
  int touched = 0;
  for (std::int64_t at = 0; at < static_cast<std::int64_t>(c.size()); ++at) {
    const T value = c[static_cast<std::size_t>(at)];
    if (at % ldc >= s.n) {
      touched += value != sentinel;
    } else {
      wrong +=
          !(std::fabs(static_cast<double>(value) - expected(at / ldc, at % ldc)) <= tolerance<T>);
    }
  }
  CAPTURE(s.m);
  CAPTURE(s.n);
  CAPTURE(s.k);
  CHECK(wrong == 0);
  CHECK(touched == 0);
}

template <class T> double at(const std::vector<T>& values, std::int64_t index) {
  return static_cast<double>(values[static_cast<std::size_t>(index)]);
}

}  // namespace

TEST_CASE_TEMPLATE("rows against rows, with bias and relu", T, float, double) {
  std::mt19937 engine(1);
  for (const Sizes& s : sizes()) {
    const std::int64_t ldx = s.k + 1;
    const std::int64_t ldw = s.k + 2;
    const std::int64_t ldy = s.n + 3;
    const std::vector<T> x = random_matrix<T>(s.m * ldx, engine);
    const std::vector<T> w = random_matrix<T>(s.n * ldw, engine);
    const std::vector<T> bias = random_matrix<T>(s.n, engine);
    for (const bool with_bias : {false, true}) {
      for (const bool relu : {false, true}) {
        const bool add = with_bias != relu;
        std::vector<T> y(static_cast<std::size_t>(s.m * ldy), sentinel);
        if (add) fill_rows(s, y, ldy, T{1});
        unpacked_gemm<T>().nt(s.m, s.n, s.k, x.data(), ldx, w.data(), ldw, add,
                              {.bias = with_bias ? bias.data() : nullptr, .relu = relu}, y.data(),
                              ldy);
        check_result(s, y, ldy, [&](std::int64_t i, std::int64_t j) {
          double sum = (with_bias ? at(bias, j) : 0) + (add ? 1 : 0);
          for (std::int64_t p = 0; p < s.k; ++p) sum += at(x, i * ldx + p) * at(w, j * ldw + p);
          return relu ? std::max(sum, 0.0) : sum;
        });
      }
    }
  }
}

TEST_CASE_TEMPLATE("numbers against rows, A as it lies and transposed", T, float, double) {
  std::mt19937 engine(2);
  for (const Sizes& s : sizes()) {
    const std::int64_t ldb = s.n + 1;
    const std::int64_t ldc = s.n + 3;
    const std::vector<T> b = random_matrix<T>(s.k * ldb, engine);
    const std::vector<T> bias = random_matrix<T>(s.m, engine);
    for (const int kind : {0, 1, 2, 3, 4, 5, 6, 7}) {
      const bool transposed = kind % 2 != 0;
      const bool add = kind / 2 % 2 != 0;
      const bool finish = kind / 4 != 0;
      const std::int64_t row = transposed ? 1 : s.k + 2;
      const std::int64_t inner = transposed ? s.m + 2 : 1;
      const std::vector<T> a = random_matrix<T>((s.m + 2) * (s.k + 2), engine);
      std::vector<T> c(static_cast<std::size_t>(s.m * ldc), sentinel);
      if (add) fill_rows(s, c, ldc, T{1});
      unpacked_gemm<T>().nn(s.m, s.n, s.k, a.data(), row, inner, b.data(), ldb, add,
                            {.bias = finish ? bias.data() : nullptr, .relu = finish}, c.data(),
                            ldc);
      check_result(s, c, ldc, [&](std::int64_t i, std::int64_t j) {
        double sum = (finish ? at(bias, i) : 0) + (add ? 1 : 0);
        for (std::int64_t p = 0; p < s.k; ++p)
          sum += at(a, i * row + p * inner) * at(b, p * ldb + j);
        return finish ? std::max(sum, 0.0) : sum;
      });
    }
  }
}

TEST_CASE_TEMPLATE("a NaN comes through relu, garbage in the result does not", T, float, double) {
  const std::vector<T> x{1, static_cast<T>(nan_value), -1, -1};  // [2,2]
  const std::vector<T> w{1, 1, 2, 2, 3, 3};                      // [3,2]
  std::vector<T> y(6, static_cast<T>(nan_value));
  unpacked_gemm<T>().nt(2, 3, 2, x.data(), 2, w.data(), 2, false, {.bias = nullptr, .relu = true},
                        y.data(), 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(std::isnan(y[i]));
    CHECK(y[i + 3] == 0);
  }
  std::vector<T> c(4, static_cast<T>(nan_value));
  unpacked_gemm<T>().nn(2, 2, 1, x.data() + 2, 1, 1, w.data(), 2, false, {}, c.data(), 2);
  CHECK(c == std::vector<T>(4, -1));
  std::ranges::fill(c, T{0});
  unpacked_gemm<T>().nn(2, 2, 1, x.data(), 1, 1, w.data(), 2, true, {.bias = nullptr, .relu = true},
                        c.data(), 2);
  CHECK(c[0] == 1);
  CHECK(c[1] == 1);
  CHECK(std::isnan(c[2]));
  CHECK(std::isnan(c[3]));
}

TEST_CASE_TEMPLATE("a row of the result does not depend on the rows beside it, nor on threads", T,
                   float, double) {
  std::mt19937 engine(3);
  constexpr std::int64_t m = 150;
  constexpr std::int64_t n = 210;
  constexpr std::int64_t k = 300;
  const std::vector<T> x = random_matrix<T>(m * k, engine);
  const std::vector<T> w = random_matrix<T>(n * k, engine);
  const std::vector<T> b = random_matrix<T>(k * n, engine);
  const auto products = [&](std::int64_t first, std::int64_t rows) {
    std::vector<T> y(static_cast<std::size_t>(2 * rows * n));
    Gemm<T> product{.m = rows,
                    .n = n,
                    .k = k,
                    .a = x.data() + first * k,
                    .lda = k,
                    .b = w.data(),
                    .ldb = k,
                    .c = y.data(),
                    .ldc = n,
                    .transpose_b = Transpose::yes};
    gemm(product);
    product.b = b.data();
    product.ldb = n;
    product.c = y.data() + rows * n;
    product.transpose_b = Transpose::no;
    gemm(product);
    return y;
  };
  gradus::set_num_threads(1);
  const std::vector<T> all = products(0, m);
  gradus::set_num_threads(3);
  CHECK(products(0, m) == all);
  const std::vector<T> one = products(101, 1);
  for (std::int64_t j = 0; j < n; ++j) {
    CHECK(at(one, j) == at(all, 101 * n + j));
    CHECK(at(one, n + j) == at(all, (m + 101) * n + j));
  }
}
