// How many pieces of size b hold a: a/b, rounded up.
#pragma once

#include <cstdint>

namespace gradus::kernels {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace gradus::kernels
