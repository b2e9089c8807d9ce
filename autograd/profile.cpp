// The profiler: a clock, a list of events, and the stack of those that have not ended.
#include <gradus/autograd/profile.h>

#include <algorithm>
#include <chrono>

namespace gradus {
namespace {

std::int64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

Shape shape_of(const Variable& variable) { return variable.defined() ? variable.shape() : Shape{}; }

}  // namespace

namespace detail {
constinit thread_local Profiler* profiler = nullptr;

void add_flops(std::int64_t flops) {
  if (ProfileEvent* event = profiler->innermost()) event->flops += flops;
}
void add_bytes(std::int64_t bytes) {
  if (ProfileEvent* event = profiler->innermost()) event->bytes += bytes;
}
}  // namespace detail

std::string_view to_string(ProfileDirection direction) {
  switch (direction) {
    case ProfileDirection::forward:
      return "forward";
    case ProfileDirection::backward:
      return "backward";
    case ProfileDirection::step:
      return "step";
  }
  return "?";
}

Profiler::Profiler() : previous_(detail::profiler) { detail::profiler = this; }
Profiler::~Profiler() { detail::profiler = previous_; }

std::vector<std::int64_t> own_nanoseconds(const std::vector<ProfileEvent>& events) {
  std::vector<std::int64_t> own(events.size());
  std::vector<std::size_t> around;  // the events that the current one runs within, by depth
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto depth = static_cast<std::size_t>(events[i].depth);
    own[i] = events[i].nanoseconds();
    if (depth > 0) own[around[depth - 1]] -= own[i];
    around.resize(depth);
    around.push_back(i);
  }
  return own;
}

std::int64_t bytes_of(const Tensor& tensor) {
  return std::min(tensor.numel() * size_of(tensor.dtype()), tensor.storage().bytes());
}

void ProfileScope::begin(std::string_view name, ProfileDirection direction) {
  index_ = profiler_->events_.size();
  ProfileEvent& event = profiler_->events_.emplace_back();
  event.name = name;
  event.direction = direction;
  event.depth = static_cast<int>(profiler_->open_.size());
  profiler_->open_.push_back(index_);
  event.begin_ns = now_ns();
}

void ProfileScope::end() {
  if (ended_) return;
  profiler_->events_[index_].end_ns = now_ns();
  profiler_->open_.pop_back();
  ended_ = true;
}

void ProfileScope::read(const Variable& input, const Variable& result) {
  ProfileEvent& event = profiler_->events_[index_];
  event.inputs.push_back(shape_of(input));
  if (!input.defined()) return;
  event.bytes += bytes_of(input.value());
  is_view_ = is_view_ || input.value().storage() == result.value().storage();
}

void ProfileScope::wrote(const Variable& result) {
  ProfileEvent& event = profiler_->events_[index_];
  event.outputs.push_back(result.shape());
  event.bytes += bytes_of(result.value());
  if (is_view_) event.bytes = 0;  // nothing was read or written
}

void ProfileScope::finish_backward(const Variable& gradient, const Variables& gradients) {
  end();
  ProfileEvent& event = profiler_->events_[index_];
  event.inputs.push_back(shape_of(gradient));
  for (const Variable& each : gradients) event.outputs.push_back(shape_of(each));
}

}  // namespace gradus
