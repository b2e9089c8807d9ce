// A moving average of weights, which often generalises better than the weights of the last step.
//
//   average ← decay·average + (1 - decay)·weight          after each step of the optimizer
//
// B. Polyak, A. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control and
// Optimization 30(4), 1992.
#pragma once

#include <gradus/autograd/variable.h>

#include <string>
#include <utility>
#include <vector>

namespace gradus {

/// The averages of some parameters, and a way to put them in their place.
class ExponentialMovingAverage {
 public:
  /// Starts from the parameters as they are. Throws ValueError unless 0 <= decay < 1.
  explicit ExponentialMovingAverage(std::vector<Variable> parameters, double decay = 0.999);

  /// After a step.
  void update();
  /// The averages change places with the weights: to evaluate, and once more to go on. Like update() it
  /// throws ShapeError or DTypeError, before anything is written, if a parameter is no longer as it was.
  void swap();
  const std::vector<Tensor>& averages() const { return averages_; }

  /// "average.0", "average.1", ...; they share storage.
  NamedTensors state_dict() const;
  /// Throws ValueError, ShapeError or DTypeError naming the key, and then nothing has changed.
  void load_state_dict(const NamedTensors& tensors);

 private:
  void check_parameters(const char* call) const;

  std::vector<Variable> parameters_;
  std::vector<Tensor> averages_;
  double decay_;
};

}  // namespace gradus
