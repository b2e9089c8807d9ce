// Adam, and AdamW, which decays the weights beside the gradient instead of through it.
//
//   g ← dL/dp + weight_decay·p                  (AdamW: p ← p·(1 - lr·weight_decay), g ← dL/dp)
//   m ← beta1·m + (1 - beta1)·g
//   v ← beta2·v + (1 - beta2)·g²
//   p ← p - lr/(1 - beta1^t) · m / (√v/√(1 - beta2^t) + eps)          t = 1, 2, ...
//
// With amsgrad the greatest v so far takes the place of v in the last line: S. Reddi, S. Kale,
// S. Kumar, "On the convergence of Adam and beyond", ICLR 2018.
//
// D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
// I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2, with
// lr as the schedule.
#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus {

/// Options of Adam, as the formulas above name them.
struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
};

/// Adam, by the formulas above.
class Adam final : public Optimizer {
 public:
  /// Throws ValueError for negative or non-finite options and for a beta outside 0 <= beta < 1.
  explicit Adam(std::vector<Variable> parameters, const AdamOptions& options = {});
  explicit Adam(const std::vector<ParameterGroup<AdamOptions>>& groups);

 private:
  void update(const Part& part, std::int64_t begin, std::int64_t end) const override;
  std::vector<AdamOptions> options_;  // by group
};

/// Options of AdamW, as the formulas above name them.
struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
};

/// AdamW, by the formulas above.
class AdamW final : public Optimizer {
 public:
  /// Throws ValueError as Adam does.
  explicit AdamW(std::vector<Variable> parameters, const AdamWOptions& options = {});
  explicit AdamW(const std::vector<ParameterGroup<AdamWOptions>>& groups);

 private:
  void update(const Part& part, std::int64_t begin, std::int64_t end) const override;
  std::vector<AdamWOptions> options_;  // by group
};

}  // namespace gradus
