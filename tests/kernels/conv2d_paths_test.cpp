// Random convolutions until every path through core/kernels/conv2d/ was taken often. A path that a
// change adds, or that draws no longer reach, is named.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gradus/core/kernels/workspace.h>

#include "kernels/conv2d_check.h"
#include "kernels/conv2d_geometries.h"
#include "kernels/conv2d_paths.h"

using namespace gradus::kernels;

namespace {

/// How often each path was taken.
class Counts {
 public:
  Counts() {
    for (const std::string& path : conv2d_paths::all_paths()) counts_[path] = 0;
  }

  /// One of these that was taken less often, or nothing.
  std::string rare(const std::vector<std::string>& paths, int often) const {
    for (const std::string& path : paths) {
      if (const auto found = counts_.find(path); found == counts_.end() || found->second < often)
        return path;
    }
    return {};
  }

  void add(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) ++counts_[path];
  }

 private:
  std::map<std::string, int> counts_;
};

/// Other numbers for each limit on vectors that the tests run with.
std::mt19937 engine_of_this_run() {
  const char* limit = std::getenv("GRADUS_SIMD");
  const std::string_view name = limit == nullptr ? "native" : limit;
  std::seed_seq seed(name.begin(), name.end());
  return std::mt19937(seed);
}

struct Guarded {
  Guarded() { detail::guard_workspaces(true); }
  ~Guarded() { detail::guard_workspaces(false); }
};

}  // namespace

TEST_CASE("every path of every convolution agrees with plain loops, on 50 geometries or more") {
  constexpr int often = 50;
  constexpr int any_geometries = 3000;  // from then on those with a path that is still rare
  constexpr int most_draws = 100'000;
  std::mt19937 engine = engine_of_this_run();
  RandomGeometries geometries(engine);
  const std::vector<std::string> all = conv2d_paths::all_paths();
  Counts counts;
  const Guarded guarded;
  for (int k = 0; k < most_draws; ++k) {
    const Conv2dGeometry g = geometries.next();
    const std::vector<std::string> paths = conv2d_paths::paths_of(g);
    if (k >= any_geometries) {
      if (counts.rare(all, often).empty()) break;
      if (counts.rare(paths, often).empty()) continue;
    }
    for (const std::string& path : paths)
      REQUIRE_MESSAGE(std::ranges::binary_search(all, path), "unknown: ", path);
    counts.add(paths);
    const std::string difference = conv2d_check::first_difference(g, engine);
    if (difference.empty()) continue;
    CAPTURE(describe(g));
    CHECK(difference == "");
  }
  CHECK(counts.rare(all, often) == "");
}
