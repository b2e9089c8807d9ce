// Losses of classification, where the target is a class or a probability. Cross-entropy, which every
// classifier ends with, is an op, and so is binary cross-entropy, whose derivative stays finite where
// its logarithms do not; the others are composed. Those that measure a difference are in
// difference_loss.cpp, those with a margin in margin_loss.cpp.
#include <gradus/autograd/ops/chapter.h>
#include <gradus/autograd/ops/losses.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace gradus {
namespace ops {

void check_reduction(std::string_view op, Reduction reduction) {
  if (reduction != Reduction::batchmean) return;
  fail<ValueError>(op, ": reduction is batchmean, which only kl_div has, not none, sum or mean");
}

Variable reduced(std::string_view op, const Operand& losses, Reduction reduction) {
  check_reduction(op, reduction);
  if (reduction == Reduction::none) return losses;
  return reduction == Reduction::sum ? sum(losses) : mean(losses);
}

void check_alike(std::string_view op, std::string_view what, const Variable& a,
                 std::string_view other, const Variable& b) {
  if (!a.defined()) fail<ShapeError>(op, ": ", what, " is undefined");
  if (!b.defined()) fail<ShapeError>(op, ": ", other, " is undefined");
  if (a.shape() != b.shape()) {
    fail<ShapeError>(op, ": ", what, " ", a.shape(), " and ", other, " ", b.shape(), " differ");
  }
  if (a.dtype() != b.dtype()) {
    fail<DTypeError>(op, ": ", what, " is ", describe(a.value()), ", ", other, " is ",
                     describe(b.value()), "; ", cast_to_match(a.dtype(), b.dtype()));
  }
  dispatch_floating(op, a.dtype(), []<class T>() {});
}

void check_class_weight(std::string_view op, const Tensor& weight, const Tensor& scores) {
  if (!weight.defined()) return;
  if (weight.shape() != Shape{scores.size(1)}) {
    fail<ShapeError>(op, ": weight is ", weight.shape(), ", expected [", scores.size(1),
                     "], a number for each class of the scores ", scores.shape());
  }
  if (weight.dtype() != scores.dtype()) {
    fail<DTypeError>(op, ": weight is ", describe(weight), ", the scores are ", describe(scores),
                     "; ", cast_to_match(scores.dtype(), weight.dtype()));
  }
}

void check_weight(std::string_view op, std::string_view what, const Tensor& weight,
                  const Tensor& x) {
  if (!weight.defined()) return;
  if (weight.dtype() != x.dtype()) {
    fail<DTypeError>(op, ": ", what, " is ", describe(weight), ", expected it as ", describe(x),
                     "; ", cast_to_match(x.dtype(), weight.dtype()));
  }
  bool fits = weight.rank() <= x.rank();
  for (int d = 1; fits && d <= weight.rank(); ++d)
    fits = weight.size(-d) == 1 || weight.size(-d) == x.size(-d);
  if (!fits)
    fail<ShapeError>(op, ": ", what, " ", weight.shape(), " does not broadcast to ", x.shape());
}

void check_signs(std::string_view op, const Tensor& target, const Shape& shape) {
  if (!target.defined()) fail<ShapeError>(op, ": target is undefined");
  if (target.shape() != shape)
    fail<ShapeError>(op, ": target is ", target.shape(), ", expected ", shape);
  const std::vector<double> signs = target.to(float64).to_vector<double>();
  for (std::size_t i = 0; i < signs.size(); ++i) {
    if (std::fabs(signs[i]) != 1)
      fail<ValueError>(op, ": target ", signs[i], " at position ", i, " is neither 1 nor -1");
  }
}

Tensor weight_of(const Tensor& weight, const Tensor& labels) {
  return core::index_select(weight, 0, labels.contiguous().reshape({labels.numel()}))
      .reshape(labels.shape());
}

bool is_one_example(const Variable& scores, const Tensor& labels) {
  return scores.rank() == 1 && labels.defined() && labels.dtype() == int64 && labels.rank() == 0;
}

namespace {

Variable picked(const Operand& log_probabilities, const Tensor& labels) {
  const Place at = log_probabilities.at();
  return neg({squeeze({gather(log_probabilities, 1, labels.unsqueeze(1)), at}, 1), at});
}

/// Of labels that check_labels() has not seen yet.
bool holds(const Tensor& labels, std::int64_t ignored) {
  if (!labels.defined() || labels.dtype() != int64) return false;
  const Tensor dense = labels.contiguous();
  const std::int64_t* first = dense.data<std::int64_t>();
  const std::int64_t* last = first + dense.numel();
  return std::find(first, last, ignored) != last;
}

/// `losses`, one for each label, and how much each of them counts.
struct Counted {
  Tensor labels;   // that may be read: class 0 stands where one is ignored
  Tensor ignored;  // bool; undefined where none is
  Tensor weight;   // of each label, [N,...]; undefined where all are 1

