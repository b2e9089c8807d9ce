// Whether a test runs under the address sanitizer, which ends the process where memory runs out
// instead of telling it.
#pragma once

inline bool under_sanitizer() {
#if defined(__SANITIZE_ADDRESS__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  return true;
#endif
#endif
  return false;
}
