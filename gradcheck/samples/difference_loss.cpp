// Inputs for the losses of autograd/ops/difference_loss.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

Variable mse(const Variable& x, const Variable& t, Reduction r) { return mse_loss(x, t, r); }

std::vector<Sample> mse_loss_samples() {
  std::vector<Sample> all = pair_loss_samples(mse);
  all.push_back({"the same twice", {spread({3, 3}, 11)}, [](const Variables& v) {
                   return mse_loss(v[0], transpose(v[0]));  // of v and v itself it would be 0
                 }});
  return all;
}

std::vector<Sample> mse_loss_training_samples() { return pair_loss_training_samples(mse); }

Variable l1(const Variable& x, const Variable& t, Reduction r) { return l1_loss(x, t, r); }

std::vector<Sample> l1_loss_samples() { return pair_loss_samples(l1); }

std::vector<Sample> l1_loss_training_samples() { return pair_loss_training_samples(l1); }

Variable huber(const Variable& x, const Variable& t, Reduction r) {
  return huber_loss(x, t, {.reduction = r});
}

std::vector<Sample> huber_loss_samples() {
  std::vector<Sample> all = pair_loss_samples(huber);
  all.push_back({"a small delta", {spread({3, 4}, 11), beside({3, 4}, 12)}, [](const Variables& v) {
                   return huber_loss(v[0], v[1], {.reduction = Reduction::none, .delta = 0.35});
                 }});
  return all;
}

std::vector<Sample> huber_loss_training_samples() { return pair_loss_training_samples(huber); }

Variable smooth_l1(const Variable& x, const Variable& t, Reduction r) {
  return smooth_l1_loss(x, t, {.reduction = r});
}

std::vector<Sample> smooth_l1_loss_samples() {
  const auto with = [](double beta) {
    return [beta](const Variables& v) {
      return smooth_l1_loss(v[0], v[1], {.reduction = Reduction::none, .beta = beta});
    };
  };
  std::vector<Sample> all = pair_loss_samples(smooth_l1);
  all.push_back({"beta 0", {spread({3, 4}, 11), beside({3, 4}, 12)}, with(0)});
  all.push_back({"a small beta", {spread({3, 4}, 13), beside({3, 4}, 14)}, with(0.35)});
  return all;
}

std::vector<Sample> smooth_l1_loss_training_samples() {
  return pair_loss_training_samples(smooth_l1);
}

}  // namespace

std::vector<OpSamples> difference_loss() {
  return {
      {"mse_loss", mse_loss_samples, mse_loss_training_samples},
      {"l1_loss", l1_loss_samples, l1_loss_training_samples},
      {"huber_loss", huber_loss_samples, huber_loss_training_samples},
      {"smooth_l1_loss", smooth_l1_loss_samples, smooth_l1_loss_training_samples},
  };
}

}  // namespace gradus::samples
