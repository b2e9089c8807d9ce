// Adagrad's options and its loop.
#include <gradus/optim/adagrad.h>
#include <gradus/optim/detail/checks.h>

#include <cmath>
#include <cstdint>
#include <utility>

namespace gradus {

Adagrad::Adagrad(std::vector<Variable> parameters, const AdagradOptions& options)
    : Adagrad(std::vector<ParameterGroup<AdagradOptions>>{{std::move(parameters), options}}) {}

Adagrad::Adagrad(const std::vector<ParameterGroup<AdagradOptions>>& groups)
    : Optimizer("Adagrad", groups_of(groups), {"sum"}), options_(options_of(groups)) {
  for (const AdagradOptions& o : options_) {
    check_not_negative("Adagrad", "lr_decay", o.lr_decay);
    check_not_negative("Adagrad", "weight_decay", o.weight_decay);
    check_not_negative("Adagrad", "initial_accumulator_value", o.initial_accumulator_value);
    check_not_negative("Adagrad", "eps", o.eps);
  }
}

void Adagrad::begin_step(State& state, std::size_t group) const {
  if (state.steps == 1) state.tensors[0].fill_(options_[group].initial_accumulator_value);
}

void Adagrad::update(const Part& part, std::int64_t begin, std::int64_t end) const {
  const AdagradOptions& o = options_[part.group];
  const double earlier = static_cast<double>(part.state->steps - 1);
  dispatch_floating("Adagrad", part.parameter.dtype(), [&]<class T>() {
    T* p = part.parameter.data<T>();
    const T* grad = part.grad.data<T>();
    T* s = part.state->tensors[0].template data<T>();
    const T rate = static_cast<T>(lr(part.group) / (1 + earlier * o.lr_decay));
    const T eps = static_cast<T>(o.eps);
    for (std::int64_t i = begin; i < end; ++i) {
      const T g = decayed(grad[i], p[i], static_cast<T>(o.weight_decay));
      s[i] += g * g;
      p[i] -= rate * g / (std::sqrt(s[i]) + eps);
    }
  });
}

}  // namespace gradus
