// A whole training loop in plain sight: a small CNN learns the 8x8 digits. Nothing is hidden
// in a "trainer".
#include <gradus/gradus.h>

#include <cstdio>

using namespace gradus;

namespace {

/// The share of `dataset` that the model gets right.
double accuracy(Module& model, const Dataset& dataset) {
  const NoGrad no_tape;  // nothing to differentiate: record nothing
  model.eval();
  double right = 0;
  for (const Batch& batch : DataLoader(dataset, {.batch_size = 256}).epoch(0)) {
    const Tensor guess = core::argmax(model(batch.images).value(), 1);
    right += core::sum(core::eq(guess, batch.labels)).item();
  }
  return right / static_cast<double>(dataset.size());
}

}  // namespace

int main() {
  manual_seed(1);  // the same weights, the same order, the same result everywhere
  const DataSplit digits = load_digits();

  // 3x3 convolutions look at neighbours, 1x1 convolutions mix channels.
  Sequential model{Conv2d{1, 16, {.kernel_size = 3, .padding = 1}},  // [N,1,8,8] -> [N,16,8,8]
                   ReLU{},
                   Conv2d{16, 16, {.kernel_size = 1}},  // a matrix product over channels
                   ReLU{},
                   MaxPool2d{{.kernel_size = 2}},                     // -> [N,16,4,4]
                   Conv2d{16, 32, {.kernel_size = 3, .padding = 1}},  // -> [N,32,4,4]
                   ReLU{},
                   Flatten{},         // -> [N,512]
                   Linear{512, 10}};  // -> [N,10]: one score per class
  SGD optimizer(model.parameters(), {.lr = 0.1, .momentum = 0.9, .weight_decay = 5e-4});
  CosineAnnealing schedule(optimizer, {.epochs = 10});  // large steps first, small ones at last
  DataLoader loader(digits.train, {.batch_size = 32, .shuffle = true, .seed = 1});

  for (int epoch = 0; epoch < 10; ++epoch) {
    model.train();
    double total = 0;
    for (const Batch& batch : loader.epoch(epoch)) {
      optimizer.zero_grad();
      const Variable loss = cross_entropy(model(batch.images), batch.labels);
      loss.backward();   // dL/d(weight) for every weight
      optimizer.step();  // and a step against it
      total += loss.item();
    }
    schedule.step();
    std::printf("epoch %d: loss %.4f, test accuracy %.2f%%\n", epoch + 1,
                total / static_cast<double>(loader.batches()), 100 * accuracy(model, digits.test));
  }
  return accuracy(model, digits.test) >= 0.97 ? 0 : 1;
}
