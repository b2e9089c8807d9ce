// Op: what an operation must tell. Adding one is a paragraph in its chapter under ops/.
//
// An Op's members are its parameters and what it saves for backward. forward() computes on Tensors
// and saves the least; backward() is written with Variables, so a gradient is made of operations
// again and may itself be differentiated. rounding() states how far float32 may be off (rounding.h).
#pragma once

#include <gradus/autograd/profile_scope.h>
#include <gradus/autograd/replay.h>
#include <gradus/autograd/variable.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
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
  /// The output again, from its saved value: an Op that held its own output Variable would
  /// never be freed.
  Variable reattach(const Tensor& output) const;

 private:
  friend struct Node;
  Node* node_ = nullptr;
};

/// A step of the tape. Nodes are numbered as they are made, so inputs always have smaller
/// numbers than outputs.
struct Node : std::enable_shared_from_this<Node> {
  std::uint64_t number = 0;
  std::string_view name;  ///< of the op; "leaf" for a leaf
  Shape shape;            ///< of the output, and so of the gradient
  DType dtype = float32;  ///< likewise
  bool is_leaf = false;
  std::vector<std::shared_ptr<Node>> inputs;  ///< null where no gradient is wanted
  std::unique_ptr<Op> op;                     ///< null for a leaf, and after the graph was freed
  std::weak_ptr<Variable::State>
      keep;  ///< whose grad() collects what arrives: a leaf, or retain_grad()
  Node* next_to_free = nullptr;

  /// A new node whose release never recurses, however long the chain behind it.
  static std::shared_ptr<Node> make(std::string_view name);
  void adopt(std::unique_ptr<Op> new_op);
  /// op->backward(gradient), checked: one gradient per input.
  /// Throws GradError when the graph was freed.
  Variables backward(const Variable& gradient);
  /// Adds `gradient` to what `keep` has.
  void collect(const Variable& gradient, bool create_graph);
};

namespace detail {
inline void collect(std::vector<std::shared_ptr<Node>>& edges, const Variable& input) {
  edges.push_back(input.defined() ? input.node() : nullptr);
}
inline void collect(std::vector<std::shared_ptr<Node>>& edges, const Variables& inputs) {
  for (const Variable& input : inputs) collect(edges, input);
}
inline bool wants_grad(const Variable& input) { return input.defined() && input.requires_grad(); }
inline bool wants_grad(const Variables& inputs) {
  for (const Variable& input : inputs) {
    if (wants_grad(input)) return true;
  }
  return false;
}

/// apply(), without the profiler.
template <class T, class... Inputs> Variable run(T op, const Inputs&... inputs) {
  if (!grad_enabled() || !(detail::wants_grad(inputs) || ...))
    return Variable(op.forward(inputs...));
  std::shared_ptr<Node> node = Node::make(T::name);
  node->inputs.reserve(sizeof...(Inputs));
  (detail::collect(node->inputs, inputs), ...);
  auto kept = std::make_unique<T>(std::move(op));
  T& recorded = *kept;
  node->adopt(std::move(kept));
  Tensor value = recorded.forward(inputs...);
  return Variable::attach(std::move(value), std::move(node));
}
}  // namespace detail

/// Runs op.forward(inputs...) and records it if recording is on and an input requires a gradient.
/// Each input is a Variable or a list of Variables.
template <class T, class... Inputs> Variable apply(T op, const Inputs&... inputs) {
  std::unique_ptr<detail::Replay> replay;
  if (detail::watcher != nullptr) replay = detail::replay_of(op, inputs...);
  ProfileScope profile(T::name, ProfileDirection::forward);
  Variable result = detail::run(std::move(op), inputs...);
  if (profile) profile.finish_call(result, inputs...);
  if (replay) detail::watcher->called(std::move(replay), result);
  return result;
}

}  // namespace gradus
