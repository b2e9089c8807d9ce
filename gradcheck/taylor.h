// The Taylor-remainder test: is the gradient of a whole model right?
// It needs no step size, only steps.
//
// If g is the gradient at x, then f(x + h·u) - f(x) - h·g·u shrinks like h². If g is wrong in the
// direction u it shrinks like h only. Halving h tells the two apart without asking how small is
// small. It sees what random directions see: a single wrong element among a million may hide.
//
// Source: P. Farrell et al., "Automated derivation of the adjoint of high-level transient finite
// element programs", SIAM J. Sci. Comput. 35(4), 2013, section 5.
#pragma once

#include <gradus/gradcheck/gradcheck.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace gradus {

/// How many directions, and from which seed.
struct TaylorOptions {
  int directions = 4;      ///< random ones, each through all inputs together
  std::uint64_t seed = 0;  ///< of directions and output weights
};

/// The remainders along one direction.
struct TaylorLine {
  /// One step along the line.
  struct Step {
    double h = 0;
    double difference = 0;  ///< |f(x + h·u) - f(x)|: shrinks like h
    double remainder = 0;   ///< |f(x + h·u) - f(x) - h·g·u|: like h², if g is right
    double rounding = 0;    ///< about how much of it may be rounding
  };
  std::vector<Step> steps;
  double order = 0;  ///< with which power of h the remainder shrinks; infinite when there is none
  bool kinked = false;   ///< left and right slope along the direction differ
  bool predicts = true;  ///< false: the gradient is NaN
};

/// What a Taylor test has found.
struct TaylorReport {
  Verdict verdict =
      Verdict::pass;  ///< fail below order 1.5; inconclusive at a kink, or if rounding hides it
  std::vector<TaylorLine> lines;

  bool passed() const { return verdict == Verdict::pass; }
  /// "Taylor test: pass, the remainder shrinks with order 2.00 along 4 directions"
  std::string to_string() const;
};
std::ostream& operator<<(std::ostream& out, const TaylorReport& report);

/// Inputs and errors as for gradcheck(); the output is summed with random weights.
TaylorReport taylor_test(const DifferentiableFunction& function, const Variables& inputs,
                         const TaylorOptions& options = {});

}  // namespace gradus
