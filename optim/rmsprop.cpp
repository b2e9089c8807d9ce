// RMSprop's options and its loop.
#include <gradus/optim/detail/checks.h>
#include <gradus/optim/rmsprop.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace gradus {

RMSprop::RMSprop(std::vector<Variable> parameters, const RMSpropOptions& options)
    : RMSprop(std::vector<ParameterGroup<RMSpropOptions>>{{std::move(parameters), options}}) {}

namespace {

using Groups = std::vector<ParameterGroup<RMSpropOptions>>;

bool any_momentum(const Groups& groups) {
  return std::any_of(groups.begin(), groups.end(),
                     [](const auto& group) { return group.options.momentum > 0; });
}

std::vector<std::string_view> rmsprop_state(const Groups& groups) {
  std::vector<std::string_view> names{"square_avg"};
  if (any_momentum(groups)) names.push_back("momentum_buffer");
  if (std::any_of(groups.begin(), groups.end(),
                  [](const auto& group) { return group.options.centered; }))
    names.push_back("grad_avg");
  return names;
}

}  // namespace

RMSprop::RMSprop(const std::vector<ParameterGroup<RMSpropOptions>>& groups)
    : Optimizer("RMSprop", groups_of(groups), rmsprop_state(groups)),
      has_momentum_(any_momentum(groups)),
      options_(options_of(groups)) {
  for (const RMSpropOptions& o : options_) {
    check_decay("RMSprop", "alpha", o.alpha);
    check_not_negative("RMSprop", "eps", o.eps);
    check_not_negative("RMSprop", "weight_decay", o.weight_decay);
    check_not_negative("RMSprop", "momentum", o.momentum);
  }
}

void RMSprop::update(const Part& part, std::int64_t begin, std::int64_t end) const {
  const RMSpropOptions& o = options_[part.group];
  dispatch_floating("RMSprop", part.parameter.dtype(), [&]<class T>() {
    T* p = part.parameter.data<T>();
    const T* grad = part.grad.data<T>();
    T* s = part.state->tensors[0].template data<T>();
    const std::size_t last = part.state->tensors.size() - 1;
    T* b = has_momentum_ ? part.state->tensors[1].template data<T>() : nullptr;
    T* a = o.centered ? part.state->tensors[last].template data<T>() : nullptr;
    const T rate = static_cast<T>(lr(part.group));
    const T alpha = static_cast<T>(o.alpha);
    const T rest = static_cast<T>(1 - o.alpha);
    const T eps = static_cast<T>(o.eps);
    const T momentum = static_cast<T>(o.momentum);
    for (std::int64_t i = begin; i < end; ++i) {
      const T g = decayed(grad[i], p[i], static_cast<T>(o.weight_decay));
      s[i] = alpha * s[i] + rest * g * g;
      T square = s[i];
      if (o.centered) {
        a[i] = alpha * a[i] + rest * g;
        square -= a[i] * a[i];
      }
      const T move = g / (std::sqrt(square) + eps);
      if (o.momentum > 0) b[i] = normal_or_zero(momentum * b[i] + move);
      p[i] -= rate * (o.momentum > 0 ? b[i] : move);
    }
  });
}

}  // namespace gradus
