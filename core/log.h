// Log messages: one line each on stderr, for whoever wants to know what the library is doing.
//
// The environment decides what is shown: GRADUS_LOG_LEVEL=trace, debug, info, warn, error, critical
// or off; warn when it is not set. spdlog does the work and stays out of this header, which costs
// nothing to include. Thread-safe.
#pragma once

#include <string_view>

namespace gradus {

/// True when log_debug() would write: ask before building an expensive message.
bool logs_debug();

void log_debug(std::string_view message);
void log_info(std::string_view message);
void log_warn(std::string_view message);

}  // namespace gradus
