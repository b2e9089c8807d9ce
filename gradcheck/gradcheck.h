// The gradient checker: compares what backward() says with what finite differences say, decides
// element by element, and says what a wrong gradient looks like.
//
//   GradcheckReport report =
//       gradcheck([](const Variables& v) { return tanh(v[0]) * v[1]; }, {x, y});
//   std::cout << report << "\n";
//
// The function may return any shape: its output is summed with random weights, so that no symmetry
// (all ones is degenerate for softmax and batch norm) hides an error. How the numeric slopes are
// measured is told in slope.h, what each pattern means in diagnosis.cpp, and why in
// docs/gradient-checking.md.
#pragma once

#include <gradus/autograd/derivatives.h>
#include <gradus/autograd/op.h>
#include <gradus/core/random.h>
#include <gradus/gradcheck/diagnosis.h>
#include <gradus/gradcheck/sample.h>
#include <gradus/gradcheck/slope.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace gradus {

/// What is known of an element, or of a whole check, from good to bad. With
///   difference = |analytic - numeric|
///   tolerance  = atol + rtol·max(|analytic|, |numeric|)
enum class Verdict {
  pass,          ///< difference <= tolerance, and the numeric slope is known that well
  kink,          ///< the slopes from left and right differ, and the analytic one lies between them
  inconclusive,  ///< finite differences cannot tell: the error bound exceeds the tolerance
  fail  ///< difference > tolerance and difference > error bound; or not finite, and the slope known
};
std::string_view to_string(Verdict verdict);

/// How far a check has come.
struct GradcheckProgress {
  std::string_view subject;
  std::int64_t done = 0;  ///< elements and directions compared, of
  std::int64_t total = 0;
  double seconds = 0;
};

/// How exact, how many elements, and from which seed.
struct GradcheckOptions {
  double rtol = 1e-6;
  double atol = 1e-8;
  int draws = 2;  ///< random weightings of the output, each with a backward pass of its own
  std::int64_t elements = -1;  ///< how many of each input to check, chosen at random; -1: all
  int directions = 0;          ///< random directions to check through each input (fast mode)
  std::uint64_t seed = 0;      ///< of weights, directions and choices
  bool contracts = true;       ///< also what backward() promises (docs/gradient-checking.md)
  std::size_t worst = 5;       ///< how many of the worst elements the report keeps
  bool sweep = true;  ///< keep the steps through the worst element, a picture for some 90 calls
  std::string subject = "the function";  ///< what the report calls the function: "conv2d"
  std::vector<std::string> names{};  ///< of the inputs; the others are "input 0", "input 1", ...
  int points = 4;  ///< how many sets of inputs to draw, where a generator of inputs is given
  /// Told at most ten times a second how far the check is; false stops it, and the report says what
  /// is known. Without one, a check of more than 5 seconds says so in the log.
  std::function<bool(const GradcheckProgress& progress)> progress{};
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

/// What a check has found.
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
  /// What the inputs never did, and so nobody knows of: negative values, a branch not taken, an axis
  /// of size 1.
  std::vector<std::string> not_exercised{};
  bool stopped = false;  ///< by GradcheckOptions::progress, before all was compared
  std::vector<GradcheckInput> inputs{};
  /// The steps through the worst element, when one was compared; empty unless asked for.
  std::vector<SlopeStep> sweep{};

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
/// Inputs may be views: each is copied with its layout; what repeats elements (expand), shares memory
/// with another input or was computed from one is taken as numbers of its own, and a note says so. float32 inputs are cast to float64.
/// Throws DTypeError for a function that then returns anything but float64, GradError when no input
/// requires a gradient or the function writes into one, ShapeError when the output changes shape
/// from call to call, ValueError for options that make no sense, and what the function throws: an
/// error of fail() names the place too, and an exception that is no Error becomes one.
GradcheckReport gradcheck(const DifferentiableFunction& function, const Variables& inputs,
                          const GradcheckOptions& options = {});
/// Draws inputs, of whatever values and sizes.
using InputGenerator = std::function<Variables(Generator& generator)>;
/// gradcheck() at several points, `options.points` sets of inputs: one set never meets every branch and
/// every size. Counts are of all points; worst elements, diagnoses and pictures of the worst point.
GradcheckReport gradcheck_points(const DifferentiableFunction& function,
                                 const InputGenerator& generate,
                                 const GradcheckOptions& options = {});
/// The same: gradcheck(f, [](Generator& g) { return Variables{...}; }).
template <class Generate>
requires std::is_invocable_r_v<Variables, Generate&, Generator&> GradcheckReport
gradcheck(const DifferentiableFunction& function, Generate generate,
          const GradcheckOptions& options = {}) {
  return gradcheck_points(function, std::move(generate), options);
}
/// The same for the second derivative: checks the gradient of the gradient, with respect to the
/// inputs and to the output gradient.
GradcheckReport gradgradcheck(const DifferentiableFunction& function, const Variables& inputs,
                              const GradcheckOptions& options = {});

// ---- The proof in float32 ----
//
// Everybody trains in float32, and the checks above run in float64. What lies between them is
// rounding, and rounding has bounds. gradcheck_float32() runs a function and its backward pass in
// float32, as a training would, and repeats every call of an op and every derivative in float64 on
// the very numbers that it got. Each element must lie within the bound that the op states
// (core/rounding.h). Nothing piles up from op to op, so the same bounds hold in a model of any
// depth, and the first call that breaks one is the culprit.

/// One float32 tensor, what it should be, and how far it may be off.
struct Float32Comparison {
  std::string op{};
  std::size_t call = 0;     ///< the ops are numbered from 0 as they ran
  std::string place{};      ///< the module that called it, "features.3"; empty: none
  std::string pass{};       ///< "forward", "gradient of input 1", ...
  std::string algorithm{};  ///< where there is a choice
  Tensor result{};          ///< float32
  Tensor reference{};       ///< float64
  Tensor bound{};           ///< float64; 0: must be equal
};

/// A comparison by its worst element. Out of bounds where `wrong` is not 0.
struct Float32Difference {
  std::string op{};
  std::size_t call = 0;
  std::string place{};
  std::string pass{};
  std::string algorithm{};
  Shape index{};         ///< of the worst element
  double result = 0;     ///< in float32
  double reference = 0;  ///< in float64
  double difference = 0;
  double bound = 0;
  double ratio = 0;        ///< difference over bound; infinite where 0 was allowed
  std::int64_t wrong = 0;  ///< elements out of bounds
  std::int64_t elements = 0;

