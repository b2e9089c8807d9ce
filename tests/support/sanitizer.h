// Whether a test runs under the sanitizer of addresses or of threads, which ends the process where memory runs out
// instead of telling it, and makes everything 5 to 50 times slower.
#pragma once

#include <cstddef>

inline bool under_thread_sanitizer() {
#if defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
  return true;
#endif
#endif
  return false;
}

inline bool under_sanitizer() {
#if defined(__SANITIZE_ADDRESS__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  return true;
#endif
#endif
  return under_thread_sanitizer();
}

/// Of subjects that are tried by the thousand: all, but one in `share` where that would take hours.
inline bool takes_its_turn(std::size_t i, bool slow, std::size_t share) {
  return !slow || i % share == 0;
}
