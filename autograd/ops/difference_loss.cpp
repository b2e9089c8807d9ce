// Losses that measure how far a prediction is from a number. All go by the difference alone, and all but
// one are composed; Huber's is an op, for its slope is one clamp where a chain of choices would be many
// passes, and 0·∞ for an infinite difference.
#include <gradus/autograd/ops/chapter.h>
#include <gradus/autograd/ops/losses.h>

#include <cmath>

namespace gradus {
namespace ops {

/// y = c·(d - c/2) with c = d limited to -delta..delta        dL/dd = dL/dy·c
/// That is d²/2 where |d| <= delta, and delta·(|d| - delta/2) beyond.
/// P. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.
struct HuberLoss final : Op {
  static constexpr std::string_view name = "huber_loss";
  double delta;
  Variable d;

  explicit HuberLoss(double limit) : delta(limit) {}

  Tensor forward(const Variable& difference) {
    if (needs(0)) d = difference;
    const Tensor c = core::clamp(difference.value(), -delta, delta);
    return c * (difference.value() - c * 0.5);
  }

  Variables backward(const Variable& dy) override { return {mul(dy, clamp(d, -delta, delta))}; }

  /// A difference and a product; and delta is rounded to float32, which changes y by no more than u·|y|
  /// (∂y/∂delta = |d| - delta) and the slope by a rounding beside its product.
  Rounding rounding() const { return elementwise(3, 2); }
};

namespace {

Variable difference_of(std::string_view op, const Operand& prediction, const Variable& target) {
  check_alike(op, "prediction", prediction, "target", target);
  return sub(prediction, target);
}

}  // namespace
}  // namespace ops

Variable mse_loss(const Operand& prediction, const Variable& target, Reduction reduction) {
  const Variable difference = ops::difference_of("mse_loss", prediction, target);
  const Place at = prediction.at();
  return ops::reduced("mse_loss", {mul({difference, at}, difference), at}, reduction);
}

Variable l1_loss(const Operand& prediction, const Variable& target, Reduction reduction) {
  const Variable difference = ops::difference_of("l1_loss", prediction, target);
  const Place at = prediction.at();
  return ops::reduced("l1_loss", {abs({difference, at}), at}, reduction);
}

Variable huber_loss(const Operand& prediction, const Variable& target,
                    const HuberLossOptions& options) {
  constexpr std::string_view name = ops::HuberLoss::name;
  if (!(options.delta > 0) || !std::isfinite(options.delta))
    fail<ValueError>(name, ": delta must be positive and finite, got ", options.delta);
  const Variable difference = ops::difference_of(name, prediction, target);
  const Place at = prediction.at();
  const Variable losses = apply(ops::HuberLoss(options.delta), {difference, at});
  return ops::reduced(name, {losses, at}, options.reduction);
}

Variable smooth_l1_loss(const Operand& prediction, const Variable& target,
                        const SmoothL1LossOptions& options) {
  constexpr std::string_view name = "smooth_l1_loss";
  if (!(options.beta >= 0) || !std::isfinite(options.beta))
    fail<ValueError>(name, ": beta must be finite and at least 0, got ", options.beta);
  const Variable difference = ops::difference_of(name, prediction, target);
  const Place at = prediction.at();
  if (options.beta == 0) return ops::reduced(name, {abs({difference, at}), at}, options.reduction);
  const Variable scaled = apply(ops::HuberLoss(options.beta), {difference, at});
  return ops::reduced(name, {div({scaled, at}, options.beta), at}, options.reduction);
}

}  // namespace gradus
