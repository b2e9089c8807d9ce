// LayerSample: one call of a module for the gradient checker, with every parameter as an
// input of its own.
//
// A layer that draws random numbers or keeps running statistics is not a function: calling it twice
// gives two answers, and finite differences of it mean nothing. So a sample does not hold a module,
// it holds how to make one, and makes a fresh one for each call.
#pragma once

#include <gradus/core/random.h>
#include <gradus/gradcheck/sample.h>
#include <gradus/layers/module.h>

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace gradus {

/// A Sample whose inputs are x and then each parameter, all float64 and all requiring a gradient.
struct LayerSample : Sample {
  std::vector<std::string> names;  ///< of the inputs: "x", "weight", "bias", "0.weight", ...
};

/// Of a module as `make` makes it; `make` must give the same one each time (seed its generator).
/// The module is cast to float64. Throws DTypeError unless x is float64.
LayerSample module_sample(std::string description, std::function<std::unique_ptr<Module>()> make,
                          const Tensor& x);

/// The same for a `make` that returns the module itself:
///   LayerSample s = module_sample("mine", [] { Generator g(1); return MyLayer(4, g); }, x);
///   GradcheckReport report = gradcheck(s.function, s.inputs);
template <class Make>
requires std::derived_from<std::invoke_result_t<Make>, Module> LayerSample
module_sample(std::string description, Make make, const Tensor& x) {
  using M = std::invoke_result_t<Make>;
  return module_sample(
      std::move(description),
      [make = std::move(make)]() -> std::unique_ptr<Module> { return std::make_unique<M>(make()); },
      x);
}

/// float64 numbers in random order, 0.1 apart and none nearer to 0 than 0.05: input for functions
/// with kinks, whose finite differences must not step over one.
Tensor spaced(const Shape& shape, Generator& generator);

}  // namespace gradus
