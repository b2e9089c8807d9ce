// Rounding: how far the float32 result of an op may lie from the exact one, as the op states it
// beside its formula. The proof in float32 (gradcheck_float32() in gradcheck.h) compares every
// element with its bound; nothing here is fitted to what was measured.
//
// Everything is counted in u = 2⁻²⁴, the unit roundoff: one rounding of a number v errs by at most
// u·|v|. A sum of k products errs by at most γ(k)·Σ|a||b|, γ(n) = n·u/(1 - n·u), in whatever order
// it is added up (N. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1).
// Where both the number of terms and the sum of their magnitudes can be had from the op itself, run
// in float64 on ones and on absolute values, a rule below does so. What is of second order, u², is
// covered by second_order_share.
#pragma once

#include <gradus/core/tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gradus {

inline constexpr double unit_roundoff = 0x1p-24;

/// What glibc's float32 exp, log, pow and tanh err by: at most 2 ulp each (glibc manual, "Known
/// Maximum Errors in Math Functions"), and an ulp of v is at most 2·u·|v|.
inline constexpr double library_roundings = 4;

/// What an op makes of some numbers, and of the gradient of what it made.
struct RoundingRun {
  Tensor y;
  std::vector<Tensor> gradients;  ///< dL/d(input); undefined where none is wanted
};

/// A call of an op in float32, repeated in float64 on the same numbers. All tensors are float64.
struct RoundingCall {
  std::vector<Tensor> inputs;     ///< undefined where the call had none (no bias)
  Tensor y;                       ///< what the op makes of them
  Tensor dy;                      ///< dL/dy; undefined in the forward pass
  std::vector<Tensor> gradients;  ///< dL/d(input); undefined where none is wanted
  /// The op on other numbers of the same shapes; backward too if there is a dy.
  std::function<RoundingRun(const std::vector<Tensor>& inputs, const Tensor& dy)> run;
};

/// What an op states: bounds of |float32 - exact|, element by element.
struct Rounding {
  /// For y.
  std::function<Tensor(const RoundingCall& call)> value;
  /// For each dL/d(input), undefined where that is.
  std::function<std::vector<Tensor>(const RoundingCall& call)> gradients;
  /// Which algorithm computes y (pass 0) or dL/d(input i) (pass i + 1), where there is a choice.
  std::function<std::string(const RoundingCall& call, std::size_t pass)> algorithm{};
  /// y = f(a, b) or f(a, b) + c, linear in a and in b. Then Σ dy·(y - c) = Σ a·dL/da = Σ b·dL/db,
  /// an identity that needs no reference.
  bool bilinear = false;
};

/// What adding up n numbers in float64 may lose, for each of them (Higham, 4.2): below every float32
/// bound, but not below 0.
inline constexpr double double_roundoff = 0x1p-53;

/// γ(n), element by element; negative n count as 0.
Tensor gamma(const Tensor& roundings);

/// Of an op that is linear in each of its inputs, with coefficients of one sign: k - 1 additions
/// and `products` multiplications for each sum of k terms. Copies are sums of one term: exact.
Rounding multilinear(int products);

/// Of y = f(a, b) or f(a, b) + c, linear in a and in b: sums of products. The gradient of c, a sum of
/// dL/dy, is added up in float64.
Rounding bilinear();

/// Of an op that sums in float64 what is linear, and then rounds: `roundings` of the result.
Rounding summed_in_double(int roundings);

/// Of an op whose coefficients are not 1 (averages): `roundings` in each pass, all told.
Rounding weighted(std::int64_t roundings);

/// Of an op that chooses among its inputs: y is exact, and the gradient goes to what was chosen, k
/// times to the same place: k - 1 additions. Shared gradients (ties) take two roundings more.
Rounding choosing();

/// What an elementwise op says of one element; all tensors have the shape of its result.
struct ElementwiseCall {
  std::vector<Tensor> inputs{};
  Tensor y{};
  std::vector<Tensor> slopes{};  ///< ∂y/∂(input); undefined in the forward pass
};

/// Errors in units of u: of y; and of dy·∂y/∂(input) in units of u·|dy|, the product included.
struct ElementwiseRounding {
  std::function<Tensor(const ElementwiseCall& call)> value;
  std::function<std::vector<Tensor>(const ElementwiseCall& call)> slopes;
};

/// Of an op that computes every element of y alone, from inputs that broadcast. Gradients are
/// summed to the shape of their input in float64 (sum_to), which adds one rounding of the sum.
Rounding elementwise(const ElementwiseRounding& errors);

/// The usual case: `value` roundings of y, `slope` roundings of each dL/dy·∂y/∂(input).
Rounding elementwise(double value, double slope);

/// What softmax and its family compute on the way, and their errors in units of u. e^(x-m), m the
/// greatest along `dims`, is off by |x-m| for the rounded difference and by the library's error;
/// the sum of them by the mean of that, weighted by their shares, and by one rounding.
struct Exponentials {
  Tensor shifted;     ///< x - m
  Tensor share;       ///< e^(x-m)/Σ
  Tensor log_of_sum;  ///< ln Σ e^(x-m); reduced dimensions are kept
  Tensor one;         ///< relative error of each e^(x-m)
  Tensor all;         ///< relative error of Σ; reduced dimensions are kept

  /// Of x with elements, float64.
  Exponentials(const Tensor& x, const Dims& dims);
};

}  // namespace gradus
