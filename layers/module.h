// Module: a function with parameters. Layers are modules, and so is what is built from layers.
//
// A module is a value. Its parameters, buffers and children are ordinary members, and one virtual
// function, visit(), names them:
//
//   struct Net : Module {
//     Conv2d conv{1, 8, {.kernel_size = 3, .padding = 1}};
//     Linear head{8 * 8 * 8, 10};
//     void visit(Visitor& v) override { v("conv", conv); v("head", head); }
//     Variable forward(const Variable& x) override {
//       return head(flatten(conv(x, Activation::relu), 1));
//     }
//   };
//
// Everything else (listing, counting, saving, loading, casting, printing) asks visit(). No
// pointer to a member is ever stored, so a module may be moved at any time and keeps its names
// and parameters. Copying is refused: Variables are handles, and a copy would silently share
// every parameter.
//
// Call a module as module(x), not module.forward(x): an error then says where in the model it
// happened, "... [in features.0]". Finding that name costs nothing until something fails.
// Thread safety: as a container's; several threads may only read.
#pragma once

#include <gradus/autograd/place.h>
#include <gradus/autograd/variable.h>
#include <gradus/core/activation.h>
#include <gradus/core/random.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

class Module;

/// What Module::visit() reports to: one call for each member. An undefined Variable or Tensor
/// stands for "not there" (no bias) and is passed over. A name holds no dot.
class Visitor {
 public:
  virtual ~Visitor() = default;
  /// A parameter is saved with the model and trained.
  virtual void operator()(std::string_view name, Variable& parameter) = 0;
  /// A buffer is saved with the model, but no optimizer changes it.
  virtual void operator()(std::string_view name, Tensor& buffer) = 0;
  /// A module within this one, whose members follow under its name.
  virtual void operator()(std::string_view name, Module& child) = 0;
  /// A source of random numbers is neither saved nor trained; named, the gradient checker can put
  /// it back.
  virtual void operator()(std::string_view, Generator&) {}
};

/// Variables with their names, in a fixed order.
using NamedVariables = std::vector<std::pair<std::string, Variable>>;

/// How exactly tensors must fit a model.
struct LoadOptions {
  bool strict = true;  ///< missing and unexpected keys are an error
  bool cast = false;   ///< floating-point numbers of another dtype are converted to the model's
};

/// What load_state_dict() found besides the keys it loaded.
struct LoadReport {
  std::vector<std::string> missing;     ///< in the model, not in the given tensors
  std::vector<std::string> unexpected;  ///< in the given tensors, not in the model
};

/// A function with parameters; base of all layers and models.
class Module {
 public:
  Module();
  Module(Module&& other) noexcept;
  Module& operator=(Module&& other) noexcept;
  virtual ~Module();

  /// Names the members, each once: v("weight", weight).
  virtual void visit(Visitor& v) = 0;
  /// The function itself.
  virtual Variable forward(const Variable& x) = 0;
  /// activation(forward(x)), bit for bit, of a layer that computes it in fewer passes over memory.
  /// Any other leaves this as it is: undefined stands for "run the activation behind forward(x)".
  virtual Variable forward_fused(const Variable&, Activation) { return {}; }
  /// activation(forward(x)), fused where this module can; while it runs, errors name this module's
  /// place in the model, and what is recorded remembers it, with the line of the call.
  Variable operator()(const Variable& x, Activation activation = Activation::none,
                      Place at = Place::here());
  /// The same if this module can fuse, else undefined: for containers, where the activation is a
  /// module with a place of its own.
  Variable fused(const Variable& x, Activation activation, Place at = Place::here());

  /// Before this module runs: sees its input and may give another; undefined leaves it as it is. Hooks
  /// run in the order in which they came; what one throws goes to the caller. While a module has any
  /// hooks, no activation is fused into it, and it must stay where it is until backward has run. A MultiModule
  /// runs its hooks where it is called with one Variable, and none where it is called with a list.
  using ForwardPreHook = std::function<Variable(Module&, const Variable& x)>;
  /// Adds such a hook, behind those that are there.
  HookHandle register_forward_pre_hook(ForwardPreHook hook);
  /// After it has run: sees input and output and may give another output.
  using ForwardHook = std::function<Variable(Module&, const Variable& x, const Variable& y)>;
  /// Likewise.
  HookHandle register_forward_hook(ForwardHook hook);
  /// In backward: sees the gradients of the input (undefined where that wants none) and of the output,
  /// and may give another gradient of the input.
  using BackwardHook =
      std::function<Variable(Module&, const Variable& grad_input, const Variable& grad_output)>;
  /// Likewise.
  HookHandle register_full_backward_hook(BackwardHook hook);
  bool has_hooks() const;

