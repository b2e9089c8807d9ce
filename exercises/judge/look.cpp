// Patterns are tried from the simplest to the least, and count only where they explain every number.
#include "look.h"

#include <gradus/core/error.h>
#include <gradus/core/math.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

namespace gradus {
namespace {

// Both are float64 sums of at most some thousand numbers around 1, added in some order.
constexpr double rtol = 1e-9;
constexpr double atol = 1e-11;

bool close(double a, double b) {
  return std::fabs(a - b) <= atol + rtol * std::fabs(b) || (std::isnan(a) && std::isnan(b)) ||
         a == b;
}

/// The shapes differ: by an order of axes, or by a number in each?
std::string look_of_shapes(const Shape& got, const Shape& right) {
  std::vector<std::int64_t> a(got.begin(), got.end());
  std::vector<std::int64_t> b(right.begin(), right.end());
  if (got.rank() != right.rank())
    return text_of("it has ", got.rank(), got.rank() == 1 ? " axis, not " : " axes, not ",
                   right.rank());
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  if (a == b) return "its axes are in another order";
  for (int d = 0; d < got.rank(); ++d) {
    if (got[d] != right[d])
      return text_of("along axis ", d, " it has ", std::abs(got[d] - right[d]),
                     got[d] < right[d] ? " too few" : " too many");
  }
  return {};
}

std::string look_of_factor(const std::vector<double>& got, const std::vector<double>& right) {
  double both = 0;
  double square = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    both += got[i] * right[i];
    square += right[i] * right[i];
  }
  const double factor = square > 0 ? both / square : 1;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!close(got[i], factor * right[i])) return {};
  if (got.size() < 2 && factor != -1) return {};  // one number is a multiple of any other
  if (std::fabs(factor + 1) < rtol) return "the sign is wrong";
  return text_of("it is the right answer times ", factor);
}

std::string look_of_places(const Tensor& got, const Tensor& right) {
  for (int d = 0; d < right.rank(); ++d) {
    if (right.size(d) > 1 && agree(got, core::flip(right, {d})))
      return text_of("axis ", d, " runs backwards");
    for (int e = d + 1; e < right.rank(); ++e) {
      if (right.size(d) == right.size(e) && agree(got, right.transpose(d, e)))
        return text_of("axes ", d, " and ", e, " are exchanged");
    }
  }
  return {};
}

/// Is one slice alone right, or alone wrong? Or is it the border?
std::string look_of_parts(const Tensor& got, const Tensor& right) {
  for (int d = 0; d < right.rank(); ++d) {
    const std::int64_t n = right.size(d);
    if (n < 2) continue;
    std::vector<std::int64_t> wrong;
    for (std::int64_t i = 0; i < n; ++i)
      if (!agree(got.select(d, i), right.select(d, i))) wrong.push_back(i);
    const auto count = static_cast<std::int64_t>(wrong.size());
    if (count == 1) return text_of("only index ", wrong[0], " of axis ", d, " is wrong");
    if (n > 2 && count == n - 1) {
      std::int64_t fine = 0;
      while (fine < count && wrong[static_cast<std::size_t>(fine)] == fine) ++fine;
      return text_of("only index ", fine, " of axis ", d, " is right");
    }
  }
  if (right.rank() < 2) return {};
  Tensor inner_got = got;
  Tensor inner = right;
  for (int d = right.rank() - 2; d < right.rank(); ++d) {
    if (right.size(d) < 3) return {};
    inner_got = inner_got.narrow(d, 1, right.size(d) - 2);
    inner = inner.narrow(d, 1, right.size(d) - 2);
  }
  return agree(inner_got, inner) ? "only the border is wrong" : "";
}

}  // namespace

bool agree(const Tensor& got, const Tensor& right) {
  if (!got.defined() || got.shape() != right.shape() || got.dtype() != right.dtype()) return false;
  const std::vector<double> a = got.to(float64).to_vector<double>();
  const std::vector<double> b = right.to(float64).to_vector<double>();
  return std::equal(a.begin(), a.end(), b.begin(), close);
}

std::string first_difference(const std::string& what, const Tensor& got, const Tensor& right) {
  if (!got.defined()) return text_of(what, " is nothing yet");
  if (got.shape() != right.shape())
    return text_of(what, " has shape ", got.shape(), ", it should be ", right.shape());
  if (got.dtype() != right.dtype())
    return text_of(what, " is ", to_string(got.dtype()), ", it should be ",
                   to_string(right.dtype()));
  const std::vector<double> a = got.to(float64).to_vector<double>();
  const std::vector<double> b = right.to(float64).to_vector<double>();
  std::size_t worst = a.size();
  std::size_t wrong = 0;
  double furthest = -1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (close(a[i], b[i])) continue;
    ++wrong;
    const double off = std::isnan(a[i]) ? HUGE_VAL : std::fabs(a[i] - b[i]);
    if (off > furthest) worst = i, furthest = off;
  }
  if (wrong == 0) return {};
  const Shape index = unravel(static_cast<std::int64_t>(worst), right.shape());
  return text_of(what, right.rank() > 0 ? to_string(index) : std::string(), " is ", a[worst],
                 ", it should be ", b[worst], " (", wrong, " of ", a.size(), " wrong)");
}

std::string look_of(const Tensor& got, const Tensor& right) {
  if (!got.defined()) return "nothing is written yet";
  if (got.shape() != right.shape()) return look_of_shapes(got.shape(), right.shape());
  if (got.dtype() != right.dtype()) return {};
  const std::vector<double> a = got.to(float64).to_vector<double>();
  const std::vector<double> b = right.to(float64).to_vector<double>();
  const auto is_finite = [](double v) { return std::isfinite(v); };
  if (!std::all_of(a.begin(), a.end(), is_finite)) return "not finite: NaN or an infinity";
  if (std::all_of(a.begin(), a.end(), [](double v) { return v == 0; })) return "all zeros";
  std::string look = look_of_factor(a, b);
  if (look.empty()) look = look_of_places(got, right);
  if (look.empty()) look = look_of_parts(got, right);
  return look;
}

}  // namespace gradus
