// The logger is made at its first use, so that a program that logs nothing pays nothing.
#include <gradus/core/log.h>
#include <gradus/core/words.h>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <cstdlib>
#include <memory>
#include <string>

namespace gradus {
namespace {

std::unique_ptr<spdlog::logger> make_logger() {
  auto made = std::make_unique<spdlog::logger>(
      "gradus", std::make_shared<spdlog::sinks::stderr_sink_mt>());  // no colours: it may be a file
  made->set_pattern("gradus: %l: %v");
  made->set_level(spdlog::level::warn);
  if (const char* wanted = std::getenv("GRADUS_LOG_LEVEL"); wanted != nullptr && *wanted != '\0') {
    const std::string name(wanted);
    const spdlog::level::level_enum level = spdlog::level::from_str(name);
    if (level == spdlog::level::off && name != "off") {  // what from_str says of unknown names
      made->log(spdlog::level::warn,
                "GRADUS_LOG_LEVEL='" + name +
                    "' is none of trace, debug, info, warn, error, critical, off");
    } else {
      made->set_level(level);
    }
  }
  return made;
}

spdlog::logger& logger() {
  // Never deleted: destructors of static objects may still log.
  static spdlog::logger& instance = *make_logger().release();
  return instance;
}

/// One line each, whatever names are in it.
void log_line(spdlog::level::level_enum level, std::string_view message) {
  if (logger().should_log(level)) logger().log(level, without_controls(message));
}

}  // namespace

bool logs_debug() { return logger().should_log(spdlog::level::debug); }

void log_debug(std::string_view message) { log_line(spdlog::level::debug, message); }
void log_info(std::string_view message) { log_line(spdlog::level::info, message); }
void log_warn(std::string_view message) { log_line(spdlog::level::warn, message); }

}  // namespace gradus
