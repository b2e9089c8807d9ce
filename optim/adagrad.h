// Adagrad: each step divided by the root of the sum of all squared gradients so far.
//
//   g ← dL/dp + weight_decay·p
//   s ← s + g²                                  (s starts with initial_accumulator_value)
//   p ← p - lr/(1 + (t - 1)·lr_decay) · g/(√s + eps)          t = 1, 2, ...
//
// J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and stochastic
// optimization", JMLR 12, 2011.
#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus {

/// Options of Adagrad, as the formulas above name them.
struct AdagradOptions {
  double lr = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
};

/// Adagrad, by the formulas above.
class Adagrad final : public Optimizer {
 public:
  /// Throws ValueError for negative or non-finite options.
  explicit Adagrad(std::vector<Variable> parameters, const AdagradOptions& options = {});
  explicit Adagrad(const std::vector<ParameterGroup<AdagradOptions>>& groups);

 private:
  void begin_step(State& state, std::size_t group) const override;
  void update(const Part& part, std::int64_t begin, std::int64_t end) const override;
  std::vector<AdagradOptions> options_;  // by group
};

}  // namespace gradus
