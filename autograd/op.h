// Op: what an operation must tell. Adding one is a paragraph in its chapter under ops/; one of your own
// is a struct anywhere, a local one too:
//
//   struct Square final : Op {
//     Variable x;
//     Tensor forward(const Variable& input) { x = input; return x.value() * x.value(); }
//     Variables backward(const Variable& dy) override { return {dy * x * 2.0}; }
//   };
//   Variable y = record(Square(), x);
//
// Its name, for errors and the profiler, is a static member `name`, a string or a function that gives
// one; without either it is that of the type.
//
// An Op's members are its parameters and what it saves for backward. forward() computes on Tensors
// and saves the least; backward() is written with Variables, so a gradient is made of operations
// again and may itself be differentiated. rounding() states how far float32 may be off (rounding.h).
//
// What an op keeps must still be there at backward. An op need not say what it keeps of its inputs
// and its output: the tape sees it by the handles that forward() leaves behind, and remembers the
// versions of their storages. Whoever writes to one in between gets a GradError from backward. An input
// that the op was given before forward() leaves no new handle: then keeps() tells of it.
#pragma once

#include <gradus/autograd/anomaly.h>
#include <gradus/autograd/profile_scope.h>
#include <gradus/autograd/replay.h>
#include <gradus/autograd/variable.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace gradus {

/// Base of all operations. One object per recorded call; it lives in the call's Node.
class Op {
 public:
  virtual ~Op() = default;
  /// dL/d(input i) for each input, given dL/d(output); undefined where !needs(i).
  virtual Variables backward(const Variable& grad) = 0;

 protected:
  /// Does input `i` want a gradient? True only while recording: forward() saves what
  /// backward() will use.
  bool needs(std::size_t i) const;
  /// The shape of input `i`, and so of its gradient. Only where needs(i).
  const Shape& input_shape(std::size_t i) const;
  /// For forward(): backward() will read these numbers too, which are neither an input nor the
  /// output: "labels", an "index".
  void keeps(const Tensor& numbers, const char* what) const;
  /// The output again, from its saved value: an Op that held its own output Variable would
  /// never be freed.
  Variable reattach(const Tensor& output) const;

 private:
  friend struct Node;
  Node* node_ = nullptr;
};

struct Node;
namespace detail {
/// The outputs of a MultiOp as Variables: parts of the row that `node` stands for.
Variables record_parts(std::vector<Tensor> outputs, std::shared_ptr<Node> node);
}  // namespace detail

/// Base of operations with several outputs: forward() gives a std::vector<Tensor>, record() Variables.
/// All that have gradients are of one dtype; integers among the outputs are constants.
class MultiOp : public Op {
 public:
  /// dL/d(input i) for each input, given dL/d(output k) for each output: zeros for one that nobody
  /// used, undefined for one that is no floating-point number.
  virtual Variables backward_all(const Variables& grads) = 0;
  /// On the tape all outputs stand end to end in one row of numbers, and each is a part of it.
  Variables backward(const Variable& packed) final;

 private:
  friend Variables detail::record_parts(std::vector<Tensor> outputs, std::shared_ptr<Node> node);
  std::vector<Shape> shapes_;     // of the outputs
  std::vector<bool> has_slopes_;  // is it floating?
};

/// What an op kept for backward(), as it was then.
struct KeptNumbers {
  Tensor numbers;
  std::uint64_t version;
  const char* what;       ///< nullptr: an input
  std::size_t input = 0;  ///< which
};

/// What cut a Variable off from the history of what it was made of. Others that are made of it tell the
/// same. It keeps no tape alive.
struct Origin {
  /// How it was cut.
  enum class Cut { detach, no_grad, frozen, no_create_graph };
  Cut cut;
  std::string_view op;                     ///< that gave the Variable
  Place at;                                ///< of its call
  Place no_grad{};                         ///< of the guard
  std::array<std::uint64_t, 3> sources{};  ///< numbers of nodes that it was made of; 0 for none
  std::weak_ptr<Node> result{};            ///< the first of these that is no leaf
  bool has_result = false;                 ///< was there one?

  /// Keeps its number, where there is a place left.
  void add_source(const std::shared_ptr<Node>& node);

  /// "detach() at train.cpp:41 cut it off"
  std::string text() const;
};

/// An input of an op that wants no gradient.
struct ConstantInput {
  std::size_t input;
  const std::byte* memory;               ///< of its numbers, to be compared only
  std::unique_ptr<const Origin> origin;  ///< null where it has none
};

