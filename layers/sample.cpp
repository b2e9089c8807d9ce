// How a module's parameters become inputs: a fresh module is made for each call, and each of its
// parameters is replaced by the Variable that the caller gives.
#include <gradus/core/create.h>
#include <gradus/layers/sample.h>

#include <algorithm>
#include <cstddef>

namespace gradus {
namespace {

/// Puts inputs[1], inputs[2], ... in the place of a module's parameters; a shared one in all its
/// places.
class Binder final : public Visitor {
 public:
  Binder(Module& module, const Variables& inputs)
      : originals_(module.parameters()), inputs_(inputs) {
    module.apply([this](Module& each) { each.visit(*this); });
  }

  void operator()(std::string_view, Variable& parameter) override {
    if (!parameter.defined()) return;
    const auto same = [&](const Variable& original) {
      return &original.value() == &parameter.value();
    };
    const auto at = std::find_if(originals_.begin(), originals_.end(), same);
    if (at == originals_.end()) return;  // replaced already, through another name of its module
    parameter = inputs_[1 + static_cast<std::size_t>(at - originals_.begin())];
  }
  void operator()(std::string_view, Tensor&) override {}
  void operator()(std::string_view, Module&) override {}  // apply() comes to each

 private:
  std::vector<Variable> originals_;
  const Variables& inputs_;
};

}  // namespace

LayerSample module_sample(std::string description, std::function<std::unique_ptr<Module>()> make,
                          const Tensor& x) {
  if (x.dtype() != float64) {
    fail<DTypeError>("module_sample: the gradient checker needs float64, x is ", describe(x));
  }
  LayerSample sample;
  sample.description = std::move(description);
  sample.names.push_back("x");
  sample.inputs.push_back(Variable(x, true));
  const std::unique_ptr<Module> module = make();
  module->to(float64);
  for (const auto& [name, parameter] : module->named_parameters()) {
    sample.names.push_back(name);
    sample.inputs.push_back(Variable(parameter.value(), true));
  }
  sample.function = [make = std::move(make)](const Variables& inputs) {
    const std::unique_ptr<Module> fresh = make();
    fresh->to(float64);
    Binder(*fresh, inputs);
    return (*fresh)(inputs.at(0));
  };
  return sample;
}

Tensor spaced(const Shape& shape, Generator& generator) {
  const std::int64_t count = shape.numel();
  const Tensor order = randperm(count, generator);
  const Tensor values = Tensor::empty(shape, float64);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t steps = order.data<std::int64_t>()[i] - count / 2;
    values.data<double>()[i] = 0.1 * static_cast<double>(steps) + 0.05;
  }
  return values;
}

}  // namespace gradus
