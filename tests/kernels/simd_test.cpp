// The limit on vectors is obeyed: GRADUS_SIMD, as the tests kernels.with_simd_* set it.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <gradus/core/kernels/conv2d/filter_lanes.h>
#include <gradus/core/simd.h>

TEST_CASE("GRADUS_SIMD limits the vectors that are used") {
  const char* limit = std::getenv("GRADUS_SIMD");
  const std::string_view wanted = limit == nullptr ? "" : limit;
  const std::string_view used = gradus::simd_in_use();
  MESSAGE("vectors in use: ", used);
  if (wanted == "baseline") {
    CHECK((used == "SCALAR" || used == "EMU128" || used == "SSE2"));
  } else if (wanted == "sse4") {
    CHECK(used != "AVX2");
    CHECK(used != "AVX3");
  } else if (wanted == "avx2") {
    CHECK(used != "AVX3");
  } else {
    CHECK_FALSE(used.empty());
  }
}

TEST_CASE("kernels use the vectors that simd_in_use() names, also after it was asked") {
  for (int time = 0; time < 2; ++time) {
    const std::string_view used = gradus::simd_in_use();
    CAPTURE(used);
    const std::int64_t lanes = gradus::kernels::filter_lanes<float>().padded_filters(1);
    if (used == "SCALAR") CHECK(lanes == 1);
    if (used == "EMU128" || used == "SSE2" || used == "SSE4") CHECK(lanes == 4);
    if (used == "AVX2") CHECK(lanes == 8);
    if (used == "AVX3") CHECK(lanes == 16);
  }
}
