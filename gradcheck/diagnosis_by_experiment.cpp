// The questions that need another call: backward with other incoming gradients, the function at other
// values.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/suspect.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace gradus {
namespace {

using Values = Suspect::Values;

bool is_same(const Suspect& s, const Values& a, const Values& b) {
  for (std::size_t e = 0; e < a.size(); ++e) {
    if (!s.near(a[e], b[e])) return false;
  }
  return true;
}

}  // namespace

namespace {

/// A gradient that is missing, or 0 everywhere.
bool brings_nothing(const Variable& gradient) {
  if (!gradient.defined()) return true;
  const std::vector<double> numbers = gradient.value().to(float64).to_vector<double>();
  return !numbers.empty() && std::count(numbers.begin(), numbers.end(), 0.0) ==
                                 static_cast<std::ptrdiff_t>(numbers.size());
}

/// Has an elementwise function so many slopes that two formulas cannot agree in all by chance?
bool has_several_slopes(const Suspect& s) {
  std::vector<double> slopes;
  const double* weights = s.probe().weights()[0].data<double>();
  for (std::size_t e = 0; e < s.size(); ++e) {
    if (!s.measured(e)) continue;
    const double slope = s.numeric()[e] / weights[e];
    const bool known = std::any_of(slopes.begin(), slopes.end(), [&](double other) {
      return std::fabs(other - slope) <= 1e-5 * std::max(std::fabs(other), std::fabs(slope));
    });
    if (!known) slopes.push_back(slope);
  }
  return slopes.size() >= 3;
}

}  // namespace

/// Nodes of the tape that take the input several times: which of these uses bring nothing?
std::optional<Diagnosis> lacks_one_use_of_several(const Suspect& s) {
  const Variable output = s.probe().record();
  int count = 0;
  for (const Use& use : uses_of(s.probe().leaf(s.position()).node().get(), output)) {
    count += static_cast<int>(use.slots.size());
    const NoGrad guard;
    const Node& node = *use.node;
    Generator generator(17);
    const Variables gradients =
        use.node->backward(random_weights(node.shape, generator).to(node.dtype));
    const auto silent = [&](std::size_t slot) { return brings_nothing(gradients[slot]); };
    const auto missing = std::count_if(use.slots.begin(), use.slots.end(), silent);
    if (missing > 0) {
      return s.proved(Pattern::missing_accumulation,
                      text_of(node.name, " uses it ", use.slots.size(),
                              use.slots.size() == 1 ? " time" : " times",
                              ", but returns no gradient for ", missing, " of these"));
    }
  }
  // By the numbers alone it could be a factor as well.
  for (int counted = 1; counted < count; ++counted) {
    const double share = static_cast<double>(counted) / count;
    if (!s.explains(Suspect::scaled(s.analytic(), 1 / share))) continue;
    return s.named(Pattern::missing_accumulation,
                   text_of("it is used ", count, " times, and only ", counted,
                           " of these counted; or the gradient is ", counted, "/", count,
                           " of what it should be"),
                   0);
  }
  return std::nullopt;
}

std::optional<Diagnosis> ignores_incoming(const Suspect& s) {
  const Tensor& weights = s.probe().weights()[0];
  if (s.gradient_for(core::mul(weights, 2)) != s.analytic()) return std::nullopt;
  return s.proved(Pattern::ignores_incoming,
                  "twice the incoming gradient gives the same: multiply by it (chain rule)");
}

namespace {

/// Along an output axis as long as one of the input's own, elements meet one to one: no sum belongs
/// there. (Axes of both are lined up at their ends, as broadcasting does.)
bool belongs_to_the_input(int axis, const Shape& output, const Shape& input) {
  const int own = axis - (output.rank() - input.rank());
  return own >= 0 && own < input.rank() && input[own] == output[axis];
}

}  // namespace

namespace {

/// Does an element that is wrong move outputs beside slice k of that axis? Else no sum is missing.
bool reaches_other_slices(const Suspect& s, int axis, std::int64_t k) {
  constexpr std::size_t most = 4;
  std::size_t asked = 0;
  const Tensor& y = s.probe().output();
  for (std::size_t e = 0; e < s.size() && asked < most; ++e) {
    if (!s.wrong(e)) continue;
    ++asked;
    const Probe::Line line = s.probe().element(s.position(), static_cast<std::int64_t>(e));
    const Tensor changed = core::ne(s.probe().moved(line, line.scale * 0x1p-8), y).to(float64);
    if (core::sum(changed).item() > core::sum(changed.select(axis, k)).item()) return true;
  }
  return false;
}

}  // namespace

