// Losses, with the checks that a loss owes its user. Cross-entropy, which every classifier ends
// with, is an op; the others are composed.
#include <gradus/autograd/ops/chapter.h>

namespace gradus {
namespace ops {
namespace {

Variable reduced(const Operand& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::none:
      return losses;
    case Reduction::sum:
      return sum(losses);
    case Reduction::mean:
      return mean(losses);
  }
  return losses;
}

Variable picked(const Operand& log_probabilities, const Tensor& labels) {
  const Place at = log_probabilities.at();
  return neg({squeeze({gather(log_probabilities, 1, labels.unsqueeze(1)), at}, 1), at});
}

}  // namespace

/// L = -ln softmax(x)[label], then their sum or mean
/// dL/dx = (softmax(x) - onehot(label))·dL/dL[label]
struct CrossEntropy final : Op {
  static constexpr std::string_view name = "cross_entropy";
  Tensor labels;
  Reduction reduction;
  Variable x;
  Tensor softmax_of_x;

  CrossEntropy(Tensor l, Reduction r) : labels(std::move(l)), reduction(r) {}

  Tensor forward(const Variable& logits) {
    keeps(labels, "labels");
    const core::CrossEntropyResult result = core::cross_entropy(logits.value(), labels, needs(0));
    if (needs(0)) {
      x = logits;
      softmax_of_x = result.softmax;
    }
    if (reduction == Reduction::none) return result.losses;
    return reduction == Reduction::sum ? core::sum(result.losses) : core::mean(result.losses);
  }

  Variables backward(const Variable& dy) override {
    const double scale = reduction == Reduction::mean ? 1 / static_cast<double>(labels.numel()) : 1;
    if (!grad_enabled()) return {core::cross_entropy_grad(dy.value(), softmax_of_x, labels, scale)};
    // The same, made of ops: it depends on x through the softmax.
    const Tensor one_hot =
        scatter_add(x.shape(), 1, labels.unsqueeze(1), ones(labels.unsqueeze(1).shape(), x.dtype()))
            .value();
    const Variable slope = reduction == Reduction::none ? unsqueeze(dy, 1) : dy;
    return {mul(mul(sub(softmax(x, 1), one_hot), slope), scale)};
  }

  /// A loss is ln Σ - (x-m)[label]: the sum's relative error, two roundings of what the library's
  /// logarithm gives in float64, the rounded difference, and a rounding of the loss. A slope is
  /// (e/Σ - onehot)·(scale·dL/dL): both exponentials and a quotient, the difference, and the
  /// rounded scale, with two products.
  Rounding rounding() const {
    const auto at_label = [l = labels](const Tensor& t) {
      return core::gather(t, 1, l.unsqueeze(1)).squeeze(1);
    };
    const auto value = [=, r = reduction](const RoundingCall& call) {
      const Tensor& logits = call.inputs[0];
      if (logits.numel() == 0) return zeros_like(call.y);
      const Exponentials e(logits, {1});
      const Tensor logarithm = core::add(e.all, core::mul(core::abs(e.log_of_sum), 2));
      const Tensor difference = core::abs(at_label(e.shifted));
      const Tensor loss = core::abs(core::sub(e.log_of_sum.squeeze(1), at_label(e.shifted)));
      const Tensor error =
          core::mul(core::add(core::add(logarithm.squeeze(1), difference), loss), unit_roundoff);
      if (r == Reduction::none) return error;
      const Tensor all = r == Reduction::sum ? core::sum(error) : core::mean(error);
      return core::add(all, core::mul(core::abs(call.y), 2 * unit_roundoff));
    };
    const double scale = reduction == Reduction::mean ? 1 / static_cast<double>(labels.numel()) : 1;
    const auto gradients = [=](const RoundingCall& call) {
      const Tensor& logits = call.inputs[0];
      if (logits.numel() == 0) return std::vector<Tensor>{zeros_like(logits)};
      const Exponentials e(logits, {1});
      const Tensor share_error = core::mul(e.share, core::add(core::add(e.one, e.all), 1));
      const Tensor slope = core::mul(
          core::abs(call.dy.rank() == 0 ? call.dy : call.dy.unsqueeze(1)), scale * unit_roundoff);
      return std::vector<Tensor>{
          core::add(core::mul(share_error, slope),
                    core::mul(core::abs(call.gradients[0]), 4 * unit_roundoff))};
    };
    return {.value = value, .gradients = gradients};
  }
};

}  // namespace ops

Variable cross_entropy(const Operand& logits, const Tensor& labels, Reduction reduction) {
  return apply(ops::CrossEntropy(labels, reduction), logits);
}

Variable nll_loss(const Operand& log_probabilities, const Tensor& labels, Reduction reduction) {
  core::check_labels("nll_loss", log_probabilities->value(), labels);
  return ops::reduced({ops::picked(log_probabilities, labels), log_probabilities.at()}, reduction);
}

Variable mse_loss(const Operand& prediction, const Variable& target, Reduction reduction) {
  if (prediction->shape() != target.shape()) {
    fail<ShapeError>("mse_loss: prediction ", prediction->shape(), " and target ", target.shape(),
                     " differ");
  }
  if (prediction->dtype() != target.dtype()) {
    fail<DTypeError>("mse_loss: prediction is ", describe(prediction->value()), ", target is ",
                     describe(target.value()), "; ",
                     cast_to_match(prediction->dtype(), target.dtype()));
  }
  dispatch_floating("mse_loss", prediction->dtype(), []<class T>() {});
  const Variable difference = prediction - target;
  const Place at = prediction.at();
  return ops::reduced({mul({difference, at}, difference), at}, reduction);
}

}  // namespace gradus
