// Clipping: one pass for the norm, one for the factor.
#include <gradus/core/math.h>
#include <gradus/optim/clip.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradus {
namespace {

/// Σ|g/scale|^p over all gradients, or the greatest |g|; in float64.
double sum_of_powers(const std::vector<Variable>& parameters, double p, double scale) {
  double total = 0;
  for (const Variable& parameter : parameters) {
    if (!parameter.grad().defined() || parameter.grad().numel() == 0) continue;
    Tensor sizes = core::abs(parameter.grad().value().to(float64));
    if (scale != 1) sizes = core::div(sizes, scale);
    const double part =
        std::isinf(p) ? core::max(sizes).item()
                      : core::sum(p == 2 ? core::mul(sizes, sizes) : core::pow(sizes, p)).item();
    // std::max drops a NaN that comes second.
    total = !std::isinf(p) ? total + part : std::isnan(part) ? part : std::max(total, part);
  }
  return total;
}

double norm_of(const std::vector<Variable>& parameters, double p) {
  const double total = sum_of_powers(parameters, p, 1);
  if (std::isinf(p)) return total;
  if (total >= 1e-200 && total <= 1e300) return std::pow(total, 1 / p);
  // Powers may have left the range of a double where the norm does not.
  const double greatest = sum_of_powers(parameters, std::numeric_limits<double>::infinity(), 1);
  if (!(greatest > 0) || std::isinf(greatest)) return greatest;
  return greatest * std::pow(sum_of_powers(parameters, p, greatest), 1 / p);
}

}  // namespace

double clip_grad_norm_(const std::vector<Variable>& parameters,
                       const ClipGradNormOptions& options) {
  if (!(options.max_norm >= 0))
    fail<ValueError>("clip_grad_norm_: max_norm must be at least 0, got ", options.max_norm);
  if (!(options.norm_type > 0))
    fail<ValueError>("clip_grad_norm_: norm_type must be above 0, got ", options.norm_type);
  const double p = options.norm_type;
  const double norm = norm_of(parameters, p);
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
