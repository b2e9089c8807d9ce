// Bits, and numbers of 8 bits that stand for others: a scale, a zero point, and sums in whole numbers. The numbers of int8
// are held as int64 (onnx_file.h), so a zero point of int64 is one of int8.
#include <gradus/core/words.h>
#include <gradus/interchange/operators/call.h>

#include <algorithm>
#include <cmath>

namespace gradus::interchange {
namespace {

/// Bits moved by as many places; those that leave the type are gone. What is held as int64 may be of 32 bits.
Variables bit_shift_node(const Call& call) {
  const Tensor& a = call.in(0).value();
  const Tensor& b = call.in(1).value();
  const std::string way = call.text("direction", "");
  if (way != "LEFT" && way != "RIGHT")
    call.refuse("direction ", in_quotes(way), "; known are LEFT and RIGHT");
  if (a.dtype() != b.dtype() || (a.dtype() != uint8 && a.dtype() != int64))
    call.refuse("inputs ", describe(a), " and ", describe(b), "; whole numbers are expected");
  const Shape shape = broadcast("BitShift", a.shape(), b.shape());
  const auto left = a.expand(shape).to(int64).to_vector<std::int64_t>();
  const auto right = b.expand(shape).to(int64).to_vector<std::int64_t>();
  Tensor result = Tensor::empty(shape, int64);
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (right[i] < 0 || left[i] < 0)
      call.refuse(left[i], " shifted by ", right[i], "; numbers of 0 or more are expected");
    const auto bits = static_cast<std::uint64_t>(left[i]);
    const std::uint64_t moved = right[i] > 63   ? 0
                                : way == "LEFT" ? bits << right[i]
                                                : bits >> right[i];
    if (a.dtype() == int64 && way == "LEFT" && right[i] > 0 && (moved >> 32 != 0 || right[i] > 31))
      call.refuse(left[i], " shifted by ", right[i], ", beyond the 32 bits that it may have");
    result.data<std::int64_t>()[i] =
        static_cast<std::int64_t>(a.dtype() == uint8 ? moved & 0xff : moved);
  }
  return {result.to(a.dtype())};
}

/// A number for each index of the axis, or one for all, as it broadcasts with x.
Tensor along(const Call& call, const Tensor& numbers, int rank, std::int64_t axis) {
  if (numbers.rank() == 0 || numbers.numel() == 1) return numbers.reshape({});
  if (numbers.rank() != 1) return numbers;
  Shape shape = Shape::filled(rank, 1);
  shape[static_cast<int>(axis_of(call, axis, rank))] = numbers.numel();
  return numbers.reshape(shape);
}

/// Rounded to whole numbers and kept within the type of the zero point.
Tensor quantised(const Tensor& x, const Tensor& scale, const Tensor& zero) {
  const DType type = zero.dtype();
  const Tensor rounded = core::round(core::div(x, scale.to(x.dtype())));
  const Tensor moved = core::add(rounded, zero.to(x.dtype()));
  const double low = type == uint8 ? 0 : -128;
  return core::clamp(moved, low, low + 255).to(type);
}

Tensor zero_point(const Call& call, std::size_t i) {
  return call.has(i) ? call.in(i).value() : zeros({}, uint8);
}

/// x minus its zero point, in float64, which holds every sum of products of 8 bits.
Tensor centred(const Call& call, std::size_t x, std::size_t zero, std::int64_t axis) {
  const Tensor& values = call.in(x).value();
  const Tensor numbers = along(call, zero_point(call, zero), values.rank(), axis);
  return core::sub(values.to(float64), numbers.to(float64));
}

Variables quantize_node(const Call& call) {
  const Tensor& scale = call.in(1).value();
  const Tensor& given = call.in(0).value();
  const Tensor x = is_floating(given.dtype()) ? given : given.to(scale.dtype());
  const std::int64_t axis = call.integer("axis", 1);
  const auto spread = [&](const Tensor& t) { return along(call, t, x.rank(), axis); };
  return {quantised(x, spread(scale), spread(zero_point(call, 2)))};
}

Variables dequantize_node(const Call& call) {
  const Tensor& scale = call.in(1).value();
  const std::int64_t axis = call.integer("axis", 1);
  const Tensor x = centred(call, 0, 2, axis).to(scale.dtype());
  return {core::mul(x, along(call, scale, x.rank(), axis))};
}

/// The scale that maps the range of x, 0 with it, to 0..255.
Variables dynamic_quantize_node(const Call& call) {
  const Tensor& x = call.in(0).value();
  const double low = std::min(0.0, core::min(x).item());
  const double high = std::max(0.0, core::max(x).item());
  const Tensor scale = Tensor::scalar((high - low) / 255, x.dtype());
  const double step = scale.item();
  const double at = step == 0 ? 0 : std::nearbyint(-low / step);
  const Tensor zero = Tensor::scalar(std::clamp(at, 0.0, 255.0), uint8);
  return {quantised(x, scale, zero), scale, zero};
}

Variables matmul_integer_node(const Call& call) {
  return {core::matmul(centred(call, 0, 2, -2), centred(call, 1, 3, -1)).to(int64)};
}

Variables qlinear_matmul_node(const Call& call) {
  const Tensor sums = core::matmul(centred(call, 0, 2, -2), centred(call, 3, 5, -1));
  const Tensor& a_scale = call.in(1).value();
  const Tensor& b_scale = call.in(4).value();
  const Tensor factor = core::mul(along(call, a_scale, sums.rank(), -2).to(float64),
                                  along(call, b_scale, sums.rank(), -1).to(float64));
  return {quantised(core::mul(sums, factor), call.in(6).value(), call.in(7).value())};
}

/// A convolution of such numbers, in float64: x and weight without their zero points.
Tensor exact_conv(const Call& call, const Tensor& x, const Tensor& weight) {
  const Variables inputs{Variable(x), Variable(weight)};
  const Call conv{call.node, call.opset, inputs, false, true};
  return find_operator("Conv")(conv)[0].value();
}

Variables conv_integer_node(const Call& call) {
  return {exact_conv(call, centred(call, 0, 2, 1), centred(call, 1, 3, 0)).to(int64)};
}

Variables qlinear_conv_node(const Call& call) {
  Tensor sums = exact_conv(call, centred(call, 0, 2, 1), centred(call, 3, 5, 0));
  if (call.has(8))
    sums = core::add(sums, along(call, call.in(8).value(), sums.rank(), 1).to(float64));
  const Tensor factor = core::mul(along(call, call.in(1).value(), sums.rank(), 1).to(float64),
                                  along(call, call.in(4).value(), sums.rank(), 1).to(float64));
  return {quantised(core::mul(sums, factor), call.in(6).value(), call.in(7).value())};
}

}  // namespace

std::vector<OperatorEntry> integer_operators() {
  return {{"BitShift", bit_shift_node},           {"ConvInteger", conv_integer_node},
          {"DequantizeLinear", dequantize_node},  {"DynamicQuantizeLinear", dynamic_quantize_node},
          {"MatMulInteger", matmul_integer_node}, {"QLinearConv", qlinear_conv_node},
          {"QLinearMatMul", qlinear_matmul_node}, {"QuantizeLinear", quantize_node}};
}

}  // namespace gradus::interchange
