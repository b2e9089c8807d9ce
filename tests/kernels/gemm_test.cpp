// The GEMM wrapper against three loops, and what it adds to BLAS.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gradus/core/error.h>
#include <gradus/core/kernels/matmul/gemm.h>
#include <gradus/core/parallel.h>

#include "support/error_message.h"

using namespace gradus::kernels;

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

template <class T> std::vector<T> random_matrix(std::int64_t count, std::mt19937& engine) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values)
    value = static_cast<T>(static_cast<double>(engine()) / 2147483648.0 - 1.0);
  return values;
}

struct Problem {
  Transpose transpose_a, transpose_b;
  std::int64_t m, n, k, lda, ldb, ldc;

  // Rows are a little longer than the matrix is wide, so that a mixed-up distance shows.
  Problem(bool ta, bool tb, std::int64_t rows, std::int64_t columns, std::int64_t inner)
      : transpose_a(ta ? Transpose::yes : Transpose::no),
        transpose_b(tb ? Transpose::yes : Transpose::no),
        m(rows),
        n(columns),
        k(inner),
        lda((ta ? m : k) + 1),
        ldb((tb ? k : n) + 2),
        ldc(n + 3) {}

  std::int64_t a_size() const { return (transpose_a == Transpose::yes ? k : m) * lda; }
  std::int64_t b_size() const { return (transpose_b == Transpose::yes ? n : k) * ldb; }
  std::int64_t c_size() const { return m * ldc; }
};

template <class T> void check_problem(const Problem& p, std::mt19937& engine) {
  const std::vector<T> a = random_matrix<T>(p.a_size(), engine);
  const std::vector<T> b = random_matrix<T>(p.b_size(), engine);
  const std::vector<T> before = random_matrix<T>(p.c_size(), engine);
  const T alpha = T(0.5);
  const T beta = T(-2);
  std::vector<T> whole = before;
  std::vector<T> split = before;
  gemm(p.transpose_a, p.transpose_b, p.m, p.n, p.k, alpha, a.data(), p.lda, b.data(), p.ldb, beta,
       whole.data(), p.ldc);
  gemm_parallel(p.transpose_a, p.transpose_b, p.m, p.n, p.k, alpha, a.data(), p.lda, b.data(),
                p.ldb, beta, split.data(), p.ldc);
  std::size_t wrong = 0;
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.ldc; ++j) {
      const auto at = static_cast<std::size_t>(i * p.ldc + j);
      double sum = 0;
      double bound = 0;
      for (std::int64_t l = 0; j < p.n && l < p.k; ++l) {
        const auto ia = static_cast<std::size_t>(p.transpose_a == Transpose::yes ? l * p.lda + i
                                                                                 : i * p.lda + l);
        const auto ib = static_cast<std::size_t>(p.transpose_b == Transpose::yes ? j * p.ldb + l
                                                                                 : l * p.ldb + j);
        sum += static_cast<double>(a[ia]) * static_cast<double>(b[ib]);
        bound += std::abs(static_cast<double>(a[ia]) * static_cast<double>(b[ib]));
      }
      const double c = static_cast<double>(before[at]);
      const double expected = j < p.n ? 0.5 * sum - 2 * c : c;  // beyond a row nothing changes
      // k products, the scaling and the addition of beta·C each round once: 2·(k+2)·eps of
      // the absolute sum.
      const double tolerance = 2.0 * static_cast<double>(p.k + 2) *
                               static_cast<double>(std::numeric_limits<T>::epsilon()) *
                               (bound + 2 * std::abs(c));
      if (!(std::abs(static_cast<double>(whole[at]) - expected) <= tolerance)) ++wrong;
      if (!(std::abs(static_cast<double>(split[at]) - expected) <= tolerance)) ++wrong;
    }
  }
  CAPTURE(p.m);
  CAPTURE(p.n);
  CAPTURE(p.k);
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("gemm and gemm_parallel agree with three loops for every transposition") {
  std::mt19937 engine(1);
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (const std::int64_t m : {1, 3, 70, 200}) {
        for (const std::int64_t n : {1, 5, 130}) {
          for (const std::int64_t k : {0, 1, 7, 150}) {
            check_problem<float>({ta, tb, m, n, k}, engine);
            check_problem<double>({ta, tb, m, n, k}, engine);
          }
        }
      }
      check_problem<float>({ta, tb, 8, 900, 300}, engine);  // few rows: split by columns
    }
  }
}

TEST_CASE("beta = 0 overwrites C even when it holds NaN") {
  const std::vector<double> a = {1, 2, 3, 4};
  const std::vector<double> b = {5, 6, 7, 8};
  std::vector<double> c(4, nan_value);
  gemm(Transpose::no, Transpose::no, 2, 2, 2, 1, a.data(), 2, b.data(), 2, 0, c.data(), 2);
  CHECK(c == std::vector<double>{19, 22, 43, 50});
  std::mt19937 engine(2);
  const std::vector<float> left = random_matrix<float>(200 * 150, engine);
  const std::vector<float> right = random_matrix<float>(150 * 130, engine);
  std::vector<float> large(200 * 130, std::numeric_limits<float>::quiet_NaN());
  gemm_parallel(Transpose::no, Transpose::no, 200, 130, 150, 1, left.data(), 150, right.data(), 130,
                0, large.data(), 130);
  for (const float value : large) REQUIRE(std::isfinite(value));
}

