// Losses as layers: a criterion that keeps its options and weights, so that they are chosen in one place,
// cast with the model and saved with it.
//
//   CrossEntropyLoss criterion({.label_smoothing = 0.1});
//   criterion(model(images), labels).backward();
//
// Each is its function in autograd/functions.h, and takes its options; formulas and errors stand there.
#pragma once

#include <gradus/autograd/functions.h>
#include <gradus/layers/module.h>

#include <cstddef>

namespace gradus {

/// Base of losses: criterion(prediction, target), or of three Variables. Labels and other targets that
/// are no floating-point numbers are constants.
class Loss : public MultiModule {
 public:
  using MultiModule::operator();
  Variable operator()(const Variable& prediction, const Variable& target, Place at = Place::here());
  Variable operator()(const Variable& first, const Variable& second, const Variable& third,
                      Place at = Place::here());

  void visit(Visitor&) override {}
  /// Throws ValueError for another number of inputs than the loss has.
  Variables forward_all(const Variables& inputs) final;

 protected:
  explicit Loss(std::size_t input_count = 2) : input_count_(input_count) {}
  /// The number, of as many inputs as there are to be.
  virtual Variable loss(const Variables& inputs) const = 0;

 private:
  std::size_t input_count_;
};

/// criterion(logits [N,C,d1,..], labels int64 [N,d1,..] or probabilities [N,C,d1,..])
class CrossEntropyLoss final : public Loss {
 public:
  explicit CrossEntropyLoss(const CrossEntropyOptions& options = {});
  Tensor weight;  ///< [C], a buffer; undefined unless given
  void visit(Visitor& v) override;

 private:
  Variable loss(const Variables& inputs) const override;
  CrossEntropyOptions options_;
};

/// criterion(log_probabilities [N,C,d1,..], labels int64 [N,d1,..])
class NLLLoss final : public Loss {
 public:
  explicit NLLLoss(const NLLLossOptions& options = {});
  Tensor weight;  ///< [C], a buffer; undefined unless given
  void visit(Visitor& v) override;

 private:
  Variable loss(const Variables& inputs) const override;
  NLLLossOptions options_;
};

/// criterion(probabilities, target), of equal shapes
class BCELoss final : public Loss {
 public:
  explicit BCELoss(const BinaryCrossEntropyOptions& options = {});
  Tensor weight;  ///< a buffer; undefined unless given
  void visit(Visitor& v) override;

 private:
  Variable loss(const Variables& inputs) const override;
  BinaryCrossEntropyOptions options_;
};

/// criterion(logits, target), of equal shapes
class BCEWithLogitsLoss final : public Loss {
 public:
  explicit BCEWithLogitsLoss(const BCEWithLogitsOptions& options = {});
  Tensor weight;      ///< a buffer; undefined unless given
  Tensor pos_weight;  ///< likewise
  void visit(Visitor& v) override;

 private:
  Variable loss(const Variables& inputs) const override;
  BCEWithLogitsOptions options_;
};

/// criterion(log_probabilities, target), of equal shapes
class KLDivLoss final : public Loss {
 public:
  explicit KLDivLoss(const KLDivOptions& options = {}) : options_(options) {}

 private:
  Variable loss(const Variables& inputs) const override;
  KLDivOptions options_;
};

/// criterion(prediction, target), of equal shapes
class MSELoss final : public Loss {
 public:
  explicit MSELoss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}

 private:
  Variable loss(const Variables& inputs) const override;
  Reduction reduction_;
};

/// criterion(prediction, target), of equal shapes
class L1Loss final : public Loss {
 public:
  explicit L1Loss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}

 private:
  Variable loss(const Variables& inputs) const override;
  Reduction reduction_;
};

/// criterion(prediction, target), of equal shapes
class HuberLoss final : public Loss {
 public:
  explicit HuberLoss(const HuberLossOptions& options = {}) : options_(options) {}

 private:
  Variable loss(const Variables& inputs) const override;
  HuberLossOptions options_;
};

/// criterion(prediction, target), of equal shapes
class SmoothL1Loss final : public Loss {
 public:
  explicit SmoothL1Loss(const SmoothL1LossOptions& options = {}) : options_(options) {}

 private:
  Variable loss(const Variables& inputs) const override;
  SmoothL1LossOptions options_;
};

/// criterion(x, target of 1 and -1), of equal shapes
class HingeEmbeddingLoss final : public Loss {
 public:
  explicit HingeEmbeddingLoss(const HingeEmbeddingLossOptions& options = {}) : options_(options) {}

 private:
  Variable loss(const Variables& inputs) const override;
  HingeEmbeddingLossOptions options_;
};

/// criterion(x1, x2, target of 1 and -1), of equal shapes
class MarginRankingLoss final : public Loss {
 public:
  explicit MarginRankingLoss(const MarginRankingLossOptions& options = {})
      : Loss(3), options_(options) {}

 private:
  Variable loss(const Variables& inputs) const override;
  MarginRankingLossOptions options_;
};

/// criterion(scores [N,C], labels int64 [N]), or of one example [C] and []
class MultiMarginLoss final : public Loss {
 public:
  explicit MultiMarginLoss(const MultiMarginLossOptions& options = {});
  Tensor weight;  ///< [C], a buffer; undefined unless given
  void visit(Visitor& v) override;

 private:
  Variable loss(const Variables& inputs) const override;
  MultiMarginLossOptions options_;
};

/// criterion(x1, x2), whose shapes broadcast
class CosineSimilarity final : public Loss {
 public:
  explicit CosineSimilarity(const CosineSimilarityOptions& options = {}) : options_(options) {}

 private:
  Variable loss(const Variables& inputs) const override;
  CosineSimilarityOptions options_;
};

/// criterion(x1 [N,D], x2 [N,D], target of 1 and -1 [N])
class CosineEmbeddingLoss final : public Loss {
 public:
  explicit CosineEmbeddingLoss(const CosineEmbeddingLossOptions& options = {})
      : Loss(3), options_(options) {}

 private:
  Variable loss(const Variables& inputs) const override;
  CosineEmbeddingLossOptions options_;
};

/// criterion(x1, x2), whose shapes broadcast
class PairwiseDistance final : public Loss {
 public:
  explicit PairwiseDistance(const PairwiseDistanceOptions& options = {}) : options_(options) {}

 private:
  Variable loss(const Variables& inputs) const override;
  PairwiseDistanceOptions options_;
};

/// criterion(anchor, positive, negative), of equal shapes
class TripletMarginLoss final : public Loss {
 public:
  explicit TripletMarginLoss(const TripletMarginLossOptions& options = {})
      : Loss(3), options_(options) {}

 private:
  Variable loss(const Variables& inputs) const override;
  TripletMarginLossOptions options_;
};

}  // namespace gradus
