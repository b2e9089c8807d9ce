// Places in words, the list of modules, and those that run: a linked list through the C++ stack.
#include <gradus/autograd/place.h>
#include <gradus/core/error.h>

#include <pthread.h>

#include <mutex>
#include <string_view>
#include <unordered_map>

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

/// The modules that live. Never destroyed: one in static storage may go after every other static object.
struct Living {
  std::mutex mutex;
  std::unordered_map<std::uint64_t, const void*> places;
  std::uint64_t last = 0;
};
Living& living() {
  static Living& instance = *new Living;
  // The child of a fork() must not find the lock held by a thread that it does not have.
  static const int at_fork =
      pthread_atfork([] { instance.mutex.lock(); }, [] { instance.mutex.unlock(); },
                     [] { instance.mutex.unlock(); });
  static_cast<void>(at_fork);
  return instance;
}

}  // namespace

ModuleNumber::ModuleNumber(const void* module) {
  Living& all = living();
  const std::lock_guard lock(all.mutex);
  number_ = ++all.last;
  all.places.emplace(number_, module);
}

const void* ModuleNumber::find() const {
  Living& all = living();
  const std::lock_guard lock(all.mutex);
  const auto found = all.places.find(number_);
  return found == all.places.end() ? nullptr : found->second;
}

void ModuleNumber::move_to(const void* module) const noexcept {
  Living& all = living();
  const std::lock_guard lock(all.mutex);
  const auto found = all.places.find(number_);
  if (found != all.places.end()) found->second = module;
}

void ModuleNumber::strike() const noexcept {
  if (*this == ModuleNumber()) return;
  Living& all = living();
  const std::lock_guard lock(all.mutex);
  all.places.erase(number_);
}

std::ostream& operator<<(std::ostream& out, const Place& place) {
  if (place.file == nullptr) return out << "an unknown place";
  return out << without_root(place.file) << ':' << std::to_string(place.line);
}

CallScope::CallScope(Place at, ModuleNumber module, Calls::Path path_of)
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
  if (module == model) return {};
  const void* const here = module.find();
  const void* const root = model.find();
  return here == nullptr || root == nullptr ? std::string() : path_of(root, here);
}

std::string places_text(Place at, const Calls& calls) {
  PlainText text;
  text << at;
  const bool in_module = calls.module != ModuleNumber();
  if (in_module && calls.inner != at) text << ", called at " << calls.inner;
  if (in_module && calls.outer != calls.inner) text << ", called at " << calls.outer;
  return text.str();
}

}  // namespace gradus
