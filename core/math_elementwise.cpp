// Arithmetic, activations and comparisons, element by element: one lambda each; mapping, broadcasting
// and dtype checks are shared (detail/map.h). The functions of trigonometry are in math_functions.cpp.
#include <gradus/core/create.h>
#include <gradus/core/detail/map.h>
#include <gradus/core/math.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradus::core {
namespace {

template <class F>
Tensor number_zip(std::string_view op, const Tensor& a, const Tensor& b, const F& f) {
  check_same_dtype(op, a, b);
  return dispatch_number(op, a.dtype(), [&]<class T>() { return zip<T, T>(op, a, b, f); });
}

template <class F>
Tensor floating_zip(std::string_view op, const Tensor& a, const Tensor& b, const F& f) {
  check_same_dtype(op, a, b);
  return dispatch_floating(op, a.dtype(), [&]<class T>() { return zip<T, T>(op, a, b, f); });
}

template <class F>
Tensor compare(std::string_view op, const Tensor& a, const Tensor& b, const F& f) {
  check_same_dtype(op, a, b);
  return dispatch(op, a.dtype(), [&]<class T>() { return zip<bool, T>(op, a, b, f); });
}

/// f(x[i], number) with the number in x's dtype.
template <class F>
Tensor number_map(std::string_view op, const Tensor& x, double number, const F& f) {
  check_defined(op, x);
  return dispatch_number(op, x.dtype(), [&]<class T>() {
    const T same = number_as<T>(op, number);
    return map<T, T>(x, [&f, same](T value) { return f(value, same); });
  });
}

/// Has T all the digits that it can have of `number`? A float32 of 1e-40 is subnormal and has lost
/// some, 1e-50 is 0 and 1e40 is infinite.
template <class T> bool holds_digits(double number) {
  using limits = std::numeric_limits<T>;
  const double size = std::fabs(number);
  const bool in_range =
      size >= static_cast<double>(limits::min()) && size <= static_cast<double>(limits::max());
  return in_range || size == 0 || !std::isfinite(number);
}

/// f(x[i], number), a quotient of the two, with the number in x's dtype as everywhere else. But where
/// the dtype cannot hold the number its quotient may be in range all the same (1e-10 / 1e-40 = 1e30
/// in float32), so it is taken in double and rounded once.
template <class F> Tensor quotient(const Tensor& x, double number, const F& f) {
  check_defined("div", x);
  return dispatch_floating("div", x.dtype(), [&]<class T>() {
    if (!holds_digits<T>(number)) {
      return map<T, T>(x, [&f, number](T value) {
        return static_cast<T>(f(static_cast<double>(value), number));
      });
    }
    const T same = static_cast<T>(number);
    return map<T, T>(x, [&f, same](T value) { return f(value, same); });
  });
}

/// The number takes the dtype of a floating tensor, so that a float32 0.1 equals 0.1; an integer
/// tensor may be compared with 0.5, in x86's long double, whose 64 digits hold every int64.
template <class F> Tensor compare(std::string_view op, const Tensor& x, double number, const F& f) {
  check_defined(op, x);
  return dispatch(op, x.dtype(), [&]<class T>() {
    using Common = std::conditional_t<std::is_floating_point_v<T>, T, long double>;
    const auto same = static_cast<Common>(number);
    return map<bool, T>(x, [&f, same](T value) { return f(static_cast<Common>(value), same); });
  });
}

/// Integer arithmetic wraps around, as in PyTorch; signed overflow would be undefined in C++.
template <class T> constexpr auto wrapping(T value) {
  if constexpr (std::is_integral_v<T>) return static_cast<std::uint64_t>(value);
  if constexpr (!std::is_integral_v<T>) return value;
}

constexpr auto plus = []<class T>(T a, T b) { return static_cast<T>(wrapping(a) + wrapping(b)); };
constexpr auto minus = []<class T>(T a, T b) { return static_cast<T>(wrapping(a) - wrapping(b)); };
constexpr auto times = []<class T>(T a, T b) { return static_cast<T>(wrapping(a) * wrapping(b)); };
constexpr auto over = []<class T>(T a, T b) { return a / b; };
constexpr auto power = []<class T>(T a, T b) { return static_cast<T>(std::pow(a, b)); };
// std::max would drop a NaN on one side; `a != a` keeps it.
constexpr auto greater_of = []<class T>(T a, T b) { return a > b || a != a ? a : b; };
constexpr auto where_positive = []<class T>(T slope, T y) { return y <= T{0} ? T{0} : slope; };
constexpr auto positive_part = []<class T>(T x) { return x < T{0} ? T{0} : x; };
constexpr auto lesser_of = []<class T>(T a, T b) { return a < b || a != a ? a : b; };

}  // namespace

