// The gradient checker: compares what backward() says with what finite differences say.
//
// The function may return any shape: its output is summed with random weights, so that no symmetry
// (all ones is degenerate for softmax and batch norm) hides an error. Inputs must be float64;
// float32 rounds too coarsely.
#pragma once

#include <gradus/autograd/op.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gradus {

using DifferentiableFunction = std::function<Variable(const Variables&)>;

struct GradcheckOptions {
  double rtol = 1e-6;
  double atol = 1e-8;
  double step = 1e-3;      ///< first step of the central difference, relative to max(1, |x|)
  std::uint64_t seed = 0;  ///< of the output weights
  std::size_t worst = 5;   ///< how many of the worst elements the report keeps
};

/// One element of one input, analytic against numeric.
struct GradcheckEntry {
  std::size_t input = 0;
  std::string name;  ///< "input 0", or what the caller named it
  Shape index;
  double analytic = 0;
  double numeric = 0;
  double error =
      0;  ///< |analytic - numeric| / (atol + rtol·max(|analytic|, |numeric|)); above 1 fails
};

struct GradcheckReport {
  bool passed = false;
  std::int64_t elements = 0;          ///< compared
  double worst_relative_error = 0;    ///< max |analytic - numeric| / max(1, |analytic|, |numeric|)
  std::vector<GradcheckEntry> worst;  ///< largest error first
  std::string message;                ///< why nothing could be compared, if so

  /// A line per failing element: input, index, analytic, numeric, error.
  std::string to_string() const;
};

/// Compares d(Σ weights·function(inputs))/d(input) for every element of every input that requires
/// a gradient. Inputs: float64. Throws DTypeError for float32 inputs and GradError when none
/// requires a gradient.
GradcheckReport gradcheck(const DifferentiableFunction& function, const Variables& inputs,
                          const GradcheckOptions& options = {});
/// The same for the second derivative: checks the gradient of the gradient.
GradcheckReport gradgradcheck(const DifferentiableFunction& function, const Variables& inputs,
                              const GradcheckOptions& options = {});

/// Every op of the framework, with the samples that check it (ops/all.cpp).
const std::vector<OpInfo>& all_ops();

}  // namespace gradus
