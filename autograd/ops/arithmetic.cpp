// Arithmetic: sums, products, powers and choices between two numbers. Broadcasting repeats elements
// on the way in, so each gradient is summed back to the shape of its input (sum_to).
#include <gradus/autograd/ops/chapter.h>

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

/// The corners of a function of two inputs that broadcast, and `more` of its own.
std::vector<Sample> binary_samples(const std::function<Variable(const Variables&)>& f, Range a = {},
                                   Range b = {}, const std::vector<Sample>& more = {}) {
  std::vector<Sample> all{
      {"all sizes different", {spread({3, 4, 5}, 1, a), spread({3, 4, 5}, 2, b)}, f},
      {"squares", {spread({4, 4}, 3, a), spread({4, 4}, 4, b)}, f},
      {"a row", {spread({3, 4}, 5, a), spread({4}, 6, b)}, f},
      {"a column", {spread({4, 1}, 7, a), spread({4, 4}, 8, b)}, f},
      {"both broadcast", {spread({3, 1, 4}, 9, a), spread({5, 1}, 10, b)}, f},
      {"scalars", {spread({}, 11, a), spread({}, 12, b)}, f},
      {"a scalar and a matrix", {spread({}, 13, a), spread({3, 4}, 14, b)}, f},
      {"nothing", {spread({0, 3}, 15, a), spread({3}, 16, b)}, f},
      {"the same twice", {spread({3, 4}, 17, b)}, [f](const Variables& v) {
         return f({v[0], v[0]});
       }}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
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

  static std::vector<Sample> samples() {
    return activation_samples([](Activation activation) {
      const auto f = [=](const Variables& v) { return add(v[0], v[1], activation); };
      return binary_samples(f, {}, {},
                            {{"all positive", {positive({3, 4}, 18), positive({3, 4}, 19)}, f}});
    });
  }

  static std::vector<Sample> training_samples() {
    return activation_samples([](Activation activation) {
      return binary_training_samples(
          [=](const Variables& v) { return add(v[0], v[1], activation); });
    });
  }
};

/// y = x + number        dL/dx = dL/dy
struct Shift final : Op {
  static constexpr std::string_view name = "shift";
  double number;

  explicit Shift(double value) : number(value) {}

  Tensor forward(const Variable& x) { return core::add(x.value(), number); }

  Variables backward(const Variable& dy) override { return {dy}; }

  /// The number is rounded to float32, then the sum.
  Rounding rounding() const {
    return elementwise(
        {.value = [error = error_of(number)](
                      const ElementwiseCall& call) { return core::add(core::abs(call.y), error); },
         .slopes =
             [](const ElementwiseCall& call) { return std::vector<Tensor>{zeros_like(call.y)}; }});
  }

  static std::vector<Sample> samples() {
    return unary_samples(
        [](const Variables& v) { return add(v[0], 1.5); }, {},
        {{"minus from the left", {spread({3}, 5)}, [](const Variables& v) { return 1.0 - v[0]; }}});
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return add(v[0], 1.7); });
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

  static std::vector<Sample> samples() {
    return binary_samples([](const Variables& v) { return sub(v[0], v[1]); });
  }

  static std::vector<Sample> training_samples() {
    return binary_training_samples([](const Variables& v) { return sub(v[0], v[1]); });
  }
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

  static std::vector<Sample> samples() {
    return binary_samples([](const Variables& v) { return mul(v[0], v[1]); });
  }

  static std::vector<Sample> training_samples() {
    return binary_training_samples([](const Variables& v) { return mul(v[0], v[1]); });
  }
};

/// y = factor·x        dL/dx = factor·dL/dy
struct Scale final : Op {
  static constexpr std::string_view name = "scale";
  double factor;

  explicit Scale(double number) : factor(number) {}

  Tensor forward(const Variable& x) { return core::mul(x.value(), factor); }

  Variables backward(const Variable& dy) override { return {mul(dy, factor)}; }

  /// The factor is rounded to float32, then the product.
  Rounding rounding() const { return elementwise(2, 2); }

