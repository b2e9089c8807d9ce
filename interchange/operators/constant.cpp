// Tensors from numbers: constants, ranges, patterns, and the sizes of others.
#include <gradus/interchange/operators/call.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gradus::interchange {
namespace {

/// A constant of a file is float32 where the net's numbers may be float64.
Tensor constant_of(const Call& call, const Tensor& tensor) {
  return tensor.to(call.computed(tensor.dtype()));
}

Variables constant_node(const Call& call) {
  for (const Attribute& attribute : call.node.attributes) {
    if (attribute.name == "value" && attribute.kind == Attribute::Kind::tensor)
      return {constant_of(call, attribute.tensor)};
    if (attribute.name == "value_float")
      return {Tensor::scalar(call.real("value_float", 0), call.computed(float32))};
    if (attribute.name == "value_int")
      return {reshape(tensor_of(Integers{call.integer("value_int", 0)}), {})};
    if (attribute.name == "value_ints") return {tensor_of(call.integers("value_ints"))};
    if (attribute.name == "value_floats") {
      const std::vector<double> values = call.reals("value_floats");
      const Tensor made = Tensor::from(values.data(), {std::ssize(values)});
      return {made.to(call.computed(float32))};
    }
  }
  call.refuse("has no value that is known; a tensor or numbers are expected");
}

/// float32 0 unless `value` says otherwise.
Variables constant_of_shape_node(const Call& call) {
  const Shape shape = shape_of(call.integers_in(0), call);
  const Attribute* value = call.node.find("value");
  if (value == nullptr) return {zeros(shape, call.computed(float32))};
  if (value->kind != Attribute::Kind::tensor || value->tensor.numel() != 1)
    call.refuse("attribute \"value\" is no tensor of one number, which is expected");
  const Tensor one = constant_of(call, value->tensor).reshape({});
  return {one.expand(shape).clone()};
}

Variables shape_node(const Call& call) {
  const Shape& shape = call.in(0).value().shape();
  const std::int64_t rank = shape.rank();
  const auto bound = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  Integers sizes;
  const std::int64_t end = bound(call.integer("end", rank));
  for (std::int64_t d = bound(call.integer("start", 0)); d < end; ++d)
    sizes.push_back(shape[static_cast<int>(d)]);
  return {tensor_of(sizes)};
}

Variables size_node(const Call& call) {
  return {reshape(tensor_of(Integers{call.in(0).value().numel()}), {})};
}

/// How many numbers from start on, before limit, in steps of delta.
std::uint64_t count_of_range(const Call& call, std::int64_t start, std::int64_t limit,
                             std::int64_t delta) {
  if (delta == 0) call.refuse("steps of 0; other ones are expected");
  if (delta > 0 ? limit <= start : limit >= start) return 0;
  const auto a = static_cast<std::uint64_t>(start);
  const auto b = static_cast<std::uint64_t>(limit);
  const auto step = static_cast<std::uint64_t>(delta);
  return delta > 0 ? (b - a - 1) / step + 1 : (a - b - 1) / (0 - step) + 1;
}

Variables range_node(const Call& call) {
  const DType dtype = call.in(0).value().dtype();
  if (dtype == int64) {
    const auto number = [&](std::size_t i) {
      const Integers values = call.integers_in(i);
      if (values.size() != 1)
        call.refuse("input ", i, " has ", values.size(), " numbers; one is expected");
      return values[0];
    };
    const std::uint64_t count = count_of_range(call, number(0), number(1), number(2));
    if (count > 1'000'000'000'000'000) call.refuse(count, " numbers; at most 10^15 expected");
    const Tensor steps = arange(static_cast<std::int64_t>(count));
    return {core::add(core::mul(steps, tensor_of({number(2)})), tensor_of({number(0)}))};
  }
  const double start = call.in(0).value().item();
  const double delta = call.in(2).value().item();
  const double count = std::ceil((call.in(1).value().item() - start) / delta);
  if (!(std::abs(count) < 1e15)) call.refuse(count, " numbers; at most 10^15 expected");
  const Tensor steps = arange(static_cast<std::int64_t>(std::max(count, 0.0)));
  return {core::add(core::mul(steps.to(float64), delta), start).to(dtype)};
}

Variables eye_like_node(const Call& call) {
  const Tensor& like = call.in(0).value();
  if (like.rank() != 2) call.refuse("input 0 is ", describe(like), "; a matrix is expected");
  const std::int64_t k = call.integer("k", 0);
  const Tensor rows = arange(like.size(0)).reshape({-1, 1});
  const Tensor columns = arange(like.size(1)).reshape({1, -1});
  const Tensor on = core::eq(core::sub(columns, rows), tensor_of(Integers{k}).reshape({1, 1}));
  return {on.to(call.dtype("dtype", like.dtype()))};
}

/// a0 - a1·cos(2πn/N) + a2·cos(4πn/N); N is the size, or of a symmetric window one less.
template <int kind> Variables window_node(const Call& call) {
  constexpr double weights[3][3] = {{0.5, 0.5, 0}, {25.0 / 46, 21.0 / 46, 0}, {0.42, 0.5, 0.08}};
  const std::int64_t size = static_cast<std::int64_t>(call.in(0).value().item());
  if (size < 0) call.refuse("a window of ", size, "; 0 or more expected");
  const std::int64_t steps = call.flag("periodic", true) ? size : size - 1;
  const auto period = static_cast<double>(std::max<std::int64_t>(steps, 1));
  const Tensor angle = core::mul(arange(size).to(float64), 2 * std::numbers::pi / period);
  const auto& [a0, a1, a2] = weights[kind];
  const Tensor sum = core::add(
      core::add(core::mul(core::cos(angle), -a1), core::mul(core::cos(core::mul(angle, 2.0)), a2)),
      a0);
  return {sum.to(call.dtype("output_datatype", float32))};
}

/// The lowest bits of each number, as T has them.
template <class T> Tensor wrapped(const Tensor& x) {
  Tensor result = x.to(int64).clone();
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    std::int64_t& number = result.data<std::int64_t>()[i];
    number = static_cast<T>(number);
  }
  return result;
}

/// Same numbers in another type; integers wrap to its width, though they are held as int64. The gradient of a float goes on
/// through floats.
Variables cast_node(const Call& call) {
  const DType dtype = call.dtype("to", float32);  // known, or refused
  switch (call.integer("to", 1)) {
    case 3:
      return {wrapped<std::int8_t>(call.in(0).value())};
    case 4:
      return {wrapped<std::uint16_t>(call.in(0).value())};
    case 5:
      return {wrapped<std::int16_t>(call.in(0).value())};
    case 6:
      return {wrapped<std::int32_t>(call.in(0).value())};
    case 12:
      return {wrapped<std::uint32_t>(call.in(0).value())};
    default:
      return {cast(call.in(0), dtype)};
  }
}

Variables cast_like_node(const Call& call) {
  return {cast(call.in(0), call.in(1).value().dtype())};
}

Variables identity_node(const Call& call) { return {call.in(0)}; }

}  // namespace

std::vector<OperatorEntry> constant_operators() {
  return {{"BlackmanWindow", window_node<2>},
          {"Cast", cast_node},
          {"CastLike", cast_like_node},
          {"Constant", constant_node},
          {"ConstantOfShape", constant_of_shape_node},
          {"EyeLike", eye_like_node},
          {"HammingWindow", window_node<1>},
          {"HannWindow", window_node<0>},
          {"Identity", identity_node},
          {"Range", range_node},
          {"Shape", shape_node},
          {"Size", size_node}};
}

}  // namespace gradus::interchange
