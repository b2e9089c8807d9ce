// The criteria: one call each. A weight is a buffer, so that the call takes it as it is now, cast or
// loaded, not as the options had it.
#include <gradus/layers/loss.h>

#include <utility>

namespace gradus {
namespace {

/// `options` with the weight as it is now.
template <class Options> Options with_weight(Options options, const Tensor& weight) {
  options.weight = weight;
  return options;
}

}  // namespace

Variable Loss::operator()(const Variable& prediction, const Variable& target, Place at) {
  return std::move((*this)(Variables{prediction, target}, at).front());
}

Variable Loss::operator()(const Variable& first, const Variable& second, const Variable& third,
                          Place at) {
  return std::move((*this)(Variables{first, second, third}, at).front());
}

Variables Loss::forward_all(const Variables& inputs) {
  if (inputs.size() != input_count_) {
    fail<ValueError>(kind(), ": takes ", input_count_, " Variables, got ", inputs.size());
  }
  return {loss(inputs)};
}

CrossEntropyLoss::CrossEntropyLoss(const CrossEntropyOptions& options)
    : weight(options.weight), options_(options) {}

void CrossEntropyLoss::visit(Visitor& v) { v("weight", weight); }

Variable CrossEntropyLoss::loss(const Variables& inputs) const {
  return cross_entropy(inputs[0], inputs[1], with_weight(options_, weight));
}

NLLLoss::NLLLoss(const NLLLossOptions& options) : weight(options.weight), options_(options) {}

void NLLLoss::visit(Visitor& v) { v("weight", weight); }

Variable NLLLoss::loss(const Variables& inputs) const {
  return nll_loss(inputs[0], inputs[1].value(), with_weight(options_, weight));
}

BCELoss::BCELoss(const BinaryCrossEntropyOptions& options)
    : weight(options.weight), options_(options) {}

void BCELoss::visit(Visitor& v) { v("weight", weight); }

Variable BCELoss::loss(const Variables& inputs) const {
  return binary_cross_entropy(inputs[0], inputs[1], with_weight(options_, weight));
}

BCEWithLogitsLoss::BCEWithLogitsLoss(const BCEWithLogitsOptions& options)
    : weight(options.weight), pos_weight(options.pos_weight), options_(options) {}

void BCEWithLogitsLoss::visit(Visitor& v) {
  v("weight", weight);
  v("pos_weight", pos_weight);
}

Variable BCEWithLogitsLoss::loss(const Variables& inputs) const {
  BCEWithLogitsOptions options = with_weight(options_, weight);
  options.pos_weight = pos_weight;
  return binary_cross_entropy_with_logits(inputs[0], inputs[1], options);
}

Variable KLDivLoss::loss(const Variables& inputs) const {
  return kl_div(inputs[0], inputs[1], options_);
}

Variable MSELoss::loss(const Variables& inputs) const {
  return mse_loss(inputs[0], inputs[1], reduction_);
}

Variable L1Loss::loss(const Variables& inputs) const {
  return l1_loss(inputs[0], inputs[1], reduction_);
}

Variable HuberLoss::loss(const Variables& inputs) const {
  return huber_loss(inputs[0], inputs[1], options_);
}

Variable SmoothL1Loss::loss(const Variables& inputs) const {
  return smooth_l1_loss(inputs[0], inputs[1], options_);
}

Variable HingeEmbeddingLoss::loss(const Variables& inputs) const {
  return hinge_embedding_loss(inputs[0], inputs[1].value(), options_);
}

Variable MarginRankingLoss::loss(const Variables& inputs) const {
  return margin_ranking_loss(inputs[0], inputs[1], inputs[2].value(), options_);
}

MultiMarginLoss::MultiMarginLoss(const MultiMarginLossOptions& options)
    : weight(options.weight), options_(options) {}

void MultiMarginLoss::visit(Visitor& v) { v("weight", weight); }

Variable MultiMarginLoss::loss(const Variables& inputs) const {
  return multi_margin_loss(inputs[0], inputs[1].value(), with_weight(options_, weight));
}

Variable CosineSimilarity::loss(const Variables& inputs) const {
  return cosine_similarity(inputs[0], inputs[1], options_);
}

Variable CosineEmbeddingLoss::loss(const Variables& inputs) const {
  return cosine_embedding_loss(inputs[0], inputs[1], inputs[2].value(), options_);
}

Variable PairwiseDistance::loss(const Variables& inputs) const {
  return pairwise_distance(inputs[0], inputs[1], options_);
}

Variable TripletMarginLoss::loss(const Variables& inputs) const {
  return triplet_margin_loss(inputs[0], inputs[1], inputs[2], options_);
}

}  // namespace gradus
