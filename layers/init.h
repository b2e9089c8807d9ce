// Filling new parameters. Each function writes through the tensor it is given and draws one number
// per element, row by row, so a seed gives the same model on every machine.
//
// Why these formulas: a layer multiplies the variance of its input by fan_in·Var(weight). Glorot
// and He choose Var(weight) so that neither the activations going forward nor the gradients coming
// back grow or die with depth. For weight [out, in, k...], fan_in = in·Πk and fan_out = out·Πk.
#pragma once

#include <gradus/core/create.h>
#include <gradus/core/tensor.h>

#include <cstdint>

namespace gradus::init {

enum class FanMode { fan_in, fan_out };

/// Of kaiming_uniform_() and kaiming_normal_().
struct KaimingOptions {
  double a = 0;  ///< slope of the leaky ReLU behind the layer; 0 is ReLU
  FanMode mode = FanMode::fan_in;
};

/// How many numbers come into a unit, and how many units one goes to.
struct Fans {
  std::int64_t in = 0;
  std::int64_t out = 0;
};

/// Throws ShapeError for fewer than two dimensions.
Fans fans(const Shape& weight);

// All throw DTypeError unless the tensor is float32 or float64.

/// U(low, high). Throws ValueError unless low <= high, both finite.
void uniform_(const Tensor& tensor, double low, double high,
              Generator& generator = default_generator());
/// N(mean, std²). Throws ValueError unless std >= 0.
void normal_(const Tensor& tensor, double mean, double std,
             Generator& generator = default_generator());
void constant_(const Tensor& tensor, double value);

/// U(-b, b), b = gain·√(3/fan), gain = √(2/(1+a²)).
/// K. He et al., "Delving deep into rectifiers", ICCV 2015, eq. 15.
void kaiming_uniform_(const Tensor& weight, const KaimingOptions& options = {},
                      Generator& generator = default_generator());
/// N(0, gain²/fan), gain as above.
void kaiming_normal_(const Tensor& weight, const KaimingOptions& options = {},
                     Generator& generator = default_generator());
/// U(-b, b), b = gain·√(6/(fan_in+fan_out)).
/// X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
/// networks", AISTATS 2010, eq. 16.
void xavier_uniform_(const Tensor& weight, double gain = 1,
                     Generator& generator = default_generator());
/// N(0, gain²·2/(fan_in+fan_out)).
void xavier_normal_(const Tensor& weight, double gain = 1,
                    Generator& generator = default_generator());

/// What PyTorch's Linear and Conv2d start with: kaiming_uniform_ with a = √5, that is
/// U(-1/√fan_in, 1/√fan_in), for the weight, and the same bounds for the bias (skipped when
/// undefined). The weight is drawn first.
void default_(const Tensor& weight, const Tensor& bias, Generator& generator = default_generator());

}  // namespace gradus::init
