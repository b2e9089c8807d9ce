// Stochastic gradient descent, with momentum.
//
//   g ← dL/dp + weight_decay·p
//   b ← momentum·b + (1 - dampening)·g          (b ← g at the first step)
//   p ← p - lr·b                                (Nesterov: p ← p - lr·(g + momentum·b))
//
// This is PyTorch's form, where lr multiplies the whole velocity; I. Sutskever et al., "On the
// importance of initialization and momentum in deep learning", ICML 2013, keep lr inside it. The
// two differ only when lr changes.
#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus {

/// Options of SGD, as the formulas above name them.
struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
};

/// SGD, by the formulas above.
class SGD final : public Optimizer {
 public:
  /// SGD optimizer(model.parameters(), {.lr = 0.1, .momentum = 0.9});
  /// Throws ValueError for negative or non-finite options, and for nesterov without momentum or
  /// with dampening.
  explicit SGD(std::vector<Variable> parameters, const SGDOptions& options = {});
  explicit SGD(const std::vector<ParameterGroup<SGDOptions>>& groups);

 private:
  void update(const Part& part, std::int64_t begin, std::int64_t end) const override;
  std::vector<SGDOptions> options_;  // by group
};

}  // namespace gradus
