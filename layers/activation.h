// Activations: the nonlinearities between linear layers. Elementwise, any shape, no parameters.
#pragma once

#include <gradus/layers/module.h>

namespace gradus {

/// y = max(x, 0); NaN passes.
class ReLU final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = tanh(x)
class Tanh final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = 1/(1 + exp(-x))
class Sigmoid final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

}  // namespace gradus
