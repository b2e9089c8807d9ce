// Sequential: a loop over its children, in which a module and the ReLU behind it are one step.
#include <gradus/layers/activation.h>
#include <gradus/layers/sequential.h>

#include <string>

namespace gradus {

Sequential& Sequential::append(std::unique_ptr<Module> module) {
  if (module == nullptr) fail<ValueError>("Sequential: cannot append a null module");
  modules_.push_back(std::move(module));
  return *this;
}

const Module& Sequential::operator[](std::size_t index) const {
  if (index >= modules_.size()) {
    fail<ValueError>("Sequential: index ", index, " is out of range for ", modules_.size(),
                     " modules");
  }
  return *modules_[index];
}

Module& Sequential::operator[](std::size_t index) {
  return const_cast<Module&>(std::as_const(*this)[index]);
}

void Sequential::wrong_type(std::size_t index) const {
  fail<ValueError>("Sequential: module ", index, " is of another type than asked for: it is ",
                   (*this)[index].kind());
}

void Sequential::visit(Visitor& v) {
  for (std::size_t i = 0; i < modules_.size(); ++i) v(std::to_string(i), *modules_[i]);
}

Variable Sequential::forward(const Variable& x) {
  Variable y = x;
  const Place at = CallScope::place(Place::here());  // where this Sequential was called
  for (std::size_t i = 0; i < modules_.size(); ++i) {
    Variable both;
    const auto* next =
        i + 1 < modules_.size() ? dynamic_cast<const ReLU*>(modules_[i + 1].get()) : nullptr;
    if (next != nullptr && !next->has_hooks()) both = modules_[i]->fused(y, Activation::relu, at);
    y = both.defined() ? both : (*modules_[i])(y, Activation::none, at);
    if (both.defined()) ++i;
  }
  return y;
}

}  // namespace gradus
