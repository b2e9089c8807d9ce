// Losses: composed of other ops, with the checks that a loss owes its user.
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

/// scores [N,C,...] and labels [N,...], every label a class.
void check_labels(std::string_view op, const Variable& input, const Tensor& labels) {
  dispatch_floating(op, input.dtype(), []<class T>() {});
  const Shape& scores = input.shape();
  if (!labels.defined() || labels.dtype() != int64) {
    fail<DTypeError>(op, ": labels must be int64 class indices, got ", describe(labels),
                     "; cast with .to(int64)");
  }
  Shape expected;
  for (int d = 0; d < scores.rank(); ++d) {
    if (d != 1) expected.push_back(scores[d]);
  }
  if (scores.rank() < 2 || labels.shape() != expected) {
    fail<ShapeError>(op, ": expects scores [N,C,...] and labels [N,...], got ", scores, " and ",
                     labels.shape());
  }
  const Tensor dense = labels.contiguous();
  const std::int64_t* label = dense.data<std::int64_t>();
  for (std::int64_t i = 0, n = dense.numel(); i < n; ++i) {
    if (label[i] < 0 || label[i] >= scores[1]) {
      fail<ValueError>(op, ": label ", label[i], " at position ", i, " is outside of 0..",
                       scores[1] - 1);
    }
  }
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

}  // namespace

/// L = -ln softmax(x)[label]        dL/dx = softmax(x) - onehot(label)
struct CrossEntropy {
  static constexpr std::string_view name = "cross_entropy";

  static std::vector<Sample> samples() {
    return loss_samples(
        [](const Variable& x, const Tensor& t, Reduction r) { return cross_entropy(x, t, r); });
  }
};

/// L = -x[label]        dL/dx = -onehot(label)
struct NllLoss {
  static constexpr std::string_view name = "nll_loss";

  static std::vector<Sample> samples() {
    return loss_samples(
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
};

template OpInfo op_info<CrossEntropy>();
template OpInfo op_info<NllLoss>();
template OpInfo op_info<MseLoss>();

}  // namespace ops

Variable cross_entropy(const Variable& logits, const Tensor& labels, Reduction reduction) {
  ops::check_labels("cross_entropy", logits, labels);
  return ops::reduced(ops::picked(log_softmax(logits, 1), labels), reduction);
}

Variable nll_loss(const Variable& log_probabilities, const Tensor& labels, Reduction reduction) {
  ops::check_labels("nll_loss", log_probabilities, labels);
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
