// Adam and AdamW: one fused loop for both. The order of operations and roundings is PyTorch's.
#include <gradus/core/parallel.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/detail.h>

#include <cmath>
#include <cstdint>

namespace gradus {
namespace {

constexpr std::int64_t grain =
    1 << 14;  // elements: some 10 us of work, well above the cost of a chunk

template <class T> struct Coefficients {
  T weight_decay;  // Adam's: added to the gradient
  T shrink;        // AdamW's: 1 - lr·weight_decay
  T beta1, rest1;  // rest = 1 - beta
  T beta2, rest2;
  T step;             // lr/(1 - beta1^t)
  T root_correction;  // √(1 - beta2^t)
  T eps;
};

template <class T>
void fused(std::int64_t count, T* __restrict p, const T* __restrict grad, T* __restrict m,
           T* __restrict v, const Coefficients<T>& c) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = decayed(grad[i], p[i], c.weight_decay);
    m[i] = normal_or_zero(c.beta1 * m[i] + c.rest1 * g);
    v[i] = c.beta2 * v[i] + c.rest2 * g * g;
    p[i] = c.shrink * p[i] - c.step * m[i] / (std::sqrt(v[i]) / c.root_correction + c.eps);
  }
}

/// `o` is the options of Adam or of AdamW; the two decays come apart.
template <class Options>
void update_all(const Options& o, double lr, double coupled_decay, double decoupled_decay,
                std::int64_t steps, const Tensor& parameter, const Tensor& grad,
                const std::vector<Tensor>& state) {
  dispatch_floating("Adam", parameter.dtype(), [&]<class T>() {
    const auto t = static_cast<double>(steps);
    const Coefficients<T> c{
        .weight_decay = static_cast<T>(coupled_decay),
        .shrink = static_cast<T>(1 - lr * decoupled_decay),
        .beta1 = static_cast<T>(o.beta1),
        .rest1 = static_cast<T>(1 - o.beta1),
        .beta2 = static_cast<T>(o.beta2),
        .rest2 = static_cast<T>(1 - o.beta2),
        .step = static_cast<T>(lr / (1 - std::pow(o.beta1, t))),
        .root_correction = static_cast<T>(std::sqrt(1 - std::pow(o.beta2, t))),
        .eps = static_cast<T>(o.eps),
    };
    T* p = parameter.data<T>();
    const T* g = grad.data<T>();
    T* m = state[0].template data<T>();
    T* v = state[1].template data<T>();
    parallel_for(parameter.numel(), grain, [&](std::int64_t begin, std::int64_t end) {
      fused(end - begin, p + begin, g + begin, m + begin, v + begin, c);
    });
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

void Adam::update(const Tensor& parameter, const Tensor& grad, const State& state) {
  update_all(options_, lr(), options_.weight_decay, 0, state.steps, parameter, grad, state.tensors);
}

AdamW::AdamW(std::vector<Variable> parameters, const AdamWOptions& options)
    : Optimizer("AdamW", std::move(parameters), options.lr, {"exp_avg", "exp_avg_sq"}),
      options_(options) {
  check_options("AdamW", options);
}

void AdamW::update(const Tensor& parameter, const Tensor& grad, const State& state) {
  update_all(options_, lr(), 0, options_.weight_decay, state.steps, parameter, grad, state.tensors);
}

}  // namespace gradus
