// Exercise sgd-momentum: one step of stochastic gradient descent with momentum, as PyTorch writes it.
//
//   velocity = momentum·velocity + gradient        weight = weight - lr·velocity
//
// All of one shape -> {the new weight, the new velocity}. core::add, core::sub and core::mul take tensors and numbers.
#include "judge/judges.h"

using namespace gradus;

Moved my_step(const Tensor& weight, const Tensor& gradient, const Tensor& velocity, double lr,
              double momentum) {
  return {};  // in its place: {weight, velocity}
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_sgd_momentum(my_step, seed); }
