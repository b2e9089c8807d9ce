// Where the time of a step goes: while a Profiler lives, what runs on its thread becomes a list of
// events. In the manner of torch.profiler, but tiny.
//
//   Profiler profiler;
//   loss.backward();
//   for (const ProfileEvent& event : profiler.events()) ...
//
// Three places make events: apply() in op.h (each call of an op, recorded or not), Node::backward
// (each derivative) and Optimizer::step. A derivative is made of ops, so events nest. Without a
// Profiler a place costs one load and one branch.
#pragma once

#include <gradus/autograd/variable.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

enum class ProfileDirection { forward, backward, step };

/// "forward", "backward", "step".
std::string_view to_string(ProfileDirection direction);

/// One call of an op (forward), one derivative of a recorded call (backward),
/// or one step of an optimizer.
struct ProfileEvent {
  std::string name;  ///< of the op or the optimizer
  ProfileDirection direction = ProfileDirection::forward;
  int depth = 0;              ///< how many events it runs within
  std::int64_t begin_ns = 0;  ///< of a clock that starts anywhere and never goes back
  std::int64_t end_ns = 0;
  /// Forward: the arguments, as [] where undefined. Backward: dL/d(output). Step: none.
  std::vector<Shape> inputs{};
  /// Forward: the result. Backward: one gradient per input, as [] where undefined. Step: none.
  std::vector<Shape> outputs{};
  /// Of convolutions and matrix products, 2 for a multiplication and its addition, those with the
  /// zeros of a padding too; everything else counts 0. Without the flops of nested events.
  std::int64_t flops = 0;
  /// The least that must be moved: inputs read once, outputs written once; 0 for a view. Without
  /// the bytes of nested events, so 0 for a derivative that is made of ops.
  std::int64_t bytes = 0;

  std::int64_t nanoseconds() const { return end_ns - begin_ns; }
};

/// Records from its construction to its end, on the thread that made it. One made while another
/// lives takes over until it ends.
class Profiler {
 public:
  Profiler();
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  /// In the order in which they began, so an event stands before those nested in it.
  const std::vector<ProfileEvent>& events() const { return events_; }

 private:
  friend class ProfileScope;
  friend void count_flops(std::int64_t flops);
  friend void count_bytes(std::int64_t bytes);
  ProfileEvent* innermost() { return open_.empty() ? nullptr : &events_[open_.back()]; }

  std::vector<ProfileEvent> events_;
  std::vector<std::size_t> open_;  // events that have begun and not ended
  Profiler* previous_;
};

/// For each event its time without that of the events nested in it. Their sum is the time that all
/// events cover.
std::vector<std::int64_t> own_nanoseconds(const std::vector<ProfileEvent>& events);

namespace detail {
extern constinit thread_local Profiler* profiler;
}

/// For an op's forward or backward: adds to the event that runs it. forward() counts the flops of
/// its products; its bytes are known from the arguments. A backward() that calls kernels instead of
/// ops counts both.
inline void count_flops(std::int64_t flops) {
  if (detail::profiler == nullptr) return;
  if (ProfileEvent* event = detail::profiler->innermost()) event->flops += flops;
}
inline void count_bytes(std::int64_t bytes) {
  if (detail::profiler == nullptr) return;
  if (ProfileEvent* event = detail::profiler->innermost()) event->bytes += bytes;
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
