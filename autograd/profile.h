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

#include <gradus/autograd/profile_scope.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

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
  friend void detail::add_flops(std::int64_t flops);
  friend void detail::add_bytes(std::int64_t bytes);
  ProfileEvent* innermost() { return open_.empty() ? nullptr : &events_[open_.back()]; }

  std::vector<ProfileEvent> events_;
  std::vector<std::size_t> open_;  // events that have begun and not ended
  Profiler* previous_;
};

/// For each event its time without that of the events nested in it. Their sum is the time that all
/// events cover.
std::vector<std::int64_t> own_nanoseconds(const std::vector<ProfileEvent>& events);

}  // namespace gradus
