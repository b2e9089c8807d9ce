// Functions of one number, beside the activations: trigonometry, logarithms, rounding, and those of
// one's own. A derivative is written so that it loses nothing where x is near a border.
#include <gradus/autograd/ops/chapter.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace gradus {
namespace ops {

/// y = f(x), whose derivative is simplest in terms of x.
template <Tensor (*f)(const Tensor&)> struct KeepsInput : Op {
  Variable x;

  Tensor forward(const Variable& input) {
    if (needs(0)) x = input;
    return f(input.value());
  }
};

/// y = f(x), constant between its steps        dL/dx = 0, as in PyTorch
template <Tensor (*f)(const Tensor&)> struct Steps : Op {
  Tensor forward(const Variable& x) { return f(x.value()); }

  Variables backward(const Variable& dy) override { return {zeros_like(dy.value())}; }

  Rounding rounding() const { return elementwise(0, 0); }
};

/// y = sin x        dL/dx = dL/dy·cos x
struct Sin final : KeepsInput<core::sin> {
  static constexpr std::string_view name = "sin";

  Variables backward(const Variable& dy) override { return {mul(dy, cos(x))}; }

  Rounding rounding() const { return elementwise(library_roundings, library_roundings + 1); }
};

/// y = cos x        dL/dx = -dL/dy·sin x
struct Cos final : KeepsInput<core::cos> {
  static constexpr std::string_view name = "cos";

  Variables backward(const Variable& dy) override { return {neg(mul(dy, sin(x)))}; }

  Rounding rounding() const { return elementwise(library_roundings, library_roundings + 1); }
};

/// y = tan x        dL/dx = dL/dy·(1+y²)
struct Tan final : Op {
  static constexpr std::string_view name = "tan";
  Tensor y;

  Tensor forward(const Variable& x) { return y = core::tan(x.value()); }

  Variables backward(const Variable& dy) override {
    const Variable output = reattach(y);
    return {mul(dy, add(mul(output, output), 1))};
  }

  /// y² has twice y's error and a rounding, of less than 1 + y²; the sum and the product round too.
  Rounding rounding() const { return elementwise(library_roundings, 2 * library_roundings + 3); }
};

/// y = arcsin x        dL/dx = dL/dy/√(1-x²)
///
/// 1-x² is taken as (1-x)(1+x): where x is near 1 or -1 a rounded x² would leave few digits of it.
struct Asin final : KeepsInput<core::asin> {
  static constexpr std::string_view name = "asin";

  Variables backward(const Variable& dy) override {
    return {div(dy, sqrt(mul(1.0 - x, add(x, 1))))};
  }

  /// Three roundings below the root, which halves them; the root and the quotient.
  Rounding rounding() const { return elementwise(library_roundings, 3.5); }
};

/// y = arccos x        dL/dx = -dL/dy/√(1-x²)
struct Acos final : KeepsInput<core::acos> {
  static constexpr std::string_view name = "acos";

  Variables backward(const Variable& dy) override {
    return {neg(div(dy, sqrt(mul(1.0 - x, add(x, 1)))))};
  }

  Rounding rounding() const { return elementwise(library_roundings, 3.5); }
};

/// y = arctan x        dL/dx = dL/dy/(1+x²)
struct Atan final : KeepsInput<core::atan> {
  static constexpr std::string_view name = "atan";

  Variables backward(const Variable& dy) override { return {div(dy, add(mul(x, x), 1))}; }

  /// The square, the sum and the quotient.
  Rounding rounding() const { return elementwise(library_roundings, 3); }
};

/// y = sinh x        dL/dx = dL/dy·cosh x
struct Sinh final : KeepsInput<core::sinh> {
  static constexpr std::string_view name = "sinh";

  Variables backward(const Variable& dy) override { return {mul(dy, cosh(x))}; }

  Rounding rounding() const { return elementwise(library_roundings, library_roundings + 1); }
};

/// y = cosh x        dL/dx = dL/dy·sinh x
struct Cosh final : KeepsInput<core::cosh> {
  static constexpr std::string_view name = "cosh";

  Variables backward(const Variable& dy) override { return {mul(dy, sinh(x))}; }

  Rounding rounding() const { return elementwise(library_roundings, library_roundings + 1); }
};

/// y = 2/√π ∫₀ˣ exp(-t²) dt        dL/dx = dL/dy·2/√π·exp(-x²)
struct Erf final : KeepsInput<core::erf> {
  static constexpr std::string_view name = "erf";

  Variables backward(const Variable& dy) override {
    return {mul(dy, mul(exp(neg(mul(x, x))), 2 * std::numbers::inv_sqrtpi))};
  }

  /// The rounding of x² is an absolute error of the exponent, x² of them a relative one of the power;
  /// then the library's, the number, and two products.
  Rounding rounding() const {
    return elementwise(
        {.value =
             [](const ElementwiseCall& call) {
               return core::mul(core::abs(call.y), library_roundings);
             },
         .slopes =
             [](const ElementwiseCall& call) {
               const Tensor square = core::mul(call.inputs[0], call.inputs[0]);
               return std::vector<Tensor>{
                   core::mul(core::abs(call.slopes[0]), core::add(square, library_roundings + 3))};
             }});
  }
};

/// y = eˣ - 1        dL/dx = dL/dy·eˣ, not y + 1, which would cancel where y is near -1
struct Expm1 final : KeepsInput<core::expm1> {
  static constexpr std::string_view name = "expm1";

