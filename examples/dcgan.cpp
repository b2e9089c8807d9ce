// A small DCGAN on the 8x8 digits: a generator draws digits from noise, a discriminator tells drawn
// ones from real ones, and each learns from the other. Their losses do not say how good the digits
// are, so a third net judges them, a classifier that learned real digits only: of how many is it
// sure, and are all ten classes among them? A generator that always draws the same 1 would pass the
// first question, noise in all directions the second.
//
// Sure, with a probability of 0.9, it is of 71% of them (other seeds and processors 70% to 74%; of
// the real test digits 96%, of an untrained generator's 13%), and they spread like 9.8 equal
// classes. It fails below 60% or 8 classes, and when the untrained generator would pass.
//
// A. Radford, L. Metz, S. Chintala, "Unsupervised representation learning with deep convolutional
// generative adversarial networks", ICLR 2016.
#include <gradus/gradus.h>

#include <cmath>
#include <cstdio>

using namespace gradus;

namespace {

constexpr std::int64_t noise_size = 16;

Sequential make_generator() {
  return Sequential{
      ConvTranspose2d{noise_size, 64, {.kernel_size = 2, .bias = false}},
      BatchNorm2d{64},  // [N,64,2,2]
      ReLU{},
      ConvTranspose2d{64, 32, {.kernel_size = 4, .stride = 2, .padding = 1, .bias = false}},
      BatchNorm2d{32},  // [N,32,4,4]
      ReLU{},
      ConvTranspose2d{32, 1, {.kernel_size = 4, .stride = 2, .padding = 1}},
      Tanh{}};  // [N,1,8,8]
}

Sequential make_discriminator() {
  return Sequential{Conv2d{1, 32, {.kernel_size = 4, .stride = 2, .padding = 1}},  // [N,32,4,4]
                    LeakyReLU{0.2},
                    Conv2d{32, 64, {.kernel_size = 4, .stride = 2, .padding = 1, .bias = false}},
                    BatchNorm2d{64},  // [N,64,2,2]
                    LeakyReLU{0.2},
                    Conv2d{64, 1, 2}};  // [N,1,1,1], above 0: real
}

/// How far scores are from saying "real" or "drawn", which is 1 or 0.
Variable loss_to(double target, const Variable& scores) {
  return binary_cross_entropy_with_logits(scores, full(scores.shape(), target));
}

struct Judgement {
  double sure;     // the share of images whose class has a probability of 0.9 or more
  double classes;  // how many classes there seem to be: exp of the entropy of their shares
};

Judgement judgement_of(Module& judge, const Tensor& images) {
  const NoGrad no_tape;
  judge.eval();
  const Tensor probabilities = softmax(judge(images), 1).value();  // [N,10]
  const double count = static_cast<double>(images.size(0));
  double entropy = 0;
  const Tensor found = core::bincount(core::argmax(probabilities, 1));
  for (const std::int64_t n : found.to_vector<std::int64_t>()) {
    const double share = static_cast<double>(n) / count;
    if (n > 0) entropy -= share * std::log(share);
  }
  return {core::sum(core::max(probabilities, {1}) >= 0.9).item() / count, std::exp(entropy)};
}

bool passes(const Judgement& j) { return j.sure >= 0.6 && j.classes >= 8; }

}  // namespace

int main() {
  manual_seed(1);
  DataSplit digits = load_digits();
  digits.train.normalization = {.mean = {0.5}, .stddev = {0.5}};  // 0..1 -> -1..1, as from tanh
  const DataLoader loader(digits.train, {.batch_size = 32, .shuffle = true, .drop_last = true});

  Sequential judge = make_cnn();
  AdamW judge_optimizer(judge.parameters(), {.lr = 0.005});
  for (int epoch = 0; epoch < 8; ++epoch) {
    for (const Batch& batch : loader.epoch(epoch)) {
      judge_optimizer.zero_grad();
      cross_entropy(judge(batch.images), batch.labels).backward();
      judge_optimizer.step();
    }
  }

  Sequential generator = make_generator();
  Sequential discriminator = make_discriminator();
  const auto draw = [&](std::int64_t count) {
    return generator(randn({count, noise_size, 1, 1}, default_generator()));
  };
  const auto report = [&](const char* what, const Tensor& images) {
    const Judgement j = judgement_of(judge, images);
    std::printf("%s: sure of %.1f%%, %.2f classes\n", what, 100 * j.sure, j.classes);
    return j;
  };
  report("real digits", (digits.test.images - 0.5) / 0.5);
  const bool untrained_passes = passes(report("untrained", draw(1000).value()));

  Adam g_optimizer(generator.parameters(), {.lr = 1e-3, .beta1 = 0.5});
  Adam d_optimizer(discriminator.parameters(), {.lr = 1e-3, .beta1 = 0.5});
  Judgement last{};
  for (int epoch = 0; epoch < 30; ++epoch) {
    for (const Batch& batch : loader.epoch(epoch)) {
      const Variable drawn = draw(32);
      d_optimizer.zero_grad();
      loss_to(1, discriminator(batch.images)).backward();
      loss_to(0, discriminator(drawn.detach())).backward();  // adds to these gradients
      d_optimizer.step();
      g_optimizer.zero_grad();
      loss_to(1, discriminator(drawn)).backward();
      g_optimizer.step();
    }
    if (epoch % 10 == 9) last = report("ten epochs later", draw(1000).value());
  }
  return passes(last) && !untrained_passes ? 0 : 1;
}
