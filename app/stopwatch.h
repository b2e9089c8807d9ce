// How long something took, in seconds of wall clock.
#pragma once

#include <chrono>

namespace gradus::app {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace gradus::app
