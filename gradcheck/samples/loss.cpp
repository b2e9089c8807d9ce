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

std::vector<Sample> cross_entropy_samples() {
  return loss_samples(
      [](const Variable& v, const Tensor& t, Reduction r) { return cross_entropy(v, t, r); });
}

std::vector<Sample> cross_entropy_training_samples() {
  return loss_training_samples(
      [](const Variable& v, const Tensor& t, Reduction r) { return cross_entropy(v, t, r); });
}

std::vector<Sample> nll_loss_samples() {
  return loss_samples(
      [](const Variable& x, const Tensor& t, Reduction r) { return nll_loss(x, t, r); });
}

std::vector<Sample> nll_loss_training_samples() {
  return loss_training_samples(
      [](const Variable& x, const Tensor& t, Reduction r) { return nll_loss(x, t, r); });
}

std::vector<Sample> mse_loss_samples() {
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

std::vector<Sample> mse_loss_training_samples() {
  const auto with = [](Reduction r) {
    return [r](const Variables& v) { return mse_loss(v[0], v[1], r); };
  };
  std::vector<Sample> all{
      {"many", {spread({many_elements}, 1), spread({many_elements}, 2)}, with(Reduction::mean)},
      {"rows", {spread({257, 97}, 3), spread({257, 97}, 4)}, with(Reduction::sum)}};
  for (const std::int64_t size : remainders) {
    all.push_back(
        {size_name(size), {spread({33, size}, 5), spread({33, size}, 6)}, with(Reduction::mean)});
  }
  return all;
}

}  // namespace

std::vector<OpSamples> loss() {
  return {
      {"cross_entropy", cross_entropy_samples, cross_entropy_training_samples},
      {"nll_loss", nll_loss_samples, nll_loss_training_samples},
      {"mse_loss", mse_loss_samples, mse_loss_training_samples},
  };
}

}  // namespace gradus::samples
