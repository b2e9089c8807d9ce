// fuzz_conv2d SECONDS [SEED]: random convolutions by every algorithm, compared with plain loops,
// for so long; the seed repeats a run. Exit code 1 with the geometry when something differs.
#include <charconv>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <system_error>

#include <gradus/core/kernels/workspace.h>

#include "kernels/conv2d_check.h"
#include "kernels/conv2d_geometries.h"

namespace {

bool read(std::string_view text, std::uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

int main(int count, char** arguments) {
  std::uint32_t seconds = 0;
  std::uint32_t seed = std::random_device()();
  if (count < 2 || count > 3 || !read(arguments[1], seconds) ||
      (count == 3 && !read(arguments[2], seed))) {
    std::cerr << "usage: fuzz_conv2d SECONDS [SEED], whole numbers below 2^32\n";
    return 2;
  }
  std::cout << "seed " << seed << std::endl;  // now: the run may crash
  std::mt19937 engine(seed);
  RandomGeometries geometries(engine);
  gradus::kernels::detail::guard_workspaces(true);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::int64_t tried = 0;
  while (std::chrono::steady_clock::now() < end) {
    const gradus::kernels::Conv2dGeometry g = geometries.next();
    const std::string difference = conv2d_check::first_difference(g, engine);
    ++tried;
    if (difference.empty()) continue;
    std::cout << difference << "\n"
              << describe(g) << "\n"
              << "geometry number " << tried << ", seed " << seed << "\n";
    return 1;
  }
  std::cout << tried << " geometries, no difference, seed " << seed << "\n";
  return 0;
}
