// Long tapes and long trainings: a million ops without recursion, ten thousand steps without
// growth. small_stack.sh runs the first part again with a stack of 256 KB.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/storage.h>

#include <unistd.h>

#include <fstream>
#include <vector>

using namespace gradus;

namespace {

constexpr int million = 1000000;
/// Far more than any stack holds frames, where each costs a kilobyte of saved values.
constexpr int many = 200000;

/// Bytes of this process that are in memory.
std::int64_t resident_bytes() {
  std::int64_t total = 0;
  std::int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

TEST_CASE("a chain of a million ops builds, runs backward and is freed") {
  const Variable x(Tensor::scalar(1, float64), true);
  {
    Variable y = x;
    for (int i = 0; i < million; ++i) y = y + 1e-6;
    CHECK(y.item() == doctest::Approx(2).epsilon(1e-9));
    y.backward();
  }
  CHECK(x.grad().item() == 1);
}

TEST_CASE("a chain of ops that save their inputs is freed without ever running") {
  const Variable x(Tensor::scalar(1, float64), true);
  Variable y = x;
  for (int i = 0; i < many; ++i) y = y * x;  // each node holds the Variable before it
  y = {};
  CHECK(x.value().storage().use_count() == 1);
}

TEST_CASE("a chain of a million gradients of gradients is freed") {
  Variable last(Tensor::scalar(1), true);
  for (int i = 0; i < million; ++i) {
    const Variable next(Tensor::scalar(1), true);
    next.set_grad(last);
    last = next;
  }
  const Variable held = last.grad().grad();
  last = {};
  CHECK(held.grad().defined());
}

TEST_CASE("a long chain is differentiated twice, and both graphs are freed") {
  constexpr int length = 100000;
  const Variable x(Tensor::scalar(1, float64), true);
  Variable y = x;
  for (int i = 1; i < length; ++i) y = y * x;  // x^length
  const Variable first = grad({y}, {x}, {}, {.create_graph = true})[0];
  CHECK(first.item() == doctest::Approx(length).epsilon(1e-9));
  const Variable second = grad({first}, {x})[0];
  CHECK(second.item() == doctest::Approx(static_cast<double>(length) * (length - 1)).epsilon(1e-9));
}

TEST_CASE("a list of very many leaves is freed, used or not") {
  Variables leaves;
  for (int i = 0; i < many; ++i) leaves.emplace_back(Tensor::scalar(1), true);
  const Variable total = sum(stack({leaves.begin(), leaves.begin() + 1000}));
  total.backward();
  CHECK(leaves[999].grad().item() == 1);
  leaves.clear();
}

TEST_CASE("ten thousand training steps take no new memory after the first") {
  Generator generator(1);
  const Variable images = randn({8, 1, 6, 6}, generator);
  const Tensor labels = randint(0, 3, {8}, generator);
  const Variables parameters{
      Variable(core::mul(randn({2, 1, 3, 3}, generator), 0.3), true), Variable(zeros({2}), true),
      Variable(core::mul(randn({3, 8}, generator), 0.3), true), Variable(zeros({3}), true)};
  const auto step = [&] {
    for (const Variable& parameter : parameters) parameter.zero_grad();
    const Variable pooled =
        max_pool2d(relu(conv2d(images, parameters[0], parameters[1])), {.kernel_size = 2});
    const Variable loss =
        cross_entropy(linear(flatten(pooled, 1), parameters[2], parameters[3]), labels);
    loss.backward();
    for (const Variable& parameter : parameters)
      core::add_(parameter.value(), parameter.grad().value(), -0.05);
    return loss.item();
  };
  empty_storage_cache();  // what other tests left would be given up on the way
  const double first = step();
  for (int i = 0; i < 100; ++i) step();
  const StorageStatistics warm = storage_statistics();
  const std::int64_t resident = resident_bytes();
  double last = 0;
  for (int i = 0; i < 10000; ++i) last = step();
  CHECK(last < first / 10);
  CHECK(storage_statistics().live_bytes == warm.live_bytes);
  CHECK(storage_statistics().peak_bytes == warm.peak_bytes);
  const bool pooled = warm.cached_bytes > 0;  // not under a sanitizer, whose own books grow, too
  if (pooled) {
    CHECK(storage_statistics().allocations == warm.allocations);
    CHECK(storage_statistics().cached_bytes == warm.cached_bytes);
    // A leak of 100 bytes per step would show as a megabyte.
    CHECK(resident_bytes() - resident < (1 << 19));
  }
}
