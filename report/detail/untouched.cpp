// What a module holds, remembered and put back.
#include <gradus/report/detail/untouched.h>

namespace gradus::detail {

Untouched::Untouched(Module& module) : default_(default_generator()) {
  module.apply([this](Module& each) { each.visit(*this); });
  for (const auto& [name, each] : module.named_modules())
    training_.emplace_back(each, each->is_training());
  for (const auto& [place, original] : buffers_)
    if (original.defined()) *place = original.clone();
  for (const Kept& kept : parameters_) kept.original.zero_grad();
}

Untouched::~Untouched() {
  for (const Kept& kept : parameters_) {
    *kept.place = kept.original;
    if (!kept.original.defined()) continue;
    if (!same_window(kept.original.value(), kept.window)) kept.original.set_value(kept.window);
    if (kept.window.storage().version() != kept.version) kept.window.copy_(kept.numbers);
    if (kept.original.requires_grad() != kept.required_grad)
      kept.original.requires_grad_(kept.required_grad);
    kept.original.set_grad(kept.gradient);
  }
  for (const auto& [place, original] : buffers_) *place = original;
  for (const auto& [place, original] : generators_) *place = original;
  // Parents first: train() goes down to the children.
  for (const auto& [module, training] : training_) module->train(training);
  default_generator() = default_;
}

void Untouched::operator()(std::string_view, Variable& parameter) {
  if (!parameter.defined()) {
    parameters_.push_back({&parameter, {}, {}, {}, {}, 0, false});
    return;
  }
  const Tensor& value = parameter.value();
  // grad() of a parameter that is a result would be logged, and there is none.
  const Variable gradient = parameter.is_leaf() ? parameter.grad() : Variable();
  parameters_.push_back({&parameter, parameter, gradient, value, value.clone(),
                         value.storage().version(), parameter.requires_grad()});
}

void Untouched::operator()(std::string_view, Tensor& buffer) {
  buffers_.emplace_back(&buffer, buffer);
}

void Untouched::operator()(std::string_view, Generator& generator) {
  generators_.emplace_back(&generator, generator);
}

}  // namespace gradus::detail
