// Which vectors the Highway kernels use: the widest that the CPU has, or fewer on request.
#pragma once

namespace gradus {

/// Obeys the environment variable GRADUS_SIMD, once: "avx512", "avx2", "sse4" or "baseline" (what
/// every x86-64 has) is the most that will be used; anything else is a warning. Each file of
/// Highway kernels calls it when the program starts, before any kernel runs. Returns true.
bool limit_simd();

/// The vectors in use: "AVX3", "AVX2", "SSE4", ... as Highway calls them.
const char* simd_in_use();

}  // namespace gradus
