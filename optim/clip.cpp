// Clipping: one pass for the norm, one for the factor.
#include <gradus/core/math.h>
#include <gradus/optim/clip.h>

#include <algorithm>
#include <cmath>

namespace gradus {
namespace {

/// Σ|g|^p, or the greatest |g|; in float64.
double part_of_norm(const Tensor& gradient, double p) {
  if (gradient.numel() == 0) return 0;
  const Tensor sizes = core::abs(gradient.to(float64));
  if (std::isinf(p)) return core::max(sizes).item();
  return core::sum(p == 2 ? core::mul(sizes, sizes) : core::pow(sizes, p)).item();
}

}  // namespace

double clip_grad_norm_(const std::vector<Variable>& parameters,
                       const ClipGradNormOptions& options) {
  if (!(options.max_norm >= 0))
    fail<ValueError>("clip_grad_norm_: max_norm must be at least 0, got ", options.max_norm);
  if (!(options.norm_type > 0))
    fail<ValueError>("clip_grad_norm_: norm_type must be above 0, got ", options.norm_type);
  const double p = options.norm_type;
  double total = 0;
  for (const Variable& parameter : parameters) {
    if (!parameter.grad().defined()) continue;
    const double part = part_of_norm(parameter.grad().value(), p);
    // std::max drops a NaN that comes second.
    total = !std::isinf(p) ? total + part : std::isnan(part) ? part : std::max(total, part);
  }
  const double norm = std::isinf(p) ? total : std::pow(total, 1 / p);
  if (options.error_if_nonfinite && !std::isfinite(norm))
    fail<ValueError>("clip_grad_norm_: the norm of the gradients is ", norm);
  const double factor = options.max_norm / (norm + 1e-6);
  if (factor >= 1) return norm;
  for (const Variable& parameter : parameters) {
    if (parameter.grad().defined()) core::mul_(parameter.grad().value(), factor);
  }
  return norm;
}

double clip_grad_norm_(const std::vector<Variable>& parameters, double max_norm) {
  return clip_grad_norm_(parameters, {.max_norm = max_norm});
}

void clip_grad_value_(const std::vector<Variable>& parameters, double value) {
  if (!(value >= 0)) fail<ValueError>("clip_grad_value_: value must be at least 0, got ", value);
  for (const Variable& parameter : parameters) {
    if (!parameter.grad().defined()) continue;
    const Tensor& gradient = parameter.grad().value();
    gradient.copy_(core::clamp(gradient, -value, value));
  }
}

}  // namespace gradus