  /// One line.
  std::string to_string() const;
};

/// Judges a float32 result, wherever it comes from. NaN belongs to NaN, an infinity to the same one.
/// Throws ShapeError unless all three tensors have one shape.
Float32Difference compare_float32(const Float32Comparison& comparison);

/// How a proof in float32 is run.
struct Float32Options {
  std::uint64_t seed = 0;                ///< of the weights of the output
  std::string subject = "the function";  ///< what the report calls the function
  std::vector<std::string> names{};      ///< of the inputs; others are "input 0", "input 1", ...
  std::size_t failures = 5;              ///< how many of them the report keeps, the first ones
  /// Convolutions of not more flops have the direct loops for reference, which share no code with
  /// the fast ones; larger ones what is chosen for float64, which is never Winograd's.
  std::int64_t direct_flops = 60'000'000;
  /// Sees each comparison before it is judged, and may put another result, reference or bound in
  /// its place (not write into them: the run goes on with these numbers). To plant a fault.
  std::function<void(Float32Comparison& comparison)> visit{};
};

/// What a proof in float32 has found.
struct Float32Report {
  std::string subject{};
  std::int64_t calls = 0;       ///< of ops, forward; each with its derivative, if one ran
  std::int64_t elements = 0;    ///< compared
  std::int64_t identities = 0;  ///< Σ dy·f(a, b) = Σ a·dL/da = Σ b·dL/db, of bilinear ops
  std::int64_t fail_count = 0;  ///< elements and identities out of bounds
  /// Elements that a relu let pass in float32 and not in float64, or the reverse: so near to 0 that
  /// rounding decides. They are within their bound, and derivatives follow float32.
  std::int64_t undecided = 0;
  double worst = 0;        ///< the largest difference over its bound
  std::string worst_at{};  ///< where that is: "conv2d, forward by winograd"
  /// What is out of bounds, in the order in which it happened; the first ones.
  std::vector<Float32Difference> failures{};
  std::vector<std::string> unstated{};  ///< ops that state no bound: these prove nothing

  bool passed() const { return fail_count == 0 && unstated.empty(); }
  /// A line of counts, and a line for each failure.
  std::string to_string() const;
};
std::ostream& operator<<(std::ostream& out, const Float32Report& report);

/// Runs function(inputs) and backward of it, summed with random weights, in float32. Floating inputs
/// are rounded to float32 and keep their layout. Throws what the function throws, and DTypeError
/// when it returns anything but float32. Not beside convolutions of other threads: while a reference
/// runs, their algorithm is forced (set_conv2d_algorithm), and put back.
Float32Report gradcheck_float32(const DifferentiableFunction& function, const Variables& inputs,
                                const Float32Options& options = {});

}  // namespace gradus
