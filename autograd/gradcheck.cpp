// Finite differences against backward(). The numeric slope is a central difference, extrapolated
// once (Richardson): (4·D(h/2) - D(h))/3 has an error of order h⁴, so that h = 1e-3 leaves some
// nine digits in float64.
#include <gradus/autograd/functions.h>
#include <gradus/autograd/gradcheck.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace gradus {
namespace {

/// Magnitudes 0.5..1.5 and random signs: no weight hides an output, no symmetry cancels one.
Tensor random_weights(const Shape& shape, Generator& generator) {
  const Tensor weights = rand(shape, generator, float64);
  double* w = weights.data<double>();
  for (std::int64_t i = 0, n = weights.numel(); i < n; ++i) {
    w[i] = (0.5 + w[i]) * (generator.next() & 1 ? 1 : -1);
  }
  return weights;
}

/// The inputs again as fresh, row-major leaves that may be perturbed in place.
Variables private_copies(const Variables& inputs) {
  Variables copies;
  bool any = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Variable& input = inputs[i];
    if (input.requires_grad() && input.dtype() != float64) {
      fail<DTypeError>("gradcheck: input ", i, " is ", describe(input.value()),
                       ", expected float64: float32 rounds too coarsely; cast with .to(float64)");
    }
    any = any || input.requires_grad();
    copies.push_back(Variable(input.value().clone(), input.requires_grad()));
  }
  if (!any)
    fail<GradError>("gradcheck: none of the ", inputs.size(), " inputs requires a gradient");
  return copies;
}

double weighted_sum(const DifferentiableFunction& function, const Variables& inputs,
                    const Tensor& weights) {
  const NoGrad guard;
  const Tensor output = function(inputs).value();
  if (output.shape() != weights.shape()) {
    fail<ShapeError>("gradcheck: the function returned ", output.shape(), " after ",
                     weights.shape(), " for the same input shapes");
  }
  return core::sum(core::mul(output, weights)).item();
}

/// d(Σ weights·f)/d(*x), by differences.
double numeric_slope(const DifferentiableFunction& function, const Variables& inputs,
                     const Tensor& weights, double* x, double step) {
  const double centre = *x;
  const auto difference = [&](double wanted) {
    // The step that really happens, after rounding, is the one to divide by.
    const double above = centre + wanted;
    const double below = centre - wanted;
    *x = above;
    const double up = weighted_sum(function, inputs, weights);
    *x = below;
    const double down = weighted_sum(function, inputs, weights);
    *x = centre;
    return (up - down) / (above - below);
  };
  const double h = step * std::max(1.0, std::fabs(centre));
  return (4 * difference(h / 2) - difference(h)) / 3;
}

Shape unravel(std::int64_t flat, const Shape& shape) {
  Shape index = shape;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    index[d] = flat % shape[d];
    flat /= shape[d];
  }
  return index;
}

/// Above 1 the element fails. NaN is infinitely wrong, on both sides too: it confirms nothing.
double scaled_error(double analytic, double numeric, const GradcheckOptions& options) {
  if (analytic == numeric) return 0;
  const double size = std::max(std::fabs(analytic), std::fabs(numeric));
  const double error = std::fabs(analytic - numeric) / (options.atol + options.rtol * size);
  return std::isnan(error) ? INFINITY : error;
}

void keep_worst(std::vector<GradcheckEntry>& worst, GradcheckEntry entry, std::size_t count) {
  const auto smaller = [](const GradcheckEntry& a, const GradcheckEntry& b) {
    return a.error > b.error;
  };
  worst.insert(std::upper_bound(worst.begin(), worst.end(), entry, smaller), std::move(entry));
  if (worst.size() > count) worst.pop_back();
}

}  // namespace