/// Does the gradient change when all of an output axis but its slice k is left out?
std::optional<Diagnosis> lacks_a_sum(const Suspect& s) {
  // A gradient that is right in places lacks something else.
  if (4 * s.wrong_count() < 3 * s.telling_count()) return std::nullopt;
  const Tensor& weights = s.probe().weights()[0];
  for (int d = 0; d < weights.rank(); ++d) {
    if (weights.size(d) < 2 || belongs_to_the_input(d, weights.shape(), s.shape())) continue;
    for (const std::int64_t k : {std::int64_t{0}, weights.size(d) - 1}) {
      const Tensor only = zeros_like(weights);
      only.select(d, k).copy_(weights.select(d, k));
      if (is_same(s, s.gradient_for(only), s.analytic()) && reaches_other_slices(s, d, k)) {
        return s.proved(Pattern::missing_sum,
                        text_of("only slice ", k, " of output axis ", d,
                                " counts: the sum over that axis is missing"));
      }
    }
  }
  return std::nullopt;
}

/// Elementwise, where the function is not: dy⊙D instead of Jᵀ·dy, with the right diagonal D.
std::optional<Diagnosis> is_diagonal_only(const Suspect& s) {
  const Probe& probe = s.probe();
  if (probe.output().shape() != s.shape() || s.size() < 2) return std::nullopt;
  Generator generator(3);
  const Tensor& weights = probe.weights()[0];
  const Tensor mask = core::gt(rand(s.shape(), generator, float64), 0.5).to(float64);
  const Values masked = s.gradient_for(core::mul(weights, mask));
  for (std::size_t e = 0; e < s.size(); ++e)
    if (!s.near(masked[e], s.analytic()[e] * mask.data<double>()[e])) return std::nullopt;

  constexpr std::size_t most = 8;
  std::size_t asked = 0;
  bool moves_others = false;
  for (std::size_t e = 0; e < s.size() && asked < most; ++e) {
    if (!s.wrong(e)) continue;
    ++asked;
    const Probe::Line line = probe.element(s.position(), static_cast<std::int64_t>(e));
    const double h = line.scale * 0x1p-14;
    const Tensor above = probe.moved(line, h);
    const Tensor below = probe.moved(line, -h);
    for (std::size_t o = 0; o < s.size(); ++o) {
      const double slope = (above.data<double>()[o] - below.data<double>()[o]) / (2 * h);
      if (o != e) moves_others = moves_others || slope != 0;
      // Central differences at this step are good to some 8 digits.
      const double own = weights.data<double>()[e] * slope;
      if (o == e && std::fabs(own - s.analytic()[e]) > 1e-5 * std::fabs(own)) return std::nullopt;
    }
  }
  if (!moves_others) return std::nullopt;
  return s.proved(Pattern::diagonal_only,
                  "each element counts for the output in its own place only, rightly, but it moves "
                  "others too: the rest of the Jacobian is missing (a softmax's backward is not "
                  "y·(1 - y)·dy)");
}

/// An elementwise function whose backward takes f(x) for x, or x for f(x).
std::optional<Diagnosis> reads_output_for_input(const Suspect& s) {
  constexpr std::size_t most = 64;
  const Probe& probe = s.probe();
  const Tensor& y = probe.output();
  if (y.shape() != s.shape() || s.size() > most || !has_several_slopes(s)) return std::nullopt;
  std::vector<Tensor> values;
  for (std::size_t i = 0; i < probe.inputs(); ++i) values.push_back(probe.leaf(i).value().clone());
  const Tensor here = values[s.position()];
  values[s.position()] = y;
  const Probe::Back back(probe);
  try {
    const Probe there(probe, values);
    const Tensor& weights = probe.weights()[0];
    const Tensor found = there.gradients(weights)[s.position()];
    if (found.defined() && s.explains(found.to_vector<double>())) {
      return s.named(
          Pattern::input_for_output,
          "backward reads the input where its formula wants the output: with f(x) in the "
          "place of x it gives the slope at x",
          s.wrong_count());
    }
    Values slopes(s.size(), std::nan(""));
    for (std::size_t e = 0; e < s.size(); ++e) {
      if (!s.measured(e)) continue;
      const Probe::Line line = there.element(s.position(), static_cast<std::int64_t>(e));
      const auto change = [&](double t) { return there.change(line, t); };
      const double step = std::exp2(std::floor(std::log2(line.scale / 32)));
      slopes[e] =
          measure_slopes(change, {.first_step = step,
                                  .tolerance = [&](double size) { return s.tolerance(size); }})[0]
              .value;
    }
    if (s.explains(s.analytic(), slopes)) {
      return s.named(Pattern::output_for_input,
                     "backward reads the output where its formula wants the input: this is the "
                     "slope at f(x), not at x",
                     s.wrong_count());
    }
  } catch (const Error&) {
    // Not defined at f(x).
  }
  return std::nullopt;
}

}  // namespace gradus
