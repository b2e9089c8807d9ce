// Inputs for the ops of autograd/ops/loss.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

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

/// 1, 1.5, 2, ... for each class of x, in its dtype.
Tensor class_weight(const Variable& x) {
  const auto classes = static_cast<double>(x.size(1));
  return core::add(core::mul(arange(0, classes, 1, x.dtype()), 0.5), 1);
}

/// Of a loss with the options of nll_loss: weighted, and one label of them ignored.
template <class F, class Options> std::vector<Sample> option_samples(F f, Options options) {
  const auto with = [f](Tensor labels, Options o, bool weighted) {
    return [=](const Variables& v) mutable {
      if (weighted) o.weight = class_weight(v[0]);
      return f(v[0], labels, o);
    };
  };
  const Tensor labels = Tensor::from({2, 0, 3, 2});
  const Tensor pixels = Tensor::from({{1, 0, 3, 3, 2}, {2, 2, 0, 1, 3}, {0, 3, 1, 1, 2}});
  Options ignoring = options;
  ignoring.ignore_index = 2;
  Options summed = ignoring;
  summed.reduction = Reduction::sum;
  Options apart = ignoring;
  apart.reduction = Reduction::none;
  return {{"weights", {spread({4, 5}, 11)}, with(labels, options, true)},
          {"a label ignored", {spread({4, 5}, 12)}, with(labels, ignoring, false)},
          {"weights, a label ignored", {spread({3, 4, 5}, 13)}, with(pixels, ignoring, true)},
          {"the same, summed", {spread({4, 4}, 14)}, with(labels, summed, true)},
          {"the same, apart", {spread({4, 4}, 15)}, with(labels, apart, true)}};
}

