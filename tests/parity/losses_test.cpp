// Losses against PyTorch's: fixtures/parity/losses.py has the cases.
#include <cmath>
#include <string>

#include "support/parity.h"

using namespace gradus;
using parity::Call;
using parity::Options;

namespace {

Reduction reduction_of(const Options& o) {
  const std::string name = o.at("reduction");
  if (name == "none") return Reduction::none;
  if (name == "sum") return Reduction::sum;
  return name == "mean" ? Reduction::mean : Reduction::batchmean;
}

/// Where PyTorch had None, nothing; a constant in any case.
Tensor constant(const Variable& v) { return v.defined() ? v.value() : Tensor(); }

/// An integer target as numbers of x's dtype.
Variable in_dtype_of(const Variable& x, const Variable& target) {
  return target.requires_grad() ? target : Variable(target.value().to(x.dtype()));
}

double p_of(const Options& o) {
  return o.at("p").is_number() ? o.at("p").get<double>() : static_cast<double>(HUGE_VAL);
}

Variables cross_entropy_case(const Variables& v, const Options& o) {
  return {cross_entropy(v[0], v[1].value(),
                        {.weight = constant(v[2]),
                         .ignore_index = o.value("ignore_index", std::int64_t{-100}),
                         .reduction = reduction_of(o),
                         .label_smoothing = o.value("label_smoothing", 0.0)})};
}

Variables cross_entropy_soft_case(const Variables& v, const Options& o) {
  return {cross_entropy(v[0], v[1],
                        {.weight = constant(v[2]),
                         .reduction = reduction_of(o),
                         .label_smoothing = o.at("label_smoothing")})};
}

Variables nll_loss_case(const Variables& v, const Options& o) {
  return {nll_loss(v[0], v[1].value(),
                   {.weight = constant(v[2]),
                    .ignore_index = o.value("ignore_index", std::int64_t{-100}),
                    .reduction = reduction_of(o)})};
}

Variables multi_margin_case(const Variables& v, const Options& o) {
  return {multi_margin_loss(v[0], v[1].value(),
                            {.p = o.at("p"),
                             .margin = o.at("margin"),
                             .weight = constant(v[2]),
                             .reduction = reduction_of(o)})};
}

Variables bce_case(const Variables& v, const Options& o) {
  return {
      binary_cross_entropy(v[0], v[1], {.weight = constant(v[2]), .reduction = reduction_of(o)})};
}

Variables bce_with_logits_case(const Variables& v, const Options& o) {
  return {binary_cross_entropy_with_logits(
      v[0], v[1],
      {.weight = constant(v[2]), .reduction = reduction_of(o), .pos_weight = constant(v[3])})};
}

Variable cosine_similarity_of(const Variables& v, const Options& o) {
  return cosine_similarity(v[0], v[1], {.dim = o.at("dim"), .eps = o.at("eps")});
}

Variables triplet_case(const Variables& v, const Options& o) {
  return {triplet_margin_loss(v[0], v[1], v[2],
                              {.margin = o.at("margin"),
                               .p = o.at("p"),
                               .eps = o.at("eps"),
                               .swap = o.at("swap"),
                               .reduction = reduction_of(o)})};
}

}  // namespace

TEST_CASE("losses give PyTorch's numbers and gradients") {
  parity::check(
      "losses",
      {{"cross_entropy", cross_entropy_case},
       {"cross_entropy_soft", cross_entropy_soft_case},
       {"nll_loss", nll_loss_case},
       {"multi_margin_loss", multi_margin_case},
       {"binary_cross_entropy", bce_case},
       {"binary_cross_entropy_hard",
        [](const Variables& v, const Options& o) {
          return Variables{
              binary_cross_entropy(v[0], in_dtype_of(v[0], v[1]), {.reduction = reduction_of(o)})};
        }},
       {"binary_cross_entropy_with_logits", bce_with_logits_case},
       {"kl_div",
        [](const Variables& v, const Options& o) {
          return Variables{
              kl_div(v[0], v[1], {.reduction = reduction_of(o), .log_target = o.at("log_target")})};
        }},
       {"kl_div_hard",
        [](const Variables& v, const Options& o) {
          return Variables{kl_div(v[0], in_dtype_of(v[0], v[1]), {.reduction = reduction_of(o)})};
        }},
       {"mse_loss",
        [](const Variables& v, const Options& o) {
          return Variables{mse_loss(v[0], v[1], reduction_of(o))};
        }},
       {"l1_loss",
        [](const Variables& v, const Options& o) {
          return Variables{l1_loss(v[0], in_dtype_of(v[0], v[1]), reduction_of(o))};
        }},
       {"huber_loss",
        [](const Variables& v, const Options& o) {
          return Variables{huber_loss(v[0], in_dtype_of(v[0], v[1]),
                                      {.reduction = reduction_of(o), .delta = o.at("delta")})};
        }},
       {"smooth_l1_loss",
        [](const Variables& v, const Options& o) {
          return Variables{smooth_l1_loss(v[0], in_dtype_of(v[0], v[1]),
                                          {.reduction = reduction_of(o), .beta = o.at("beta")})};
        }},
       {"hinge_embedding_loss",
        [](const Variables& v, const Options& o) {
          return Variables{hinge_embedding_loss(
              v[0], v[1].value(), {.margin = o.at("margin"), .reduction = reduction_of(o)})};
        }},
       {"margin_ranking_loss",
        [](const Variables& v, const Options& o) {
          return Variables{margin_ranking_loss(
              v[0], v[1], v[2].value(), {.margin = o.at("margin"), .reduction = reduction_of(o)})};
        }},
       {"cosine_similarity",
        [](const Variables& v, const Options& o) { return Variables{cosine_similarity_of(v, o)}; }},
       {"cosine_similarity_value",
        [](const Variables& v, const Options& o) {
          return Variables{cosine_similarity_of(v, o).detach()};
        }},
       {"cosine_embedding_loss",
        [](const Variables& v, const Options& o) {
          return Variables{cosine_embedding_loss(
              v[0], v[1], v[2].value(), {.margin = o.at("margin"), .reduction = reduction_of(o)})};
        }},
       {"pairwise_distance",
        [](const Variables& v, const Options& o) {
          return Variables{pairwise_distance(
              v[0], v[1], {.p = p_of(o), .eps = o.at("eps"), .keepdim = o.at("keepdim")})};
        }},
       {"triplet_margin_loss", triplet_case},
       {"logsigmoid",
        [](const Variables& v, const Options&) { return Variables{logsigmoid(v[0])}; }}});
}
