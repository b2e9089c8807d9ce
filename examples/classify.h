// What the nets that classify digits share: the loop of train_digits.cpp, which explains it.
#pragma once

#include <gradus/gradus.h>

#include <cstdio>

/// The share of `dataset` that the model gets right.
inline double accuracy(gradus::Module& model, const gradus::Dataset& dataset) {
  const gradus::NoGrad no_tape;
  model.eval();
  double right = 0;
  for (const gradus::Batch& batch : gradus::DataLoader(dataset, {.batch_size = 256}).epoch(0)) {
    const gradus::Tensor guess = gradus::core::argmax(model(batch.images).value(), 1);
    right += gradus::core::sum(gradus::core::eq(guess, batch.labels)).item();
  }
  return right / static_cast<double>(dataset.size());
}

/// Trains with a learning rate that falls along a cosine, a line for each epoch. Gives the accuracy on
/// the test digits at the end.
inline double train(gradus::Module& model, gradus::Optimizer& optimizer,
                    const gradus::DataSplit& digits, int epochs) {
  gradus::CosineAnnealing schedule(optimizer, {.epochs = epochs});
  gradus::DataLoader loader(digits.train, {.batch_size = 32, .shuffle = true, .seed = 1});
  double right = 0;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    model.train();
    double total = 0;
    for (const gradus::Batch& batch : loader.epoch(epoch)) {
      optimizer.zero_grad();
      const gradus::Variable loss = gradus::cross_entropy(model(batch.images), batch.labels);
      loss.backward();
      optimizer.step();
      total += loss.item();
    }
    schedule.step();
    right = accuracy(model, digits.test);
    std::printf("epoch %d: loss %.4f, test accuracy %.2f%%\n", epoch + 1,
                total / static_cast<double>(loader.batches()), 100 * right);
  }
  return right;
}
