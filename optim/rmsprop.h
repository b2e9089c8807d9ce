// RMSprop: each step divided by the root of a moving average of squared gradients.
//
//   g ← dL/dp + weight_decay·p
//   s ← alpha·s + (1 - alpha)·g²
//   a ← alpha·a + (1 - alpha)·g                 (centered only: r = √(s - a²) + eps)
//   r = √s + eps
//   p ← p - lr·g/r                              (momentum: b ← momentum·b + g/r, p ← p - lr·b)
//
// T. Tieleman, G. Hinton, lecture 6.5 of "Neural networks for machine learning", Coursera 2012;
// centered: A. Graves, "Generating sequences with recurrent neural networks", arXiv:1308.0850. In
// PyTorch's form, with eps outside of the root.
#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus {

/// Options of RMSprop, as the formulas above name them.
struct RMSpropOptions {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
};

/// RMSprop, by the formulas above.
class RMSprop final : public Optimizer {
 public:
  /// Throws ValueError for negative or non-finite options and for alpha outside 0 <= alpha < 1.
  explicit RMSprop(std::vector<Variable> parameters, const RMSpropOptions& options = {});
  explicit RMSprop(const std::vector<ParameterGroup<RMSpropOptions>>& groups);

 private:
  void update(const Part& part, std::int64_t begin, std::int64_t end) const override;
  bool has_momentum_;                    // in any group
  std::vector<RMSpropOptions> options_;  // by group
};

}  // namespace gradus
