// Inputs for the losses of autograd/ops/margin_loss.cpp.
#include <gradus/gradcheck/samples/inputs.h>

#include <cmath>

namespace gradus::samples {
namespace {

/// 1, -1, -1, 1, -1, -1, ...
Tensor signs(const Shape& shape) {
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < shape.numel(); ++i) numbers.push_back(i % 3 == 0 ? 1 : -1);
  return Tensor::from(numbers.data(), shape);
}

Shape without_last(const Shape& shape) {
  Shape rows;
  for (int d = 0; d + 1 < shape.rank(); ++d) rows.push_back(shape[d]);
  return rows;
}

Variable hinge(const Variables& v, const HingeEmbeddingLossOptions& o) {
  return hinge_embedding_loss(v[0], signs(v[0].shape()), o);
}

std::vector<Sample> hinge_embedding_loss_samples() {
  const auto with = [](HingeEmbeddingLossOptions o) {
    return [o](const Variables& v) { return hinge(v, o); };
  };
  return {{"mean", {spread({3, 4, 5}, 1)}, with({})},
          {"sum", {spread({4, 4}, 2)}, with({.reduction = Reduction::sum})},
          {"none, another margin",
           {spread({3, 4}, 3)},
           with({.margin = 0.3, .reduction = Reduction::none})},
          {"a scalar", {spread({}, 4)}, with({})},
          {"nothing", {spread({0, 3}, 5)}, with({.reduction = Reduction::sum})}};
}

std::vector<Sample> hinge_embedding_loss_training_samples() {
  return unary_training_samples([](const Variables& v) { return hinge(v, {}); });
}

Variable ranking(const Variables& v, const MarginRankingLossOptions& o) {
  return margin_ranking_loss(v[0], v[1], signs(v[0].shape()), o);
}

std::vector<Sample> margin_ranking_loss_samples() {
  const auto with = [](MarginRankingLossOptions o) {
    return [o](const Variables& v) { return ranking(v, o); };
  };
  return {{"mean", {spread({3, 4, 5}, 1), beside({3, 4, 5}, 2)}, with({})},
          {"sum",
           {spread({4, 4}, 3), beside({4, 4}, 4)},
           with({.margin = 0.5, .reduction = Reduction::sum})},
          {"none", {spread({4}, 5), beside({4}, 6)}, with({.reduction = Reduction::none})},
          {"nothing", {spread({0}, 7), beside({0}, 8)}, with({.reduction = Reduction::sum})}};
}

std::vector<Sample> margin_ranking_loss_training_samples() {
  return pair_loss_training_samples([](const Variable& a, const Variable& b, Reduction r) {
    return ranking({a, b}, {.margin = 0.1, .reduction = r});
  });
}

std::vector<Sample> multi_margin_loss_samples() {
  const auto with = [](MultiMarginLossOptions o, bool weighted = false) {
    return [o, weighted](const Variables& v) {
      const Tensor labels = Tensor::from({2, 0, 3, 2});
      MultiMarginLossOptions options = o;
      if (weighted) options.weight = Tensor::from({0.5, 1.0, 2.0, 1.5, 3.0}, v[0].dtype());
      return multi_margin_loss(v[0], labels.narrow(0, 0, v[0].size(0)), options);
    };
  };
  return {{"mean", {spread({4, 5}, 1)}, with({})},
          {"squares", {spread({4, 5}, 2)}, with({.p = 2})},
          {"weights, sum", {spread({3, 5}, 3)}, with({.reduction = Reduction::sum}, true)},
          {"none, another margin",
           {spread({4, 4}, 4)},
           with({.margin = 0.6, .reduction = Reduction::none})},
          {"one example",
           {spread({5}, 6)},
           [](const Variables& v) { return multi_margin_loss(v[0], Tensor::scalar(2, int64)); }},
          {"nothing", {spread({0, 3}, 5)}, with({.reduction = Reduction::sum})}};
}

std::vector<Sample> multi_margin_loss_training_samples() {
  std::vector<Sample> all;
  for (const std::int64_t size : {std::int64_t{2}, std::int64_t{10}, std::int64_t{33}}) {
    all.push_back({size_name(size), {spread({320, size}, 1)}, [size](const Variables& v) {
                     Generator generator(1);
                     return multi_margin_loss(v[0], randint(0, size, {320}, generator));
                   }});
  }
  return all;
}

std::vector<Sample> cosine_similarity_samples() {
  const auto with = [](CosineSimilarityOptions o) {
    return [o](const Variables& v) { return cosine_similarity(v[0], v[1], o); };
  };
  return {{"rows", {spread({3, 4}, 1), spread({3, 4}, 2)}, with({})},
          {"the first dimension", {spread({3, 4}, 3), spread({3, 4}, 4)}, with({.dim = 0})},
          {"one row against many", {spread({4}, 5), spread({3, 4}, 6)}, with({.dim = -1})},
          {"shorter than eps", {spread({2, 3}, 7), spread({2, 3}, 8)}, with({.eps = 5})},
          {"pixels", {spread({2, 3, 4}, 9), spread({2, 3, 4}, 10)}, with({})}};
}

std::vector<Sample> cosine_similarity_training_samples() {
  std::vector<Sample> all;
  for (const std::int64_t size : {std::int64_t{2}, std::int64_t{33}, std::int64_t{1000}}) {
    all.push_back({size_name(size),
                   {spread({64, size}, 1), spread({64, size}, 2)},
                   [](const Variables& v) { return cosine_similarity(v[0], v[1]); }});
  }
  return all;
}

Variable cosine_embedding(const Variables& v, const CosineEmbeddingLossOptions& o) {
  return cosine_embedding_loss(v[0], v[1], signs(without_last(v[0].shape())), o);
}

std::vector<Sample> cosine_embedding_loss_samples() {
  const auto with = [](CosineEmbeddingLossOptions o) {
    return [o](const Variables& v) { return cosine_embedding(v, o); };
  };
  return {{"mean", {spread({3, 4}, 1), spread({3, 4}, 2)}, with({})},
          {"sum, a margin",
           {spread({4, 4}, 3), spread({4, 4}, 4)},
           with({.margin = 0.2, .reduction = Reduction::sum})},
          {"none", {spread({5, 2}, 5), spread({5, 2}, 6)}, with({.reduction = Reduction::none})},
          {"two vectors", {spread({4}, 7), spread({4}, 8)}, with({})}};
}

std::vector<Sample> cosine_embedding_loss_training_samples() {
  return {{"rows", {spread({257, 33}, 1), spread({257, 33}, 2)}, [](const Variables& v) {
             return cosine_embedding(v, {.margin = 0.05});
           }}};
}

std::vector<Sample> pairwise_distance_samples() {
  const auto with = [](PairwiseDistanceOptions o) {
    return [o](const Variables& v) { return pairwise_distance(v[0], v[1], o); };
  };
  return {
      {"lengths", {spread({3, 4}, 1), beside({3, 4}, 2)}, with({})},
      {"sums", {spread({3, 4}, 3), beside({3, 4}, 4)}, with({.p = 1, .keepdim = true})},
      {"p 3", {spread({4, 4}, 5), beside({4, 4}, 6)}, with({.p = 3})},
      {"p 1.5", {spread({2, 3, 4}, 7), beside({2, 3, 4}, 8)}, with({.p = 1.5})},
      {"the greatest", {spread({3, 4}, 9), spread({3, 4}, 10, {3, 9})}, with({.p = HUGE_VAL})},
      {"one row against many", {spread({4}, 11), spread({3, 4}, 12, {-1, 3})}, with({.eps = 0.1})}};
}

std::vector<Sample> pairwise_distance_training_samples() {
  const auto with = [](double p) {
    return [p](const Variables& v) { return pairwise_distance(v[0], v[1], {.p = p}); };
  };
  return {{"lengths", {spread({257, 33}, 1), beside({257, 33}, 2)}, with(2)},
          {"sums", {spread({257, 33}, 3), beside({257, 33}, 4)}, with(1)},
          {"p 3", {spread({257, 33}, 5), beside({257, 33}, 6)}, with(3)}};
}

std::vector<Sample> triplet_margin_loss_samples() {
  const auto with = [](TripletMarginLossOptions o) {
    return [o](const Variables& v) { return triplet_margin_loss(v[0], v[1], v[2], o); };
  };
  const auto three = [](const Shape& shape, std::uint64_t seed) {
    return Variables{spread(shape, seed), beside(shape, seed + 1),
                     spread(shape, seed + 2, {-1, 4})};
  };
  return {{"mean", three({3, 4}, 1), with({})},
          {"sum, p 1", three({4, 4}, 4), with({.p = 1, .reduction = Reduction::sum})},
          {"none, swapped", three({3, 5}, 7),
           with({.margin = 3, .swap = true, .reduction = Reduction::none})},
          {"one triplet, p 3", three({4}, 10), with({.margin = 2, .p = 3})}};
}

std::vector<Sample> triplet_margin_loss_training_samples() {
  return {
      {"rows",
       {spread({257, 33}, 1), beside({257, 33}, 2), spread({257, 33}, 3, {-1, 4})},
       [](const Variables& v) { return triplet_margin_loss(v[0], v[1], v[2], {.swap = true}); }}};
}

}  // namespace

std::vector<OpSamples> margin_loss() {
  return {
      {"hinge_embedding_loss", hinge_embedding_loss_samples, hinge_embedding_loss_training_samples},
      {"margin_ranking_loss", margin_ranking_loss_samples, margin_ranking_loss_training_samples},
      {"multi_margin_loss", multi_margin_loss_samples, multi_margin_loss_training_samples},
      {"cosine_similarity", cosine_similarity_samples, cosine_similarity_training_samples},
      {"cosine_embedding_loss", cosine_embedding_loss_samples,
       cosine_embedding_loss_training_samples},
      {"pairwise_distance", pairwise_distance_samples, pairwise_distance_training_samples},
      {"triplet_margin_loss", triplet_margin_loss_samples, triplet_margin_loss_training_samples},
  };
}

}  // namespace gradus::samples
