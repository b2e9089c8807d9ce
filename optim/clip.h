// Clipping of gradients, between backward() and the optimizer's step.
#pragma once

#include <gradus/autograd/variable.h>

#include <vector>

namespace gradus {

/// Of clip_grad_norm_().
struct ClipGradNormOptions {
  double max_norm = 1;
  double norm_type = 2;  ///< p of (Σ|g|^p)^(1/p); infinity: the greatest |g|
  bool error_if_nonfinite = false;
};

/// Multiplies all gradients by max_norm/(norm + 1e-6) where that is below 1; norm is taken over all of them as one
/// vector. Gives the norm before. Parameters without a gradient do not count.
/// Throws ValueError for a negative max_norm, a norm_type below or at 0, and, if asked, for a norm that
/// is not finite; without asking NaN spreads into all gradients, as PyTorch's does.
/// R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks",
/// ICML 2013.
double clip_grad_norm_(const std::vector<Variable>& parameters, const ClipGradNormOptions& options);
double clip_grad_norm_(const std::vector<Variable>& parameters, double max_norm);

/// Limits each number of all gradients to -value..value. Throws ValueError for a negative value.
void clip_grad_value_(const std::vector<Variable>& parameters, double value);

}  // namespace gradus
