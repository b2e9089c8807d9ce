// Containers: modules in a row. ModuleContainer is the row, ModuleList nothing but it, Sequential
// (sequential.h) runs it. Children are named by their index, as in PyTorch: "0.weight"; or by a name
// of their own.
#pragma once

#include <gradus/layers/module.h>

#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace gradus {

/// A module given away: a temporary, or std::move of a named one.
template <class M>
concept OwnedModule =
    std::derived_from<M, Module> && !std::is_reference_v<M> && !std::is_const_v<M>;

/// Base of containers: modules in a row, each with a name.
class ModuleContainer : public Module {
  struct Entry {
    std::string name;  // empty: the index
    std::unique_ptr<Module> module;
  };

 public:
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  /// Throws ValueError unless index < size().
  Module& operator[](std::size_t index);
  const Module& operator[](std::size_t index) const;
  /// The module at `index` as what it is: net.get<Linear>(3).weight. Throws ValueError
  /// for another type.
  template <std::derived_from<Module> M> M& get(std::size_t index) {
    if (M* found = dynamic_cast<M*>(&(*this)[index])) return *found;
    wrong_type(index);
  }

  /// Moves `module` to the place `index`, 0..size(); those behind it move on by one. Throws ValueError
  /// for another index.
  template <OwnedModule M> void insert(std::size_t index, M&& module) {
    insert(index, std::make_unique<M>(std::move(module)));
  }
  /// The same for a module whose type is known at run time only. Throws ValueError for null.
  void insert(std::size_t index, std::unique_ptr<Module> module);
  /// Takes the module at `index` out; those behind it move up. Throws ValueError unless index < size().
  std::unique_ptr<Module> pop(std::size_t index);
  /// Puts `module` in the place of that at `index`, under its name, and gives that back.
  template <OwnedModule M> std::unique_ptr<Module> replace(std::size_t index, M&& module) {
    return replace(index, std::make_unique<M>(std::move(module)));
  }
  /// The same for a module whose type is known at run time only.
  std::unique_ptr<Module> replace(std::size_t index, std::unique_ptr<Module> module);

  /// for (Module& module : list)
  template <class Element, class Base> class Iterator {
   public:
    explicit Iterator(Base at) : at_(at) {}
    Element& operator*() const { return *at_->module; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    Base at_;
  };
  auto begin() { return Iterator<Module, Entry*>(entries_.data()); }
  auto end() { return Iterator<Module, Entry*>(entries_.data() + entries_.size()); }
  auto begin() const { return Iterator<const Module, const Entry*>(entries_.data()); }
  auto end() const {
    return Iterator<const Module, const Entry*>(entries_.data() + entries_.size());
  }

  void visit(Visitor& v) override;

 protected:
  ModuleContainer() = default;
  /// Throws ValueError for a name that is taken, or that no module may have.
  void check_name(const std::string& name) const;
  /// To the end, under a name of its own where that is not empty. Throws ValueError for a null module,
  /// and for a name that is taken, holds a dot, or begins with a digit as an index does.
  void add(std::string name, std::unique_ptr<Module> module);
  /// All modules of `other`, to the end; it is empty then.
  void add_all(ModuleContainer&& other);

 private:
  void check_index(std::size_t index) const;
  void check_module(const std::unique_ptr<Module>& module) const;
  [[noreturn]] void wrong_type(std::size_t index) const;
  std::vector<Entry> entries_;
};

/// Modules that a module of one's own uses in a loop, or one by one. It has no forward.
///
///   struct Net : Module {
///     ModuleList layers{Linear{4, 8}, Linear{8, 8}};
///     void visit(Visitor& v) override { v("layers", layers); }
///     Variable forward(const Variable& x) override {
///       Variable y = x;
///       for (Module& layer : layers) y = tanh(layer(y));
///       return y;
///     }
///   };
///
/// ModuleList{ModuleList{...}} with nothing else beside it is a move, not a nesting; use append().
class ModuleList final : public ModuleContainer {
 public:
  ModuleList() = default;
  template <OwnedModule... Ms>
  requires(sizeof...(Ms) > 0) explicit ModuleList(Ms&&... modules) {
    (append(std::move(modules)), ...);
  }

  /// Moves `module` to the end. Returns this list, so that calls chain.
  template <OwnedModule M> ModuleList& append(M&& module) {
    return append(std::make_unique<M>(std::move(module)));
  }
  /// The same for a module whose type is known at run time only. Throws ValueError for null.
  ModuleList& append(std::unique_ptr<Module> module);
  /// Moves all modules of `other` to the end.
  ModuleList& extend(ModuleList&& other);

  /// Throws ValueError: who has a list runs its modules.
  Variable forward(const Variable& x) override;
};

}  // namespace gradus
