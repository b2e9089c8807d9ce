// NAdam: Adam with Nesterov's momentum.
//
//   g ← dL/dp + weight_decay·p
//   μ_t = beta1·(1 - 0.5·0.96^(t·momentum_decay)),   M_t = μ_1·μ_2·...·μ_t
//   m ← beta1·m + (1 - beta1)·g
//   v ← beta2·v + (1 - beta2)·g²,   r = √(v/(1 - beta2^t)) + eps
//   p ← p - lr·(1 - μ_t)/(1 - M_t)·g/r - lr·μ_{t+1}/(1 - M_{t+1})·m/r          t = 1, 2, ...
//
// T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016, in PyTorch's form.
#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus {

/// Options of NAdam, as the formulas above name them.
struct NAdamOptions {
  double lr = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum_decay = 4e-3;
};

/// NAdam, by the formulas above.
class NAdam final : public Optimizer {
 public:
  /// Throws ValueError for negative or non-finite options and for a beta outside 0 <= beta < 1.
  explicit NAdam(std::vector<Variable> parameters, const NAdamOptions& options = {});
  explicit NAdam(const std::vector<ParameterGroup<NAdamOptions>>& groups);

 private:
  void begin_step(State& state, std::size_t group) const override;
  void update(const Part& part, std::int64_t begin, std::int64_t end) const override;
  std::vector<NAdamOptions> options_;  // by group
};

}  // namespace gradus
