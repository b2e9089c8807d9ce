// Arithmetic, and functions of one number.
#include <gradus/interchange/operators/call.h>

#include <cmath>

namespace gradus::interchange {
namespace {

/// f of each pair, broadcast; T holds both.
template <class T, class F> Tensor each_pair(const Tensor& a, const Tensor& b, const F& f) {
  const Shape shape = broadcast("elementwise", a.shape(), b.shape());
  const std::vector<T> left = a.expand(shape).to_vector<T>();
  const std::vector<T> right = b.expand(shape).to_vector<T>();
  Tensor result = Tensor::empty(shape, a.dtype());
  for (std::size_t i = 0; i < left.size(); ++i) result.data<T>()[i] = f(left[i], right[i]);
  return result;
}

/// By -1 the smallest integer has no quotient; bytes have no -1, and theirs of all ones is 255.
template <class T> bool is_minus_one(T y) {
  if constexpr (std::is_signed_v<T>) return y == -1;
  return false;
}

template <Variable (*F)(const Operand&)> Variables unary(const Call& call) {
  return {F(call.in(0))};
}

Variables add_node(const Call& call) { return {add(call.in(0), aligned(call))}; }
Variables sub_node(const Call& call) { return {sub(call.in(0), aligned(call))}; }
Variables mul_node(const Call& call) { return {mul(call.in(0), aligned(call))}; }

/// Integers are divided towards 0.
Variables div_node(const Call& call) {
  const Variable b = aligned(call);
  const Tensor& a = call.in(0).value();
  if (is_floating(a.dtype())) return {div(call.in(0), b)};
  if (core::any(core::eq(b.value(), 0.0)).item() != 0) call.refuse("an integer divided by 0");
  return {dispatch_number("Div", a.dtype(), [&]<class T>() -> Tensor {
    if constexpr (std::is_integral_v<T>) {
      return each_pair<T>(a, b.value(), [](T x, T y) -> T {
        if (is_minus_one(y)) return static_cast<T>(0 - static_cast<std::uint64_t>(x));
        return static_cast<T>(x / y);
      });
    }
    return {};
  })};
}

/// base^exponent of integers, modulo 2^64 (or 2^8).
template <class T> T integer_power(const Call& call, T base, T exponent) {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) {
      if (base == 0) call.refuse("0 to the power of ", exponent, ": an integer divided by 0");
      if (base != 1 && base != -1) return 0;
      return exponent % 2 == 0 ? 1 : base;
    }
  }
  std::uint64_t result = 1;
  auto square = static_cast<std::uint64_t>(base);
  for (auto left = static_cast<std::uint64_t>(exponent); left > 0; left >>= 1) {
    if ((left & 1) != 0) result *= square;
    square *= square;
  }
  return static_cast<T>(result);
}

/// The result has the type of the base.
Variables pow_node(const Call& call) {
  const Variable& base = call.in(0);
  Variable exponent = aligned(call);
  const DType dtype = base.value().dtype();
  if (is_floating(dtype)) {
    if (exponent.value().numel() == 1 && !exponent.requires_grad() &&
        exponent.value().rank() <= base.value().rank()) {
      return {pow(base, exponent.value().to(float64).item())};
    }
    return {pow(base, cast(exponent, dtype))};
  }
  if (is_floating(exponent.value().dtype()) || is_storage_only(exponent.value().dtype()))
    return {core::pow(base.value().to(float64), exponent.value().to(float64)).to(dtype)};
  return {dispatch_number("Pow", dtype, [&]<class T>() -> Tensor {
    if constexpr (std::is_integral_v<T>) {
      return each_pair<T>(base.value(), exponent.value().to(dtype),
                          [&](T b, T e) { return integer_power<T>(call, b, e); });
    }
    return {};
  })};
}

/// The remainder has the sign of the divisor, or with fmod=1 of the dividend.
Variables mod_node(const Call& call) {
  const Variable& a = call.in(0);
  const Variable& b = call.in(1);
  const bool fmod = call.flag("fmod", false);
  if (!is_floating(a.value().dtype())) {
    if (core::any(core::eq(b.value(), 0.0)).item() != 0) call.refuse("an integer divided by 0");
    return {dispatch_number("Mod", a.value().dtype(), [&]<class T>() -> Tensor {
      if constexpr (std::is_integral_v<T>) {
        return each_pair<T>(a.value(), b.value(), [fmod](T x, T y) -> T {
          if (is_minus_one(y)) return 0;
          const T rest = static_cast<T>(x % y);
          const bool other_sign = !fmod && rest != 0 && ((rest < 0) != (y < 0));
          return static_cast<T>(other_sign ? rest + y : rest);
        });
      }
      return {};
    })};
  }
  if (!fmod) call.refuse("fmod=0 of floats; 1 is expected");
  const Tensor rest = dispatch_floating("Mod", a.value().dtype(), [&]<class T>() {
    return each_pair<T>(a.value(), b.value(), [](T x, T y) { return std::fmod(x, y); });
  });
  // The quotient is a step, whose slope is 0.
  const Tensor quotient = core::trunc(core::div(a.value(), b.value()));
  return {straight_through(rest, sub(a, mul(b, Variable(quotient))))};
}

