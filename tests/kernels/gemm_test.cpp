// Products of matrices against three loops, by each way that there is, and what the wrapper adds to
// BLAS.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gradus/core/error.h>
#include <gradus/core/kernels/matmul/gemm.h>
#include <gradus/core/kernels/matmul/unpacked_gemm.h>
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

/// A product of random matrices and what it must be.
template <class T> struct Problem {
  std::vector<T> a, b, c, bias;
  Gemm<T> gemm;

  // Rows are a little longer than the matrix is wide, so that a mixed-up distance shows; or whole
  // pages apart.
  Problem(Gemm<T> sizes, bool with_bias, bool pages, std::mt19937& engine) : gemm(sizes) {
    constexpr std::int64_t page = 4096 / static_cast<std::int64_t>(sizeof(T));
    const bool ta = gemm.transpose_a == Transpose::yes;
    const bool tb = gemm.transpose_b == Transpose::yes;
    gemm.lda = (ta ? gemm.m : gemm.k) + 1;
    gemm.ldb = (tb ? gemm.k : gemm.n) + 2;
    if (pages) gemm.ldb = (gemm.ldb + page - 1) / page * page;
    gemm.ldc = gemm.n + 3;
    a = random_matrix<T>((ta ? gemm.k : gemm.m) * gemm.lda, engine);
    b = random_matrix<T>((tb ? gemm.n : gemm.k) * gemm.ldb, engine);
    c = random_matrix<T>(gemm.m * gemm.ldc, engine);
    bias = random_matrix<T>(std::max(gemm.m, gemm.n), engine);
    gemm.a = a.data();
    gemm.b = b.data();
    if (with_bias) gemm.epilogue.bias = bias.data();
  }

  T left(std::int64_t i, std::int64_t p) const {
    return gemm.a[gemm.transpose_a == Transpose::yes ? p * gemm.lda + i : i * gemm.lda + p];
  }
  T right(std::int64_t p, std::int64_t j) const {
    return gemm.b[gemm.transpose_b == Transpose::yes ? j * gemm.ldb + p : p * gemm.ldb + j];
  }

  /// C after run(product), from what `c` holds, or from NaN where C is to be overwritten.
  template <class F> std::vector<T> after(const F& run) const {
    std::vector<T> result = c;
    for (std::int64_t i = 0; !gemm.add && i < gemm.m; ++i)
      std::fill_n(result.data() + i * gemm.ldc, gemm.n, static_cast<T>(nan_value));
    Gemm<T> product = gemm;
    product.c = result.data();
    run(product);
    return result;
  }

  /// How many numbers are further from the sum in float64 than rounding allows: k products and k + 2
  /// additions, each by eps/2 of at most the sum of absolute values. Beyond a row nothing may change.
  int wrong(const std::vector<T>& result) const {
    int count = 0;
    for (std::int64_t i = 0; i < gemm.m; ++i) {
      for (std::int64_t j = 0; j < gemm.ldc; ++j) {
        const auto at = static_cast<std::size_t>(i * gemm.ldc + j);
        const double before = static_cast<double>(c[at]);
        if (j >= gemm.n) {
          count += result[at] != c[at];
          continue;
        }
        double sum = gemm.add ? before : 0;
        if (gemm.epilogue.bias != nullptr)
          sum += static_cast<double>(
              bias[static_cast<std::size_t>(gemm.bias_of == BiasOf::rows ? i : j)]);
        double bound = std::abs(sum) + std::abs(before);
        for (std::int64_t p = 0; p < gemm.k; ++p) {
          const double product = static_cast<double>(left(i, p)) * static_cast<double>(right(p, j));
          sum += product;
          bound += std::abs(product);
        }
        if (gemm.epilogue.relu) sum = std::max(sum, 0.0);
        const double tolerance = static_cast<double>(gemm.k + 2) *
                                 static_cast<double>(std::numeric_limits<T>::epsilon()) * bound;
        count += !(std::abs(static_cast<double>(result[at]) - sum) <= tolerance);
      }
    }
    return count;
  }
};

