// Losses that are content with a margin: of scores, of distances and of angles. All are composed. Where a
// loss has just reached 0 the slope is PyTorch's: of most it still passes, of multi_margin_loss not.
#include <gradus/autograd/ops/chapter.h>
#include <gradus/autograd/ops/losses.h>

#include <cmath>
#include <optional>
#include <utility>

namespace gradus {
namespace ops {
namespace {

/// max(0, x), with slope 1 at 0, unlike relu's.
Variable not_negative(const Operand& x) { return clamp(x, 0, std::nullopt); }

/// `one` where the target is 1, `other` where it is -1.
Variable by_sign(const Tensor& target, const Operand& one, const Variable& other) {
  return where(core::eq(target, 1), one, other);
}

void check_distance(std::string_view op, double p, double eps) {
  if (!(p >= 1)) fail<ValueError>(op, ": p must be at least 1, got ", p);
  if (!std::isfinite(eps)) fail<ValueError>(op, ": eps must be finite, got ", eps);
}

Variable distance_of(const Operand& a, const Variable& b, double p, double eps, bool keepdim) {
  const Place at = a.at();
  return norm({add({sub(a, b), at}, eps), at}, p, {-1}, keepdim);
}

}  // namespace
}  // namespace ops

Variable hinge_embedding_loss(const Operand& x, const Tensor& target,
                              const HingeEmbeddingLossOptions& options) {
  constexpr std::string_view name = "hinge_embedding_loss";
  dispatch_floating(name, x->dtype(), []<class T>() {});
  ops::check_signs(name, target, x->shape());
  const Place at = x.at();
  const Variable short_of = add({neg(x), at}, options.margin);
  const Variable losses = ops::by_sign(target, x, ops::not_negative({short_of, at}));
  return ops::reduced(name, {losses, at}, options.reduction);
}

Variable margin_ranking_loss(const Operand& x1, const Variable& x2, const Tensor& target,
                             const MarginRankingLossOptions& options) {
  constexpr std::string_view name = "margin_ranking_loss";
  ops::check_alike(name, "x1", x1, "x2", x2);
  ops::check_signs(name, target, x1->shape());
  const Place at = x1.at();
  const Variable lead = mul({sub(x1, x2), at}, core::neg(target.to(x1->dtype())));
  const Variable losses = ops::not_negative({add({lead, at}, options.margin), at});
  return ops::reduced(name, {losses, at}, options.reduction);
}

Variable multi_margin_loss(const Operand& x, const Tensor& labels,
                           const MultiMarginLossOptions& options) {
  constexpr std::string_view name = "multi_margin_loss";
  if (ops::is_one_example(*x, labels)) {
    return ops::of_one_example(
        x, labels, options.reduction,
        [&](const Operand& one, const Tensor& y) { return multi_margin_loss(one, y, options); });
  }
  if (options.p != 1 && options.p != 2)
    fail<ValueError>(name, ": p must be 1 or 2, got ", options.p);
  core::check_labels(name, x->value(), labels);
  if (x->rank() != 2) fail<ShapeError>(name, ": expects scores [N,C], got ", x->shape());
  ops::check_class_weight(name, options.weight, x->value());
  const Place at = x.at();
  const std::int64_t classes = x->size(1);
  const Variable lead = sub(x, gather(x, 1, labels.unsqueeze(1)));
  const Variable short_of = relu({add({lead, at}, options.margin), at});
  const Tensor others = 1 - core::one_hot(labels, classes, x->dtype());
  const Variable counted = mul({short_of, at}, others);
  const Variable powers = options.p == 1 ? counted : mul({counted, at}, counted);
  Variable losses = div({sum({powers, at}, {1}), at}, static_cast<double>(classes));
  if (options.weight.defined()) losses = mul({losses, at}, ops::weight_of(options.weight, labels));
  return ops::reduced(name, {losses, at}, options.reduction);
}

Variable cosine_similarity(const Operand& x1, const Variable& x2,
                           const CosineSimilarityOptions& options) {
  constexpr std::string_view name = "cosine_similarity";
  if (!(options.eps >= 0) || !std::isfinite(options.eps))
    fail<ValueError>(name, ": eps must be finite and at least 0, got ", options.eps);
  const Shape shape = broadcast(name, x1->shape(), x2.shape());
  const Place at = x1.at();
  const Variable a = expand(x1, shape);
  const Variable b = expand({x2, at}, shape);
  ops::check_alike(name, "x1", a, "x2", b);
  const Dims along = normalize_dims(name, {options.dim}, shape.rank());
  const auto length = [&](const Variable& v) {
    const Variable square = sum({mul({v, at}, v), at}, along);
    return sqrt({clamp({square, at}, options.eps * options.eps, std::nullopt), at});
  };
  const Variable lengths = mul({length(a), at}, length(b));
  return div({sum({mul({a, at}, b), at}, along), at}, lengths);
}

Variable cosine_embedding_loss(const Operand& x1, const Variable& x2, const Tensor& target,
                               const CosineEmbeddingLossOptions& options) {
  constexpr std::string_view name = "cosine_embedding_loss";
  ops::check_alike(name, "x1", x1, "x2", x2);
  if (x1->rank() != 1 && x1->rank() != 2)
    fail<ShapeError>(name, ": expects x1 and x2 [N,D] or [D], got ", x1->shape());
  ops::check_signs(name, target, x1->rank() == 1 ? Shape{} : Shape{x1->size(0)});
  const Place at = x1.at();
  // PyTorch's, a float, for which two zeros are at right angles.
  constexpr double eps = 1e-12F;
  const auto product = [&](const Variable& a, const Variable& b) {
    return sum({mul({a, at}, b), at}, {-1});
  };
  const auto square = [&](const Variable& v) { return add({product(v, v), at}, eps); };
  const Variable lengths = sqrt({mul({square(x1), at}, square(x2)), at});
  const Variable cosine = div({product(x1, x2), at}, lengths);
  const Variable apart = add({neg({cosine, at}), at}, 1);
  const Variable alike = ops::not_negative({add({cosine, at}, -options.margin), at});
  return ops::reduced(name, {ops::by_sign(target, {apart, at}, alike), at}, options.reduction);
}

Variable pairwise_distance(const Operand& x1, const Variable& x2,
                           const PairwiseDistanceOptions& options) {
  constexpr std::string_view name = "pairwise_distance";
  ops::check_distance(name, options.p, options.eps);
  const Shape shape = broadcast(name, x1->shape(), x2.shape());
  if (shape.rank() == 0)
    fail<ShapeError>(name, ": expects vectors, got ", x1->shape(), " and ", x2.shape());
  const Place at = x1.at();
  ops::check_alike(name, "x1", expand(x1, shape), "x2", expand({x2, at}, shape));
  return ops::distance_of(x1, x2, options.p, options.eps, options.keepdim);
}

Variable triplet_margin_loss(const Operand& anchor, const Variable& positive,
                             const Variable& negative, const TripletMarginLossOptions& options) {
  constexpr std::string_view name = "triplet_margin_loss";
  ops::check_distance(name, options.p, options.eps);
  ops::check_alike(name, "anchor", anchor, "positive", positive);
  ops::check_alike(name, "anchor", anchor, "negative", negative);
  if (anchor->rank() == 0) fail<ShapeError>(name, ": expects vectors, got ", anchor->shape());
  const Place at = anchor.at();
  const auto distance = [&](const Variable& a, const Variable& b) {
    return ops::distance_of({a, at}, b, options.p, options.eps, false);
  };
  const Variable near = distance(anchor, positive);
  Variable far = distance(anchor, negative);
  if (options.swap) far = minimum({far, at}, distance(positive, negative));
  const Variable losses = ops::not_negative({add({sub({near, at}, far), at}, options.margin), at});
  return ops::reduced(name, {losses, at}, options.reduction);
}

}  // namespace gradus
