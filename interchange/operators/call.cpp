// Attributes and inputs of a call, and the list of all chapters.
#include <gradus/autograd/op.h>
#include <gradus/core/words.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/interchange/operators/call.h>

#include <map>

namespace gradus::interchange {
namespace {

/// y = x in another dtype       dL/dx = dL/dy in that of x
struct CastTo final : Op {
  static constexpr std::string_view name = "cast";
  DType to;
  DType from = float32;
  explicit CastTo(DType dtype) : to(dtype) {}
  Tensor forward(const Variable& x) {
    from = x.value().dtype();
    return x.value().to(to);
  }
  Variables backward(const Variable& dy) override { return {cast(dy, from)}; }
};

std::map<std::string, Operator, std::less<>> all_operators() {
  std::map<std::string, Operator, std::less<>> all;
  for (const auto chapter :
       {activation_operators, constant_operators, conv_operators, elementwise_operators,
        image_operators, index_operators, integer_operators, logic_operators, loss_operators,
        matmul_operators, norm_operators, pool_operators, recurrent_operators, reduce_operators,
        scatter_operators, shape_operators, signal_operators}) {
    for (const OperatorEntry& entry : chapter()) all.emplace(entry.name, entry.run);
  }
  return all;
}

const std::map<std::string, Operator, std::less<>>& operator_table() {
  static const auto table = all_operators();
  return table;
}

}  // namespace

const Variable& Call::in(std::size_t i) const {
  if (!has(i)) refuse("input ", i, " is left out; it is needed");
  return inputs[i];
}

Integers Call::integers_in(std::size_t i) const {
  const Tensor& values = in(i).value();
  if (values.dtype() != int64 || values.rank() > 1)
    refuse("input ", i, " is ", describe(values), "; a list of int64 is expected");
  return values.to_vector<std::int64_t>();
}

Integers Call::integers_since(std::int64_t since, const std::string& name, std::size_t input,
                              const Integers& otherwise) const {
  if (opset < since) return integers(name, otherwise);
  return has(input) ? integers_in(input) : otherwise;
}

DType Call::dtype(const std::string& name, DType otherwise) const {
  switch (const std::int64_t number = integer(name, -1)) {
    case -1:
      return computed(otherwise);
    case 1:
      return computed(float32);
    case 2:
      return uint8;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 12:
    case 13:
      return int64;
    case 9:
      return boolean;
    case 10:
      return float16;
    case 11:
      return float64;
    case 16:
      return bfloat16;
    default:
      refuse("attribute ", in_quotes(name), " is the type ", number,
             "; known are 1 to 7, 9 to 13 and 16");
  }
}

Operator find_operator(const std::string& name) {
  const auto found = operator_table().find(name);
  return found == operator_table().end() ? nullptr : found->second;
}

std::vector<std::string> operator_names() {
  std::vector<std::string> names;
  for (const auto& [name, run] : operator_table()) names.push_back(name);
  return names;
}

Shape shape_of(const Integers& sizes, const Call& call) {
  if (sizes.size() > static_cast<std::size_t>(Shape::max_rank)) {
    call.refuse(sizes.size(), " dimensions; a tensor has at most ", Shape::max_rank);
  }
  return Shape(std::span<const std::int64_t>(sizes));
}

std::int64_t axis_of(const Call& call, std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank)
    call.refuse("axis ", axis, " of a tensor of ", rank, " dimensions");
  return axis < 0 ? axis + rank : axis;
}

Variable cast(const Variable& x, DType dtype) {
  if (x.value().dtype() == dtype) return x;
  if (!is_floating(x.value().dtype()) || !is_floating(dtype)) return x.value().to(dtype);
  return record(CastTo(dtype), x);
}

Variable aligned(const Call& call) {
  const Variable& a = call.in(0);
  const Variable& b = call.in(1);
  if (call.opset >= 7 || !call.flag("broadcast", false) || !call.given("axis")) return b;
  const std::int64_t axis = axis_of(call, call.integer("axis", 0), a.value().rank());
  Shape shape = b.value().shape();
  while (axis + shape.rank() < a.value().rank()) shape.push_back(1);
  return reshape(b, shape);
}

Tensor tensor_of(const Integers& values) {
  return Tensor::from(values.data(), {std::ssize(values)});
}

}  // namespace gradus::interchange
