// How numeric differentiation goes wrong: the error of difference quotients, step by step.
//
// f(x) = eˣ at x = 1, whose slope is e. Large steps err because f bends (truncation), small steps
// because the numbers run out of digits (rounding). docs/gradient-checking.md tells the story.
#include <gradus/gradus.h>

#include <cmath>
#include <cstdio>
#include <fstream>

using namespace gradus;

namespace {

constexpr double x = 1;
const double slope = std::exp(x);

/// (f(x + h) - f(x))/h, with all numbers in T.
template <class T> double forward_difference(T h) {
  const T at = static_cast<T>(x);
  return static_cast<double>((std::exp(at + h) - std::exp(at)) / h);
}

/// (f(x + h) - f(x - h))/2h
template <class T> double central_difference(T h) {
  const T at = static_cast<T>(x);
  return static_cast<double>((std::exp(at + h) - std::exp(at - h)) / (2 * h));
}

double error(double numeric) { return std::fabs(numeric - slope) / slope; }

}  // namespace

int main(int argc, char** argv) {
  std::printf("   step   forward   central   central, float32   (relative errors)\n");
  for (int digits = 1; digits <= 13; digits += 2) {
    const double h = std::pow(10, -digits);
    std::printf("  1e-%02d   %.1e   %.1e   %.1e\n", digits, error(forward_difference(h)),
                error(central_difference(h)), error(central_difference(static_cast<float>(h))));
  }

  // What the checker does instead: many steps, extrapolated, with a bound on the error.
  int evaluations = 0;
  const auto change = [&](double t) {
    ++evaluations;
    const double difference = std::exp(x + t) - std::exp(x);
    return Change{{difference}, {4e-16 * std::exp(x + t)}};
  };
  const SlopeOptions options{.tolerance = [](double s) { return 1e-6 * std::fabs(s); }};
  const Slope found = measure_slopes(change, options)[0];
  std::printf("Ridders  error %.1e, its own bound %.1e, after %d evaluations\n", error(found.value),
              found.bound / slope, evaluations);

  // The same through the checker, and its picture.
  const Variable point(Tensor::scalar(x, float64), true);
  const GradcheckReport report = gradcheck([](const Variables& v) { return exp(v[0]); }, {point});
  if (argc > 1) std::ofstream(argv[1]) << report.sweep_svg();
  return report.passed() && error(found.value) <= found.bound / slope ? 0 : 1;
}
