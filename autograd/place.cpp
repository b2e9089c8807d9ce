// Places in words, and the modules that run: a linked list through the C++ stack.
#include <gradus/autograd/place.h>
#include <gradus/core/error.h>

#include <string_view>

namespace gradus {
namespace {

thread_local const CallScope* innermost_call = nullptr;

/// As the compiler saw them, our own files begin with the folder that holds the sources.
std::string_view without_root(std::string_view file) {
  constexpr std::string_view mine = "autograd/place.cpp";
  std::string_view root = __FILE__;
  if (!root.ends_with(mine)) return file;
  root.remove_suffix(mine.size());
  return file.starts_with(root) ? file.substr(root.size()) : file;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Place& place) {
  if (place.file == nullptr) return out << "an unknown place";
  return out << without_root(place.file) << ':' << std::to_string(place.line);
}

CallScope::CallScope(Place at, const std::shared_ptr<ModuleHandle>& module, Calls::Path path_of)
    : at_(at),
      module_(module),
      path_of_(path_of),
      outer_(innermost_call),
      outermost_(outer_ == nullptr ? this : outer_->outermost_) {
  innermost_call = this;
}

CallScope::~CallScope() { innermost_call = outer_; }

Calls CallScope::current() {
  if (innermost_call == nullptr) return {};
  const CallScope& inner = *innermost_call;
  return {inner.at_, inner.outermost_->at_, inner.module_, inner.outermost_->module_,
          inner.path_of_};
}

void CallScope::remember(Calls& calls) {
  if (innermost_call != nullptr) calls = current();
}

Place CallScope::place(Place otherwise) {
  return innermost_call == nullptr ? otherwise : innermost_call->at_;
}

std::string Calls::path() const {
  if (module == nullptr || model == nullptr || module == model) return {};
  if (module->module == nullptr || model->module == nullptr) return {};
  return path_of(model->module, module->module);
}

std::string places_text(Place at, const Calls& calls) {
  PlainText text;
  text << at;
  if (calls.module != nullptr && calls.inner != at) text << ", called at " << calls.inner;
  if (calls.module != nullptr && calls.outer != calls.inner) text << ", called at " << calls.outer;
  return text.str();
}

}  // namespace gradus
