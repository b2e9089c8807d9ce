// Exercise tape: reverse-mode differentiation, for numbers.
//
// A tape lists what was computed, in order. step.kind is TapeStep::Kind::leaf, add, mul or tanh; step.a and step.b are
// the numbers of the earlier steps that it read (b for add and mul only), step.value is its result.
// Return d(last step's value)/d(value of step i), for every step i of the tape.
#include "judge/judges.h"

using namespace gradus;

std::vector<double> my_backward(const std::vector<TapeStep>& tape) {
  return {};  // in its place: a gradient for each step
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_tape(my_backward, seed); }
