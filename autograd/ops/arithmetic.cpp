// Arithmetic: sums, products, powers and choices between two numbers. Broadcasting repeats elements
// on the way in, so each gradient is summed back to the shape of its input (sum_to).
#include <gradus/autograd/held_still.h>
#include <gradus/autograd/ops/chapter.h>

#include <algorithm>
#include <cmath>

namespace gradus {
namespace ops {
namespace {

/// In units of u: by how much the float32 that stands for `number` is off.
double error_of(double number) {
  return std::fabs(static_cast<double>(static_cast<float>(number)) - number) / unit_roundoff;
}

/// |ln|x||, by which the error of an exponent counts: x^(p+e) = x^p·(1 + e·ln x). 0 where x is 0.
Tensor log_magnitude(const Tensor& x) {
  const Tensor zero = core::eq(x, 0);
  return core::abs(core::log(core::where(zero, ones_like(x), core::abs(x))));
}

}  // namespace

/// y = a + b        dL/da = dL/dy,   dL/db = dL/dy
struct Add final : Op {
  static constexpr std::string_view name = "add";
  Epilogue epilogue;

  explicit Add(Activation activation) : epilogue{activation} {}

  Tensor forward(const Variable& a, const Variable& b) {
    return epilogue.kept(core::add(a.value(), b.value(), epilogue.activation));
  }

  Variables backward(const Variable& dy) override {
    const Variable g = epilogue.backward(dy);
    return {needs(0) ? sum_to(g, input_shape(0)) : Variable(),
            needs(1) ? sum_to(g, input_shape(1)) : Variable()};
  }

  Activation take_activation() { return epilogue.take(); }

  Rounding rounding() const { return elementwise(1, 0); }
};

/// y = x + number        dL/dx = dL/dy
struct Shift final : Op {
  static constexpr std::string_view name = "shift";
  double number;

  explicit Shift(double value) : number(value) {}

  Tensor forward(const Variable& x) { return core::add(x.value(), number); }

  bool states_infinity() const { return std::isinf(number); }

  Variables backward(const Variable& dy) override { return {dy}; }

  /// The number is rounded to float32, then the sum.
  Rounding rounding() const {
    return elementwise(
        {.value = [error = error_of(number)](
                      const ElementwiseCall& call) { return core::add(core::abs(call.y), error); },
         .slopes =
             [](const ElementwiseCall& call) { return std::vector<Tensor>{zeros_like(call.y)}; }});
  }
};

/// y = a - b        dL/da = dL/dy,   dL/db = -dL/dy
struct Sub final : Op {
  static constexpr std::string_view name = "sub";

  Tensor forward(const Variable& a, const Variable& b) { return core::sub(a.value(), b.value()); }

  Variables backward(const Variable& dy) override {
    return {needs(0) ? sum_to(dy, input_shape(0)) : Variable(),
            needs(1) ? neg(sum_to(dy, input_shape(1))) : Variable()};
  }

  Rounding rounding() const { return elementwise(1, 0); }
};

/// y = a·b        dL/da = dL/dy·b,   dL/db = dL/dy·a
struct Mul final : Op {
  static constexpr std::string_view name = "mul";
  Variable a, b;

  Tensor forward(const Variable& left, const Variable& right) {
    if (needs(1)) a = left;
    if (needs(0)) b = right;
    return core::mul(left.value(), right.value());
  }

  Variables backward(const Variable& dy) override {
    return {needs(0) ? sum_to(mul(dy, b), input_shape(0)) : Variable(),
            needs(1) ? sum_to(mul(dy, a), input_shape(1)) : Variable()};
  }

  Rounding rounding() const {
    Rounding rule = elementwise(1, 1);
    rule.bilinear = true;
    return rule;
  }
};

/// y = factor·x        dL/dx = factor·dL/dy
struct Scale final : Op {
  static constexpr std::string_view name = "scale";
  double factor;

  explicit Scale(double number) : factor(number) {}

  Tensor forward(const Variable& x) { return core::mul(x.value(), factor); }

  bool states_infinity() const { return std::isinf(factor); }

  Variables backward(const Variable& dy) override { return {mul(dy, factor)}; }

