// Replay: a copy of an op from before it ran, which can run again on other numbers; and Watcher,
// who is given one for each call. So the proof in float32 repeats in float64 what a training really
// did, op by op, without the ops knowing of it. As with the profiler, a call that nobody watches
// costs a load and a branch.
#pragma once

#include <gradus/autograd/variable.h>
#include <gradus/core/activation.h>
#include <gradus/core/rounding.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace gradus::detail {

template <class T, class... Inputs> auto run(Place at, T& op, const Inputs&... inputs);
template <class T> std::string_view name_of();

/// As it is, of an op that cannot be copied: it states nothing, so nobody asks it to run.
class Replay {
 public:
  virtual ~Replay() = default;
  /// The op on other inputs, recorded as a call would be.
  virtual Variable run(const Variables&) const { return {}; }
  /// What the op states; nullopt if nothing.
  virtual std::optional<Rounding> rounding() const { return std::nullopt; }

  std::string_view name;
  Variables inputs;                          ///< of the call, in a row
  Activation activation = Activation::none;  ///< of the call, behind the y that run() gives
};

/// Sees what runs on its thread.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void called(std::unique_ptr<Replay> replay, const Variable& result) = 0;
  /// Around op->backward(); what that calls in turn is not watched.
  virtual void before_backward(const Node& node, const Variable& gradient) = 0;
  virtual void after_backward(const Node& node, const Variables& gradients) = 0;
};

extern constinit thread_local Watcher* watcher;

/// While it lives, nobody, or somebody else, watches.
class WatchedBy {
 public:
  explicit WatchedBy(Watcher* who) : previous_(watcher) { watcher = who; }
  ~WatchedBy() { watcher = previous_; }
  WatchedBy(const WatchedBy&) = delete;
  WatchedBy& operator=(const WatchedBy&) = delete;

 private:
  Watcher* previous_;
};

inline std::size_t count_of(const Variable&) { return 1; }
inline std::size_t count_of(const Variables& list) { return list.size(); }
inline void append(Variables& all, const Variable& one) { all.push_back(one); }
inline void append(Variables& all, const Variables& list) {
  for (const Variable& one : list) all.push_back(one);
}

/// `count` of `all`, from `first` on, as the argument they were.
template <class Argument>
Argument argument_of(const Variables& all, std::size_t first, std::size_t count) {
  if constexpr (std::is_same_v<Argument, Variables>) {
    const auto from = all.begin() + static_cast<std::ptrdiff_t>(first);
    return Variables(from, from + static_cast<std::ptrdiff_t>(count));
  } else {
    return all[first];
  }
}

template <class T, class... Inputs> class ReplayOf final : public Replay {
 public:
  ReplayOf(T op, const Inputs&... call) : op_(std::move(op)), counts_{count_of(call)...} {
    (append(inputs, call), ...);
  }

  Variable run(const Variables& all) const override {
    return run(all, std::index_sequence_for<Inputs...>());
  }

  std::optional<Rounding> rounding() const override {
    if constexpr (requires { op_.rounding(); }) return op_.rounding();
    return std::nullopt;
  }

 private:
  template <class Input>
  using Argument = std::conditional_t<std::is_same_v<Input, Variables>, Variables, Variable>;

  template <std::size_t... I> Variable run(const Variables& all, std::index_sequence<I...>) const {
    T op = op_;
    if constexpr (requires { op.recast(all); }) op.recast(all);
    std::array<std::size_t, sizeof...(Inputs)> first{};
    for (std::size_t i = 1; i < first.size(); ++i) first[i] = first[i - 1] + counts_[i - 1];
    return detail::run({}, op, argument_of<Argument<Inputs>>(all, first[I], counts_[I])...);
  }

  T op_;
  std::array<std::size_t, sizeof...(Inputs)> counts_;
};

/// Of `op`, which is about to run, without its activation: whether a number near 0 passes a relu may
/// differ between dtypes, and the derivative jumps there. An op that has one takes it out of its
/// options in take_activation(), and says which it was.
template <class T, class... Inputs>
std::unique_ptr<Replay> replay_of(const T& op, const Inputs&... inputs) {
  std::unique_ptr<Replay> replay;
  if constexpr (std::copy_constructible<T>) {
    T plain = op;
    Activation activation = Activation::none;
    if constexpr (requires { plain.take_activation(); }) activation = plain.take_activation();
    replay = std::make_unique<ReplayOf<T, Inputs...>>(std::move(plain), inputs...);
    replay->activation = activation;
  } else {
    replay = std::make_unique<Replay>();
  }
  replay->name = name_of<T>();
  return replay;
}

}  // namespace gradus::detail
