// Activations: each is one call.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/layers/activation.h>

namespace gradus {

Variable ReLU::forward(const Variable& x) { return relu(x); }

std::vector<LayerSample> ReLU::samples() {
  Generator random(5);
  return {module_sample(
              "away from 0", [] { return ReLU{}; }, spaced({3, 4}, random)),
          module_sample(
              "images", [] { return ReLU{}; }, spaced({2, 1, 2, 3}, random))};
}

Variable Tanh::forward(const Variable& x) { return tanh(x); }

std::vector<LayerSample> Tanh::samples() {
  Generator random(5);
  return {module_sample(
              "normal", [] { return Tanh{}; }, randn({3, 4}, random, float64)),
          module_sample(
              "images", [] { return Tanh{}; }, randn({2, 1, 2, 3}, random, float64))};
}

Variable Sigmoid::forward(const Variable& x) { return sigmoid(x); }

std::vector<LayerSample> Sigmoid::samples() {
  Generator random(5);
  return {module_sample(
              "normal", [] { return Sigmoid{}; }, randn({3, 4}, random, float64)),
          module_sample(
              "images", [] { return Sigmoid{}; }, randn({2, 1, 2, 3}, random, float64))};
}

}  // namespace gradus