template <Variable (*F)(const Operand&, const Variable&)> Variables fold(const Call& call) {
  Variable result = call.in(0);
  for (std::size_t i = 1; i < call.inputs.size(); ++i) result = F(result, call.in(i));
  return {result};
}

/// Numbers of 16 bits have no arithmetic: they are computed in float32 and rounded once.
template <Operator F> Variables in_float32(const Call& call) {
  const DType dtype = call.in(0).value().dtype();
  if (!is_storage_only(dtype)) return F(call);
  Variables inputs;
  for (const Variable& input : call.inputs) inputs.push_back(cast(input, float32));
  Variables results = F({call.node, call.opset, inputs, call.training, call.wide});
  for (Variable& result : results) result = cast(result, dtype);
  return results;
}

Variable plus(const Operand& a, const Variable& b) { return add(a, b); }

Variables mean_node(const Call& call) {
  const Variable total = fold<plus>(call)[0];
  return {div(total, static_cast<double>(call.inputs.size()))};
}

/// Limits are attributes before opset 11, then inputs.
Variables clip_node(const Call& call) {
  const Variable& x = call.in(0);
  if (call.opset >= 11 && !is_floating(x.value().dtype())) {  // bounds that no double holds
    Tensor y = x.value();
    if (call.has(1)) y = core::maximum(y, call.in(1).value());
    if (call.has(2)) y = core::minimum(y, call.in(2).value());
    return {y};
  }
  std::optional<double> low;
  std::optional<double> high;
  if (call.opset < 11) {
    if (call.given("min")) low = call.real("min", 0);
    if (call.given("max")) high = call.real("max", 0);
  } else {
    if (call.has(1)) low = call.in(1).value().item();
    if (call.has(2)) high = call.in(2).value().item();
  }
  if (!low && !high) return {x};
  if (low && high && *low > *high) low = high;
  if (is_floating(x.value().dtype())) return {clamp(x, low, high)};
  return {core::clamp(x.value(), low, high)};
}

/// ln(x + √(x²+1)), with the sign outside: no digits are lost on the left.
Variable asinh(const Operand& x) {
  return map(
      x, [](double v) { return std::asinh(v); }, [](double v) { return 1 / std::hypot(1, v); },
      [](double v) { return -v / std::pow(v * v + 1, 1.5); });
}

Variable acosh(const Operand& x) {
  return map(
      x, [](double v) { return std::acosh(v); },
      [](double v) { return 1 / std::sqrt((v - 1) * (v + 1)); },
      [](double v) { return -v / std::pow((v - 1) * (v + 1), 1.5); });
}

Variable atanh(const Operand& x) {
  return map(
      x, [](double v) { return std::atanh(v); }, [](double v) { return 1 / ((1 - v) * (1 + v)); },
      [](double v) { return 2 * v / std::pow((1 - v) * (1 + v), 2); });
}

/// -1, 0 and 1 of integers too.
Variables sign_node(const Call& call) {
  const Variable& x = call.in(0);
  return {is_floating(x.value().dtype()) ? sign(x) : Variable(core::sign(x.value()))};
}

Variables abs_node(const Call& call) {
  const Variable& x = call.in(0);
  return {is_floating(x.value().dtype()) ? abs(x) : Variable(core::abs(x.value()))};
}

}  // namespace

std::vector<OperatorEntry> elementwise_operators() {
  return {{"Abs", abs_node},
          {"Acos", unary<acos>},
          {"Acosh", unary<acosh>},
          {"Add", add_node},
          {"Asin", unary<asin>},
          {"Asinh", unary<asinh>},
          {"Atan", unary<atan>},
          {"Atanh", unary<atanh>},
          {"Ceil", unary<ceil>},
          {"Clip", clip_node},
          {"Cos", unary<cos>},
          {"Cosh", unary<cosh>},
          {"Div", div_node},
          {"Erf", unary<erf>},
          {"Exp", unary<exp>},
          {"Floor", unary<floor>},
          {"Log", unary<log>},
          {"Max", in_float32<fold<maximum>>},
          {"Mean", mean_node},
          {"Min", in_float32<fold<minimum>>},
          {"Mod", in_float32<mod_node>},
          {"Mul", mul_node},
          {"Neg", unary<neg>},
          {"Pow", pow_node},
          {"Reciprocal", unary<reciprocal>},
          {"Round", unary<round>},
          {"Sign", sign_node},
          {"Sin", unary<sin>},
          {"Sinh", unary<sinh>},
          {"Sqrt", unary<sqrt>},
          {"Sub", sub_node},
          {"Sum", fold<plus>},
          {"Tan", unary<tan>}};
}

}  // namespace gradus::interchange
