// Samples of layers: a module of the sample's own, as a function of its input and its parameters.
#include <gradus/core/create.h>
#include <gradus/gradcheck/module.h>
#include <gradus/gradcheck/module_sample.h>

namespace gradus {

LayerSample module_sample(std::string description, std::function<std::unique_ptr<Module>()> make,
                          const Tensor& x) {
  if (x.dtype() != float64) {
    fail<DTypeError>("module_sample: the gradient checker needs float64, x is ", describe(x));
  }
  // Module and function in one place: the function borrows the module.
  struct Bound {
    explicit Bound(std::unique_ptr<Module> made) : module(std::move(made)), function(*module) {}
    std::unique_ptr<Module> module;
    ModuleFunction function;
  };
  const auto bound = std::make_shared<Bound>(make());
  LayerSample sample;
  sample.description = std::move(description);
  sample.names = bound->function.names();
  sample.inputs = bound->function.inputs(x);
  sample.function = [bound](const Variables& inputs) { return bound->function(inputs); };
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
