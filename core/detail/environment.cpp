// The rule for switches, in one place: a setting that nobody understood would be one that silently does nothing.
#include <gradus/core/detail/environment.h>

#include <gradus/core/log.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace gradus::detail {

bool switch_from_environment(const char* name, bool otherwise) {
  const char* const set = std::getenv(name);
  const std::string_view text = set == nullptr ? "" : set;
  if (text == "1") return true;
  if (text == "0") return false;
  if (!text.empty()) {
    log_warn(std::string(name) + "='" + std::string(text) + "' is neither 0 nor 1; using " +
             (otherwise ? "1" : "0"));
  }
  return otherwise;
}

bool keeps_freed_memory() {
#if defined(__SANITIZE_ADDRESS__)
  return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
  return false;
#endif
#endif
  static const bool keeps = switch_from_environment("GRADUS_POOL", true);
  return keeps;
}

}  // namespace gradus::detail
