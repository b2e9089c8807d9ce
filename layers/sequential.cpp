// Sequential: a loop over its children, in which a module and the ReLU behind it are one step.
#include <gradus/layers/activation.h>
#include <gradus/layers/sequential.h>

namespace gradus {

Sequential& Sequential::append(std::unique_ptr<Module> module) {
  return append({}, std::move(module));
}

Sequential& Sequential::append(std::string name, std::unique_ptr<Module> module) {
  add(std::move(name), std::move(module));
  return *this;
}

Sequential& Sequential::extend(Sequential&& other) {
  add_all(std::move(other));
  return *this;
}

Variable Sequential::forward(const Variable& x) {
  Variable y = x;
  const Place at = CallScope::place(Place::here());  // where this Sequential was called
  for (std::size_t i = 0; i < size(); ++i) {
    Module& module = (*this)[i];
    Variable both;
    const auto* next = i + 1 < size() ? dynamic_cast<const ReLU*>(&(*this)[i + 1]) : nullptr;
    if (next != nullptr && !next->has_hooks()) both = module.fused(y, Activation::relu, at);
    y = both.defined() ? both : module(y, Activation::none, at);
    if (both.defined()) ++i;
  }
  return y;
}

}  // namespace gradus
