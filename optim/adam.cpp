// Adam and AdamW: their options; the loop for both is update.h.
#include <gradus/optim/adam.h>
#include <gradus/optim/detail/checks.h>
#include <gradus/optim/update.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace gradus {
namespace {

/// `o` is the options of Adam or of AdamW; the two decays come apart.
template <class T, class Options>
detail::AdamStep<T> step_of(const Options& o, double lr, double coupled_decay,
                            double decoupled_decay, std::int64_t steps) {
  const auto t = static_cast<double>(steps);
  return {.weight_decay = static_cast<T>(coupled_decay),
          .shrink = static_cast<T>(1 - lr * decoupled_decay),
          .beta1 = static_cast<T>(o.beta1),
          .rest1 = static_cast<T>(1 - o.beta1),
          .beta2 = static_cast<T>(o.beta2),
          .rest2 = static_cast<T>(1 - o.beta2),
          .size = static_cast<T>(lr / (1 - std::pow(o.beta1, t))),
          .root_correction = static_cast<T>(std::sqrt(1 - std::pow(o.beta2, t))),
          .eps = static_cast<T>(o.eps)};
}

template <class Part, class Options>
void update_range(const Part& part, std::int64_t begin, std::int64_t end, const Options& o,
                  double lr, double coupled_decay, double decoupled_decay) {
  dispatch_floating("Adam", part.parameter.dtype(), [&]<class T>() {
    const auto state = [&](std::size_t k) {
      return part.state->tensors[k].template data<T>() + begin;
    };
    T* p = part.parameter.template data<T>() + begin;
    const T* grad = part.grad.template data<T>() + begin;
    const auto step = step_of<T>(o, lr, coupled_decay, decoupled_decay, part.state->steps);
    if (o.amsgrad) {
      detail::amsgrad_update(end - begin, p, grad, state(0), state(1), state(2), step);
    } else {
      detail::adam_update(end - begin, p, grad, state(0), state(1), step);
    }
  });
}

template <class Options> void check_options(std::string_view name, const Options& o) {
  check_decay(name, "beta1", o.beta1);
  check_decay(name, "beta2", o.beta2);
  check_not_negative(name, "eps", o.eps);
  check_not_negative(name, "weight_decay", o.weight_decay);
}

template <class Options>
std::vector<std::string_view> adam_state(const std::vector<ParameterGroup<Options>>& groups) {
  std::vector<std::string_view> names{"exp_avg", "exp_avg_sq"};
  if (std::any_of(groups.begin(), groups.end(),
                  [](const auto& group) { return group.options.amsgrad; }))
    names.push_back("max_exp_avg_sq");
  return names;
}

}  // namespace

Adam::Adam(std::vector<Variable> parameters, const AdamOptions& options)
    : Adam(std::vector<ParameterGroup<AdamOptions>>{{std::move(parameters), options}}) {}

Adam::Adam(const std::vector<ParameterGroup<AdamOptions>>& groups)
    : Optimizer("Adam", groups_of(groups), adam_state(groups)), options_(options_of(groups)) {
  for (const AdamOptions& options : options_) check_options("Adam", options);
}

void Adam::update(const Part& part, std::int64_t begin, std::int64_t end) const {
  const AdamOptions& o = options_[part.group];
  update_range(part, begin, end, o, lr(part.group), o.weight_decay, 0);
}

AdamW::AdamW(std::vector<Variable> parameters, const AdamWOptions& options)
    : AdamW(std::vector<ParameterGroup<AdamWOptions>>{{std::move(parameters), options}}) {}

AdamW::AdamW(const std::vector<ParameterGroup<AdamWOptions>>& groups)
    : Optimizer("AdamW", groups_of(groups), adam_state(groups)), options_(options_of(groups)) {
  for (const AdamWOptions& options : options_) check_options("AdamW", options);
}

void AdamW::update(const Part& part, std::int64_t begin, std::int64_t end) const {
  const AdamWOptions& o = options_[part.group];
  update_range(part, begin, end, o, lr(part.group), 0, o.weight_decay);
}

}  // namespace gradus