  Counted(const Tensor& given, const Tensor& of_class, std::int64_t ignore_index) : labels(given) {
    if (holds(given, ignore_index)) {
      ignored = core::eq(given, static_cast<double>(ignore_index));
      labels = core::where(ignored, Tensor::scalar(0, int64), given);
    }
    if (of_class.defined()) weight = weight_of(of_class, labels);
  }

  /// 0 where a label is ignored, whatever the loss; the mean is that of what counts, by its weight.
  Variable reduce(std::string_view op, const Operand& losses, Reduction reduction) const {
    const Place at = losses.at();
    const Variable counted = ignored.defined()
                                 ? where(ignored, {Tensor::scalar(0, losses->dtype()), at}, losses)
                                 : *losses;
    if (reduction != Reduction::mean) return reduced(op, {counted, at}, reduction);
    if (!ignored.defined() && !weight.defined()) return mean({counted, at});
    return div({sum({counted, at}), at}, total());
  }

 private:
  double total() const {
    if (!weight.defined()) return core::sum(core::logical_not(ignored)).item();
    const Tensor wide = weight.to(float64);
    return core::sum(ignored.defined() ? core::where(ignored, Tensor::scalar(0, float64), wide)
                                       : wide)
        .item();
  }
};

/// -weight[label]·x[label], still to be reduced.
Variable weighted_pick(const Operand& x, const Counted& counted) {
  const Variable losses = picked(x, counted.labels);
  return counted.weight.defined() ? mul({losses, x.at()}, counted.weight) : losses;
}

/// [C] -> [C,1,...], so that it multiplies scores of `rank`, [N,C,...].
Tensor along_classes(const Tensor& weight, int rank) {
  Shape shape{weight.numel()};
  for (int d = 2; d < rank; ++d) shape.push_back(1);
  return weight.reshape(shape);
}

/// -Σ weight[c]·x[c] over the classes. [N,C,...] -> [N,...]
Variable summed_over_classes(const Operand& x, const Tensor& weight) {
  const Place at = x.at();
  const Variable weighted = weight.defined() ? mul(x, along_classes(weight, x->rank())) : *x;
  return neg({sum({weighted, at}, {1}), at});
}

void check_smoothing(double smoothing) {
  if (smoothing >= 0 && smoothing <= 1) return;
  fail<ValueError>("cross_entropy: label_smoothing must be in 0..1, got ", smoothing);
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

/// L = -(t·ln x + (1-t)·ln(1-x)), each logarithm at least -100
/// dL/dx = (x-t)/(x·(1-x)), the divisor at least 1e-12,   dL/dt = ln(1-x) - ln x
///
/// Where x is 0 or 1 the chain of these operations would give 0·∞; PyTorch's bounds, which stand here,
/// keep all finite.
struct BinaryCrossEntropy final : Op {
  static constexpr std::string_view name = "binary_cross_entropy";
  static constexpr double least_logarithm = -100;
  static constexpr double least_divisor = 1e-12F;  // to the digit that PyTorch has
  Variable x, t;

  static Tensor bounded_log(const Tensor& share) {
    return core::clamp(core::log(share), least_logarithm, std::nullopt);
  }
  static Variable bounded_log(const Variable& share) {
    return clamp(log(share), least_logarithm, std::nullopt);
  }

  Tensor forward(const Variable& input, const Variable& target) {
    if (needs(0) || needs(1)) x = input;
    if (needs(0)) t = target;
    const Tensor& share = target.value();
    return -(share * bounded_log(input.value()) + (1 - share) * bounded_log(1 - input.value()));
  }

  Variables backward(const Variable& dy) override {
    Variables gradients(2);
    if (needs(0)) gradients[0] = dy * (x - t) / clamp(x * (1.0 - x), least_divisor, std::nullopt);
    if (needs(1)) gradients[1] = dy * (bounded_log(1.0 - x) - bounded_log(x));
    return gradients;
  }

  /// With A = ln x, B = ln(1-x): A is off by L·|A|, B by L·|B| and, 1-x being rounded, by 1 more. Each
  /// product takes a rounding, that with 1-t two, and their sum one. dL/dx: differences, products and
  /// the quotient are five roundings, and one that of the bound, where it counts. dL/dt: A, B, their
  /// difference, and the product with dL/dL.
  Rounding rounding() const {
    struct Logarithms {
      Tensor a, b;
      explicit Logarithms(const ElementwiseCall& call)
          : a(core::abs(bounded_log(call.inputs[0]))),
            b(core::abs(bounded_log(1 - call.inputs[0]))) {}
    };
    constexpr double l = library_roundings;
    const auto value = [](const ElementwiseCall& call) {
      const Logarithms ln(call);
      const Tensor share = core::abs(call.inputs[1]);
      const Tensor rest = core::abs(1 - call.inputs[1]);
      return share * ln.a * (l + 1) + rest * (ln.b * (l + 2) + 1) + core::abs(call.y);
    };
    const auto slopes = [](const ElementwiseCall& call) {
      const Logarithms ln(call);
      std::vector<Tensor> errors(2);
      if (call.slopes[0].defined()) errors[0] = core::abs(call.slopes[0]) * 6;
      if (call.slopes[1].defined())
        errors[1] = (ln.a + ln.b) * l + 1 + core::abs(call.slopes[1]) * 2;
      return errors;
    };
    return elementwise({.value = value, .slopes = slopes});
  }
};

}  // namespace ops

Variable cross_entropy(const Operand& logits, const Tensor& labels, Reduction reduction) {
  return cross_entropy(logits, labels, {.reduction = reduction});
}

Variable cross_entropy(const Operand& logits, const Tensor& labels,
                       const CrossEntropyOptions& options) {
  constexpr std::string_view name = ops::CrossEntropy::name;
  if (labels.defined() && is_floating(labels.dtype()) && labels.shape() == logits->shape())
    return cross_entropy(logits, Variable(labels), options);
  if (ops::is_one_example(*logits, labels)) {
    return ops::of_one_example(
        logits, labels, options.reduction,
        [&](const Operand& x, const Tensor& y) { return cross_entropy(x, y, options); });
  }
  ops::check_reduction(name, options.reduction);
  ops::check_smoothing(options.label_smoothing);
  if (!options.weight.defined() && options.label_smoothing == 0 &&
      !ops::holds(labels, options.ignore_index))
    return apply(ops::CrossEntropy(labels, options.reduction), logits);
  core::check_labels(name, logits->value(), labels, options.ignore_index);
  ops::check_class_weight(name, options.weight, logits->value());
  const Place at = logits.at();
  const ops::Counted counted(labels, options.weight, options.ignore_index);
  const Variable log_shares = log_softmax(logits, 1);
  Variable losses = ops::weighted_pick({log_shares, at}, counted);
  if (options.label_smoothing != 0) {
    const double share = options.label_smoothing / static_cast<double>(logits->size(1));
    const Variable of_all = ops::summed_over_classes({log_shares, at}, options.weight);
    losses = add({mul({losses, at}, 1 - options.label_smoothing), at}, mul({of_all, at}, share));
  }
  return counted.reduce(name, {losses, at}, options.reduction);
}

Variable cross_entropy(const Operand& logits, const Variable& probabilities,
                       const CrossEntropyOptions& options) {
  constexpr std::string_view name = ops::CrossEntropy::name;
  if (probabilities.defined() && !is_floating(probabilities.dtype()))
    return cross_entropy(logits, probabilities.value(), options);
  ops::check_reduction(name, options.reduction);
  ops::check_smoothing(options.label_smoothing);
  ops::check_alike(name, "logits", logits, "probabilities", probabilities);
  if (logits->rank() < 2)
    fail<ShapeError>(name, ": expects logits and probabilities [N,C,...], got ", logits->shape());
  ops::check_class_weight(name, options.weight, logits->value());
  if (options.ignore_index >= 0) {
    fail<ValueError>(name, ": ignore_index ", options.ignore_index,
                     " ignores a label, and the target is probabilities ", probabilities.shape());
  }
  const Place at = logits.at();
  const double rest = 1 - options.label_smoothing;
  const double share = options.label_smoothing / static_cast<double>(logits->size(1));
  const Variable target = options.label_smoothing == 0
                              ? probabilities
                              : add({mul({probabilities, at}, rest), at}, share);
  const Variable products = mul({log_softmax(logits, 1), at}, target);
  const Variable losses = ops::summed_over_classes({products, at}, options.weight);
  return ops::reduced(name, {losses, at}, options.reduction);
}

Variable nll_loss(const Operand& log_probabilities, const Tensor& labels, Reduction reduction) {
  return nll_loss(log_probabilities, labels, {.reduction = reduction});
}

Variable nll_loss(const Operand& log_probabilities, const Tensor& labels,
                  const NLLLossOptions& options) {
  constexpr std::string_view name = "nll_loss";
  if (ops::is_one_example(*log_probabilities, labels)) {
    return ops::of_one_example(
        log_probabilities, labels, options.reduction,
        [&](const Operand& x, const Tensor& y) { return nll_loss(x, y, options); });
  }
  core::check_labels(name, log_probabilities->value(), labels, options.ignore_index);
  ops::check_class_weight(name, options.weight, log_probabilities->value());
  const ops::Counted counted(labels, options.weight, options.ignore_index);
  const Variable losses = ops::weighted_pick(log_probabilities, counted);
  return counted.reduce(name, {losses, log_probabilities.at()}, options.reduction);
}

Variable binary_cross_entropy(const Operand& input, const Variable& target,
                              const BinaryCrossEntropyOptions& options) {
  constexpr std::string_view name = ops::BinaryCrossEntropy::name;
  ops::check_alike(name, "input", input, "target", target);
  ops::check_weight(name, "weight", options.weight, input->value());
  if (input->numel() != 0) {
    const double least = core::min(input->value()).item();
    const double most = core::max(input->value()).item();
    if (!(least >= 0 && most <= 1)) {
      fail<ValueError>(name, ": input must be probabilities in 0..1, got numbers from ", least,
                       " to ", most);
    }
  }
  const Place at = input.at();
  Variable losses = apply(ops::BinaryCrossEntropy(), input, target);
  if (options.weight.defined()) losses = mul({losses, at}, options.weight);
  return ops::reduced(name, {losses, at}, options.reduction);
}

Variable binary_cross_entropy_with_logits(const Operand& logits, const Variable& target,
                                          const BCEWithLogitsOptions& options) {
  constexpr std::string_view name = "binary_cross_entropy_with_logits";
  ops::check_alike(name, "logits", logits, "target", target);
  ops::check_weight(name, "weight", options.weight, logits->value());
  ops::check_weight(name, "pos_weight", options.pos_weight, logits->value());
  const Place at = logits.at();
  // ln(1 - sigmoid(x)) is logsigmoid(-x): nothing cancels, neither here nor in the derivative.
  Variable hit = mul({target, at}, logsigmoid(logits));
  if (options.pos_weight.defined()) hit = mul({hit, at}, options.pos_weight);
  const Variable rest = add({neg({target, at}), at}, 1);
  const Variable miss = mul({rest, at}, logsigmoid({neg(logits), at}));
  Variable losses = neg({add({hit, at}, miss), at});
  if (options.weight.defined()) losses = mul({losses, at}, options.weight);
  return ops::reduced(name, {losses, at}, options.reduction);
}

Variable kl_div(const Operand& input, const Variable& target, const KLDivOptions& options) {
  constexpr std::string_view name = "kl_div";
  ops::check_alike(name, "input", input, "target", target);
  const Place at = input.at();
  Variable losses;
  // t·ln t is 0 where t is 0, and has no slope there; nor counts an impossible class that nobody wants.
  const Tensor zero = options.log_target
                          ? core::eq(target.value(), -std::numeric_limits<double>::infinity())
                          : core::eq(target.value(), 0);
  const Tensor of_no_account = core::logical_and(zero, core::isinf(input->value()));
  const Variable log_q = where(of_no_account, {Tensor::scalar(0, input->dtype()), at}, *input);
  if (options.log_target) {
    const Variable log_p = where(zero, {Tensor::scalar(0, target.dtype()), at}, target);
    losses = mul({exp({target, at}), at}, sub({log_p, at}, log_q));
  } else {
    const Variable safe = where(zero, {Tensor::scalar(1, target.dtype()), at}, target);
    const Variable entropy = mul({target, at}, log({safe, at}));
    losses = sub({entropy, at}, mul({target, at}, log_q));
  }
  if (options.reduction != Reduction::batchmean)
    return ops::reduced(name, {losses, at}, options.reduction);
  const Variable total = sum({losses, at});
  return input->rank() == 0 ? total : div({total, at}, static_cast<double>(input->size(0)));
}

}  // namespace gradus