  static std::vector<Sample> samples() {
    return unary_samples(
        [](const Variables& v) { return mul(v[0], -1.5); }, {},
        {{"zero", {spread({2}, 5)}, [](const Variables& v) { return mul(v[0], 0); }}});
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return mul(v[0], -1.7); });
  }
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

  static std::vector<Sample> samples() {
    const auto f = [](const Variables& v) { return div(v[0], v[1]); };
    return binary_samples(
        f, {}, above_zero,
        {{"a negative divisor", {spread({3, 4}, 18), spread({4}, 19, {-2, -0.5})}, f}});
  }

  static std::vector<Sample> training_samples() {
    return binary_training_samples([](const Variables& v) { return div(v[0], v[1]); }, {},
                                   above_zero);
  }
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

  static std::vector<Sample> samples() {
    return unary_samples([](const Variables& v) { return div(v[0], -1.5); });
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return div(v[0], -1.7); });
  }
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

  Variables backward(const Variable& dy) override { return {neg(div(mul(dy, div(number, x)), x))}; }

  /// The number is rounded to float32, then the quotient; for the slope a product and a quotient
  /// more.
  Rounding rounding() const { return elementwise(2, 4); }

  static std::vector<Sample> samples() {
    const auto f = [](const Variables& v) { return div(2.0, v[0]); };
    return unary_samples(f, above_zero, {{"a negative divisor", {spread({3}, 5, {-2, -0.5})}, f}});
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return div(1.7, v[0]); }, above_zero);
  }
};

/// y = -x        dL/dx = -dL/dy
struct Neg final : Op {
  static constexpr std::string_view name = "neg";

  Tensor forward(const Variable& x) { return core::neg(x.value()); }

  Variables backward(const Variable& dy) override { return {neg(dy)}; }

  Rounding rounding() const { return elementwise(0, 0); }

  static std::vector<Sample> samples() {
    return unary_samples([](const Variables& v) { return neg(v[0]); });
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return neg(v[0]); });
  }
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

  static std::vector<Sample> samples() {
    const auto to_the = [](double p) { return [p](const Variables& v) { return pow(v[0], p); }; };
    return unary_samples(to_the(3), {},
                         {{"exponent 2", {spread({2, 3}, 5)}, to_the(2)},
                          {"exponent -1", {positive({3}, 6)}, to_the(-1)},
                          {"exponent 0.7", {positive({2, 2}, 7)}, to_the(0.7)},
                          {"exponent 1", {spread({3}, 8)}, to_the(1)},
                          {"exponent 0", {spread({3}, 9)}, to_the(0)}});
  }

  static std::vector<Sample> training_samples() {
    std::vector<Sample> all =
        unary_training_samples([](const Variables& v) { return pow(v[0], -0.7); }, above_zero);
    for (const double p : {2.0, 3.0, -1.0}) {
      all.push_back({"exponent " + std::to_string(p),
                     {spread({4, 16, 33, 31}, 4)},
                     [p](const Variables& v) { return pow(v[0], p); }});
    }
    return all;
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

  static std::vector<Sample> samples() {
    const auto f = [](const Variables& v) { return pow(v[0], v[1]); };
    return binary_samples(
        f, above_zero, above_zero,
        {{"exponents of both signs", {positive({3, 4}, 18), spread({4}, 19)}, f}});
  }

  static std::vector<Sample> training_samples() {
    return binary_training_samples([](const Variables& v) { return pow(v[0], v[1]); }, above_zero,
                                   above_zero);
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

  static std::vector<Sample> samples() {
    // "the same twice" ties everywhere, but max(x, x) = x has no kink.
    return binary_samples([](const Variables& v) { return maximum(v[0], v[1]); }, {}, {-1.8, 2.3});
  }

  static std::vector<Sample> training_samples() {
    return binary_training_samples([](const Variables& v) { return maximum(v[0], v[1]); }, {},
                                   {-1.8, 2.3});
  }
};

struct Minimum final : Extremum<false> {
  static constexpr std::string_view name = "minimum";

  Rounding rounding() const { return elementwise(0, 0); }

  static std::vector<Sample> samples() {
    // "the same twice" ties everywhere, but min(x, x) = x has no kink.
    return binary_samples([](const Variables& v) { return minimum(v[0], v[1]); }, {}, {-1.8, 2.3});
  }

  static std::vector<Sample> training_samples() {
    return binary_training_samples([](const Variables& v) { return minimum(v[0], v[1]); }, {},
                                   {-1.8, 2.3});
  }
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

  static std::vector<Sample> samples() {
    return unary_samples([](const Variables& v) { return clamp(v[0], -1, 1); }, {},
                         {{"from below",
                           {spread({6}, 5)},
                           [](const Variables& v) { return clamp(v[0], -0.5, std::nullopt); }},
                          {"from above", {spread({6}, 6)}, [](const Variables& v) {
                             return clamp(v[0], std::nullopt, 0.5);
                           }}});
  }

  static std::vector<Sample> training_samples() {
    return unary_training_samples([](const Variables& v) { return clamp(v[0], -1.1, 0.7); });
  }
};

/// y = condition ? a : b        dL/da = condition ? dL/dy : 0,   dL/db = condition ? 0 : dL/dy
struct Where final : Op {
  static constexpr std::string_view name = "where";
  Tensor condition;

  explicit Where(Tensor chosen) : condition(std::move(chosen)) {}

  Tensor forward(const Variable& a, const Variable& b) {
    return core::where(condition, a.value(), b.value());
  }

  Variables backward(const Variable& dy) override {
    const Variable zero = Tensor::scalar(0, dy.dtype());
    return {needs(0) ? sum_to(where(condition, dy, zero), input_shape(0)) : Variable(),
            needs(1) ? sum_to(where(condition, zero, dy), input_shape(1)) : Variable()};
  }

  Rounding rounding() const { return elementwise(0, 0); }

  static std::vector<Sample> samples() {
    const auto f = [](const Variables& v) {
      const Shape shape = broadcast("where", v[0].shape(), v[1].shape());
      return where(core::gt(spread(shape, 1).value(), 0), v[0], v[1]);
    };
    const Tensor mask = Tensor::from({{true, false, true}, {false, false, true}});
    return binary_samples(f, {}, {},
                          {{"a broadcast condition",
                            {spread({4, 2, 3}, 18), spread({}, 19)},
                            [mask](const Variables& v) { return where(mask, v[0], v[1]); }}});
  }

  static std::vector<Sample> training_samples() {
    return binary_training_samples([](const Variables& v) {
      const Shape shape = broadcast("where", v[0].shape(), v[1].shape());
      return where(core::gt(spread(shape, 1).value(), 0), v[0], v[1]);
    });
  }
};

template OpInfo op_info<Add>();
template OpInfo op_info<Shift>();
template OpInfo op_info<Sub>();
template OpInfo op_info<Mul>();
template OpInfo op_info<Scale>();
template OpInfo op_info<Div>();
template OpInfo op_info<DivScalar>();
template OpInfo op_info<ScalarDiv>();
template OpInfo op_info<Neg>();
template OpInfo op_info<PowScalar>();
template OpInfo op_info<Pow>();
template OpInfo op_info<Maximum>();
template OpInfo op_info<Minimum>();
template OpInfo op_info<Clamp>();
template OpInfo op_info<Where>();

}  // namespace ops

