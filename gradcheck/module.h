// Gradient checks of modules: the input and every parameter, under their names, with or without a
// loss on top.
//
//   MyLayer layer(4);
//   GradcheckReport report = gradcheck(layer, x);
//   std::cout << report << "\n";
//
// A module that draws random numbers or keeps running statistics is not a function: calling it
// twice gives two answers. So each call starts from the same state: the buffers and the generators
// that visit() names, and default_generator(), are put back first. Training or evaluation stay as
// the module has them.
#pragma once

#include <gradus/gradcheck/gradcheck.h>
#include <gradus/gradcheck/taylor.h>
#include <gradus/layers/module.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gradus {

/// A module as a function of its input and its parameters: function({x, parameter, ...}). While it
/// lives it borrows the module, which must not be moved or used; then everything is as it was.
class ModuleFunction {
 public:
  /// From the output to one number.
  using Loss = std::function<Variable(const Variable& output)>;

  explicit ModuleFunction(Module& module, Loss loss = {});
  ~ModuleFunction();
  ModuleFunction(const ModuleFunction&) = delete;
  ModuleFunction& operator=(const ModuleFunction&) = delete;

  /// x and each parameter as float64 leaves; an integer x is a constant.
  Variables inputs(const Tensor& x) const;
  /// "x", "weight", "bias", "0.weight", ...
  const std::vector<std::string>& names() const { return names_; }
  /// loss(module(inputs[0])) with the other inputs in the place of the parameters, and buffers of
  /// their dtype.
  Variable operator()(const Variables& inputs) const;
  /// What visit() forgot: leaves that take part in module(x), in its own dtype, and have no name. Empty
  /// too where the module throws.
  std::vector<Diagnosis> forgotten(const Tensor& x) const;

 private:
  struct Places;
  void put_back() const;
  Variable run(const Variable& x, DType dtype) const;

  Module& module_;
  Loss loss_;
  std::unique_ptr<Places> places_;
  std::vector<Variable> parameters_;
  std::vector<std::string> names_;
};

/// Checks d(module(x))/dx and d(module(x))/d(parameter) in float64, whatever the module's dtype.
/// Shapes: those of module(x). Errors: those of gradcheck(). A parameter that visit() forgot stays in its
/// own dtype, so the module may fail in float64: that is no error then but a verdict, with its name.
GradcheckReport gradcheck(Module& module, const Tensor& x, const GradcheckOptions& options = {});
/// Likewise for loss(module(x)): a whole model.
GradcheckReport gradcheck(Module& module, const Tensor& x, const ModuleFunction::Loss& loss,
                          const GradcheckOptions& options = {});
/// gradcheck() at several inputs x, `options.points` of them, of whatever sizes.
GradcheckReport gradcheck_points(Module& module, const std::function<Tensor(Generator&)>& generate,
                                 const GradcheckOptions& options = {});
/// The same: gradcheck(layer, [](Generator& g) { return randn({2, 4}, g); }).
template <class Generate>
requires std::is_invocable_r_v<Tensor, Generate&, Generator&> GradcheckReport
gradcheck(Module& module, Generate generate, const GradcheckOptions& options = {}) {
  return gradcheck_points(module, std::function<Tensor(Generator&)>(std::move(generate)), options);
}
/// The second derivatives of module(x).
GradcheckReport gradgradcheck(Module& module, const Tensor& x,
                              const GradcheckOptions& options = {});
/// The proof in float32 of module(x), or of loss(module(x)): each call of an op and each derivative,
/// under the name of the module that makes it.
Float32Report gradcheck_float32(Module& module, const Tensor& x,
                                const ModuleFunction::Loss& loss = {},
                                const Float32Options& options = {});
/// taylor_test() of loss(module(x)) along random directions
/// through the input and all parameters together.
TaylorReport taylor_test(Module& module, const Tensor& x, const ModuleFunction::Loss& loss,
                         const TaylorOptions& options = {});

}  // namespace gradus
