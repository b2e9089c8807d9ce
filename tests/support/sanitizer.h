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

/// Of subjects that are tried by the thousand: all, but under the sanitizer of addresses or of threads one in so many, where
/// the others go through the same text and would take hours.
inline bool takes_its_turn(std::size_t i, std::size_t share_of_addresses,
                           std::size_t share_of_threads) {
  if (!under_sanitizer()) return true;
  return i % (under_thread_sanitizer() ? share_of_threads : share_of_addresses) == 0;
}
