// The version of Gradus: the one place that states the number. CMake reads it here.
#pragma once

#include <string_view>

namespace gradus {

/// The version of the headers a program was compiled with.
inline constexpr std::string_view version = "0.1.0";

/// The version of the library a program runs with: another one than `version` only when a shared
/// library was exchanged.
std::string_view library_version();

}  // namespace gradus
