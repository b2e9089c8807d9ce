// Adam and AdamW: their options; the loop for both is update.h.
#include <gradus/optim/adam.h>
#include <gradus/optim/detail.h>
#include <gradus/optim/update.h>

#include <cmath>
#include <cstdint>

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
    detail::adam_update(end - begin, part.parameter.template data<T>() + begin,
                        part.grad.template data<T>() + begin,
                        part.state->tensors[0].template data<T>() + begin,
                        part.state->tensors[1].template data<T>() + begin,
                        step_of<T>(o, lr, coupled_decay, decoupled_decay, part.state->steps));
  });
}

template <class Options> void check_options(std::string_view name, const Options& o) {
  check_decay(name, "beta1", o.beta1);
  check_decay(name, "beta2", o.beta2);
  check_not_negative(name, "eps", o.eps);
  check_not_negative(name, "weight_decay", o.weight_decay);
}

}  // namespace

Adam::Adam(std::vector<Variable> parameters, const AdamOptions& options)
    : Optimizer("Adam", std::move(parameters), options.lr, {"exp_avg", "exp_avg_sq"}),
      options_(options) {
  check_options("Adam", options);
}

void Adam::update(const Part& part, std::int64_t begin, std::int64_t end) const {
  update_range(part, begin, end, options_, lr(), options_.weight_decay, 0);
}

AdamW::AdamW(std::vector<Variable> parameters, const AdamWOptions& options)
    : Optimizer("AdamW", std::move(parameters), options.lr, {"exp_avg", "exp_avg_sq"}),
      options_(options) {
  check_options("AdamW", options);
}

void AdamW::update(const Part& part, std::int64_t begin, std::int64_t end) const {
  update_range(part, begin, end, options_, lr(), 0, options_.weight_decay);
}

}  // namespace gradus
