// Remainders along random directions, and the power of h with which they shrink.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/taylor.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

namespace gradus {
namespace {

constexpr double infinite_order = std::numeric_limits<double>::infinity();

bool is_clear(const TaylorLine::Step& step) { return step.remainder > 50 * step.rounding; }

/// Does the remainder vanish all at once? So it does in a piecewise linear function when the last
/// kink is left behind. That of a wrong gradient halves with h until it drowns in rounding.
bool vanishes(const std::vector<TaylorLine::Step>& steps) {
  for (std::size_t i = steps.size(); i-- > 0;) {
    if (!is_clear(steps[i])) continue;
    return i + 3 <= steps.size() && steps[i + 1].remainder < steps[i].remainder / 16 &&
           steps[i + 2].remainder < steps[i].remainder / 16;
  }
  return false;
}

/// The slope of log(remainder) over log(h), a least-squares line through the smallest steps that
/// stand clear of rounding. NaN when there are fewer than three.
double fitted_order(const std::vector<TaylorLine::Step>& steps) {
  constexpr std::size_t wanted = 6;
  if (vanishes(steps)) return infinite_order;
  std::vector<double> x;
  std::vector<double> y;
  for (auto step = steps.rbegin(); step != steps.rend() && x.size() < wanted; ++step) {
    if (!is_clear(*step)) continue;
    x.push_back(std::log2(step->h));
    y.push_back(std::log2(step->remainder));
  }
  if (x.size() < 3) return std::nan("");
  double mean_x = 0;
  double mean_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean_x += x[i] / static_cast<double>(x.size());
    mean_y += y[i] / static_cast<double>(x.size());
  }
  double both = 0;
  double square = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    both += (x[i] - mean_x) * (y[i] - mean_y);
    square += (x[i] - mean_x) * (x[i] - mean_x);
  }
  return both / square;
}

/// A random direction through every input that wants a gradient, as long as the input itself.
std::vector<Tensor> random_direction(const Probe& probe, Generator& generator) {
  std::vector<Tensor> direction(probe.inputs());
  for (std::size_t i = 0; i < probe.inputs(); ++i) {
    if (!probe.wants(i)) continue;
    const Tensor& x = probe.leaf(i).value();
    const Tensor unit = random_weights(x.shape(), generator);
    direction[i] = core::mul(unit, probe.along(i, unit).scale);
  }
  return direction;
}

bool has_nan(const std::vector<Tensor>& gradients) {
  return std::any_of(gradients.begin(), gradients.end(), [](const Tensor& gradient) {
    return gradient.defined() && core::any(core::isnan(gradient)).item() != 0;
  });
}

TaylorLine follow(const Probe& probe, const std::vector<Tensor>& gradients,
                  const std::vector<Tensor>& direction) {
  double slope = 0;
  for (std::size_t i = 0; i < direction.size(); ++i) {
    if (gradients[i].defined()) slope += core::sum(core::mul(gradients[i], direction[i])).item();
  }
  const Tensor& weights = probe.weights()[0];
  const double size = core::sum(core::abs(core::mul(weights, probe.output()))).item();
  const auto difference_at = [&](double h) {
    Variables moved;
    for (std::size_t i = 0; i < direction.size(); ++i) {
      const Variable& leaf = probe.leaf(i);
      moved.push_back(direction[i].defined()
                          ? Variable(core::add(leaf.value(), core::mul(direction[i], h)))
                          : leaf);
    }
    const Tensor change = core::sub(probe.value_at(moved, "with all inputs moved"), probe.output());
    return core::sum(core::mul(weights, change)).item();
  };
  TaylorLine line;
  std::vector<TaylorLine::Step> bends;  // f(x + h·u) + f(x - h·u) - 2·f(x): like h², but for kinks
  for (double h = 0.0625; h > 1e-9; h /= 2) {
    const double forth = difference_at(h);
    const double back = difference_at(-h);
    if (!std::isfinite(forth) || !std::isfinite(back)) continue;
    line.steps.push_back(
        {.h = h,
         .difference = std::fabs(forth),
         .remainder = std::fabs(forth - h * slope),
         .rounding = 4 * std::numeric_limits<double>::epsilon() * (size + std::fabs(forth))});
    bends.push_back(line.steps.back());
    bends.back().remainder = std::fabs(forth + back);
  }
  if (std::isnan(slope) && has_nan(gradients) &&
      !line.steps.empty()) {  // order 0: it predicts nothing
    line.predicts = false;
    return line;
  }
  line.kinked = fitted_order(bends) < 1.5;
  line.order = fitted_order(line.steps);
  if (std::isnan(line.order) && !line.steps.empty()) {
    // No remainder to speak of, even at the largest step: the function is linear.
    const TaylorLine::Step& first = line.steps.front();
    if (first.remainder <= 50 * first.rounding && first.difference > 1e4 * first.rounding)
      line.order = infinite_order;
  }
  return line;
}

}  // namespace

TaylorReport taylor_test(const DifferentiableFunction& function, const Variables& inputs,
                         const TaylorOptions& options) {
  if (options.directions < 1) {
    fail<ValueError>("taylor_test: directions must be at least 1, got ", options.directions);
  }
  const Probe probe(function, inputs, {.draws = 1, .seed = options.seed});
  const std::vector<Tensor> gradients = probe.gradients(probe.weights()[0]);
  Generator generator(options.seed + 1);
  TaylorReport report;
  for (int d = 0; d < options.directions; ++d) {
    report.lines.push_back(follow(probe, gradients, random_direction(probe, generator)));
    const TaylorLine& line = report.lines.back();
    // At a kink the remainder shrinks like h whatever subgradient g is.
    const bool tells = !std::isnan(line.order) && (line.order >= 1.5 || !line.kinked);
    const Verdict verdict = !tells             ? Verdict::inconclusive
                            : line.order < 1.5 ? Verdict::fail
                                               : Verdict::pass;
    report.verdict = std::max(report.verdict, verdict);
  }
  return report;
}

std::string TaylorReport::to_string() const {
  double least = std::numeric_limits<double>::infinity();
  for (const TaylorLine& line : lines) least = std::min(least, line.order);
  PlainText text;
  text.precision(3);
  text << "Taylor test: " << gradus::to_string(verdict);
  const auto predicts = [](const TaylorLine& line) { return line.predicts; };
  if (!std::all_of(lines.begin(), lines.end(), predicts)) {
    text << ", the gradient is NaN where the function has a difference";
  } else if (verdict == Verdict::inconclusive) {
    const bool kinked =
        std::any_of(lines.begin(), lines.end(), [](const TaylorLine& line) { return line.kinked; });
    text << (kinked ? ", the point is at a kink" : ", rounding hides how the remainder shrinks");
  } else if (least == std::numeric_limits<double>::infinity()) {
    text << ", no remainder along " << lines.size() << " directions: the function is linear";
  } else {
    text << ", the remainder shrinks with order " << least << " along " << lines.size()
         << " directions (2: right, 1: wrong)";
  }
  return text.str();
}

std::ostream& operator<<(std::ostream& out, const TaylorReport& report) {
  return out << report.to_string();
}

}  // namespace gradus