std::vector<Sample> with_more(std::vector<Sample> all, const std::vector<Sample>& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Variable cross_entropy_of(const Variable& x, const Tensor& labels, CrossEntropyOptions o) {
  return cross_entropy(x, labels, o);
}

std::vector<Sample> smoothed_samples() {
  std::vector<Sample> all =
      option_samples(cross_entropy_of, CrossEntropyOptions{.label_smoothing = 0.2});
  for (Sample& sample : all) sample.description = "smoothed, " + sample.description;
  return all;
}

/// Targets that are probabilities, or nearly: the loss does not ask.
std::vector<Sample> soft_target_samples() {
  const auto with = [](CrossEntropyOptions o, bool weighted) {
    return [=](const Variables& v) mutable {
      if (weighted) o.weight = class_weight(v[0]);
      return cross_entropy(v[0], v[1], o);
    };
  };
  const auto pair = [](const Shape& shape, std::uint64_t seed) {
    return Variables{spread(shape, seed), spread(shape, seed + 1, {0, 1})};
  };
  return {{"probabilities", pair({4, 5}, 21), with({}, false)},
          {"probabilities, weights, of pixels", pair({2, 4, 3}, 23), with({}, true)},
          {"probabilities, smoothed", pair({4, 4}, 25),
           with({.reduction = Reduction::none, .label_smoothing = 0.3}, true)}};
}

std::vector<Sample> cross_entropy_samples() {
  const auto plain = [](const Variable& v, const Tensor& t, Reduction r) {
    return cross_entropy(v, t, r);
  };
  return with_more(
      with_more(loss_samples(plain), option_samples(cross_entropy_of, CrossEntropyOptions{})),
      with_more(smoothed_samples(), soft_target_samples()));
}

std::vector<Sample> cross_entropy_training_samples() {
  return with_more(loss_training_samples([](const Variable& v, const Tensor& t, Reduction r) {
                     return cross_entropy(v, t, r);
                   }),
                   {{"smoothed and weighted",
                     {spread({128, 10}, 1)},
                     [](const Variables& v) {
                       Generator generator(1);
                       return cross_entropy(v[0], randint(0, 10, {128}, generator),
                                            {.weight = class_weight(v[0]), .label_smoothing = 0.1});
                     }},
                    {"probabilities",
                     {spread({128, 10}, 2), spread({128, 10}, 3, {0, 1})},
                     [](const Variables& v) { return cross_entropy(v[0], v[1]); }}});
}

std::vector<Sample> nll_loss_samples() {
  return with_more(loss_samples([](const Variable& x, const Tensor& t, Reduction r) {
                     return nll_loss(x, t, r);
                   }),
                   option_samples([](const Variable& x, const Tensor& t,
                                     const NLLLossOptions& o) { return nll_loss(x, t, o); },
                                  NLLLossOptions{}));
}

std::vector<Sample> nll_loss_training_samples() {
  return loss_training_samples(
      [](const Variable& x, const Tensor& t, Reduction r) { return nll_loss(x, t, r); });
}

constexpr Range shares{0.05, 0.95};

Variable bce(const Variable& x, const Variable& t, Reduction r) {
  return binary_cross_entropy(x, t, {.reduction = r});
}

std::vector<Sample> binary_cross_entropy_samples() {
  return with_more(pair_loss_samples(bce, shares, shares),
                   {{"weights",
                     {spread({3, 4}, 11, shares), spread({3, 4}, 12, shares)},
                     [](const Variables& v) {
                       return binary_cross_entropy(v[0], v[1], {.weight = class_weight(v[0])});
                     }},
                    {"of one class", {spread({3, 4}, 13, shares)}, [](const Variables& v) {
                       return bce(v[0], ones_like(v[0].value()), {});
                     }}});
}

std::vector<Sample> binary_cross_entropy_training_samples() {
  return pair_loss_training_samples(bce, {1e-4, 0.9999}, {0, 0.999});
}

Variable bce_with_logits(const Variable& x, const Variable& t, Reduction r) {
  return binary_cross_entropy_with_logits(x, t, {.reduction = r});
}

std::vector<Sample> bce_with_logits_samples() {
  return with_more(
      pair_loss_samples(bce_with_logits, {-4, 4}, shares),
      {{"weights",
        {spread({3, 4}, 11), spread({3, 4}, 12, shares)},
        [](const Variables& v) {
          return binary_cross_entropy_with_logits(
              v[0], v[1], {.weight = class_weight(v[0]), .pos_weight = 3 * class_weight(v[0])});
        }},
       {"at 0", {Variable(zeros({3}, float64), true)}, [](const Variables& v) {
          return bce_with_logits(v[0], Tensor::from({0.0, 0.5, 1.0}, v[0].dtype()), {});
        }}});
}

std::vector<Sample> bce_with_logits_training_samples() {
  return pair_loss_training_samples(bce_with_logits, {-30, 30}, {0, 0.999});
}

Variable kl(const Variable& x, const Variable& t, Reduction r) {
  return kl_div(x, t, {.reduction = r});
}

std::vector<Sample> kl_div_samples() {
  return with_more(
      pair_loss_samples(kl, {-3, 0}, shares),
      {{"the target by its logarithm",
        {spread({3, 4}, 11, {-3, 0}), spread({3, 4}, 12, {-3, 0})},
        [](const Variables& v) { return kl_div(v[0], v[1], {.log_target = true}); }},
       {"batchmean",
        {spread({3, 4}, 13, {-3, 0}), spread({3, 4}, 14, shares)},
        [](const Variables& v) { return kl(v[0], v[1], Reduction::batchmean); }},
       {"targets of 0", {spread({3}, 15, {-3, 0})}, [](const Variables& v) {
          return kl(v[0], Tensor::from({0.0, 0.25, 0.75}, v[0].dtype()), Reduction::sum);
        }}});
}

std::vector<Sample> kl_div_training_samples() {
  return pair_loss_training_samples(kl, {-6, 0}, {0.001, 0.999});
}

}  // namespace

std::vector<OpSamples> loss() {
  return {
      {"cross_entropy", cross_entropy_samples, cross_entropy_training_samples},
      {"nll_loss", nll_loss_samples, nll_loss_training_samples},
      {"binary_cross_entropy", binary_cross_entropy_samples, binary_cross_entropy_training_samples},
      {"binary_cross_entropy_with_logits", bce_with_logits_samples,
       bce_with_logits_training_samples},
      {"kl_div", kl_div_samples, kl_div_training_samples},
  };
}

}  // namespace gradus::samples
