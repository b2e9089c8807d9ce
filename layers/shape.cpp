// Flatten and Identity.
#include <gradus/autograd/functions.h>
#include <gradus/layers/shape.h>

namespace gradus {

Variable Flatten::forward(const Variable& x) { return flatten(x, start_, end_); }

std::string Flatten::extra() const {
  return "start_dim=" + std::to_string(start_) + ", end_dim=" + std::to_string(end_);
}

Variable Identity::forward(const Variable& x) {
  if (rank_ >= 0 && x.rank() != rank_) {
    fail<ShapeError>("Identity: stands for a layer that takes ", rank_, " dimensions, got ",
                     x.shape());
  }
  return x;
}

std::string Identity::extra() const {
  return rank_ < 0 ? std::string() : "rank=" + std::to_string(rank_);
}

}  // namespace gradus
