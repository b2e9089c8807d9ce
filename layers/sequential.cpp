// Sequential: a loop over its children, in which a module and the ReLU behind it are one step, also where nothing but
// an Identity stands between.
#include <gradus/layers/activation.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

namespace gradus {
namespace {

/// Is it a module of that kind that nobody watches?
template <class M> bool is_plain(const Module& module) {
  return dynamic_cast<const M*>(&module) != nullptr && !module.has_hooks();
}

}  // namespace

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
    std::size_t next = i + 1;  // to be run behind `module`, or fused into it
    while (next < size() && is_plain<Identity>((*this)[next])) ++next;
    Variable both;
    if (next < size() && is_plain<ReLU>((*this)[next]))
      both = module.fused(y, Activation::relu, at);
    y = both.defined() ? both : module(y, Activation::none, at);
    if (!both.defined()) continue;
    for (++i; i < next; ++i) y = (*this)[i](y, Activation::none, at);
  }
  return y;
}

}  // namespace gradus
