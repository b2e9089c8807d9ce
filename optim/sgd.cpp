// SGD: its options; the loop itself is update.h.
#include <gradus/optim/detail.h>
#include <gradus/optim/sgd.h>
#include <gradus/optim/update.h>

#include <cstdint>

namespace gradus {

SGD::SGD(std::vector<Variable> parameters, const SGDOptions& options)
    : Optimizer("SGD", std::move(parameters), options.lr,
                options.momentum == 0 ? std::vector<std::string_view>{}
                                      : std::vector<std::string_view>{"momentum_buffer"}),
      options_(options) {
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

void SGD::update(const Part& part, std::int64_t begin, std::int64_t end) const {
  dispatch_floating("SGD", part.parameter.dtype(), [&]<class T>() {
    // The buffer starts with zeros, so that b ← momentum·0 + 1·g is PyTorch's b ← g.
    const double damped = part.state->steps == 1 ? 1 : 1 - options_.dampening;
    const detail::SgdStep<T> step{.lr = static_cast<T>(lr()),
                                  .momentum = static_cast<T>(options_.momentum),
                                  .weight_decay = static_cast<T>(options_.weight_decay),
                                  .damped = static_cast<T>(damped),
                                  .nesterov = options_.nesterov};
    T* b =
        part.state->tensors.empty() ? nullptr : part.state->tensors[0].template data<T>() + begin;
    detail::sgd_update(end - begin, part.parameter.data<T>() + begin, part.grad.data<T>() + begin,
                       b, step);
  });
}

}  // namespace gradus
