// Sequential: modules one after the other. Children are named by their index, as in
// PyTorch: "0.weight".
#pragma once

#include <gradus/layers/module.h>

#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace gradus {

struct LayerSample;

/// A module given away: a temporary, or std::move of a named one.
template <class M>
concept OwnedModule =
    std::derived_from<M, Module> && !std::is_reference_v<M> && !std::is_const_v<M>;

/// x -> last(...second(first(x))). An empty Sequential returns x.
///
///   Sequential net{Conv2d{1, 6, {.kernel_size = 5}}, ReLU{}, Flatten{}, Linear{3456, 10}};
///
/// Sequential{Sequential{...}} with nothing else beside it is a move, not a nesting; use append()
/// to nest one alone.
class Sequential final : public Module {
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

  std::size_t size() const { return modules_.size(); }
  bool empty() const { return modules_.empty(); }
  /// Throws ValueError unless index < size().
  Module& operator[](std::size_t index);
  const Module& operator[](std::size_t index) const;
  /// The module at `index` as what it is: net.get<Linear>(3).weight. Throws ValueError
  /// for another type.
  template <std::derived_from<Module> M> M& get(std::size_t index) {
    if (M* found = dynamic_cast<M*>(&(*this)[index])) return *found;
    wrong_type(index);
  }

  void visit(Visitor& v) override;
  Variable forward(const Variable& x) override;

 private:
  [[noreturn]] void wrong_type(std::size_t index) const;
  std::vector<std::unique_ptr<Module>> modules_;
};

}  // namespace gradus
