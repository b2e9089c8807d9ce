// Comparisons, logic, and choosing by it.
#include <gradus/interchange/operators/call.h>

namespace gradus::interchange {
namespace {

template <Tensor (*F)(const Tensor&, const Tensor&)> Variables compared(const Call& call) {
  return {F(call.in(0).value(), aligned(call).value())};
}

Variables equal_node(const Call& call) {
  return {core::eq(call.in(0).value(), aligned(call).value())};
}

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
