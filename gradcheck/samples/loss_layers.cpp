// Samples of the losses of layers/loss.h, which have several inputs.
#include <gradus/core/create.h>
#include <gradus/gradcheck/samples/inputs.h>
#include <gradus/gradcheck/samples/loss_layers.h>
#include <gradus/layers/loss.h>

#include <utility>

namespace gradus::samples {
namespace {

/// Of a criterion that `make` makes: `inputs` are differentiated, `targets` stand behind them.
template <class Make>
LayerSample loss_sample(std::string description, Make make, const Variables& inputs,
                        const Variables& targets = {}) {
  LayerSample sample;
  sample.description = std::move(description);
  sample.inputs = inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) sample.names.push_back("x" + std::to_string(i));
  sample.function = [make, targets](const Variables& given) {
    auto criterion = make();
    criterion.to(given.front().dtype());
    Variables all = given;
    all.insert(all.end(), targets.begin(), targets.end());
    return std::move(criterion(all).front());
  };
  return sample;
}

const Tensor& label_of_rows() {
  static const Tensor all = Tensor::from({2, 0, 3});
  return all;
}

/// [4], float32, as a user would give it.
const Tensor& weight_of_classes() {
  static const Tensor all = Tensor::from({0.5, 1.0, 2.0, 1.5});
  return all;
}

const Tensor& signs_of_rows() {
  static const Tensor all = Tensor::from({1, -1, -1});
  return all;
}

constexpr Range layer_shares{0.05, 0.95};

Variables two_inputs(std::uint64_t seed) {
  return {spread({3, 4}, seed), beside({3, 4}, seed + 1)};
}

std::vector<LayerSample> cross_entropy_loss_samples() {
  return {
      loss_sample("labels", [] { return CrossEntropyLoss{}; }, {spread({3, 4}, 1)},
                  {label_of_rows()}),
      loss_sample("weights, smoothed, one ignored",
                  [] {
                    return CrossEntropyLoss{
                        {.weight = weight_of_classes(), .ignore_index = 0, .label_smoothing = 0.1}};
                  },
                  {spread({3, 4}, 2)}, {label_of_rows()}),
      loss_sample("probabilities", [] { return CrossEntropyLoss{}; },
                  {spread({3, 4}, 3), spread({3, 4}, 4, {0, 1})})};
}

std::vector<LayerSample> nll_loss_layer_samples() {
  return {loss_sample("labels", [] { return NLLLoss{}; }, {spread({3, 4}, 1)}, {label_of_rows()}),
          loss_sample("weights", [] { return NLLLoss{{.weight = weight_of_classes()}}; },
                      {spread({3, 4}, 2)}, {label_of_rows()})};
}

std::vector<LayerSample> bce_loss_samples() {
  return {loss_sample("mean", [] { return BCELoss{}; },
                      {spread({3, 4}, 1, layer_shares), spread({3, 4}, 2, layer_shares)}),
          loss_sample(
              "weights, sum",
              [] { return BCELoss{{.weight = weight_of_classes(), .reduction = Reduction::sum}}; },
              {spread({3, 4}, 3, layer_shares), spread({3, 4}, 4, layer_shares)})};
}

std::vector<LayerSample> bce_with_logits_loss_samples() {
  return {loss_sample("mean", [] { return BCEWithLogitsLoss{}; },
                      {spread({3, 4}, 1), spread({3, 4}, 2, layer_shares)}),
          loss_sample("weights",
                      [] {
                        return BCEWithLogitsLoss{
                            {.weight = weight_of_classes(), .pos_weight = weight_of_classes()}};
                      },
                      {spread({3, 4}, 3), spread({3, 4}, 4, layer_shares)})};
}

std::vector<LayerSample> kl_div_loss_samples() {
  return {loss_sample("batchmean", [] { return KLDivLoss{{.reduction = Reduction::batchmean}}; },
                      {spread({3, 4}, 1, {-3, 0}), spread({3, 4}, 2, layer_shares)}),
          loss_sample("the target by its logarithm", [] { return KLDivLoss{{.log_target = true}}; },
                      {spread({3, 4}, 3, {-3, 0}), spread({3, 4}, 4, {-3, 0})})};
}

std::vector<LayerSample> mse_loss_layer_samples() {
  return {loss_sample(
              "mean", [] { return MSELoss{}; }, two_inputs(1)),
          loss_sample(
              "none", [] { return MSELoss{Reduction::none}; }, two_inputs(3))};
}

std::vector<LayerSample> l1_loss_layer_samples() {
  return {loss_sample(
              "mean", [] { return L1Loss{}; }, two_inputs(1)),
          loss_sample(
              "sum", [] { return L1Loss{Reduction::sum}; }, two_inputs(3))};
}

std::vector<LayerSample> huber_loss_layer_samples() {
  return {loss_sample(
              "mean", [] { return HuberLoss{}; }, two_inputs(1)),
          loss_sample(
              "a small delta", [] { return HuberLoss{{.delta = 0.35}}; }, two_inputs(3))};
}

std::vector<LayerSample> smooth_l1_loss_layer_samples() {
  return {loss_sample(
              "mean", [] { return SmoothL1Loss{}; }, two_inputs(1)),
          loss_sample(
              "a small beta", [] { return SmoothL1Loss{{.beta = 0.35}}; }, two_inputs(3))};
}

std::vector<LayerSample> hinge_embedding_loss_layer_samples() {
  const Variables target{Tensor::from({1, -1, -1, 1})};
  return {loss_sample(
              "mean", [] { return HingeEmbeddingLoss{}; }, {spread({4}, 1)}, target),
          loss_sample(
              "a margin", [] { return HingeEmbeddingLoss{{.margin = 0.3}}; }, {spread({4}, 2)},
              target)};
}

std::vector<LayerSample> margin_ranking_loss_layer_samples() {
  const Variables inputs{spread({3}, 1), beside({3}, 2)};
  return {loss_sample("mean", [] { return MarginRankingLoss{}; }, inputs, {signs_of_rows()}),
          loss_sample("a margin", [] { return MarginRankingLoss{{.margin = 0.5}}; }, inputs,
                      {signs_of_rows()})};
}

std::vector<LayerSample> multi_margin_loss_layer_samples() {
  // Their differences are multiples of 0.15: none is the margin, where the slope jumps.
  constexpr Range off_margin{-0.7, 1.1};
  return {loss_sample("mean", [] { return MultiMarginLoss{}; }, {spread({3, 4}, 1, off_margin)},
                      {label_of_rows()}),
          loss_sample("squares, weights",
                      [] { return MultiMarginLoss{{.p = 2, .weight = weight_of_classes()}}; },
                      {spread({3, 4}, 2, off_margin)}, {label_of_rows()})};
}

std::vector<LayerSample> cosine_similarity_layer_samples() {
  return {loss_sample(
              "rows", [] { return CosineSimilarity{}; }, two_inputs(1)),
          loss_sample(
              "columns", [] { return CosineSimilarity{{.dim = 0}}; }, two_inputs(3))};
}

std::vector<LayerSample> cosine_embedding_loss_layer_samples() {
  return {
      loss_sample("mean", [] { return CosineEmbeddingLoss{}; }, two_inputs(1), {signs_of_rows()}),
      loss_sample("a margin", [] { return CosineEmbeddingLoss{{.margin = 0.2}}; }, two_inputs(3),
                  {signs_of_rows()})};
}

std::vector<LayerSample> pairwise_distance_layer_samples() {
  return {loss_sample(
              "lengths", [] { return PairwiseDistance{}; }, two_inputs(1)),
          loss_sample(
              "p 3, the dimension kept", [] { return PairwiseDistance{{.p = 3, .keepdim = true}}; },
              two_inputs(3))};
}

std::vector<LayerSample> triplet_margin_loss_layer_samples() {
  const auto three = [](std::uint64_t seed) {
    Variables all = two_inputs(seed);
    all.push_back(spread({3, 4}, seed + 2, {-1, 4}));
    return all;
  };
  return {loss_sample(
              "mean", [] { return TripletMarginLoss{}; }, three(1)),
          loss_sample(
              "swapped", [] { return TripletMarginLoss{{.margin = 3, .swap = true}}; }, three(4))};
}

}  // namespace

std::vector<LayerSamples> loss_layers() {
  return {
      {"CrossEntropyLoss", cross_entropy_loss_samples},
      {"NLLLoss", nll_loss_layer_samples},
      {"BCELoss", bce_loss_samples},
      {"BCEWithLogitsLoss", bce_with_logits_loss_samples},
      {"KLDivLoss", kl_div_loss_samples},
      {"MSELoss", mse_loss_layer_samples},
      {"L1Loss", l1_loss_layer_samples},
      {"HuberLoss", huber_loss_layer_samples},
      {"SmoothL1Loss", smooth_l1_loss_layer_samples},
      {"HingeEmbeddingLoss", hinge_embedding_loss_layer_samples},
      {"MarginRankingLoss", margin_ranking_loss_layer_samples},
      {"MultiMarginLoss", multi_margin_loss_layer_samples},
      {"CosineSimilarity", cosine_similarity_layer_samples},
      {"CosineEmbeddingLoss", cosine_embedding_loss_layer_samples},
      {"PairwiseDistance", pairwise_distance_layer_samples},
      {"TripletMarginLoss", triplet_margin_loss_layer_samples},
  };
}

}  // namespace gradus::samples
