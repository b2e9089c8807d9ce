// Wrong calls of losses.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/wrong_calls.h"

using namespace gradus;

namespace {

void add_label_losses(WrongCalls& all) {
  const Tensor scores = f32({4, 3});
  using Loss = Variable (*)(const Operand&, const Tensor&, Reduction);
  for (const auto& [name, f] :
       {std::pair<std::string, Loss>{"cross_entropy", cross_entropy}, {"nll_loss", nll_loss}}) {
    const Loss loss = f;
    const auto call = [=](const Tensor& x, const Tensor& labels) {
      return [=] { loss(x, labels, Reduction::mean); };
    };
    all.push_back({name, Kind::shape, call(scores, i64({3})), {"[4,3]", "[3]"}});
    all.push_back({name, Kind::shape, call(f32({3}), i64({1})), {"[3]", "[1]"}});
    all.push_back({name, Kind::dtype, call(scores, f32({4})), {"int64", "float32 [4]"}});
    all.push_back({name, Kind::dtype, call(scores, {}), {"int64", "undefined"}});
    all.push_back(
        {name, Kind::dtype, call(i64({4, 3}), i64({4})), {"float32 or float64", "int64"}});
    all.push_back({name,
                   Kind::value,
                   call(scores, Tensor::from({0, 1, 3, 2})),
                   {"label 3 at position 2", "0..2"}});
    all.push_back({name,
                   Kind::value,
                   call(scores, Tensor::from({0, -1, 0, 0})),
                   {"label -1 at position 1", "0..2"}});
    all.push_back(
        {name, Kind::value, call(f32({1, 0}), i64({1})), {"label 1 at position 0", "0..-1"}});
  }
}

/// A wrong pair of prediction and target, of a loss that wants them alike.
template <class Loss> void add_pair_loss(WrongCalls& all, const std::string& name, Loss f) {
  all.push_back({name, Kind::shape, [f] { f(f32({4, 1}), f32({4})); }, {"[4,1]", "[4]"}});
  all.push_back({name, Kind::shape, [f] { f(f32({4}), Variable()); }, {"is", "undefined"}});
  all.push_back({name,
                 Kind::dtype,
                 [f] { f(f32({4}), f64({4})); },
                 {"float32 [4]", "float64 [4]", ".to(float32)"}});
  all.push_back(
      {name, Kind::dtype, [f] { f(i64({4}), i64({4})); }, {"float32 or float64", "int64"}});
}

void add_pair_losses(WrongCalls& all) {
  const auto value_case = [&](const std::string& op, std::function<void()> call,
                              std::vector<std::string> parts) {
    all.push_back({op, Kind::value, std::move(call), std::move(parts)});
  };
  const Tensor x = f32({4});
  add_pair_loss(all, "mse_loss", [](const Variable& a, const Variable& b) { mse_loss(a, b); });
  add_pair_loss(all, "l1_loss", [](const Variable& a, const Variable& b) { l1_loss(a, b); });
  add_pair_loss(all, "huber_loss", [](const Variable& a, const Variable& b) { huber_loss(a, b); });
  add_pair_loss(all, "smooth_l1_loss",
                [](const Variable& a, const Variable& b) { smooth_l1_loss(a, b); });
  add_pair_loss(all, "binary_cross_entropy",
                [](const Variable& a, const Variable& b) { binary_cross_entropy(a, b); });
  add_pair_loss(all, "binary_cross_entropy_with_logits", [](const Variable& a, const Variable& b) {
    binary_cross_entropy_with_logits(a, b);
  });
  add_pair_loss(all, "kl_div", [](const Variable& a, const Variable& b) { kl_div(a, b); });
  add_pair_loss(all, "margin_ranking_loss",
                [](const Variable& a, const Variable& b) { margin_ranking_loss(a, b, f32({4})); });
  for (const double wrong : {0.0, -1.0, HUGE_VAL}) {
    value_case("huber_loss", [=] { huber_loss(x, x, {.delta = wrong}); }, {"delta", "positive"});
  }
  value_case("smooth_l1_loss", [=] { smooth_l1_loss(x, x, {.beta = -0.5}); }, {"beta", "-0.5"});
  value_case("smooth_l1_loss", [=] { smooth_l1_loss(x, x, {.beta = NAN}); }, {"beta", "nan"});
  const Tensor above = Tensor::from({0.5, 1.5, 0.0, 1.0});
  value_case("binary_cross_entropy", [=] { binary_cross_entropy(above, x); },
             {"0..1", "from 0 to 1.5"});
  value_case("binary_cross_entropy", [=] { binary_cross_entropy(x * NAN, x); }, {"0..1", "nan"});
  const Reduction batchmean = Reduction::batchmean;
  value_case("mse_loss", [=] { mse_loss(x, x, batchmean); }, {"batchmean", "kl_div"});
  value_case("l1_loss", [=] { l1_loss(x, x, batchmean); }, {"batchmean", "kl_div"});
  value_case("binary_cross_entropy", [=] { binary_cross_entropy(x, x, {.reduction = batchmean}); },
             {"batchmean", "kl_div"});

  for (const Tensor& weight : {f64({4}), f32({3}), f32({2, 4})}) {
    const Kind kind = weight.dtype() == float64 ? Kind::dtype : Kind::shape;
    const std::string size = to_string(weight.shape());
    all.push_back({"binary_cross_entropy",
                   kind,
                   [=] { binary_cross_entropy(x, x, {.weight = weight}); },
                   {"weight", size, "[4]"}});
    all.push_back({"binary_cross_entropy_with_logits",
                   kind,
                   [=] { binary_cross_entropy_with_logits(x, x, {.weight = weight}); },
                   {"weight", size, "[4]"}});
    all.push_back({"binary_cross_entropy_with_logits",
                   kind,
                   [=] { binary_cross_entropy_with_logits(x, x, {.pos_weight = weight}); },
                   {"weight", size, "[4]"}});
  }
}

void add_class_losses(WrongCalls& all) {
  const Tensor scores = f32({4, 3});
  const Tensor labels = Tensor::from({0, 2, 1, 7});
  const auto add = [&](const std::string& op, Kind kind, std::function<void()> call,
                       std::vector<std::string> parts) {
    all.push_back({op, kind, std::move(call), std::move(parts)});
  };
  const auto weighted = [=](const Tensor& weight) {
    return std::vector<std::pair<std::string, std::function<void()>>>{
        {"cross_entropy", [=] { cross_entropy(scores, i64({4}), {.weight = weight}); }},
        {"cross_entropy", [=] { cross_entropy(scores, Variable(scores), {.weight = weight}); }},
        {"nll_loss", [=] { nll_loss(scores, i64({4}), {.weight = weight}); }},
        {"multi_margin_loss", [=] { multi_margin_loss(scores, i64({4}), {.weight = weight}); }}};
  };
  for (const auto& [name, call] : weighted(f32({4})))
    add(name, Kind::shape, call, {"weight is [4]", "[3]", "[4,3]"});
  for (const auto& [name, call] : weighted(f64({3})))
    add(name, Kind::dtype, call, {"weight is float64 [3]", "float32 [4,3]"});
  add("cross_entropy", Kind::value, [=] { cross_entropy(scores, labels, {.ignore_index = 2}); },
      {"label 7 at position 3", "0..2"});
  add("nll_loss", Kind::value, [=] { nll_loss(scores, labels, {.ignore_index = 2}); },
      {"label 7 at position 3", "0..2"});
  for (const double smoothing : {-0.1, 1.5, static_cast<double>(NAN)}) {
    add("cross_entropy", Kind::value,
        [=] { cross_entropy(scores, labels, {.label_smoothing = smoothing}); },
        {"label_smoothing", "0..1"});
  }
  add("cross_entropy", Kind::value, [=] { cross_entropy(scores, labels, Reduction::batchmean); },
      {"batchmean", "none, sum or mean"});
  add("nll_loss", Kind::value, [=] { nll_loss(scores, i64({4}), Reduction::batchmean); },
      {"batchmean", "none, sum or mean"});
  const auto soft = [=](const Variable& target, const CrossEntropyOptions& options = {}) {
    return [=] { cross_entropy(scores, target, options); };
  };
  add("cross_entropy", Kind::shape, soft(f32({4})), {"logits [4,3]", "probabilities [4]"});
  add("cross_entropy", Kind::dtype, soft(f64({4, 3})), {"float32 [4,3]", "float64 [4,3]"});
  add("cross_entropy", Kind::shape, soft(Variable()), {"is", "undefined"});
  add("cross_entropy", Kind::value, soft(scores, {.ignore_index = 1}), {"ignore_index 1", "[4,3]"});
  add("cross_entropy", Kind::shape, [] { cross_entropy(f32({3}), Variable(f32({3}))); },
      {"[N,C,...]", "[3]"});

  add("multi_margin_loss", Kind::value, [=] { multi_margin_loss(scores, i64({4}), {.p = 3}); },
      {"p must be 1 or 2", "3"});
  add("multi_margin_loss", Kind::value, [=] { multi_margin_loss(scores, labels); },
      {"label 7 at position 3", "0..2"});
  add("multi_margin_loss", Kind::shape,
      [] {
        multi_margin_loss(f32({4, 3, 2}), i64({4, 2}));
      },
      {"[N,C]", "[4,3,2]"});
}

void add_margin_losses(WrongCalls& all) {
  const auto add = [&](const std::string& op, Kind kind, std::function<void()> call,
                       std::vector<std::string> parts) {
    all.push_back({op, kind, std::move(call), std::move(parts)});
  };
  const Tensor x = f32({2, 3});
  const Tensor signs = Tensor::from({1, 0});
  add("hinge_embedding_loss", Kind::shape, [=] { hinge_embedding_loss(x, f32({2})); },
      {"[2]", "[2,3]"});
  add("hinge_embedding_loss", Kind::value, [=] { hinge_embedding_loss(f32({2}), signs); },
      {"target 0 at position 1", "1 nor -1"});
  add("hinge_embedding_loss", Kind::dtype, [] { hinge_embedding_loss(i64({2}), i64({2})); },
      {"float32 or float64", "int64"});
  add("hinge_embedding_loss", Kind::shape, [=] { hinge_embedding_loss(x, Tensor()); },
      {"target", "undefined"});
  add("margin_ranking_loss", Kind::shape, [=] { margin_ranking_loss(x, x, f32({2})); },
      {"[2]", "[2,3]"});
  add("margin_ranking_loss", Kind::value, [=] { margin_ranking_loss(f32({2}), f32({2}), signs); },
      {"target 0 at position 1", "1 nor -1"});
  add("cosine_similarity", Kind::shape,
      [=] {
        cosine_similarity(x, f32({2, 4}));
      },
      {"[2,3]", "[2,4]"});
  add("cosine_similarity", Kind::shape, [=] { cosine_similarity(x, x, {.dim = 2}); },
      {"dimension 2", "rank 2"});
  add("cosine_similarity", Kind::dtype,
      [=] {
        cosine_similarity(x, f64({2, 3}));
      },
      {"float32 [2,3]", "float64 [2,3]"});
  add("cosine_similarity", Kind::value, [=] { cosine_similarity(x, x, {.eps = -1}); },
      {"eps", "-1"});
  add("cosine_embedding_loss", Kind::shape,
      [=] {
        cosine_embedding_loss(x, f32({3, 2}), f32({2}));
      },
      {"[2,3]", "[3,2]"});
  add("cosine_embedding_loss", Kind::shape, [=] { cosine_embedding_loss(x, x, f32({3})); },
      {"[3]", "[2]"});
  add("cosine_embedding_loss", Kind::value, [=] { cosine_embedding_loss(x, x, signs); },
      {"target 0 at position 1", "1 nor -1"});
  add("cosine_embedding_loss", Kind::shape,
      [] {
        cosine_embedding_loss(f32({1, 2, 3}), f32({1, 2, 3}), f32({1}));
      },
      {"[N,D]", "[1,2,3]"});
  add("pairwise_distance", Kind::shape,
      [=] {
        pairwise_distance(x, f32({2, 4}));
      },
      {"[2,3]", "[2,4]"});
  add("pairwise_distance", Kind::shape, [] { pairwise_distance(f32({}), f32({})); },
      {"vectors", "[]"});
  add("pairwise_distance", Kind::dtype, [=] { pairwise_distance(x, f64({3})); },
      {"float32", "float64"});
  add("pairwise_distance", Kind::value, [=] { pairwise_distance(x, x, {.p = 0.5}); },
      {"p must be at least 1", "0.5"});
  add("pairwise_distance", Kind::value, [=] { pairwise_distance(x, x, {.eps = NAN}); },
      {"eps", "nan"});
  add("triplet_margin_loss", Kind::shape, [=] { triplet_margin_loss(x, f32({3}), x); },
      {"anchor [2,3]", "positive [3]"});
  add("triplet_margin_loss", Kind::shape, [=] { triplet_margin_loss(x, x, f32({3})); },
      {"anchor [2,3]", "negative [3]"});
  add("triplet_margin_loss", Kind::dtype,
      [=] {
        triplet_margin_loss(x, x, f64({2, 3}));
      },
      {"float32 [2,3]", "float64 [2,3]"});
  add("triplet_margin_loss", Kind::value, [=] { triplet_margin_loss(x, x, x, {.p = -2}); },
      {"p must be at least 1", "-2"});
}

}  // namespace

WrongCalls wrong_loss_calls() {
  WrongCalls all;
  add_label_losses(all);
  add_pair_losses(all);
  add_class_losses(all);
  add_margin_losses(all);
  return all;
}

TEST_CASE("wrong losses are told in one line, with the name, the rule and both sides") {
  check_wrong_calls(wrong_loss_calls());
}
