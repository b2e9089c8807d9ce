// Sequential: modules one after the other. Children are named by their index, as in
// PyTorch: "0.weight".
#pragma once

#include <gradus/layers/container.h>

#include <memory>
#include <string>
#include <utility>

namespace gradus {

/// x -> last(...second(first(x))). An empty Sequential returns x.
///
///   Sequential net{Conv2d{1, 6, {.kernel_size = 5}}, ReLU{}, Flatten{}, Linear{3456, 10}};
///
/// Sequential{Sequential{...}} with nothing else beside it is a move, not a nesting; use append()
/// to nest one alone.
class Sequential final : public ModuleContainer {
 public:
  Sequential() = default;
  template <OwnedModule... Ms>
  requires(sizeof...(Ms) > 0) explicit Sequential(Ms&&... modules) {
    (append(std::move(modules)), ...);
  }

  /// Moves `module` to the end. Returns this Sequential, so that calls chain.
  template <OwnedModule M> Sequential& append(M&& module) {
    return append(std::make_unique<M>(std::move(module)));
  }
  /// The same for a module whose type is known at run time only. Throws ValueError for null.
  Sequential& append(std::unique_ptr<Module> module);
  /// The same under a name in place of the index, as PyTorch has it of an OrderedDict: "conv1.weight".
  /// Throws ValueError for one that is taken, holds a dot, or begins with a digit.
  template <OwnedModule M> Sequential& append(std::string name, M&& module) {
    return append(std::move(name), std::make_unique<M>(std::move(module)));
  }
  /// Likewise.
  Sequential& append(std::string name, std::unique_ptr<Module> module);
  /// Moves all modules of `other` to the end.
  Sequential& extend(Sequential&& other);

  Variable forward(const Variable& x) override;
};

}  // namespace gradus
