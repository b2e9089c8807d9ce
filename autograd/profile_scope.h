// Where events come from: what ops, the engine and optimizers tell the profiler (profile.h). Without a
// Profiler a place costs one load and one branch.
#pragma once

#include <gradus/autograd/variable.h>

#include <cstdint>
#include <string_view>

namespace gradus {

class Profiler;

enum class ProfileDirection { forward, backward, step };

namespace detail {
extern constinit thread_local Profiler* profiler;
void add_flops(std::int64_t flops);
void add_bytes(std::int64_t bytes);
}  // namespace detail

/// For an op's forward or backward: adds to the event that runs it. forward() counts the flops of
/// its products; its bytes are known from the arguments. A backward() that calls kernels instead of
/// ops counts both.
inline void count_flops(std::int64_t flops) {
  if (detail::profiler != nullptr) detail::add_flops(flops);
}
inline void count_bytes(std::int64_t bytes) {
  if (detail::profiler != nullptr) detail::add_bytes(bytes);
}

/// The bytes of a tensor's elements; of one that repeats elements (expand), what lies in memory.
std::int64_t bytes_of(const Tensor& tensor);

/// An event, from construction to finish() or its end; nothing without a Profiler.
class ProfileScope {
 public:
  ProfileScope(std::string_view name, ProfileDirection direction) : profiler_(detail::profiler) {
    if (profiler_ != nullptr) begin(name, direction);
  }
  ~ProfileScope() {
    if (profiler_ != nullptr) end();
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

  /// Is there a Profiler?
  explicit operator bool() const { return profiler_ != nullptr; }

  /// The end of an op's call: `inputs` are Variables or lists of them.
  template <class... Inputs> void finish_call(const Variable& result, const Inputs&... inputs) {
    end();
    (read(inputs, result), ...);
    wrote(result);
  }
  /// The end of a derivative.
  void finish_backward(const Variable& gradient, const Variables& gradients);

 private:
  void begin(std::string_view name, ProfileDirection direction);
  void end();
  void read(const Variable& input, const Variable& result);
  void read(const Variables& inputs, const Variable& result) {
    for (const Variable& input : inputs) read(input, result);
  }
  void wrote(const Variable& result);

  Profiler* profiler_;
  std::size_t index_ = 0;  // of the event
  bool ended_ = false;
  bool is_view_ = false;
};

}  // namespace gradus