  /// Every parameter once, under its first name: own ones first, then the children's.
  std::vector<Variable> parameters() const;
  /// The same with their names.
  NamedVariables named_parameters() const;
  /// What is saved with the model and not trained, with its names.
  NamedTensors named_buffers() const;
  /// This module under the name "", then every module below it, parents first, each once.
  std::vector<std::pair<std::string, Module*>> named_modules();
  /// Elements of all parameters together.
  std::int64_t parameter_count() const;

  /// Switches this module and all below it to training, or to evaluation: dropouts and the
  /// norms that track statistics differ.
  void train(bool training = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

  /// Makes a trained model faster to use: of each Sequential, at any depth, a batch norm behind a Conv1d, Conv2d,
  /// ConvTranspose2d or Linear is folded into its weight and bias, and an Identity stands in its place, so that all other
  /// names stay. Returns how many there were. Such a Sequential must be run as a whole: the layer alone has the norm in it.
  /// The function is the same but for rounding: of factor·(Σ w·x + b - mean) + shift with k products, by 2k + 12 roundings
  /// of the sum of all absolute values, beside Winograd's. A checkpoint of such a model fits such models only. Left are
  /// norms without running statistics, with hooks or behind a layer that has some, and where numbers are shared within the
  /// model. Throws ValueError where a norm is in training; then nothing has changed.
  int fuse();

  /// Drops the gradient of every parameter.
  void zero_grad();
  /// Calls `function` with every module below this one, children first, then with this one.
  void apply(const std::function<void(Module&)>& function);
  /// Converts floating-point parameters (their gradients too) and buffers; integers stay. The
  /// Variables stay the same objects. Throws DTypeError unless `dtype` is float32 or float64.
  void to(DType dtype);

  /// All parameters and buffers, under PyTorch's names and in PyTorch's order: of each module
  /// its own parameters, its own buffers, then its children. The tensors share the model's
  /// storage: clone() those that shall not change with the next step. A shared parameter stands
  /// under each of its names.
  NamedTensors state_dict() const;
  /// Copies numbers into the parameters and buffers of the same name. Either all is loaded or, when
  /// it throws, nothing has changed. Throws ValueError for missing or unexpected keys (if strict)
  /// and for a key given twice, ShapeError and DTypeError for a tensor that does not match. A file of
  /// float16 or bfloat16 goes into a float32 model with {.cast = true}.
  LoadReport load_state_dict(const NamedTensors& tensors, const LoadOptions& options = {});

  /// The name of the class, without namespaces: "Conv2d".
  std::string kind() const;
  /// For who remembers this module and may outlast it.
  ModuleNumber number() const { return number_; }
  /// What stands in the parentheses when the module is printed: "1, 6, kernel_size=(5, 5)".
  virtual std::string extra() const { return {}; }

 private:
  struct Hooks;
  template <class Hook>
  HookHandle add_hook(std::vector<std::pair<int, Hook>> Hooks::*list, Hook hook);
  Variable forward_with_hooks(const Variable& x);

  bool training_ = true;
  std::shared_ptr<Hooks> hooks_;  // null before the first
  ModuleNumber number_;           // of none when moved from
};

/// Base of modules that take and give several Variables: module({a, b}).
class MultiModule : public Module {
 public:
  /// The function itself.
  virtual Variables forward_all(const Variables& inputs) = 0;
  /// forward_all(inputs); while it runs, errors name this module's place in the model.
  Variables operator()(const Variables& inputs, Place at = Place::here());
  /// module({x}) is a list too, where Module's call would take it for x.
  Variables operator()(std::initializer_list<Variable> inputs, Place at = Place::here()) {
    return (*this)(Variables(inputs), at);
  }
  /// Of one input, the one output. Throws ValueError where there are more.
  Variable forward(const Variable& x) final;
  using Module::operator();
};

/// Nested, as PyTorch prints: "Sequential(\n  (0): ReLU()\n)".
std::string to_string(const Module& module);
std::ostream& operator<<(std::ostream& out, const Module& module);

}  // namespace gradus
