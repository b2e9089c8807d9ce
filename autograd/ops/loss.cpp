// Losses, with the checks that a loss owes its user. Cross-entropy, which every classifier ends
// with, is an op; the others are composed.
#include <gradus/autograd/ops/chapter.h>

namespace gradus {
namespace ops {
namespace {

Variable reduced(const Variable& losses, Reduction reduction) {
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

Variable picked(const Variable& log_probabilities, const Tensor& labels) {
  return neg(squeeze(gather(log_probabilities, 1, labels.unsqueeze(1)), 1));
}

/// Samples for a loss of (scores, labels, reduction).
template <class F> std::vector<Sample> loss_samples(F f) {
  const auto with = [f](const Tensor& labels, Reduction reduction) {
    return [=](const Variables& v) { return f(v[0], labels, reduction); };
  };
  const Tensor labels = Tensor::from({2, 0, 3, 2});
  const Tensor pixels = Tensor::from({{1, 0, 3, 3, 2}, {2, 2, 0, 1, 3}, {0, 3, 1, 1, 2}});
  const Tensor none = zeros({0}, int64);
  return {{"mean", {spread({4, 5}, 1)}, with(labels, Reduction::mean)},
          {"sum", {spread({4, 5}, 2)}, with(labels, Reduction::sum)},
          {"none", {spread({4, 5}, 3)}, with(labels, Reduction::none)},
          {"a square", {spread({4, 4}, 4)}, with(labels, Reduction::mean)},
          {"a label a pixel", {spread({3, 4, 5}, 5)}, with(pixels, Reduction::mean)},
          {"nothing", {spread({0, 3}, 6)}, with(none, Reduction::sum)}};
}

/// For the proof in float32, of a loss of (scores, labels, reduction).
template <class F> std::vector<Sample> loss_training_samples(F f) {
  const auto with = [f](Reduction reduction) {
    return [=](const Variables& v) {
      Generator generator(1);
      Shape shape;
      for (int d = 0; d < v[0].rank(); ++d) {
        if (d != 1) shape.push_back(v[0].size(d));
      }
      return f(v[0], randint(0, v[0].size(1), shape, generator), reduction);
    };
  };
  std::vector<Sample> all{{"ten classes", {spread({128, 10}, 1)}, with(Reduction::mean)},
                          {"a thousand classes", {spread({64, 1000}, 2)}, with(Reduction::mean)},
                          {"classes of pixels", {spread({4, 19, 33, 31}, 3)}, with(Reduction::sum)},
                          {"far apart", {spread({64, 33}, 4, {-60, 60})}, with(Reduction::none)}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), {spread({33, size}, 5)}, with(Reduction::mean)});
  return all;
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

  static std::vector<Sample> samples() {
    return loss_samples(
        [](const Variable& v, const Tensor& t, Reduction r) { return cross_entropy(v, t, r); });
  }

  static std::vector<Sample> training_samples() {
    return loss_training_samples(
        [](const Variable& v, const Tensor& t, Reduction r) { return cross_entropy(v, t, r); });
  }
};

/// L = -x[label]        dL/dx = -onehot(label)
struct NllLoss {
  static constexpr std::string_view name = "nll_loss";

  static std::vector<Sample> samples() {
    return loss_samples(
        [](const Variable& x, const Tensor& t, Reduction r) { return nll_loss(x, t, r); });
  }

  static std::vector<Sample> training_samples() {
    return loss_training_samples(
        [](const Variable& x, const Tensor& t, Reduction r) { return nll_loss(x, t, r); });
  }
};

/// L = (x - t)²        dL/dx = 2(x - t)
struct MseLoss {
  static constexpr std::string_view name = "mse_loss";

  static std::vector<Sample> samples() {
    const auto with = [](Reduction r) {
      return [r](const Variables& v) { return mse_loss(v[0], v[1], r); };
    };
    return {{"mean", {spread({3, 4, 5}, 1), spread({3, 4, 5}, 2)}, with(Reduction::mean)},
            {"sum", {spread({3, 4}, 3), spread({3, 4}, 4)}, with(Reduction::sum)},
            {"none", {spread({4, 4}, 5), spread({4, 4}, 6)}, with(Reduction::none)},
            {"scalars", {spread({}, 7), spread({}, 8, {-1, 3})}, with(Reduction::mean)},
            {"nothing", {spread({0, 3}, 9), spread({0, 3}, 10)}, with(Reduction::sum)},
            {"the same twice", {spread({3, 3}, 11)}, [](const Variables& v) {
               return mse_loss(v[0], transpose(v[0]));  // of v and v itself it would be 0
             }}};
  }

  static std::vector<Sample> training_samples() {
    const auto with = [](Reduction r) {
      return [r](const Variables& v) { return mse_loss(v[0], v[1], r); };
    };
    std::vector<Sample> all{
        {"many", {spread({many_elements}, 1), spread({many_elements}, 2)}, with(Reduction::mean)},
        {"rows", {spread({257, 97}, 3), spread({257, 97}, 4)}, with(Reduction::sum)}};
    for (const std::int64_t size : remainders) {
      all.push_back(
          {size_name(size), {spread({33, size}, 5), spread({33, size}, 6)}, with(Reduction::mean)});
    }
    return all;
  }
};

template OpInfo op_info<CrossEntropy>();
template OpInfo op_info<NllLoss>();
template OpInfo op_info<MseLoss>();

}  // namespace ops

Variable cross_entropy(const Variable& logits, const Tensor& labels, Reduction reduction) {
  return apply(ops::CrossEntropy(labels, reduction), logits);
}

Variable nll_loss(const Variable& log_probabilities, const Tensor& labels, Reduction reduction) {
  core::check_labels("nll_loss", log_probabilities.value(), labels);
  return ops::reduced(ops::picked(log_probabilities, labels), reduction);
}

Variable mse_loss(const Variable& prediction, const Variable& target, Reduction reduction) {
  if (prediction.shape() != target.shape()) {
    fail<ShapeError>("mse_loss: prediction ", prediction.shape(), " and target ", target.shape(),
                     " differ");
  }
  if (prediction.dtype() != target.dtype()) {
    fail<DTypeError>("mse_loss: prediction is ", describe(prediction.value()), ", target is ",
                     describe(target.value()), "; cast one with .to(", prediction.dtype(), ")");
  }
  dispatch_floating("mse_loss", prediction.dtype(), []<class T>() {});
  const Variable difference = prediction - target;
  return ops::reduced(difference * difference, reduction);
}

}  // namespace gradus
