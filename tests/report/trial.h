// A small training on the digits, whole or with something wrong about it, and what the doctor hears of it.
#pragma once

#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/data/dataset.h>
#include <gradus/data/loader.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/container.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/sgd.h>
#include <gradus/report/doctor.h>
#include <gradus/report/vitals.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// What to train, and how.
struct Trial {
  gradus::DataSplit data = gradus::load_digits();
  gradus::Sequential net{};
  double lr = 0.1;
  double weight_decay = 0;
  bool adam = false;
  std::int64_t epochs = 5;
  std::int64_t batch_size = 32;

  std::unique_ptr<gradus::Optimizer> optimizer() const {
    if (adam)
      return std::make_unique<gradus::Adam>(net.parameters(), gradus::AdamOptions{.lr = lr});
    return std::make_unique<gradus::SGD>(
        net.parameters(),
        gradus::SGDOptions{.lr = lr, .momentum = 0.9, .weight_decay = weight_decay});
  }
};

inline void measure_held_out(Trial& trial, gradus::Vitals& vitals, gradus::Vitals::Epoch& epoch) {
  using namespace gradus;
  const NoGrad no_tape;
  trial.net.eval();
  const auto classes = static_cast<std::size_t>(vitals.classes);
  vitals.confusion.assign(classes * classes, 0);
  double loss = 0;
  double right = 0;
  for (const Batch& batch : DataLoader(trial.data.test, {.batch_size = 256}).epoch(0)) {
    const Variable scores = trial.net(batch.images);
    loss += cross_entropy(scores, batch.labels).item() * static_cast<double>(batch.labels.numel());
    const std::vector<std::int64_t> answers =
        core::argmax(scores.value(), 1).to_vector<std::int64_t>();
    const std::vector<std::int64_t> labels = batch.labels.to_vector<std::int64_t>();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      ++vitals.confusion[static_cast<std::size_t>(labels[i]) * classes +
                         static_cast<std::size_t>(answers[i])];
      right += labels[i] == answers[i];
    }
  }
  epoch.held_out_loss = loss / static_cast<double>(trial.data.test.size());
  epoch.held_out_accuracy = right / static_cast<double>(trial.data.test.size());
  trial.net.train();
}

inline void note_movements(gradus::Vitals& vitals, const gradus::Module& net,
                           const std::vector<gradus::Movement>& movements) {
  if (vitals.parameters.empty()) {
    for (const auto& [name, parameter] : net.named_parameters()) {
      vitals.parameters.push_back(
          {.name = name, .is_weight = parameter.value().shape().size() > 1});
    }
  }
  for (std::size_t i = 0; i < movements.size(); ++i) {
    vitals.parameters[i].norm.push_back(movements[i].norm);
    vitals.parameters[i].gradient_norm.push_back(movements[i].gradient_norm);
    vitals.parameters[i].update_norm.push_back(movements[i].update_norm);
  }
}

/// Trains, as a program of one's own would, until a loss is no number.
inline gradus::Vitals vitals_of(Trial& trial) {
  using namespace gradus;
  Vitals vitals{.classes = trial.data.train.classes, .learning_rate = trial.lr};
  vitals.data = data_vitals(trial.data.train, trial.data.test);
  const std::unique_ptr<Optimizer> optimizer = trial.optimizer();
  DataLoader loader(trial.data.train, {.batch_size = trial.batch_size, .shuffle = true, .seed = 1});
  for (std::int64_t e = 0; e < trial.epochs && !vitals.diverged; ++e) {
    double total = 0;
    for (const Batch& batch : loader.epoch(e)) {
      optimizer->zero_grad();
      const Variable loss = cross_entropy(trial.net(batch.images), batch.labels);
      vitals.step_losses.push_back(loss.item());
      if (!std::isfinite(loss.item())) {
        vitals.diverged = true;
        break;
      }
      loss.backward();
      const NamedTensors before = values_of(trial.net);
      optimizer->step();
      total += loss.item();
      if (vitals.step_losses.size() == 1 || batch.index + 1 == loader.batches())
        note_movements(vitals, trial.net, movements(trial.net, before));
    }
    Vitals::Epoch epoch{.train_loss = total / static_cast<double>(loader.batches())};
    measure_held_out(trial, vitals, epoch);
    vitals.epochs.push_back(epoch);
  }
  const NamedVariables parameters = trial.net.named_parameters();
  for (std::size_t i = 0; i < vitals.parameters.size(); ++i) {
    const Tensor& value = parameters[i].second.value();
    if (vitals.parameters[i].is_weight) vitals.parameters[i].equal_rows = equal_rows(value);
  }
  const Batch some = *DataLoader(trial.data.train, {.batch_size = 256}).epoch(0).begin();
  vitals.layers = layer_vitals(trial.net, some.images);
  return vitals;
}