  /// The factor is rounded to float32, then the product.
  Rounding rounding() const { return elementwise(2, 2); }
};

/// y = a/b        dL/da = dL/dy/b,   dL/db = -(dL/dy·y)/b
///
/// Not -dL/dy·a/b² nor -(dL/dy/b)·y, the same numbers on paper: b², or dL/dy/b, leaves the range
/// for a small b, where y and the gradient are still in it.
struct Div final : Op {
  static constexpr std::string_view name = "div";
  Variable a, b;

  Tensor forward(const Variable& left, const Variable& right) {
    if (needs(1)) a = left;
    b = right;
    return core::div(left.value(), right.value());
  }

  Variables backward(const Variable& dy) override {
    return {needs(0) ? sum_to(div(dy, b), input_shape(0)) : Variable(),
            needs(1) ? sum_to(neg(div(mul(dy, div(a, b)), b)), input_shape(1)) : Variable()};
  }

  /// dL/db = -(dL/dy·y)/b: two quotients and a product.
  Rounding rounding() const { return elementwise(1, 3); }
};

/// y = x/number        dL/dx = dL/dy/number
struct DivScalar final : Op {
  static constexpr std::string_view name = "div_scalar";
  double number;

  explicit DivScalar(double value) : number(value) {}

  Tensor forward(const Variable& x) { return core::div(x.value(), number); }

  Variables backward(const Variable& dy) override { return {div(dy, number)}; }

  /// The number is rounded to float32, then the quotient.
  Rounding rounding() const { return elementwise(2, 2); }
};

/// y = number/x        dL/dx = -(dL/dy·y)/x
struct ScalarDiv final : Op {
  static constexpr std::string_view name = "scalar_div";
  double number;
  Variable x;

  explicit ScalarDiv(double value) : number(value) {}

  Tensor forward(const Variable& divisor) {
    if (needs(0)) x = divisor;
    return core::div(number, divisor.value());
  }

  bool states_infinity() const { return std::isinf(number); }

  Variables backward(const Variable& dy) override { return {neg(div(mul(dy, div(number, x)), x))}; }

  /// The number is rounded to float32, then the quotient; for the slope a product and a quotient
  /// more.
  Rounding rounding() const { return elementwise(2, 4); }
};

/// y = -x        dL/dx = -dL/dy
struct Neg final : Op {
  static constexpr std::string_view name = "neg";

  Tensor forward(const Variable& x) { return core::neg(x.value()); }

  Variables backward(const Variable& dy) override { return {neg(dy)}; }

  Rounding rounding() const { return elementwise(0, 0); }
};

/// y = x^p        dL/dx = dL/dy·p·x^(p-1)
struct PowScalar final : Op {
  static constexpr std::string_view name = "pow_scalar";
  double exponent;
  Variable x;

  explicit PowScalar(double p) : exponent(p) {}

  Tensor forward(const Variable& base) {
    if (needs(0)) x = base;
    return core::pow(base.value(), exponent);
  }

  Variables backward(const Variable& dy) override {
    if (exponent == 0) return {zeros_like(dy.value())};  // 0·x^-1 would be NaN at 0
    return {mul(mul(dy, exponent), pow(x, exponent - 1))};
  }

  /// The library's power of an exponent that was rounded to float32; for the slope p and p-1 were,
  /// and there are two products.
  Rounding rounding() const {
    const auto power_error = [](const Tensor& base, double power) {
      return core::add(core::mul(log_magnitude(base), error_of(power)), library_roundings);
    };
    return elementwise(
        {.value =
             [=, p = exponent](const ElementwiseCall& call) {
               return core::mul(core::abs(call.y), power_error(call.inputs[0], p));
             },
         .slopes =
             [=, p = exponent](const ElementwiseCall& call) {
               const Tensor relative = core::add(power_error(call.inputs[0], p - 1), 3);
               return std::vector<Tensor>{core::mul(core::abs(call.slopes[0]), relative)};
             }});
  }
};

/// y = a^b        dL/da = dL/dy·b·a^(b-1),   dL/db = dL/dy·y·log a   (0 where a = 0 and b >= 0)
struct Pow final : Op {
  static constexpr std::string_view name = "pow";
  Variable a, b;
  Tensor y;

  Tensor forward(const Variable& base, const Variable& exponent) {
    a = base;
    b = exponent;
    y = core::pow(base.value(), exponent.value());
    return y;
  }