/// A step of the tape. Nodes are numbered as they are made, so inputs always have smaller
/// numbers than outputs.
struct Node : std::enable_shared_from_this<Node> {
  std::uint64_t number = 0;
  std::string_view name;  ///< of the op; "leaf" for a leaf
  Shape shape;            ///< of the output, and so of the gradient
  DType dtype = float32;  ///< likewise
  bool is_leaf = false;
  Place at;                                   ///< of the call
  Calls within;                               ///< the modules that ran
  std::vector<std::shared_ptr<Node>> inputs;  ///< null where no gradient is wanted
  std::vector<ConstantInput> constants;
  std::unique_ptr<Op> op;  ///< null for a leaf, and after the graph was freed
  std::vector<KeptNumbers> kept;
  std::vector<std::pair<std::uint64_t, Variable::Hook>> hooks;
  std::weak_ptr<Variable::State>
      keep;  ///< whose grad() collects what arrives: a leaf, or retain_grad()
  Node* next_to_free = nullptr;
  std::atomic<bool> running = false;  ///< a backward pass is here
  std::mutex collecting;              ///< held while `keep` is written to

  /// A new node whose release never recurses, however long the chain behind it.
  static std::shared_ptr<Node> make(std::string_view name, Place at);
  /// "conv2d in features.3, layers/conv.cpp:88, called at train.cpp:41"
  std::string text() const;
  /// May a gradient be of use here? Not at a leaf that was frozen since.
  bool is_wanted() const;
  /// The numbers of a leaf, while there is a Variable that shows them; else undefined.
  Tensor leaf_value() const;
  /// Adds an edge to what made `input`.
  void take(const Variable& input);
  /// Takes the op that was called.
  void adopt(std::unique_ptr<Op> new_op);
  /// op->backward(gradient), checked: one gradient per input.
  /// Throws GradError when the graph was freed, when what the op kept was written to, and when
  /// another thread is here. With `release_after` what the op kept is freed then.
  Variables backward(const Variable& gradient, bool release_after = false);
  /// What the hooks make of `gradient`, which is complete.
  Variable run_hooks(Variable gradient);
  /// Adds `gradient` to what `keep` has; threads take turns.
  void collect(const Variable& gradient, bool create_graph);
};

namespace detail {
inline void take(Node& node, const Variable& input) { node.take(input); }
inline void take(Node& node, const Variables& inputs) {
  for (const Variable& input : inputs) node.take(input);
}
inline bool wants_grad(const Variable& input) { return input.defined() && input.requires_grad(); }
inline bool wants_grad(const Variables& inputs) {
  for (const Variable& input : inputs) {
    if (wants_grad(input)) return true;
  }
  return false;
}

inline Variable::Handles handles_of(const Variable& input) { return input.handles(); }
inline std::vector<Variable::Handles> handles_of(const Variables& inputs) {
  std::vector<Variable::Handles> all;
  for (const Variable& input : inputs) all.push_back(input.handles());
  return all;
}

/// Finds out what forward() kept: of that there are more handles now than before, not counting the
/// output's.
class Kept {
 public:
  Kept(Node& node, std::span<const Tensor> outputs) : node_(node), outputs_(outputs) {}
  void look_at(const Variable& input, const Variable::Handles& before);
  void look_at(const Variables& inputs, const std::vector<Variable::Handles>& before) {
    for (std::size_t i = 0; i < inputs.size(); ++i) look_at(inputs[i], before[i]);
  }
  void look_at_outputs();

 private:
  std::int64_t handles_of_outputs(const Storage& storage) const;

  Node& node_;
  std::span<const Tensor> outputs_;
  std::vector<const std::byte*> shared_{};  // memory of inputs that an output shows
  std::size_t next_ = 0;                    // input
};

inline std::span<const Tensor> outputs_of(const Tensor& one) { return {&one, 1}; }
inline std::span<const Tensor> outputs_of(const std::vector<Tensor>& all) { return all; }
inline Variable as_constants(Tensor one) { return Variable(std::move(one)); }
inline Variables as_constants(const std::vector<Tensor>& all) {
  return Variables(all.begin(), all.end());
}

/// Finds out what cut off the constant that `op` makes of these inputs: the op itself where one has
/// a history, else what cut off one of them.
class CutFinder {
 public:
  CutFinder(std::string_view op, Place at) : op_(op), at_(at) {}
  /// Not within backward(): a gradient is a constant unless it is recorded.
  static bool is_asked() { return recording.on || recording.place.file != nullptr; }
  void look_at(const Variable& input);
  void look_at(const Variables& inputs) {
    for (const Variable& input : inputs) look_at(input);
  }
  void mark(const Variable& result);
  void mark(const Variables& results) {
    for (const Variable& result : results) mark(result);
  }