Variable add(const Variable& a, const Variable& b, Activation activation) {
  return apply(ops::Add(activation), a, b);
}
Variable sub(const Variable& a, const Variable& b) { return apply(ops::Sub(), a, b); }
Variable mul(const Variable& a, const Variable& b) { return apply(ops::Mul(), a, b); }
Variable div(const Variable& a, const Variable& b) { return apply(ops::Div(), a, b); }
Variable add(const Variable& a, double b) { return apply(ops::Shift(b), a); }
Variable mul(const Variable& a, double b) { return apply(ops::Scale(b), a); }
Variable div(const Variable& a, double b) { return apply(ops::DivScalar(b), a); }
Variable div(double a, const Variable& b) { return apply(ops::ScalarDiv(a), b); }
Variable neg(const Variable& x) { return apply(ops::Neg(), x); }
Variable pow(const Variable& x, double exponent) { return apply(ops::PowScalar(exponent), x); }
Variable pow(const Variable& base, const Variable& exponent) {
  return apply(ops::Pow(), base, exponent);
}
Variable maximum(const Variable& a, const Variable& b) { return apply(ops::Maximum(), a, b); }
Variable minimum(const Variable& a, const Variable& b) { return apply(ops::Minimum(), a, b); }
Variable clamp(const Variable& x, std::optional<double> low, std::optional<double> high) {
  return apply(ops::Clamp(low, high), x);
}
Variable where(const Tensor& condition, const Variable& a, const Variable& b) {
  return apply(ops::Where(condition), a, b);
}

}  // namespace gradus