  Variables backward(const Variable& dy) override {
    Variable da;
    Variable db;
    const Variable zero = Tensor::scalar(0, dy.dtype());
    if (needs(0)) {
      const Variable slope = mul(b, pow(a, add(b, -1)));
      da = sum_to(where(core::eq(b.value(), 0), zero, mul(dy, slope)), input_shape(0));
    }
    if (needs(1)) {
      const Tensor flat = core::logical_and(core::eq(a.value(), 0), core::ge(b.value(), 0));
      const Variable slope = mul(reattach(y), log(a));
      db = sum_to(mul(dy, where(flat, zero, slope)), input_shape(1));
    }
    return {da, db};
  }

  /// The library's power; dL/da has the exponent b-1 rounded and two products more, dL/db the
  /// power, the library's logarithm and two products.
  Rounding rounding() const {
    return elementwise({.value =
                            [](const ElementwiseCall& call) {
                              return core::mul(core::abs(call.y), library_roundings);
                            },
                        .slopes =
                            [](const ElementwiseCall& call) {
                              const Tensor exponent = core::abs(core::sub(call.inputs[1], 1));
                              const Tensor relative =
                                  core::add(core::mul(exponent, log_magnitude(call.inputs[0])),
                                            library_roundings + 2);
                              return std::vector<Tensor>{
                                  core::mul(core::abs(call.slopes[0]), relative),
                                  core::mul(core::abs(call.slopes[1]), 2 * library_roundings + 2)};
                            }});
  }
};

/// y = max(a, b)        dL/da = dL/dy where a > b, dL/dy/2 where a = b; likewise dL/db
/// y = min(a, b)        likewise, where a < b
template <bool greatest> struct Extremum : Op {
  Tensor a, b;

  Tensor forward(const Variable& left, const Variable& right) {
    a = left.value();
    b = right.value();
    return greatest ? core::maximum(a, b) : core::minimum(a, b);
  }

  Variables backward(const Variable& dy) override {
    return {needs(0) ? sum_to(share(dy, a, b), input_shape(0)) : Variable(),
            needs(1) ? sum_to(share(dy, b, a), input_shape(1)) : Variable()};
  }

  /// dy where `mine` was taken, half of it on a tie, 0 (whatever dy is) where `other` was. As in
  /// PyTorch, a NaN counts as taken.
  static Variable share(const Variable& dy, const Tensor& mine, const Tensor& other) {
    const Tensor lost = greatest ? core::lt(mine, other) : core::gt(mine, other);
    const Tensor tied = core::eq(mine, other).to(mine.dtype());
    return where(lost, Tensor::scalar(0, dy.dtype()), mul(dy, core::sub(1, core::mul(tied, 0.5))));
  }
};

struct Maximum final : Extremum<true> {
  static constexpr std::string_view name = "maximum";

  Rounding rounding() const { return elementwise(0, 0); }
};

struct Minimum final : Extremum<false> {
  static constexpr std::string_view name = "minimum";

  Rounding rounding() const { return elementwise(0, 0); }
};

/// y = min(max(x, low), high)        dL/dx = dL/dy where low <= x <= high, else 0
struct Clamp final : Op {
  static constexpr std::string_view name = "clamp";
  std::optional<double> low, high;
  Tensor x;

  Clamp(std::optional<double> least, std::optional<double> most) : low(least), high(most) {}

  Tensor forward(const Variable& input) {
    if (needs(0)) x = input.value();
    return core::clamp(input.value(), low, high);
  }

  bool states_infinity() const {
    return std::isinf(low.value_or(0)) || std::isinf(high.value_or(0));
  }

  Variables backward(const Variable& dy) override {
    Tensor inside = low ? core::ge(x, *low) : core::eq(x, x);
    if (high) inside = core::logical_and(inside, core::le(x, *high));
    return {where(inside, dy, Tensor::scalar(0, dy.dtype()))};
  }

  /// Exact, but for bounds that float32 does not have.
  Rounding rounding() const {
    const double error = std::max(error_of(low.value_or(0)), error_of(high.value_or(0)));
    return elementwise(
        {.value =
             [error](const ElementwiseCall& call) {
               return core::mul(core::ne(call.y, call.inputs[0]).to(float64), error);
             },
         .slopes =
             [](const ElementwiseCall& call) { return std::vector<Tensor>{zeros_like(call.y)}; }});
  }
};

/// y = condition ? a : b        dL/da = condition ? dL/dy : 0,   dL/db = condition ? 0 : dL/dy
struct Where final : Op {
  static constexpr std::string_view name = "where";
  Tensor condition;

