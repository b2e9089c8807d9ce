// How far two gradients lie apart: in float64, element by element.
#include <gradus/gradcheck/detail/distance.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradus {

double largest(const Tensor& x) {
  double size = 0;
  for (const double value : x.to(float64).to_vector<double>())
    if (std::isfinite(value)) size = std::max(size, std::fabs(value));
  return size;
}

double distance(const Tensor& a, const Tensor& b, double scale) {
  if (!a.defined() && !b.defined()) return 0;
  if (!a.defined()) return std::fabs(scale) * largest(b);
  if (!b.defined()) return largest(a);
  const std::vector<double> x = a.to(float64).to_vector<double>();
  const std::vector<double> y = b.to(float64).to_vector<double>();
  double apart = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double other = scale * y[i];
    if (std::isfinite(x[i]) != std::isfinite(other)) return std::numeric_limits<double>::infinity();
    if (std::isfinite(x[i])) apart = std::max(apart, std::fabs(x[i] - other));
  }
  return apart;
}

}  // namespace gradus
