// Runs a step twice, in float32 and in float64, and works out the bounds. See optimizer_rounding.h.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/optimizer_rounding.h>

#include <cmath>
#include <string>

namespace gradus {
namespace {

template <class T> struct Copies {
  Tensor p, grad;
  std::vector<Tensor> state{};

  explicit Copies(const OptimizerNumbers& numbers) {
    const DType dtype = sizeof(T) == sizeof(float) ? float32 : float64;
    p = numbers.parameter.to(dtype).clone();
    grad = numbers.grad.to(dtype).clone();
    for (const Tensor& each : numbers.state) state.push_back(each.to(dtype).clone());
  }
  T* kept(std::size_t i) const { return i < state.size() ? state[i].data<T>() : nullptr; }
};

std::vector<Float32Comparison> comparisons(const std::string& op, const Copies<float>& result,
                                           const Copies<double>& reference,
                                           const std::vector<const char*>& names) {
  std::vector<Float32Comparison> all;
  for (std::size_t i = 0; i <= result.state.size(); ++i) {
    all.push_back({.op = op,
                   .pass = names[i],
                   .result = i == 0 ? result.p : result.state[i - 1],
                   .reference = i == 0 ? reference.p : reference.state[i - 1],
                   .bound = zeros(result.p.shape(), float64)});
  }
  return all;
}

}  // namespace

std::vector<Float32Comparison> compare_sgd_update(const OptimizerNumbers& before,
                                                  const detail::SgdStep<float>& step) {
  const Copies<float> result(before);
  const Copies<double> reference(before);
  const Copies<double> start(before);
  const std::int64_t count = before.parameter.numel();
  const detail::SgdStep<double> exact{step.lr, step.momentum, step.weight_decay, step.damped,
                                      step.nesterov};
  detail::sgd_update(count, result.p.data<float>(), result.grad.data<float>(), result.kept(0),
                     step);
  detail::sgd_update(count, reference.p.data<double>(), reference.grad.data<double>(),
                     reference.kept(0), exact);
  std::vector<Float32Comparison> all = comparisons("sgd", result, reference, {"p", "momentum"});
  for (std::int64_t i = 0; i < count; ++i) {
    const double p = std::fabs(start.p.data<double>()[i]);
    const double g = std::fabs(start.grad.data<double>()[i]) + exact.weight_decay * p;
    double direction = g;
    if (!start.state.empty()) {
      const double b = exact.momentum * std::fabs(start.kept(0)[i]) + exact.damped * g;
      all[1].bound.data<double>()[i] = 4 * unit_roundoff * b;
      direction = exact.nesterov ? g + exact.momentum * b : b;
    }
    all[0].bound.data<double>()[i] = unit_roundoff * (p + 8 * exact.lr * direction);
  }
  return all;
}

std::vector<Float32Comparison> compare_adam_update(const OptimizerNumbers& before,
                                                   const detail::AdamStep<float>& step) {
  const Copies<float> result(before);
  const Copies<double> reference(before);
  const Copies<double> start(before);
  const std::int64_t count = before.parameter.numel();
  const detail::AdamStep<double> exact{step.weight_decay, step.shrink,          step.beta1,
                                       step.rest1,        step.beta2,           step.rest2,
                                       step.size,         step.root_correction, step.eps};
  detail::adam_update(count, result.p.data<float>(), result.grad.data<float>(), result.kept(0),
                      result.kept(1), step);
  detail::adam_update(count, reference.p.data<double>(), reference.grad.data<double>(),
                      reference.kept(0), reference.kept(1), exact);
  std::vector<Float32Comparison> all =
      comparisons("adam", result, reference, {"p", "exp_avg", "exp_avg_sq"});
  for (std::int64_t i = 0; i < count; ++i) {
    const double p = std::fabs(start.p.data<double>()[i]);
    const double g = std::fabs(start.grad.data<double>()[i]) + exact.weight_decay * p;
    const double m = exact.beta1 * std::fabs(start.kept(0)[i]) + exact.rest1 * g;
    const double v = exact.beta2 * start.kept(1)[i] + exact.rest2 * g * g;
    const double m_after = std::fabs(reference.kept(0)[i]);
    const double v_after = reference.kept(1)[i];
    const double r = std::sqrt(v_after) / exact.root_correction + exact.eps;
    const double of_root = v_after > 0 ? 3.5 * v / v_after : 0;
    all[1].bound.data<double>()[i] = 4 * unit_roundoff * m;
    all[2].bound.data<double>()[i] = 7 * unit_roundoff * v;
    all[0].bound.data<double>()[i] =
        unit_roundoff * (2 * exact.shrink * p + exact.size * (4 * m + m_after * (of_root + 6)) / r);
  }
  return all;
}

}  // namespace gradus
