// Two measurements: a product of large matrices, and a pass over more memory than the caches hold.
#include "machine.h"

#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>

namespace gradus::app {
namespace {

constexpr int tries = 5;

double best_seconds(const std::function<void()>& work) {
  work();  // memory is mapped, caches and threads are awake
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < tries; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    best = std::min(best, spent.count());
  }
  return best;
}

double sgemm_gflops() {
  constexpr std::int64_t side = 1024;
  const Tensor a = ones({side, side});
  const Tensor b = ones({side, side});
  const double seconds = best_seconds([&] { core::matmul(a, b); });
  return 2.0 * side * side * side / seconds / 1e9;
}

/// a ← a + b: two numbers read and one written.
double memory_gbs() {
  constexpr std::int64_t least = std::int64_t{64} << 20;
  constexpr std::int64_t most = std::int64_t{256} << 20;
  const std::int64_t cache = ::sysconf(_SC_LEVEL3_CACHE_SIZE);  // 0 or -1 where unknown
  const std::int64_t bytes = std::clamp(4 * cache, least, most);
  const std::int64_t count = bytes / 2 / size_of(float32);
  const Tensor a = zeros({count});
  const Tensor b = ones({count});
  const double seconds = best_seconds([&] { core::add_(a, b); });
  return 3.0 * static_cast<double>(count * size_of(float32)) / seconds / 1e9;
}

}  // namespace

MachineRates measure_machine() {
  const MachineRates rates{.sgemm_gflops = sgemm_gflops(), .memory_gbs = memory_gbs()};
  empty_storage_cache();
  return rates;
}

}  // namespace gradus::app
