// NAdam's options and its loop.
#include <gradus/optim/detail/checks.h>
#include <gradus/optim/nadam.h>

#include <cmath>
#include <cstdint>
#include <utility>

namespace gradus {
namespace {

/// μ_t
double momentum_at(std::int64_t t, const NAdamOptions& o) {
  return o.beta1 * (1 - 0.5 * std::pow(0.96, static_cast<double>(t) * o.momentum_decay));
}

}  // namespace

NAdam::NAdam(std::vector<Variable> parameters, const NAdamOptions& options)
    : NAdam(std::vector<ParameterGroup<NAdamOptions>>{{std::move(parameters), options}}) {}

NAdam::NAdam(const std::vector<ParameterGroup<NAdamOptions>>& groups)
    : Optimizer("NAdam", groups_of(groups), {"exp_avg", "exp_avg_sq"}, {"mu_product"}),
      options_(options_of(groups)) {
  for (const NAdamOptions& o : options_) {
    check_decay("NAdam", "beta1", o.beta1);
    check_decay("NAdam", "beta2", o.beta2);
    check_not_negative("NAdam", "eps", o.eps);
    check_not_negative("NAdam", "weight_decay", o.weight_decay);
    check_not_negative("NAdam", "momentum_decay", o.momentum_decay);
  }
}

void NAdam::begin_step(State& state, std::size_t group) const {
  state.numbers[0] *= momentum_at(state.steps, options_[group]);
}

void NAdam::update(const Part& part, std::int64_t begin, std::int64_t end) const {
  const NAdamOptions& o = options_[part.group];
  const std::int64_t t = part.state->steps;
  const double product = part.state->numbers[0];
  const double next = momentum_at(t + 1, o);
  const double rate = lr(part.group);
  dispatch_floating("NAdam", part.parameter.dtype(), [&]<class T>() {
    T* p = part.parameter.data<T>();
    const T* grad = part.grad.data<T>();
    T* m = part.state->tensors[0].template data<T>();
    T* v = part.state->tensors[1].template data<T>();
    const T beta1 = static_cast<T>(o.beta1);
    const T rest1 = static_cast<T>(1 - o.beta1);
    const T beta2 = static_cast<T>(o.beta2);
    const T rest2 = static_cast<T>(1 - o.beta2);
    const T correction = static_cast<T>(1 - std::pow(o.beta2, static_cast<double>(t)));
    const T eps = static_cast<T>(o.eps);
    const T of_grad = static_cast<T>(rate * (1 - momentum_at(t, o)) / (1 - product));
    const T of_mean = static_cast<T>(rate * next / (1 - product * next));
    for (std::int64_t i = begin; i < end; ++i) {
      const T g = decayed(grad[i], p[i], static_cast<T>(o.weight_decay));
      m[i] = normal_or_zero(beta1 * m[i] + rest1 * g);
      v[i] = beta2 * v[i] + rest2 * g * g;
      const T root = std::sqrt(v[i] / correction) + eps;
      p[i] -= of_grad * g / root;
      p[i] -= of_mean * m[i] / root;
    }
  });
}

}  // namespace gradus
