// The rules of rounding.h. Each takes the op itself for its oracle: on ones it counts terms, on
// absolute values it sums magnitudes.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/rounding.h>

#include <algorithm>
#include <cmath>

namespace gradus {
namespace {

using Tensors = std::vector<Tensor>;

/// f of each defined tensor.
template <class F> Tensors each(const Tensors& tensors, const F& f) {
  Tensors all;
  for (const Tensor& tensor : tensors) all.push_back(tensor.defined() ? f(tensor) : Tensor());
  return all;
}

Tensors magnitudes(const Tensors& tensors) { return each(tensors, core::abs); }
Tensors ones_for(const Tensors& tensors) { return each(tensors, ones_like); }
Tensor magnitude(const Tensor& tensor) { return tensor.defined() ? core::abs(tensor) : Tensor(); }
Tensor ones_for(const Tensor& tensor) { return tensor.defined() ? ones_like(tensor) : Tensor(); }

/// What rounds nothing. Sizes below 1 (a sum of nothing) would ask for -1 additions.
Tensor at_least_zero(const Tensor& roundings) { return core::relu(roundings); }

/// f(terms, magnitude, result) of y, or of every gradient.
template <class F> Tensor of_value(const RoundingCall& call, const F& f) {
  const Tensor terms = call.run(ones_for(call.inputs), {}).y;
  const Tensor sums = core::abs(call.run(magnitudes(call.inputs), {}).y);
  return f(core::abs(terms), sums, call.y);
}
template <class F> Tensors of_gradients(const RoundingCall& call, const F& f) {
  const Tensors terms = call.run(ones_for(call.inputs), ones_for(call.dy)).gradients;
  const Tensors sums = call.run(magnitudes(call.inputs), magnitude(call.dy)).gradients;
  Tensors bounds;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    bounds.push_back(sums[i].defined()
                         ? f(core::abs(terms[i]), core::abs(sums[i]), call.gradients[i])
                         : Tensor());
  }
  return bounds;
}

template <class F> Rounding linear_rule(const F& f) {
  return {.value = [f](const RoundingCall& call) { return of_value(call, f); },
          .gradients = [f](const RoundingCall& call) { return of_gradients(call, f); }};
}

/// `roundings` of the result where there was anything to add; k additions in float64.
Tensor rounded_sum(const Tensor& terms, const Tensor& sums, const Tensor& result,
                   double roundings) {
  const Tensor several = core::gt(terms, 1).to(float64);
  const Tensor lost = core::add(core::mul(core::abs(result), roundings * unit_roundoff),
                                core::mul(core::mul(terms, sums), double_roundoff));
  return core::mul(several, lost);
}

}  // namespace

Tensor gamma(const Tensor& roundings) {
  const Tensor nu = core::mul(at_least_zero(roundings), unit_roundoff);
  return core::div(nu, core::sub(1, nu));
}

Rounding multilinear(int products) {
  return linear_rule([products](const Tensor& terms, const Tensor& sums, const Tensor&) {
    return core::mul(gamma(core::add(terms, products - 1)), sums);
  });
}

Rounding bilinear() {
  const Rounding products = multilinear(1);
  const auto gradients = [products, sums = summed_in_double(1)](const RoundingCall& call) {
    Tensors bounds = products.gradients(call);
    if (bounds.size() > 2 && bounds[2].defined()) bounds[2] = sums.gradients(call)[2];
    return bounds;
  };
  return {.value = products.value, .gradients = gradients, .bilinear = true};
}

Rounding summed_in_double(int roundings) {
  return linear_rule([roundings](const Tensor& terms, const Tensor& sums, const Tensor& result) {
    return rounded_sum(terms, sums, result, roundings);
  });
}

Rounding weighted(std::int64_t roundings) {
  return linear_rule(
      [n = static_cast<double>(roundings)](const Tensor&, const Tensor& sums, const Tensor&) {
        return core::mul(gamma(full(sums.shape(), n, float64)), sums);
      });
}

Rounding choosing() {
  const auto value = [](const RoundingCall& call) { return zeros_like(call.y); };
  const auto gradients = [](const RoundingCall& call) {
    // The inputs stay as they are: others would be chosen differently.
    const Tensors terms = call.run(call.inputs, ones_for(call.dy)).gradients;
    const Tensors sums = call.run(call.inputs, magnitude(call.dy)).gradients;
    Tensors bounds;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      if (!sums[i].defined()) {
        bounds.emplace_back();
        continue;
      }
      const Tensor count = core::abs(terms[i]);
      const Tensor shared = core::logical_and(core::gt(count, 0), core::lt(count, 1)).to(float64);
      const Tensor roundings = core::add(at_least_zero(core::sub(count, 1)), core::mul(shared, 2));
      bounds.push_back(core::mul(gamma(roundings), core::abs(sums[i])));
    }
    return bounds;
  };
  return {.value = value, .gradients = gradients};
}

namespace {

/// The inputs repeated to the shape of the result, so that each element stands alone.
ElementwiseCall element_by_element(const RoundingCall& call, bool backward) {
  ElementwiseCall elements{.y = call.y};
  for (const Tensor& input : call.inputs)
    elements.inputs.push_back(input.defined() ? input.expand(call.y.shape()).clone() : Tensor());
  if (backward) elements.slopes = call.run(elements.inputs, ones_like(call.y)).gradients;
  return elements;
}

}  // namespace

Rounding elementwise(const ElementwiseRounding& errors) {
  const auto value = [errors](const RoundingCall& call) {
    return core::mul(errors.value(element_by_element(call, false)), unit_roundoff);
  };
  const auto gradients = [errors](const RoundingCall& call) {
    const ElementwiseCall elements = element_by_element(call, true);
    const Tensors slope_errors = errors.slopes(elements);
    const Tensor weight = core::abs(call.dy);
    Tensors bounds;
    for (std::size_t i = 0; i < call.gradients.size(); ++i) {
      if (!call.gradients[i].defined()) {
        bounds.emplace_back();
        continue;
      }
      const Shape& shape = call.inputs[i].shape();
      const Tensor before = core::mul(core::mul(weight, slope_errors[i]), unit_roundoff);
      const Tensor sums = core::sum_to(core::mul(weight, core::abs(elements.slopes[i])), shape);
      const Tensor terms = core::sum_to(ones_like(weight), shape);
      bounds.push_back(
          core::add(core::sum_to(before, shape), rounded_sum(terms, sums, call.gradients[i], 1)));
    }
    return bounds;
  };
  return {.value = value, .gradients = gradients};
}

Rounding elementwise(double value, double slope) {
  return elementwise(
      {.value =
           [value](const ElementwiseCall& call) { return core::mul(core::abs(call.y), value); },
       .slopes =
           [slope](const ElementwiseCall& call) {
             return each(call.slopes,
                         [slope](const Tensor& s) { return core::mul(core::abs(s), slope); });
           }});
}

Exponentials::Exponentials(const Tensor& x, const Dims& dims)
    : shifted(core::sub(x, core::max(x, dims, true))) {
  const Tensor e = core::exp(shifted);
  const Tensor sum = core::sum(e, dims, true);
  share = core::div(e, sum);
  log_of_sum = core::log(sum);
  // What is masked, -inf, has no part in it: its exponential is 0 without an error.
  one = core::where(core::isinf(shifted), zeros_like(shifted),
                    core::add(core::abs(shifted), library_roundings));
  all = core::add(core::sum(core::mul(share, one), dims, true), 1);
}

}  // namespace gradus
