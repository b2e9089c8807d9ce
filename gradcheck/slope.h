// Numeric slopes: d/dt of functions of one number at t = 0, from values alone, with an error bound.
//
// Central differences D(h) = (f(h) - f(-h))/2h err by a·h² + b·h⁴ + ...; from D(h) and D(h/2) the
// h² term can be eliminated, from three of them h⁴ as well, and so on: Ridders' tableau. Where two
// neighbours in the tableau agree, their difference bounds the truncation error. Rounding adds
// about eps·|f|/h, which grows as h falls: the entry with the smallest sum of both is the answer.
//
// The gap between the slopes from the right and from the left, (f(h) - f(0))/h - (f(0) - f(-h))/h,
// closes like h where f is smooth. Where it stays open however small h gets, there is a kink; where
// it grows like 1/h, a jump.
//
// Steps that are each half of the one before may all be whole periods of f, or all be longer than what
// f does at the point. So a slope that has settled must stand a much smaller step, which is no power
// of two times the others; where it does not, it is doubted. confer() decides what several
// measurements with other steps mean together.
//
// Source: C. Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Advances in Engineering
// Software 4(2), 1982.
#pragma once

#include <functional>
#include <vector>

namespace gradus {

/// What is known of several functions f_k at one t: f_k(t) - f_k(0), formed before summing so that
/// what does not depend on t cancels without a trace, and the noise: how much rounding may have
/// changed that difference.
struct Change {
  std::vector<double> value;
  std::vector<double> noise;
};

/// One step size of the sweep, for one function.
struct SlopeStep {
  double h = 0;
  double left = 0;      ///< (f(0) - f(-h))/h
  double right = 0;     ///< (f(h) - f(0))/h
  double central = 0;   ///< their mean
  double rounding = 0;  ///< about how much rounding may change `central`
};

enum class SlopeKind {
  smooth,
  kink,       ///< left and right slopes stay apart
  jump,       ///< they run away as h falls: the function is not continuous here
  rough,      ///< no step size gives a slope that its neighbours confirm
  undefined,  ///< the function is not finite beside the point
};

/// A slope as it was measured.
struct Slope {
  SlopeKind kind = SlopeKind::smooth;
  double value = 0;
  double bound = 0;  ///< truncation and rounding together
  double left = 0;   ///< the one-sided slopes; of a smooth function both are `value`
  double right = 0;
  bool doubted = false;            ///< smaller steps saw another slope; noise may explain it
  std::vector<SlopeStep> steps{};  ///< largest h first
};

/// Of a measurement: steps, and how exact.
struct SlopeOptions {
  double first_step = 0.03125;  ///< a power of two: then 0 + h is exact
  int max_steps = 32;           ///< each half of the one before
  bool whole = false;           ///< take every step, also when the slope is settled
  /// A smooth slope of this value is known well enough when its bound is below this.
  std::function<double(double)> tolerance{};
};

/// `change(t)` gives f_k(t) - f_k(0) of all functions k at once, so that they share evaluations.
std::vector<Slope> measure_slopes(const std::function<Change(double)>& change,
                                  const SlopeOptions& options);

/// What several measurements of one slope say together; `shorter` come with ever shorter steps. The
/// slope is a limit, so a measurement gives way to shorter ones that contradict it, but only to two
/// that agree with each other: of two that do not, noise may be the cause.
struct Conference {
  Slope slope{};
  bool shorter = false;     ///< the first measurement gave way: it saw what lies beside the point
  bool unresolved = false;  ///< shorter ones contradict it, and each other
};
Conference confer(const Slope& first, const std::vector<Slope>& shorter,
                  const std::function<double(double)>& tolerance);

}  // namespace gradus
