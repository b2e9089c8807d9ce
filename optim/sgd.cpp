// SGD: its options; the loop itself is update.h.
#include <gradus/optim/detail/checks.h>
#include <gradus/optim/sgd.h>
#include <gradus/optim/update.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace gradus {

SGD::SGD(std::vector<Variable> parameters, const SGDOptions& options)
    : SGD(std::vector<ParameterGroup<SGDOptions>>{{std::move(parameters), options}}) {}

namespace {

/// No group has a velocity, or all have the room for one.
std::vector<std::string_view> sgd_state(const std::vector<ParameterGroup<SGDOptions>>& groups) {
  const bool any = std::any_of(groups.begin(), groups.end(),
                               [](const auto& group) { return group.options.momentum != 0; });
  return any ? std::vector<std::string_view>{"momentum_buffer"} : std::vector<std::string_view>{};
}

}  // namespace

SGD::SGD(const std::vector<ParameterGroup<SGDOptions>>& groups)
    : Optimizer("SGD", groups_of(groups), sgd_state(groups)), options_(options_of(groups)) {
  for (const SGDOptions& options : options_) {
    check_not_negative("SGD", "momentum", options.momentum);
    check_not_negative("SGD", "weight_decay", options.weight_decay);
    if (!std::isfinite(options.dampening)) {
      fail<ValueError>("SGD: dampening must be finite, got ", options.dampening);
    }
    if (options.nesterov && (options.momentum == 0 || options.dampening != 0)) {
      fail<ValueError>("SGD: nesterov needs momentum above 0 and dampening 0, got momentum ",
                       options.momentum, " and dampening ", options.dampening);
    }
  }
}

void SGD::update(const Part& part, std::int64_t begin, std::int64_t end) const {
  const SGDOptions& o = options_[part.group];
  dispatch_floating("SGD", part.parameter.dtype(), [&]<class T>() {
    // The buffer starts with zeros, so that b ← momentum·0 + 1·g is PyTorch's b ← g.
    const double damped = part.state->steps == 1 ? 1 : 1 - o.dampening;
    const detail::SgdStep<T> step{.lr = static_cast<T>(lr(part.group)),
                                  .momentum = static_cast<T>(o.momentum),
                                  .weight_decay = static_cast<T>(o.weight_decay),
                                  .damped = static_cast<T>(damped),
                                  .nesterov = o.nesterov};
    T* b = o.momentum == 0 ? nullptr : part.state->tensors[0].template data<T>() + begin;
    detail::sgd_update(end - begin, part.parameter.data<T>() + begin, part.grad.data<T>() + begin,
                       b, step);
  });
}

}  // namespace gradus
