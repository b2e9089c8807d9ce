// How far a step of an optimizer in float32 may lie from the same step in float64: what SGD and Adam
// state, as ops do in core/rounding.h. The numbers and the coefficients are float32's in
// both, so nothing but the roundings of update.h's formulas lies between.
//
// In units of u = 2⁻²⁴, for each element, G = |g| + weight_decay·|p|:
//   g decayed                                            2·G
//   b' = momentum·b + damped·g        B = momentum·|b| + damped·G           4·B
//   direction (Nesterov: g + momentum·b', D = G + momentum·B)       6·D    (else D = B or G)
//   p' = p - lr·direction                                |p| + 8·lr·D
//   m' = beta1·m + rest1·g            M = beta1·|m| + rest1·G               4·M
//   v' = beta2·v + rest2·g·g          V = beta2·v + rest2·G²                7·V
//   r  = √v'/root_correction + eps    of itself: 7/2·V/v' + 3 (the root halves an error)
//   p' = shrink·p - size·m'/r         2·shrink·|p| + size·(4·M + |m'|·(7/2·V/v' + 6))/r
// Each line counts the roundings of its own operations and what it got from the line above.
#pragma once

#include <gradus/gradcheck/gradcheck.h>
#include <gradus/optim/update.h>

#include <vector>

namespace gradus {

/// What an optimizer keeps for a parameter, beside the parameter itself, and what it got. [n], float32.
struct OptimizerNumbers {
  Tensor parameter, grad;
  std::vector<Tensor> state{};  ///< b; or m and v
};

/// The step in float32, the same in float64, and the bounds: first of p, then of each state.
std::vector<Float32Comparison> compare_sgd_update(const OptimizerNumbers& before,
                                                  const detail::SgdStep<float>& step);
std::vector<Float32Comparison> compare_adam_update(const OptimizerNumbers& before,
                                                   const detail::AdamStep<float>& step);

}  // namespace gradus
