// Flatten and Identity.
#include <gradus/autograd/functions.h>
#include <gradus/layers/shape.h>

namespace gradus {

Variable Flatten::forward(const Variable& x) { return flatten(x, start_, end_); }

std::string Flatten::extra() const {
  return "start_dim=" + std::to_string(start_) + ", end_dim=" + std::to_string(end_);
}

Variable Identity::forward(const Variable& x) { return x; }

}  // namespace gradus