GradcheckReport gradcheck(const DifferentiableFunction& function, const Variables& inputs,
                          const GradcheckOptions& options) {
  const Variables leaves = private_copies(inputs);
  Variables wanted;
  for (const Variable& leaf : leaves) {
    if (leaf.requires_grad()) wanted.push_back(leaf);
  }
  const Variable output = function(leaves);
  if (output.dtype() != float64) {
    fail<DTypeError>("gradcheck: the function returned ", describe(output.value()),
                     ", expected float64");
  }
  Generator generator(options.seed);
  const Tensor weights = random_weights(output.shape(), generator);

  GradcheckReport report;
  report.passed = true;
  if (!core::equal(function(leaves).value(), output.value())) {
    report.passed = false;
    report.message =
        "the function is not deterministic: two calls with the same inputs gave different outputs";
    return report;
  }
  Variables gradients(wanted.size());
  if (output.requires_grad()) gradients = grad({output}, wanted, {weights}, {.allow_unused = true});

  std::size_t next = 0;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (!leaves[i].requires_grad()) continue;
    const Variable& gradient = gradients[next++];
    const Tensor analytic =
        gradient.defined() ? gradient.value().contiguous() : zeros_like(leaves[i].value());
    double* x = leaves[i].value().data<double>();
    for (std::int64_t e = 0, n = leaves[i].numel(); e < n; ++e, ++report.elements) {
      GradcheckEntry entry{
          .input = i, .name = "input " + std::to_string(i), .index = unravel(e, leaves[i].shape())};
      entry.analytic = analytic.data<double>()[e];
      entry.numeric = numeric_slope(function, leaves, weights, x + e, options.step);
      entry.error = scaled_error(entry.analytic, entry.numeric, options);
      if (entry.error > 1) report.passed = false;
      const double size = std::max({1.0, std::fabs(entry.analytic), std::fabs(entry.numeric)});
      report.worst_relative_error =
          std::max(report.worst_relative_error, std::fabs(entry.analytic - entry.numeric) / size);
      keep_worst(report.worst, std::move(entry), options.worst);
    }
  }
  if (report.elements == 0) report.message = "nothing to compare: every input is empty";
  return report;
}

GradcheckReport gradgradcheck(const DifferentiableFunction& function, const Variables& inputs,
                              const GradcheckOptions& options) {
  // The gradient as a function of the inputs and of its seed, all gradients laid end to end.
  const std::size_t count = inputs.size();
  const DifferentiableFunction gradient_of = [&function, count](const Variables& all) {
    const GradMode mode(
        true);  // a first derivative is needed even where the checker only evaluates
    Variables leaves(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
    Variables wanted;
    for (const Variable& leaf : leaves) {
      if (leaf.requires_grad()) wanted.push_back(leaf);
    }
    const Variable output = function(leaves);
    Variables parts;
    Variables found(wanted.size());
    if (output.requires_grad()) {
      found = grad({output}, wanted, {all.back()}, {.create_graph = true, .allow_unused = true});
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      parts.push_back(reshape(found[i].defined() ? found[i] : zeros_like(wanted[i].value()),
                              {wanted[i].numel()}));
    }
    return cat(parts, 0);
  };
  Generator generator(options.seed + 1);
  Variables all = inputs;
  all.push_back(Variable(random_weights(function(inputs).shape(), generator), true));
  GradcheckReport report = gradcheck(gradient_of, all, options);
  for (GradcheckEntry& entry : report.worst) {
    if (entry.input == count) entry.name = "output gradient";
  }
  return report;
}

std::string GradcheckReport::to_string() const {
  std::ostringstream text;
  text << (passed ? "passed" : "FAILED") << ": " << elements << " elements, worst relative error "
       << worst_relative_error;
  if (!message.empty()) text << "\n  " << message;
  if (!passed) {
    for (const GradcheckEntry& entry : worst) {
      if (entry.error <= 1) break;
      text << "\n  " << entry.name << entry.index << ": analytic " << entry.analytic << ", numeric "
           << entry.numeric << ", difference " << entry.analytic - entry.numeric;
    }
  }
  return text.str();
}

}  // namespace gradus
