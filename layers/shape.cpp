// Flatten and Identity.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/layers/shape.h>

namespace gradus {

Variable Flatten::forward(const Variable& x) { return flatten(x, start_, end_); }

std::string Flatten::extra() const {
  return "start_dim=" + std::to_string(start_) + ", end_dim=" + std::to_string(end_);
}

std::vector<LayerSample> Flatten::samples() {
  Generator random(12);
  return {module_sample(
              "all but the batch", [] { return Flatten{}; }, randn({2, 3, 2, 2}, random, float64)),
          module_sample(
              "two in the middle",
              [] {
                return Flatten{1, 2};
              },
              randn({2, 3, 2, 2}, random, float64))};
}

Variable Identity::forward(const Variable& x) { return x; }

std::vector<LayerSample> Identity::samples() {
  Generator random(12);
  return {module_sample(
              "a matrix", [] { return Identity{}; }, randn({2, 3}, random, float64)),
          module_sample(
              "a vector", [] { return Identity{}; }, randn({4}, random, float64))};
}

}  // namespace gradus
