// The stack of active scopes: a linked list through the C++ stack, one per thread, free when
// nothing fails.
#include <gradus/core/error.h>

#include <locale>

namespace gradus {
namespace {
thread_local ErrorScope* innermost = nullptr;
}

ErrorScope::ErrorScope(std::string_view name) : name_(name), outer_(innermost) { innermost = this; }

ErrorScope::~ErrorScope() { innermost = outer_; }

std::string error_scope_path() {
  std::string path;
  for (const ErrorScope* scope = innermost; scope != nullptr; scope = scope->outer_) {
    const std::string name = scope->name();
    if (name.empty()) continue;
    path = path.empty() ? name : name + "." + path;
  }
  return path;
}

PlainText::PlainText() { imbue(std::locale::classic()); }

std::string joined(const std::vector<std::string>& names) {
  std::string line;
  for (const std::string& name : names) line += (line.empty() ? "" : ", ") + name;
  return line;
}

}  // namespace gradus