TEST_CASE("an empty inner size gives beta times C, and zeros for beta = 0") {
  const double* nothing = nullptr;
  std::vector<double> c = {1, 2, nan_value, 4};
  gemm(Transpose::no, Transpose::no, 1, 2, 0, 1, nothing, 1, nothing, 2, 3, c.data(), 2);
  CHECK(c[0] == 3);
  CHECK(c[1] == 6);
  gemm(Transpose::no, Transpose::no, 1, 2, 0, 1, nothing, 1, nothing, 2, 3, c.data() + 2, 2);
  CHECK(std::isnan(c[2]));
  gemm(Transpose::no, Transpose::no, 2, 2, 0, 1, nothing, 1, nothing, 2, 0, c.data(), 2);
  CHECK(c == std::vector<double>{0, 0, 0, 0});
}

TEST_CASE("an empty result touches nothing") {
  double* nothing = nullptr;
  const std::vector<double> b(6, 1.0);
  gemm(Transpose::no, Transpose::no, 0, 2, 3, 1, nothing, 3, b.data(), 2, 0, nothing, 2);
  gemm_parallel(Transpose::no, Transpose::no, 2, 0, 3, 1, b.data(), 3, nothing, 1, 0, nothing, 1);
  gemm_batched(0, {6, 6, 4}, Transpose::no, Transpose::no, 2, 2, 3, 1, nothing, 3, nothing, 2, 0,
               nothing, 2);
}

TEST_CASE("NaN and infinity in the operands pass through") {
  const std::vector<double> a = {0, nan_value};
  const std::vector<double> b = {std::numeric_limits<double>::infinity(), 1};
  double c = 0;
  gemm(Transpose::no, Transpose::no, 1, 1, 1, 1, a.data() + 1, 1, b.data() + 1, 1, 0, &c, 1);
  CHECK(std::isnan(c));
  gemm(Transpose::no, Transpose::no, 1, 1, 1, 1, a.data(), 1, b.data(), 1, 0, &c, 1);
  CHECK(std::isnan(c));  // 0·inf
}

TEST_CASE("a size beyond the BLAS library's integer is refused") {
  const std::int64_t huge = std::int64_t{1} << 40;
  double one = 1;
  CHECK(contains(message_of<gradus::ShapeError>([&] {
                   gemm(Transpose::no, Transpose::no, 1, 1, 1, 1, &one, huge, &one, 1, 0, &one, 1);
                 }),
                 "gemm: a size of 1099511627776 is beyond the BLAS library's greatest, "));
}

TEST_CASE("gemm_batched multiplies each pair, and a stride of zero broadcasts") {
  std::mt19937 engine(3);
  for (const std::int64_t size : {3, 40, 160}) {
    const std::int64_t area = size * size;
    constexpr std::int64_t batch = 5;
    const std::vector<double> a = random_matrix<double>(area, engine);
    const std::vector<double> b = random_matrix<double>(batch * area, engine);
    std::vector<double> actual(static_cast<std::size_t>(batch * area), nan_value);
    std::vector<double> expected = actual;
    gemm_batched(batch, {0, area, area}, Transpose::no, Transpose::yes, size, size, size, 1,
                 a.data(), size, b.data(), size, 0, actual.data(), size);
    for (std::int64_t i = 0; i < batch; ++i) {
      gemm_parallel(Transpose::no, Transpose::yes, size, size, size, 1, a.data(), size,
                    b.data() + i * area, size, 0, expected.data() + i * area, size);
    }
    CHECK(actual == expected);
  }
}

TEST_CASE("gemm_parallel gives the same bits with one, two and three threads") {
  std::mt19937 engine(4);
  const int before = gradus::num_threads();
  for (const std::int64_t m : {1, 10, 65, 300}) {
    for (const std::int64_t n : {1, 33, 500}) {
      const std::int64_t k = 211;
      const std::vector<float> a = random_matrix<float>(m * k, engine);
      const std::vector<float> b = random_matrix<float>(k * n, engine);
      const auto product = [&](int threads) {
        gradus::set_num_threads(threads);
        std::vector<float> c(static_cast<std::size_t>(m * n));
        gemm_parallel(Transpose::no, Transpose::no, m, n, k, 1, a.data(), k, b.data(), n, 0,
                      c.data(), n);
        return c;
      };
      const std::vector<float> one = product(1);
      CHECK(product(2) == one);
      CHECK(product(3) == one);
    }
  }
  gradus::set_num_threads(before);
}

TEST_CASE("the BLAS library is pinned to one thread and describes itself") {
  CHECK(blas_is_single_threaded());
  const std::string description = blas_description();
  CHECK(description.find("single-threaded") != std::string::npos);
  // The same to all threads at once, who may compare it.
  std::atomic<int> different = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 2000; ++k) different += blas_description() == description ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(different == 0);
}
