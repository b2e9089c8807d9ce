// SGD: one fused loop. The order of operations and roundings is PyTorch's.
#include <gradus/core/parallel.h>
#include <gradus/optim/detail.h>
#include <gradus/optim/sgd.h>

#include <cstdint>

namespace gradus {
namespace {

constexpr std::int64_t grain =
    1 << 15;  // elements: some 10 us of work, well above the cost of a chunk

template <class T> struct Coefficients {
  T lr, momentum, damped, weight_decay;  // damped = 1 - dampening, or 1 at the first step
  bool nesterov;
};

template <class T>
void plain(std::int64_t count, T* __restrict p, const T* __restrict grad,
           const Coefficients<T>& c) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = decayed(grad[i], p[i], c.weight_decay);
    p[i] -= c.lr * g;
  }
}

template <class T>
void with_momentum(std::int64_t count, T* __restrict p, const T* __restrict grad, T* __restrict b,
                   const Coefficients<T>& c) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = decayed(grad[i], p[i], c.weight_decay);
    b[i] = normal_or_zero(c.momentum * b[i] + c.damped * g);
    p[i] -= c.lr * (c.nesterov ? g + c.momentum * b[i] : b[i]);
  }
}

}  // namespace

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

void SGD::update(const Tensor& parameter, const Tensor& grad, const State& state) {
  dispatch_floating("SGD", parameter.dtype(), [&]<class T>() {
    // The buffer starts with zeros, so that b ← momentum·0 + 1·g is PyTorch's b ← g.
    const double damped = state.steps == 1 ? 1 : 1 - options_.dampening;
    const Coefficients<T> c{static_cast<T>(lr()), static_cast<T>(options_.momentum),
                            static_cast<T>(damped), static_cast<T>(options_.weight_decay),
                            options_.nesterov};
    T* p = parameter.data<T>();
    const T* g = grad.data<T>();
    T* b = state.tensors.empty() ? nullptr : state.tensors[0].template data<T>();
    parallel_for(parameter.numel(), grain, [&](std::int64_t begin, std::int64_t end) {
      if (b == nullptr) {
        plain(end - begin, p + begin, g + begin, c);
      } else {
        with_momentum(end - begin, p + begin, g + begin, b + begin, c);
      }
    });
  });
}

}  // namespace gradus
