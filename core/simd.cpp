// The limit on vectors. See simd.h.
#include <gradus/core/simd.h>

#include <gradus/core/log.h>

#include <hwy/targets.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace gradus {
namespace {

void apply_limit() {
  const char* text = std::getenv("GRADUS_SIMD");
  if (text == nullptr || *text == '\0') return;
  const std::string_view limit = text;
  // Better targets have smaller numbers.
  if (limit == "avx512") {
    hwy::DisableTargets(HWY_AVX3 - 1);
  } else if (limit == "avx2") {
    hwy::DisableTargets(HWY_AVX2 - 1);
  } else if (limit == "sse4") {
    hwy::DisableTargets(HWY_SSE4 - 1);
  } else if (limit == "baseline") {
    hwy::DisableTargets(~std::int64_t{HWY_BASELINE_TARGETS});
  } else {
    log_warn("GRADUS_SIMD='" + std::string(limit) +
             "' is none of avx512, avx2, sse4, baseline; using what the CPU has");
  }
}

/// The name of the vectors that are left. Asking Highway for its targets chooses among all that the
/// CPU has, whatever is disabled; so it is asked once, and told the choice again.
const char* choose_target() {
  apply_limit();
  const std::int64_t targets = hwy::SupportedTargets();
  hwy::GetChosenTarget().Update(targets);
  const std::int64_t compiled = targets & HWY_TARGETS;
  return hwy::TargetName(compiled & -compiled);
}

}  // namespace

bool limit_simd() { return simd_in_use() != nullptr; }

const char* simd_in_use() {
  static const char* const name = choose_target();
  return name;
}

}  // namespace gradus
