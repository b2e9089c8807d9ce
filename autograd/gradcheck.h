// The gradient checker: compares what backward() says with what finite differences say, decides
// element by element, and says what a wrong gradient looks like.
//
//   GradcheckReport report =
//       gradcheck([](const Variables& v) { return tanh(v[0]) * v[1]; }, {x, y});
//   std::cout << report << "\n";
//
// The function may return any shape: its output is summed with random weights, so that no symmetry
// (all ones is degenerate for softmax and batch norm) hides an error. How the numeric slopes are
// measured is told in check/slope.h, what each pattern means in check/diagnosis.cpp, and why in
// docs/gradient-checking.md.
#pragma once

#include <gradus/autograd/check/diagnosis.h>
#include <gradus/autograd/check/slope.h>
#include <gradus/autograd/op.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace gradus {

using DifferentiableFunction = std::function<Variable(const Variables&)>;

/// What is known of an element, or of a whole check, from good to bad. With
///   difference = |analytic - numeric|
///   tolerance  = atol + rtol·max(|analytic|, |numeric|)
enum class Verdict {
  pass,          ///< difference <= tolerance, and the numeric slope is known that well
  kink,          ///< the slopes from left and right differ, and the analytic one lies between them
  inconclusive,  ///< finite differences cannot tell: the error bound exceeds the tolerance
  fail           ///< difference > tolerance and difference > error bound; or not finite
};
std::string_view to_string(Verdict verdict);

struct GradcheckOptions {
  double rtol = 1e-6;
  double atol = 1e-8;
  int draws = 2;  ///< random weightings of the output, each with a backward pass of its own
  std::int64_t elements = -1;  ///< how many of each input to check, chosen at random; -1: all
  int directions = 0;          ///< random directions to check through each input (fast mode)
  std::uint64_t seed = 0;      ///< of weights, directions and choices
  std::size_t worst = 5;       ///< how many of the worst elements the report keeps
  std::string subject = "the function";  ///< what the report calls the function: "conv2d"
  std::vector<std::string> names{};  ///< of the inputs; the others are "input 0", "input 1", ...
};

/// Fast mode: `directions` random directions through each input instead of every element. It costs
/// the same for ten numbers as for a million, and finds whatever moves the slope along a random
/// direction: an error of one element among n by a factor of √n less surely than an error of all.
GradcheckOptions fast_gradcheck(int directions = 8);

/// One element of one input, or one direction through it, analytic against numeric.
struct GradcheckEntry {
  Verdict verdict = Verdict::pass;
  std::size_t input = 0;
  std::string name{};  ///< "input 0", or what the caller named it
  Shape index{};       ///< of the element
  int direction = -1;  ///< the number of the direction; -1: an element
  int draw = 0;        ///< the weighting of the output with which it looks worst
  double analytic = 0;
  double numeric = 0;
  double bound = 0;           ///< |numeric - true slope| is at most about this
  double left = 0;            ///< at a kink every value from `left` to `right` is a subgradient;
  double right = 0;           ///< elsewhere both are `numeric`
  double absolute_error = 0;  ///< |analytic - numeric|
  double relative_error = 0;  ///< the same over max(|analytic|, |numeric|)
  double excess = 0;          ///< absolute_error over what is allowed; the order of the list

  /// "weight[1,0,2]", "weight along direction 3"
  std::string place() const;
};

/// One input as a whole: the numbers behind the picture and the diagnosis.
struct GradcheckInput {
  std::string name;
  Tensor analytic{};       ///< float64, for the first draw
  Tensor numeric{};        ///< the same; NaN where it was not measured
  Tensor verdicts{};       ///< uint8: a Verdict each, `unchecked` where not measured
  bool connected = false;  ///< does backward reach it?
  static constexpr int unchecked = 255;
};

struct GradcheckReport {
  Verdict verdict = Verdict::pass;  ///< the worst of all elements
  std::string subject;
  int order = 1;    ///< of the derivative
  double rtol = 0;  ///< the tolerances it was judged by
  double atol = 0;
  std::int64_t elements = 0;      ///< compared
  std::int64_t directions = 0;    ///< compared
  std::int64_t passed_count = 0;  ///< of both together, by verdict
  std::int64_t kink_count = 0;
  std::int64_t inconclusive_count = 0;
  std::int64_t fail_count = 0;
  double worst_relative_error = 0;      ///< |analytic - numeric| / max(1, |analytic|, |numeric|)
  std::vector<GradcheckEntry> worst{};  ///< worst first
  std::vector<Diagnosis> diagnoses{};   ///< what the errors look like, the likeliest first
  std::vector<std::string> notes{};     ///< what else must be known to trust the verdict
  std::vector<GradcheckInput> inputs{};
  std::vector<SlopeStep> sweep{};  ///< the steps through the worst element, when one was compared

  /// pass or kink: every gradient that was compared is a right one.
  bool passed() const { return verdict == Verdict::pass || verdict == Verdict::kink; }

  /// A line of verdict and counts, the diagnosis, and a line for each of the worst elements.
  std::string to_string(bool colour = false) const;
  /// One JSON object; numbers that are not finite are null.
  std::string to_json() const;
  /// A page of its own: scatter, error map and step sweep as pictures.
  std::string to_html() const;
  /// The step sweep alone, an SVG file; without a sweep an empty string.
  std::string sweep_svg() const;
};
std::ostream& operator<<(std::ostream& out, const GradcheckReport& report);

/// Compares d(Σ weights·function(inputs))/d(input) with finite differences, for every element of
/// every input that requires a gradient (or for as many as the options say).
///
/// Inputs may be views: each is copied with its layout; what repeats elements (expand) or shares
/// memory with another input is copied as separate numbers. float32 inputs are cast to float64.
/// Throws DTypeError for a function that then returns anything but float64, GradError when no input
/// requires a gradient or the function writes into one, ShapeError when the output changes shape
/// from call to call, ValueError for options that make no sense, and what the function throws: an
/// error of fail() names the place too, and an exception that is no Error becomes one.
GradcheckReport gradcheck(const DifferentiableFunction& function, const Variables& inputs,
                          const GradcheckOptions& options = {});
/// The same for the second derivative: checks the gradient of the gradient, with respect to the
/// inputs and to the output gradient.
GradcheckReport gradgradcheck(const DifferentiableFunction& function, const Variables& inputs,
                              const GradcheckOptions& options = {});

/// Every op of the framework, with the samples that check it (ops/all.cpp).
const std::vector<OpInfo>& all_ops();
/// Each sample as it is, with its inputs laid out transposed, with its inputs as strided slices,
/// and with every input used twice.
std::vector<Sample> in_every_layout(const std::vector<Sample>& samples);

}  // namespace gradus
