// Which vectors the Highway kernels use: the widest that the CPU has, or fewer on request.
#pragma once

namespace gradus {

/// Obeys the environment variable GRADUS_SIMD, once: "avx512", "avx2", "sse4" or "baseline" is the
/// most that will be used; anything else is a warning. "baseline" is what Highway has for every CPU
/// that the compiler compiles for: on x86-64, up to Highway 1.0.3 (Debian 12), no vectors but one
/// number at a time. Each file of Highway kernels calls this when the program starts, before any
/// kernel runs. Returns true.
bool limit_simd();

/// The vectors in use: "AVX3", "AVX2", "SSE4", ... as Highway calls them; "SCALAR" or "EMU128" for
/// none.
const char* simd_in_use();

}  // namespace gradus

/// Ends a file of Highway kernels: defines `const Kernels<T>& door<T>()` for float and double, the
/// kernels for the vectors in use. Each kind of CPU has float_kernels() and double_kernels(), which
/// point to its own.
#define GRADUS_EXPORT_KERNELS(Kernels, door)                                                  \
  [[maybe_unused]] static const bool simd_limited = limit_simd();                             \
  HWY_EXPORT(float_kernels);                                                                  \
  HWY_EXPORT(double_kernels);                                                                 \
  template <> const Kernels<float>& door() { return *HWY_DYNAMIC_DISPATCH(float_kernels)(); } \
  template <> const Kernels<double>& door() { return *HWY_DYNAMIC_DISPATCH(double_kernels)(); }