  explicit Where(Tensor chosen) : condition(std::move(chosen)) {}

  Tensor forward(const Variable& a, const Variable& b) {
    keeps(condition, "condition");
    return core::where(condition, a.value(), b.value());
  }

  Variables backward(const Variable& dy) override {
    const Variable zero = Tensor::scalar(0, dy.dtype());
    return {needs(0) ? sum_to(where(condition, dy, zero), input_shape(0)) : Variable(),
            needs(1) ? sum_to(where(condition, zero, dy), input_shape(1)) : Variable()};
  }

  Rounding rounding() const { return elementwise(0, 0); }
};

/// y = value        dL/d(stand_in) = dL/dy
struct StraightThrough final : Op {
  static constexpr std::string_view name = "straight_through";

  Tensor forward(const Variable& value, const Variable& stand_in) {
    check_same("straight_through", value.value(), stand_in.value());
    detail::HeldOffsets* held = detail::held_offsets();
    if (held == nullptr) return value.value().clone();
    return core::add(stand_in.value(), held->next(value.value(), stand_in.value()));
  }

  Variables backward(const Variable& dy) override { return {Variable(), dy}; }

  Rounding rounding() const { return elementwise(0, 0); }

 private:
  static void check_same(const char* function, const Tensor& value, const Tensor& stand_in) {
    if (value.shape() != stand_in.shape())
      fail<ShapeError>(function, ": value is ", value.shape(), ", its stand-in ", stand_in.shape());
    if (value.dtype() != stand_in.dtype())
      fail<DTypeError>(function, ": value is ", value.dtype(), ", its stand-in ", stand_in.dtype());
  }
};

}  // namespace ops

namespace detail {

HeldOffsets*& held_offsets() {
  thread_local HeldOffsets* held = nullptr;
  return held;
}

Tensor HeldOffsets::next(const Tensor& value, const Tensor& stand_in) {
  if (next_ == offsets_.size())
    offsets_.push_back(core::sub(value.to(float64), stand_in.to(float64)));
  const Tensor& offset = offsets_[next_++];
  if (offset.shape() != value.shape()) {
    fail<ShapeError>("straight_through: a check needs calls of one shape, got ", offset.shape(),
                     ", then ", value.shape());
  }
  return offset.to(value.dtype());
}

}  // namespace detail

Variable add(const Operand& a, const Variable& b, Activation activation) {
  return apply(ops::Add(activation), a, b);
}
Variable sub(const Operand& a, const Variable& b) { return apply(ops::Sub(), a, b); }
Variable mul(const Operand& a, const Variable& b) { return apply(ops::Mul(), a, b); }
Variable div(const Operand& a, const Variable& b) { return apply(ops::Div(), a, b); }
Variable add(const Operand& a, double b) { return apply(ops::Shift(b), a); }
Variable mul(const Operand& a, double b) { return apply(ops::Scale(b), a); }
Variable div(const Operand& a, double b) { return apply(ops::DivScalar(b), a); }
Variable div(double a, const Operand& b) { return apply(ops::ScalarDiv(a), b); }
Variable neg(const Operand& x) { return apply(ops::Neg(), x); }
Variable pow(const Operand& x, double exponent) { return apply(ops::PowScalar(exponent), x); }
Variable pow(const Operand& base, const Variable& exponent) {
  return apply(ops::Pow(), base, exponent);
}
Variable maximum(const Operand& a, const Variable& b) { return apply(ops::Maximum(), a, b); }
Variable minimum(const Operand& a, const Variable& b) { return apply(ops::Minimum(), a, b); }
Variable clamp(const Operand& x, std::optional<double> low, std::optional<double> high) {
  if (!low && !high) fail<ValueError>("clamp: expects a low or a high bound, or both, got neither");
  return apply(ops::Clamp(low, high), x);
}
Variable where(const Tensor& condition, const Operand& a, const Variable& b) {
  return apply(ops::Where(condition), a, b);
}
Variable straight_through(const Operand& value, const Variable& stand_in) {
  return apply(ops::StraightThrough(), {value->detach(), value.at()}, stand_in);
}

}  // namespace gradus
