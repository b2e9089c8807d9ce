// Teacher's key of the exercise sgd-momentum: takes the place of exercises/sgd-momentum.cpp.
#include "judge/judges.h"

using namespace gradus;

Moved my_step(const Tensor& weight, const Tensor& gradient, const Tensor& velocity, double lr,
              double momentum) {
  const Tensor faster = core::add(core::mul(velocity, momentum), gradient);
  return {core::sub(weight, core::mul(faster, lr)), faster};
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_sgd_momentum(my_step, seed); }