/// What of gemm() a product goes through.
template <class T> std::vector<std::string> paths_of(const Gemm<T>& g) {
  const GemmPlan plan = plan_gemm(g);
  const std::string of = plan.way == GemmWay::rows   ? "rows"
                         : plan.way == GemmWay::blas ? "blas"
                         : plan.panels               ? "panels"
                                                     : "columns";
  std::vector<std::string> paths{of};
  const auto add = [&](bool reached, const std::string& name) {
    if (reached) paths.push_back(of + ", " + name);
  };
  const std::int64_t size = plan.by_rows ? g.m : g.n;
  add(plan.by_rows && size > plan.block, "blocks of rows");
  add(!plan.by_rows && size > plan.block, "blocks of columns");
  add(size > plan.block && size % plan.block != 0, "a smaller last block");
  add(g.add, "added");
  add(g.epilogue.relu, "relu");
  add(g.k == 0, "an empty sum");
  if (plan.way != GemmWay::rows) {
    add(g.epilogue.bias != nullptr && g.bias_of == BiasOf::rows, "a bias for rows");
    add(g.transpose_a == Transpose::yes, "A transposed");
  }
  add(g.epilogue.bias != nullptr && g.bias_of == BiasOf::columns, "a bias for columns");
  if (of == "panels" || of == "columns") {
    add(g.k > plan.depth, "several chunks");
    add(g.k > plan.depth && g.k % plan.depth != 0, "a smaller last chunk");
    add(g.k > plan.depth && g.epilogue.relu, "several chunks and relu");
    add(g.k > plan.depth && g.epilogue.bias != nullptr, "several chunks and a bias");
    add(g.n % unpacked_gemm<T>().panel != 0, "a narrower last panel");
  }
  if (of == "panels") {
    add(g.transpose_b == Transpose::yes, "B transposed");
    add(g.transpose_b == Transpose::no, "B as it lies");
  }
  return paths;
}

/// Those that there are on this CPU.
template <class T> std::set<std::string> all_paths() {
  std::set<std::string> all;
  const auto add = [&](const std::string& of, const std::vector<std::string>& names) {
    all.insert(of);
    for (const std::string& name : names) all.insert(of + ", " + name);
  };
  const std::vector<std::string> of_all{
      "blocks of rows", "blocks of columns", "a smaller last block", "added",
      "relu",           "an empty sum",      "a bias for columns"};
  const std::vector<std::string> of_columns{"a bias for rows",         "A transposed",
                                            "several chunks",          "a smaller last chunk",
                                            "several chunks and relu", "several chunks and a bias",
                                            "a narrower last panel"};
  add("rows", of_all);
  add("columns", of_all);
  add("columns", of_columns);
  add("panels", of_all);
  add("panels", of_columns);
  add("panels", {"B as it lies"});
  if (unpacked_gemm<T>().beats_blas) {
    add("panels", {"B transposed"});
  } else {
    add("blas", of_all);
    add("blas", {"a bias for rows", "A transposed"});
  }
  return all;
}

/// Draws sizes of all kinds: tiny, around blocks, beyond the caches' limits.
template <class T> Problem<T> random_problem(std::mt19937& engine) {
  const auto pick = [&](const std::vector<std::int64_t>& from) {
    return from[engine() % from.size()];
  };
  const auto yes = [&](unsigned in) { return engine() % in == 0; };
  Gemm<T> sizes{.m = pick({1, 2, 5, 6, 13, 70, 200, 391, 391}),
                .n = pick({1, 3, 17, 64, 65, 130, 300, 520}),
                .k = pick({0, 1, 7, 33, 100, 128, 150, 256, 257, 600}),
                .transpose_a = yes(3) ? Transpose::yes : Transpose::no,
                .transpose_b = yes(3) ? Transpose::yes : Transpose::no,
                .add = yes(2),
                .epilogue = {.bias = nullptr, .relu = yes(2)},
                .bias_of = yes(2) ? BiasOf::rows : BiasOf::columns};
  // Beyond what fits the cache, of either operand.
  if (yes(8)) sizes.k = 2100;
  if (yes(8)) {
    sizes.m = 3000;
    sizes.n = pick({4, 12});
    sizes.k = 100;
  }
  return Problem<T>(sizes, yes(2), yes(3), engine);
}

}  // namespace

TEST_CASE_TEMPLATE("products by every way agree with three loops in float64", T, float, double) {
  std::mt19937 engine(1);
  std::set<std::string> reached;
  const std::set<std::string> wanted = all_paths<T>();
  for (int i = 0; i < 400; ++i) {
    const Problem<T> problem = random_problem<T>(engine);
    const Gemm<T>& g = problem.gemm;
    for (const std::string& path : paths_of(g)) reached.insert(path);
    CAPTURE(i);
    CAPTURE(g.m);
    CAPTURE(g.n);
    CAPTURE(g.k);
    CHECK(problem.wrong(problem.after([](const Gemm<T>& product) { gemm(product); })) == 0);
    if (i % 4 == 0)
      CHECK(problem.wrong(problem.after([](const Gemm<T>& p) { gemm_by_blas(p); })) == 0);
  }
  for (const std::string& path : wanted) CHECK_MESSAGE(reached.contains(path), "never: ", path);
  for (const std::string& path : reached) CHECK_MESSAGE(wanted.contains(path), "unknown: ", path);
}

