// Variable: a Tensor, its gradient, and the node that made it. Read this second, after engine.cpp.
//
// A Variable is a handle: copies share value, gradient and history, as in PyTorch. A leaf (a
// parameter) is made by the user; everything else is made by an operation, which the tape records
// as a Node when one of its inputs requires a gradient. Edges point from an output to its inputs,
// so a result keeps alive exactly what made it, and dropping the result drops the tape.
//
// Thread safety: threads may share leaves, each with graphs of its own: backward() adds to a leaf's
// grad() under its lock, in whatever order the threads come. A graph belongs to one backward pass at
// a time (GradError where two meet). All else is as with a container: several may read, or one write.
#pragma once

#include <gradus/autograd/place.h>
#include <gradus/core/tensor.h>

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

class Op;
struct Node;
struct Origin;
class Variable;
using Variables = std::vector<Variable>;

/// What becomes of the tape in backward().
struct BackwardOptions {
  bool retain_graph = false;  ///< keep saved values, so that backward may run again
  bool create_graph =
      false;  ///< record the backward pass itself, for second derivatives (implies retain_graph)
};

/// The same of grad().
struct GradOptions {
  bool retain_graph = false;
  bool create_graph = false;
  bool allow_unused =
      false;  ///< an input the outputs do not depend on gives an undefined Variable, not an error
};

/// Takes a hook out again. Dropping the handle leaves the hook where it is.
class HookHandle {
 public:
  HookHandle() = default;
  explicit HookHandle(std::function<void()> remove) : remove_(std::move(remove)) {}
  /// Nothing, where the hook is gone already.
  void remove();

 private:
  std::function<void()> remove_;
};

/// A handle on numbers with a gradient and a history.
class Variable {
 public:
  /// Sees a gradient, and may give another of its shape and dtype; undefined leaves it as it is.
  using Hook = std::function<Variable(const Variable& grad)>;

  /// An undefined Variable: "no gradient", "no bias".
  Variable() = default;
  /// A constant, or with `requires_grad` a leaf. Implicit: a Tensor is a Variable without history.
  /// Throws GradError when a gradient is wanted for anything but float32 or float64.
  Variable(Tensor value, bool requires_grad = false, Place at = Place::here());

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const;
  /// Replaces the numbers; shape and dtype may change, and then the gradient is dropped. Only for leaves and
  /// constants (GradError otherwise).
  void set_value(Tensor value) const;

  /// The accumulated gradient; undefined until backward() has reached this Variable. A result keeps one
  /// only after retain_grad(), and says so in the log.
  const Variable& grad() const;
  /// Puts another in its place.
  void set_grad(Variable grad) const;
  /// Drops the gradient.
  void zero_grad() const;

  bool requires_grad() const;
  /// Turns recording on or off for a leaf.
  const Variable& requires_grad_(bool wanted = true, Place at = Place::here()) const;
  bool is_leaf() const;
  /// Asks backward() to keep this intermediate's gradient in grad().
  const Variable& retain_grad() const;
  /// Calls `hook` in each backward pass with the whole gradient of this Variable, before it goes on: a
  /// leaf's before it is added to grad(). What a hook throws ends the pass. Throws GradError where
  /// there is no gradient to see.
  HookHandle register_hook(Hook hook) const;
  /// The same value without history; shares storage.
  Variable detach(Place at = Place::here()) const;

  /// dL/d(leaf) added into every leaf's grad(), this Variable being L. Without `seed` L must
  /// have one element.
  void backward(const BackwardOptions& options = {}) const;
  /// The same of a result of any shape, started with dL/d(this).
  void backward(const Variable& seed, const BackwardOptions& options = {}) const;

  const Shape& shape() const { return value().shape(); }
  DType dtype() const { return value().dtype(); }
  int rank() const { return value().rank(); }
  /// The size of one dimension; negative counts from the end.
  std::int64_t size(std::int64_t dim) const { return value().size(dim); }
  std::int64_t numel() const { return value().numel(); }
  double item() const { return value().item(); }

  /// Can nobody else see these numbers? Then the engine may add to them in place.
  bool is_unshared() const;
  /// How many hold this Variable, and its numbers. For apply() only.
  struct Handles {
    std::int64_t of_variable = 0;
    std::int64_t of_storage = 0;
  };
  Handles handles() const;
  /// The node that made this Variable (for a leaf, the one that collects its gradient); null
  /// for constants.
  const std::shared_ptr<Node>& node() const;
  /// `value` as if `node` had made it. For Op and apply() only.
  static Variable attach(Tensor value, std::shared_ptr<Node> node);
  /// What cut this constant off from a history; null where nothing did.
  const Origin* origin() const;
  /// For what makes constants only.
  void set_origin(const Origin& origin) const;

 private:
  struct State;
  friend struct Node;
  void check_defined(std::string_view function) const;
  std::shared_ptr<State> state_;
};

/// Thrown where an undefined Variable is read; whoever knows what was called says it instead.
class UndefinedVariable final : public GradError {
 public:
  using GradError::GradError;
};

/// What a function takes as its first Variable: that, and the line where the function was called. Both
/// Variables and Tensors become one by themselves, at that line; handed on, it keeps its place.
/// Lives no longer than the call.
class Operand {
 public:
  Operand(const Variable& x, Place at = Place::here()) : variable_(&x), at_(at) {}
  Operand(Tensor x, Place at = Place::here()) : made_(std::move(x)), variable_(&made_), at_(at) {}
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;

  operator const Variable&() const { return *variable_; }
  const Variable& operator*() const { return *operator->(); }
  /// Throws GradError where it is undefined.
  const Variable* operator->() const {
    if (!variable_->defined()) fail_undefined();
    return variable_;
  }
  Place at() const { return at_; }

 private:
  [[noreturn]] void fail_undefined() const;

  Variable made_{};
  const Variable* variable_;
  Place at_;
};

/// The same for a list.
class Operands {
 public:
  Operands(const Variables& list, Place at = Place::here()) : list_(list), at_(at) {}
  const Variables& operator*() const { return list_; }
  Place at() const { return at_; }

 private:
  const Variables& list_;
  Place at_;
};

/// Sum over outputs of seed·d(output)/d(input), for each input; grad() of no Variable
/// changes. Without `seeds` every output must have one element. Throws GradError for an input
/// that is not reached.
Variables grad(const Variables& outputs, const Variables& inputs, const Variables& seeds = {},
               const GradOptions& options = {}, Place at = Place::here());

namespace detail {
struct Recording {
  bool on = true;
  Place place{};  ///< of the innermost GradMode; none for the engine's own
};
extern constinit thread_local Recording recording;
}  // namespace detail

/// While it lives, recording on this thread is on or off as told.
class GradMode {
 public:
  explicit GradMode(bool enabled, Place at = Place::here());
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  detail::Recording previous_;
};

/// While it lives, nothing on this thread is recorded.
class NoGrad : public GradMode {
 public:
  explicit NoGrad(Place at = Place::here()) : GradMode(false, at) {}
};

/// As its value prints, and what it is to the tape: "tensor([1.], requires_grad=True)" for a leaf,
/// "tensor([1.], grad_fn=exp)".
std::string to_string(const Variable& variable);
std::ostream& operator<<(std::ostream& out, const Variable& variable);

/// Is recording on, on this thread?
inline bool grad_enabled() { return detail::recording.on; }

}  // namespace gradus