Tensor add(const Tensor& a, const Tensor& b, Activation activation) {
  if (activation == Activation::none) return number_zip("add", a, b, plus);
  return number_zip("add", a, b, []<class T>(T x, T y) { return positive_part(plus(x, y)); });
}
Tensor sub(const Tensor& a, const Tensor& b) { return number_zip("sub", a, b, minus); }
Tensor mul(const Tensor& a, const Tensor& b) { return number_zip("mul", a, b, times); }
Tensor div(const Tensor& a, const Tensor& b) { return floating_zip("div", a, b, over); }
Tensor pow(const Tensor& a, const Tensor& b) { return floating_zip("pow", a, b, power); }
Tensor maximum(const Tensor& a, const Tensor& b) { return number_zip("maximum", a, b, greater_of); }
Tensor minimum(const Tensor& a, const Tensor& b) { return number_zip("minimum", a, b, lesser_of); }

Tensor add(const Tensor& a, double b) { return number_map("add", a, b, plus); }
Tensor sub(const Tensor& a, double b) { return number_map("sub", a, b, minus); }
Tensor sub(double a, const Tensor& b) {
  return number_map("sub", b, a, []<class T>(T x, T number) { return minus(number, x); });
}
Tensor mul(const Tensor& a, double b) { return number_map("mul", a, b, times); }

Tensor div(const Tensor& a, double b) { return quotient(a, b, over); }
Tensor div(double a, const Tensor& b) {
  return quotient(b, a, []<class T>(T x, T number) { return over(number, x); });
}

Tensor pow(const Tensor& a, double exponent) {
  if (exponent == 2) return number_map("pow", a, []<class T>(T x) { return times(x, x); });
  if (exponent == -1) return floating_map("pow", a, []<class T>(T x) { return T{1} / x; });
  return floating_map("pow", a,
                      [exponent]<class T>(T x) { return std::pow(x, static_cast<T>(exponent)); });
}

Tensor neg(const Tensor& x) {
  return number_map("neg", x, []<class T>(T value) {
    if constexpr (std::is_integral_v<T>) return minus(T{0}, value);
    return static_cast<T>(-value);
  });
}

Tensor abs(const Tensor& x) {
  return number_map("abs", x, []<class T>(T value) {
    if constexpr (std::is_floating_point_v<T>) return std::fabs(value);
    return value < T{0} ? minus(T{0}, value) : value;
  });
}

Tensor sign(const Tensor& x) {
  return number_map("sign", x, []<class T>(T value) {
    if (value != value) return value;
    return static_cast<T>((value > T{0}) - (value < T{0}));
  });
}

Tensor exp(const Tensor& x) {
  return floating_map("exp", x, [](auto value) { return std::exp(value); });
}
Tensor log(const Tensor& x) {
  return floating_map("log", x, [](auto value) { return std::log(value); });
}
Tensor sqrt(const Tensor& x) {
  return floating_map("sqrt", x, [](auto value) { return std::sqrt(value); });
}
Tensor tanh(const Tensor& x) {
  return floating_map("tanh", x, [](auto value) { return std::tanh(value); });
}

Tensor sigmoid(const Tensor& x) {
  return floating_map("sigmoid", x, []<class T>(T value) {
    const T decay = std::exp(-std::fabs(value));  // at most 1: never overflows
    return (value >= T{0} ? T{1} : decay) / (T{1} + decay);
  });
}

Tensor logsigmoid(const Tensor& x) {
  return floating_map("logsigmoid", x, []<class T>(T value) {
    return (value < T{0} ? value : T{0}) - std::log1p(std::exp(-std::fabs(value)));
  });
}

Tensor relu(const Tensor& x) { return number_map("relu", x, positive_part); }

Tensor relu_grad(const Tensor& dy, const Tensor& y) {
  return floating_zip("relu_grad", dy, y, where_positive);
}

Tensor clamp(const Tensor& x, std::optional<double> low, std::optional<double> high) {
  check_defined("clamp", x);
  if (low && high && !(*low <= *high))
    fail<ValueError>("clamp: low ", *low, " is above high ", *high);
  return dispatch_number("clamp", x.dtype(), [&]<class T>() {
    // A missing bound is the bound that never binds.
    constexpr auto limits = std::numeric_limits<T>();
    constexpr T least = limits.has_infinity ? -limits.infinity() : limits.lowest();
    constexpr T most = limits.has_infinity ? limits.infinity() : limits.max();
    const T floor = low ? number_as<T>("clamp", *low) : least;
    const T ceiling = high ? number_as<T>("clamp", *high) : most;
    return map<T, T>(x, [=](T value) {
      return value < floor ? floor : value > ceiling ? ceiling : value;
    });
  });
}

Tensor eq(const Tensor& a, const Tensor& b) {
  return compare("eq", a, b, [](auto x, auto y) { return x == y; });
}
Tensor ne(const Tensor& a, const Tensor& b) {
  return compare("ne", a, b, [](auto x, auto y) { return x != y; });
}
Tensor lt(const Tensor& a, const Tensor& b) {
  return compare("lt", a, b, [](auto x, auto y) { return x < y; });
}
Tensor le(const Tensor& a, const Tensor& b) {
  return compare("le", a, b, [](auto x, auto y) { return x <= y; });
}
Tensor gt(const Tensor& a, const Tensor& b) {
  return compare("gt", a, b, [](auto x, auto y) { return x > y; });
}
Tensor ge(const Tensor& a, const Tensor& b) {
  return compare("ge", a, b, [](auto x, auto y) { return x >= y; });
}

