// Where the doctor's numbers come from: a net on a batch of images, and a pair of data sets.
#pragma once

#include <gradus/data/dataset.h>
#include <gradus/layers/module.h>
#include <gradus/report/doctor.h>

#include <string>
#include <vector>

namespace gradus {

/// What one step did to a parameter. Norms are the square root of the sum of squares.
struct Movement {
  std::string name;          ///< as in state_dict
  double norm = 0;           ///< of its values before the step
  double gradient_norm = 0;  ///< as it is after the step: clipped, where it was; NaN: it has none
  double update_norm = 0;    ///< of what the step added to it
};
/// Copies of all parameters of `net`, to be given to movements() after the step.
NamedTensors values_of(const Module& net);
/// What a step made of parameters that were `before`. Throws ValueError when they are not those of `net`.
std::vector<Movement> movements(const Module& net, const NamedTensors& before);

/// What the activations of `net` do on `images` [N,C,H,W], in evaluation mode, without recording: a module of the
/// kind ReLU, ReLU6, Tanh, Sigmoid, Hardtanh, Hardsigmoid for each row, in the order of the net. A unit is a channel of [N,C,H,W] and a feature of
/// [N,F]; it is dead when it is positive for no image and nowhere. Functions that are no modules are not seen.
/// Throws what the net throws; the net is left as it was.
std::vector<Vitals::Layer> layer_vitals(Module& net, const Tensor& images);

/// Mean and deviation (of up to 2,048 training images, evenly spread), the size of the classes, and how many
/// images of `held_out` are in `train` with the very same numbers. Reads every image of both once.
Vitals::Data data_vitals(const Dataset& train, const Dataset& held_out);

/// The share of rows of a weight [F,...] that have the same numbers as another row, over all; 0 of one row.
/// Throws ShapeError for a scalar.
double equal_rows(const Tensor& weight);

}  // namespace gradus
