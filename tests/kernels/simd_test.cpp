// The limit on vectors is obeyed: GRADUS_SIMD, as the tests kernels.with_simd_* set it.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string_view>

#include <gradus/core/simd.h>

TEST_CASE("GRADUS_SIMD limits the vectors that are used") {
  const char* limit = std::getenv("GRADUS_SIMD");
  const std::string_view wanted = limit == nullptr ? "" : limit;
  const std::string_view used = gradus::simd_in_use();
  CAPTURE(used);
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