  Variables backward(const Variable& dy) override { return {mul(dy, exp(x))}; }

  Rounding rounding() const { return elementwise(library_roundings, library_roundings + 1); }
};

/// y = ln(1+x)        dL/dx = dL/dy/(1+x)
struct Log1p final : KeepsInput<core::log1p> {
  static constexpr std::string_view name = "log1p";

  Variables backward(const Variable& dy) override { return {div(dy, add(x, 1))}; }

  Rounding rounding() const { return elementwise(library_roundings, 2); }
};

/// y = ln x/ln 2, exact for powers of 2        dL/dx = dL/dy/(x·ln 2)
struct Log2 final : KeepsInput<core::log2> {
  static constexpr std::string_view name = "log2";

  Variables backward(const Variable& dy) override { return {div(dy, mul(x, std::numbers::ln2))}; }

  /// The number, the product and the quotient.
  Rounding rounding() const { return elementwise(library_roundings, 3); }
};

/// y = ln x/ln 10        dL/dx = dL/dy/(x·ln 10)
struct Log10 final : KeepsInput<core::log10> {
  static constexpr std::string_view name = "log10";

  Variables backward(const Variable& dy) override { return {div(dy, mul(x, std::numbers::ln10))}; }

  Rounding rounding() const { return elementwise(library_roundings, 3); }
};

struct Floor final : Steps<core::floor> {
  static constexpr std::string_view name = "floor";
};

struct Ceil final : Steps<core::ceil> {
  static constexpr std::string_view name = "ceil";
};

struct Round final : Steps<core::round> {
  static constexpr std::string_view name = "round";
};

struct Trunc final : Steps<core::trunc> {
  static constexpr std::string_view name = "trunc";
};

struct Sign final : Steps<core::sign> {
  static constexpr std::string_view name = "sign";
};

/// y = f(x)        dL/dx = dL/dy·f'(x)
struct Map final : Op {
  static constexpr std::string_view name = "map";
  std::vector<NumberFunction> functions;  // f, f', f'', as many as were given
  Variable x;

  explicit Map(std::vector<NumberFunction> all) : functions(std::move(all)) {}

  Tensor forward(const Variable& input) {
    if (needs(0)) x = input;
    return core::map(input.value(), functions.front());
  }

  Variables backward(const Variable& dy) override {
    if (functions.size() < 2) {
      fail<GradError>(
          "map: its derivative was given as a function of numbers only, and has none itself; give "
          "the second derivative as well: map(x, f, df, ddf)");
    }
    return {mul(dy, apply(Map({functions.begin() + 1, functions.end()}), x))};
  }

  /// f and f' are taken in double and rounded once; then a product.
  Rounding rounding() const { return elementwise(1, 2); }
};

}  // namespace ops

Variable sin(const Operand& x) { return apply(ops::Sin(), x); }
Variable cos(const Operand& x) { return apply(ops::Cos(), x); }
Variable tan(const Operand& x) { return apply(ops::Tan(), x); }
Variable asin(const Operand& x) { return apply(ops::Asin(), x); }
Variable acos(const Operand& x) { return apply(ops::Acos(), x); }
Variable atan(const Operand& x) { return apply(ops::Atan(), x); }
Variable sinh(const Operand& x) { return apply(ops::Sinh(), x); }
Variable cosh(const Operand& x) { return apply(ops::Cosh(), x); }
Variable erf(const Operand& x) { return apply(ops::Erf(), x); }
Variable expm1(const Operand& x) { return apply(ops::Expm1(), x); }
Variable log1p(const Operand& x) { return apply(ops::Log1p(), x); }
Variable log2(const Operand& x) { return apply(ops::Log2(), x); }
Variable log10(const Operand& x) { return apply(ops::Log10(), x); }
Variable floor(const Operand& x) { return apply(ops::Floor(), x); }
Variable ceil(const Operand& x) { return apply(ops::Ceil(), x); }
Variable round(const Operand& x) { return apply(ops::Round(), x); }
Variable trunc(const Operand& x) { return apply(ops::Trunc(), x); }
Variable sign(const Operand& x) { return apply(ops::Sign(), x); }

Variable rsqrt(const Operand& x) {
  dispatch_floating("rsqrt", x->dtype(), []<class T>() {});
  return div(1, {sqrt(x), x.at()});
}
Variable reciprocal(const Operand& x) {
  dispatch_floating("reciprocal", x->dtype(), []<class T>() {});
  return div(1, x);
}
Variable square(const Operand& x) {
  dispatch_number("square", x->dtype(), []<class T>() {});
  return mul(x, *x);
}

Variable map(const Operand& x, const NumberFunction& f, const NumberFunction& df,
             const NumberFunction& ddf) {
  if (!df) fail<ValueError>("map: the derivative is empty; map(x, f, df) takes f and its slope");
  std::vector<NumberFunction> functions{f, df};
  if (ddf) functions.push_back(ddf);
  return apply(ops::Map(std::move(functions)), x);
}

}  // namespace gradus
