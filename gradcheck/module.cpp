// How a module becomes a function: its members are overwritten before each call, and at the end all
// of them get back what they held.
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/gradcheck/detail/contracts.h>
#include <gradus/gradcheck/module.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

namespace gradus {

/// Every member that visit() names, and what it held when the check began.
struct ModuleFunction::Places final : Visitor {
  std::vector<std::pair<Variable*, Variable>> parameters;
  std::vector<std::pair<Tensor*, Tensor>> buffers;
  std::vector<std::pair<Generator*, Generator>> generators;
  std::vector<std::pair<Module*, bool>> training;
  Generator default_state = default_generator();

  // What is not there yet, too: a first call may make it.
  void operator()(std::string_view, Variable& parameter) override {
    parameters.emplace_back(&parameter, parameter);
  }
  void operator()(std::string_view, Tensor& buffer) override {
    buffers.emplace_back(&buffer, buffer);
  }
  void operator()(std::string_view, Generator& generator) override {
    generators.emplace_back(&generator, generator);
  }
  void operator()(std::string_view, Module&) override {}  // apply() comes to each
};

ModuleFunction::ModuleFunction(Module& module, Loss loss)
    : module_(module), loss_(std::move(loss)), places_(std::make_unique<Places>()), names_{"x"} {
  module.apply([this](Module& each) { each.visit(*places_); });
  for (const auto& [name, each] : module.named_modules()) {
    places_->training.emplace_back(each, each->is_training());
  }
  for (auto& [name, parameter] : module.named_parameters()) {
    names_.push_back(name);
    parameters_.push_back(parameter);
  }
}

ModuleFunction::~ModuleFunction() { put_back(); }

void ModuleFunction::put_back() const {
  for (const auto& [place, original] : places_->parameters) *place = original;
  for (const auto& [place, original] : places_->buffers) *place = original;
  for (const auto& [place, original] : places_->generators) *place = original;
  // Parents first: train() goes down to the children.
  for (const auto& [module, training] : places_->training) module->train(training);
}

Variables ModuleFunction::inputs(const Tensor& x) const {
  const bool differentiable = is_floating(x.dtype());
  Variables all{Variable(differentiable ? x.to(float64) : x, differentiable)};
  for (const Variable& parameter : parameters_) {
    all.push_back(Variable(parameter.value().to(float64), parameter.requires_grad()));
  }
  return all;
}

namespace {

/// While it lives, default_generator() goes on from `state`; then from where it was.
class DefaultGenerator {
 public:
  explicit DefaultGenerator(const Generator& state) : before_(default_generator()) {
    default_generator() = state;
  }
  ~DefaultGenerator() { default_generator() = before_; }
  DefaultGenerator(const DefaultGenerator&) = delete;
  DefaultGenerator& operator=(const DefaultGenerator&) = delete;

 private:
  Generator before_;
};

}  // namespace

Variable ModuleFunction::operator()(const Variables& inputs) const {
  const DefaultGenerator same_every_time(places_->default_state);
  put_back();
  for (const auto& [place, original] : places_->parameters) {
    if (!original.defined()) continue;
    // One parameter may stand in several places; it is one input.
    const auto same = [&held = original](const Variable& parameter) {
      return &parameter.value() == &held.value();
    };
    const auto at = std::find_if(parameters_.begin(), parameters_.end(), same);
    *place = inputs.at(1 + static_cast<std::size_t>(at - parameters_.begin()));
  }
  const auto floating = std::find_if(inputs.begin(), inputs.end(), [](const Variable& input) {
    return is_floating(input.dtype());
  });
  return run(inputs.at(0), floating == inputs.end() ? float64 : floating->dtype());
}

/// With copies of the buffers, in `dtype`: a call may write to them.
Variable ModuleFunction::run(const Variable& x, DType dtype) const {
  for (const auto& [place, original] : places_->buffers) {
    if (!original.defined()) continue;
    *place = is_floating(original.dtype()) ? original.to(dtype).clone() : original.clone();
  }
  const Variable output = module_(x);
  return loss_ ? loss_(output) : output;
}

std::vector<Diagnosis> ModuleFunction::forgotten(const Tensor& x) const {
  const DefaultGenerator same_every_time(places_->default_state);
  put_back();
  std::set<const Node*> named;
  for (const Variable& parameter : parameters_) named.insert(parameter.node().get());
  const DType own = parameters_.empty() ? default_dtype() : parameters_[0].dtype();
  try {
    return unnamed_parameters(run(is_floating(x.dtype()) ? x.to(own) : x, own), named);
  } catch (const Error&) {
    return {};
  }
}

namespace {

/// The options with the names of a module's inputs and of the module itself, unless given.
template <class Options>
Options named(Options options, const Module& module, const ModuleFunction& function) {
  if (options.names.empty()) options.names = function.names();
  if (options.subject == Options().subject) options.subject = module.kind();
  return options;
}

/// check(), of the module's function with these options; what visit() forgot is a verdict.
template <class Check>
GradcheckReport unless_forgotten(const ModuleFunction& function, const Tensor& x,
                                 const GradcheckOptions& options, const Check& check) {
  try {
    return check(options);
  } catch (const DTypeError&) {
    GradcheckReport report;
    report.diagnoses = function.forgotten(x);
    if (report.diagnoses.empty()) throw;
    report.subject = options.subject;
    report.verdict = Verdict::fail;
    return report;
  }
}

}  // namespace

GradcheckReport gradcheck(Module& module, const Tensor& x, const ModuleFunction::Loss& loss,
                          const GradcheckOptions& options) {
  const ModuleFunction function(module, loss);
  return unless_forgotten(
      function, x, named(options, module, function), [&](const GradcheckOptions& all) {
        return gradcheck([&](const Variables& v) { return function(v); }, function.inputs(x), all);
      });
}

GradcheckReport gradcheck(Module& module, const Tensor& x, const GradcheckOptions& options) {
  return gradcheck(module, x, ModuleFunction::Loss(), options);
}

GradcheckReport gradcheck_points(Module& module, const std::function<Tensor(Generator&)>& generate,
                                 const GradcheckOptions& options) {
  const ModuleFunction function(module);
  Tensor last;
  return unless_forgotten(function, last, named(options, module, function),
                          [&](const GradcheckOptions& all) {
                            return gradcheck_points([&](const Variables& v) { return function(v); },
                                                    [&](Generator& generator) {
                                                      last = generate(generator);
                                                      return function.inputs(last);
                                                    },
                                                    all);
                          });
}

GradcheckReport gradgradcheck(Module& module, const Tensor& x, const GradcheckOptions& options) {
  const ModuleFunction function(module);
  return unless_forgotten(function, x, named(options, module, function),
                          [&](const GradcheckOptions& all) {
                            return gradgradcheck([&](const Variables& v) { return function(v); },
                                                 function.inputs(x), all);
                          });
}

Float32Report gradcheck_float32(Module& module, const Tensor& x, const ModuleFunction::Loss& loss,
                                const Float32Options& options) {
  const ModuleFunction function(module, loss);
  return gradcheck_float32([&](const Variables& v) { return function(v); }, function.inputs(x),
                           named(options, module, function));
}

TaylorReport taylor_test(Module& module, const Tensor& x, const ModuleFunction::Loss& loss,
                         const TaylorOptions& options) {
  const ModuleFunction function(module, loss);
  return taylor_test([&](const Variables& v) { return function(v); }, function.inputs(x), options);
}

}  // namespace gradus
