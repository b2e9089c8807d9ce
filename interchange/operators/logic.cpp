// Comparisons, logic, and choosing by it.
#include <gradus/interchange/operators/call.h>

namespace gradus::interchange {
namespace {

/// The second value as it broadcasts with the first; by `axis` before opset 7.
Tensor second_of(const Call& call) {
  const Tensor& a = call.in(0).value();
  const Tensor& b = call.in(1).value();
  if (call.opset >= 7 || !call.given("axis")) return b;
  const std::int64_t axis = axis_of(call, call.integer("axis", 0), a.rank());
  Shape shape = b.shape();
  while (axis + shape.rank() < a.rank()) shape.push_back(1);
  return b.reshape(shape);
}

template <Tensor (*F)(const Tensor&, const Tensor&)> Variables compared(const Call& call) {
  return {F(call.in(0).value(), second_of(call))};
}

Variables equal_node(const Call& call) { return {core::eq(call.in(0).value(), second_of(call))}; }

template <Tensor (*F)(const Tensor&)> Variables asked(const Call& call) {
  return {F(call.in(0).value())};
}

Tensor different(const Tensor& a, const Tensor& b) { return core::ne(a, b); }
Tensor less(const Tensor& a, const Tensor& b) { return core::lt(a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) { return core::le(a, b); }
Tensor greater(const Tensor& a, const Tensor& b) { return core::gt(a, b); }
Tensor greater_equal(const Tensor& a, const Tensor& b) { return core::ge(a, b); }

Variables is_inf_node(const Call& call) {
  const Tensor& x = call.in(0).value();
  Tensor result = zeros(x.shape(), boolean);
  if (call.flag("detect_negative", true)) result = core::isneginf(x);
  if (!call.flag("detect_positive", true)) return {result};
  return {core::logical_or(result, core::isposinf(x))};
}

Variables where_node(const Call& call) {
  return {where(call.in(0).value(), call.in(1), call.in(2))};
}

}  // namespace

std::vector<OperatorEntry> logic_operators() {
  return {{"And", compared<core::logical_and>},
          {"Equal", equal_node},
          {"Greater", compared<greater>},
          {"GreaterOrEqual", compared<greater_equal>},
          {"IsInf", is_inf_node},
          {"IsNaN", asked<core::isnan>},
          {"Less", compared<less>},
          {"LessOrEqual", compared<less_equal>},
          {"Not", asked<core::logical_not>},
          {"Or", compared<core::logical_or>},
          {"Where", where_node},
          {"Xor", compared<different>}};
}

}  // namespace gradus::interchange