 private:
  std::string_view op_;
  Place at_;
  std::optional<Origin> here_{};
  const Origin* older_ = nullptr;  // of an input, where there is nothing here
};

/// The readable name of a type; lives as long as the program.
std::string_view type_name(const std::type_info& type);

/// Of an op.
template <class T> std::string_view name_of() {
  if constexpr (requires { std::string_view(T::name); }) {
    return T::name;
  } else if constexpr (requires { std::string_view(T::name()); }) {
    return T::name();
  } else {
    static const std::string_view name = type_name(typeid(T));
    return name;
  }
}

/// Is the infinity that comes out one that the caller gave the op as a number?
template <class T> bool states_infinity(const T& op) {
  if constexpr (requires { op.states_infinity(); }) return op.states_infinity();
  return false;
}

/// record(), without the profiler.
template <class T, class... Inputs> auto run(Place at, T& op, const Inputs&... inputs) {
  if (!grad_enabled() || !(detail::wants_grad(inputs) || ...)) {
    auto result = as_constants(op.forward(inputs...));
    if (CutFinder::is_asked()) {
      CutFinder cut(name_of<T>(), at);
      (cut.look_at(inputs), ...);
      cut.mark(result);
    }
    return result;
  }
  std::shared_ptr<Node> node = Node::make(name_of<T>(), at);
  node->inputs.reserve(sizeof...(Inputs));
  (detail::take(*node, inputs), ...);
  auto kept = std::make_unique<T>(std::move(op));
  T& recorded = *kept;
  node->adopt(std::move(kept));
  const auto before = std::make_tuple(handles_of(inputs)...);
  auto value = recorded.forward(inputs...);
  Kept kept_by_op(*node, outputs_of(value));
  std::apply([&](const auto&... handles) { (kept_by_op.look_at(inputs, handles), ...); }, before);
  kept_by_op.look_at_outputs();
  if constexpr (std::is_base_of_v<MultiOp, T>) {
    return record_parts(std::move(value), std::move(node));
  } else {
    return Variable::attach(std::move(value), std::move(node));
  }
}

[[noreturn]] void fail_undefined(std::string_view op, Place at);

/// run(); an undefined Variable in it is told in the name of the op.
template <class T, class... Inputs> auto run_named(Place at, T& op, const Inputs&... inputs) {
  try {
    return run(at, op, inputs...);
  } catch (const UndefinedVariable&) {
    fail_undefined(name_of<T>(), at);
  }
}

/// record(), called at `at`. The op is moved from.
template <class T, class... Inputs> auto record_at(Place at, T& op, const Inputs&... inputs) {
  std::unique_ptr<Replay> replay;
  if constexpr (!std::is_base_of_v<MultiOp, T>) {
    if (watcher != nullptr) replay = replay_of(op, inputs...);
  }
  const bool stated = anomaly != Anomaly::off && states_infinity(op);
  ProfileScope profile(name_of<T>(), ProfileDirection::forward);
  auto result = run_named(at, op, inputs...);
  if constexpr (!std::is_base_of_v<MultiOp, T>) {
    if (profile) profile.finish_call(result, inputs...);
    if (replay) watcher->called(std::move(replay), result);
  } else if (watcher != nullptr && !result.empty()) {
    auto nothing_stated = std::make_unique<Replay>();
    nothing_stated->name = name_of<T>();
    watcher->called(std::move(nothing_stated), result[0]);
  }
  if (anomaly != Anomaly::off) {
    Variables before;
    Variables after;
    (append(before, inputs), ...);
    append(after, result);
    check_call(name_of<T>(), at, before, after, stated);
  }
  return result;
}
}  // namespace detail

/// Runs op.forward(inputs...) and records it if recording is on and an input requires a gradient.
/// Each input is a Variable or a list of Variables. Gives a Variable, or of a MultiOp Variables.
template <class T, class... More> auto record(T op, const Operand& first, const More&... more) {
  const Variable& input = first;
  return detail::record_at(first.at(), op, input, more...);
}
template <class T, class... More> auto record(T op, const Operands& first, const More&... more) {
  return detail::record_at(first.at(), op, *first, more...);
}

/// The same by its older name. Inside of a Module that name is Module::apply().
template <class T, class... More> auto apply(T op, const Operand& first, const More&... more) {
  const Variable& input = first;
  return detail::record_at(first.at(), op, input, more...);
}
template <class T, class... More> auto apply(T op, const Operands& first, const More&... more) {
  return detail::record_at(first.at(), op, *first, more...);
}

}  // namespace gradus