Tensor eq(const Tensor& a, double b) {
  return compare("eq", a, b, [](auto x, auto y) { return x == y; });
}
Tensor ne(const Tensor& a, double b) {
  return compare("ne", a, b, [](auto x, auto y) { return x != y; });
}
Tensor lt(const Tensor& a, double b) {
  return compare("lt", a, b, [](auto x, auto y) { return x < y; });
}
Tensor le(const Tensor& a, double b) {
  return compare("le", a, b, [](auto x, auto y) { return x <= y; });
}
Tensor gt(const Tensor& a, double b) {
  return compare("gt", a, b, [](auto x, auto y) { return x > y; });
}
Tensor ge(const Tensor& a, double b) {
  return compare("ge", a, b, [](auto x, auto y) { return x >= y; });
}

Tensor logical_and(const Tensor& a, const Tensor& b) {
  check_same_dtype("logical_and", a, b);
  return zip<bool, bool>("logical_and", a, b, [](bool x, bool y) { return x && y; });
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  check_same_dtype("logical_or", a, b);
  return zip<bool, bool>("logical_or", a, b, [](bool x, bool y) { return x || y; });
}
Tensor logical_not(const Tensor& x) {
  check_defined("logical_not", x);
  return map<bool, bool>(x, [](bool value) { return !value; });
}

Tensor isnan(const Tensor& x) {
  check_defined("isnan", x);
  return dispatch("isnan", x.dtype(), [&]<class T>() {
    return map<bool, T>(x, [](T value) { return value != value; });
  });
}

Tensor isfinite(const Tensor& x) {
  check_defined("isfinite", x);
  return dispatch("isfinite", x.dtype(), [&]<class T>() {
    return map<bool, T>(x, [](T value) { return std::isfinite(static_cast<double>(value)); });
  });
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_defined("where", condition);
  check_same_dtype("where", a, b);
  if (condition.dtype() != boolean) {
    fail<DTypeError>("where: the condition must be bool, got ", describe(condition),
                     "; compare with ne(x, 0)");
  }
  const Shape shape =
      broadcast("where", condition.shape(), broadcast("where", a.shape(), b.shape()));
  const Tensor out = Tensor::empty(shape, a.dtype());
  const auto spread = [&](const Tensor& x) {
    return broadcast_strides(x.shape(), x.strides(), shape);
  };
  const kernels::Loop<4> loop(shape, {out.strides(), spread(condition), spread(a), spread(b)});
  dispatch("where", a.dtype(), [&]<class T>() {
    kernels::elementwise(
        loop, [](bool first, T x, T y) { return first ? x : y; }, out.data<T>(),
        condition.data<bool>(), a.data<T>(), b.data<T>());
  });
  return out;
}

void add_(const Tensor& target, const Tensor& addend, double scale) {
  check_same_dtype("add_", target, addend);
  if (broadcast("add_", target.shape(), addend.shape()) != target.shape()) {
    fail<ShapeError>("add_: source ", addend.shape(), " does not broadcast to ", target.shape());
  }
  const Tensor source = readable_while_writing(addend, target);
  const kernels::Loop<3> loop(
      target.shape(), {target.strides(), target.strides(),
                       broadcast_strides(source.shape(), source.strides(), target.shape())});
  dispatch_number("add_", target.dtype(), [&]<class T>() {
    const T factor = number_as<T>("add_", scale);
    begin_write("add_", target);
    T* out = target.data<T>();
    if (scale == 1) return kernels::elementwise(loop, plus, out, out, source.data<T>());
    kernels::elementwise(
        loop, [factor](T x, T y) { return plus(x, times(factor, y)); }, out, out, source.data<T>());
  });
}

void relu_grad_(const Tensor& dy, const Tensor& y) {
  check_same_dtype("relu_grad_", dy, y);
  if (dy.shape() != y.shape())
    fail<ShapeError>("relu_grad_: shapes differ: ", dy.shape(), " and ", y.shape());
  const Tensor output = readable_while_writing(y, dy);
  const kernels::Loop<3> loop(dy.shape(), {dy.strides(), dy.strides(), output.strides()});
  dispatch_floating("relu_grad_", dy.dtype(), [&]<class T>() {
    begin_write("relu_grad_", dy);
    T* slope = dy.data<T>();
    kernels::elementwise(loop, where_positive, slope, slope, output.data<T>());
  });
}

void mul_(const Tensor& target, double factor) {
  check_defined("mul_", target);
  const kernels::Loop<2> loop(target.shape(), {target.strides(), target.strides()});
  dispatch_number("mul_", target.dtype(), [&]<class T>() {
    const T same = number_as<T>("mul_", factor);
    begin_write("mul_", target);
    T* out = target.data<T>();
    kernels::elementwise(
        loop, [same](T value) { return times(value, same); }, out, out);
  });
}

}  // namespace gradus::core