TEST_CASE("without add, C is overwritten even when it holds NaN") {
  const std::vector<double> a = {1, 2, 3, 4};
  const std::vector<double> b = {5, 6, 7, 8};
  std::vector<double> c(4, nan_value);
  const Gemm<double> product{.m = 2,
                             .n = 2,
                             .k = 2,
                             .a = a.data(),
                             .lda = 2,
                             .b = b.data(),
                             .ldb = 2,
                             .c = c.data(),
                             .ldc = 2};
  gemm_by_blas(product);
  CHECK(c == std::vector<double>{19, 22, 43, 50});
  std::ranges::fill(c, nan_value);
  gemm(product);
  CHECK(c == std::vector<double>{19, 22, 43, 50});
}

TEST_CASE("an empty sum leaves C where it is added, and is 0, or the bias, where not") {
  const std::vector<double> bias{5, -6};
  for (const auto run : {gemm<double>, gemm_by_blas<double>}) {
    std::vector<double> c{1, nan_value};
    Gemm<double> product{.m = 1, .n = 2, .lda = 1, .ldb = 2, .c = c.data(), .ldc = 2, .add = true};
    run(product);
    CHECK(c[0] == 1);
    CHECK(std::isnan(c[1]));
    product.add = false;
    run(product);
    CHECK(c == std::vector<double>{0, 0});
    product.epilogue = {.bias = bias.data(), .relu = true};
    product.bias_of = BiasOf::columns;
    run(product);
    CHECK(c == std::vector<double>{5, 0});
  }
}

TEST_CASE("an empty result touches nothing") {
  const std::vector<double> numbers(6, 1.0);
  for (const auto run : {gemm<double>, gemm_by_blas<double>}) {
    run({.m = 0, .n = 2, .k = 3, .lda = 3, .b = numbers.data(), .ldb = 2, .ldc = 2});
    run({.m = 2, .n = 0, .k = 3, .a = numbers.data(), .lda = 3, .ldb = 1, .ldc = 1});
  }
  gemm_batched<double>(0, {6, 6, 4}, {.m = 2, .n = 2, .k = 3, .lda = 3, .ldb = 2, .ldc = 2});
}

TEST_CASE("NaN and infinity in the operands pass through, also through relu") {
  const std::vector<double> a = {0, nan_value};
  const std::vector<double> b = {std::numeric_limits<double>::infinity(), 1};
  for (const auto run : {gemm<double>, gemm_by_blas<double>}) {
    for (const bool relu : {false, true}) {
      for (const std::size_t i : {0, 1}) {  // 0·inf, NaN·1
        for (const Transpose transpose_b : {Transpose::no, Transpose::yes}) {
          double c = 0;
          run({.m = 1,
               .n = 1,
               .k = 1,
               .a = a.data() + i,
               .lda = 1,
               .b = b.data() + i,
               .ldb = 1,
               .c = &c,
               .ldc = 1,
               .transpose_b = transpose_b,
               .epilogue = {.bias = nullptr, .relu = relu}});
          CHECK(std::isnan(c));
        }
      }
    }
  }
}

TEST_CASE("a size beyond the BLAS library's integer is refused") {
  const std::int64_t huge = std::int64_t{1} << 40;
  double one = 1;
  CHECK(contains(message_of<gradus::ShapeError>([&] {
                   gemm_by_blas<double>({.m = 1,
                                         .n = 1,
                                         .k = 1,
                                         .a = &one,
                                         .lda = huge,
                                         .b = &one,
                                         .ldb = 1,
                                         .c = &one,
                                         .ldc = 1});
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
    Gemm<double> product{.m = size,
                         .n = size,
                         .k = size,
                         .a = a.data(),
                         .lda = size,
                         .b = b.data(),
                         .ldb = size,
                         .c = actual.data(),
                         .ldc = size,
                         .transpose_b = Transpose::yes};
    gemm_batched(batch, {0, area, area}, product);
    for (std::int64_t i = 0; i < batch; ++i) {
      product.b = b.data() + i * area;
      product.c = expected.data() + i * area;
      gemm(product);
    }
    CHECK(actual == expected);
  }
}

TEST_CASE_TEMPLATE("a product has the same bits with one, two and three threads", T, float,
                   double) {
  std::mt19937 engine(4);
  const int before = gradus::num_threads();
  for (int i = 0; i < 60; ++i) {
    const Problem<T> problem = random_problem<T>(engine);
    const auto product = [&](int threads) {
      gradus::set_num_threads(threads);
      return problem.after([](const Gemm<T>& g) { gemm(g); });
    };
    const std::vector<T> one = product(1);
    CHECK(product(2) == one);
    CHECK(product(3) == one);
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
