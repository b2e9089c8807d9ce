// Reductions along axes, and sums along one.
#include <gradus/interchange/operators/call.h>

namespace gradus::interchange {
namespace {

/// The axes of a reduction, an attribute or (of ReduceSum since opset 13) an input; empty: all of them.
struct Axes {
  Dims dims;
  bool keepdims = true;
  bool nothing = false;  ///< no axes, and the node asks for none then
};

Axes axes_of(const Call& call) {
  const int rank = call.in(0).value().rank();
  const std::int64_t since = call.node.op == "ReduceSum" ? 13 : 18;
  Axes axes{.dims = {}, .keepdims = call.flag("keepdims", true), .nothing = false};
  for (const std::int64_t axis : call.integers_since(since, "axes", 1))
    axes.dims.push_back(axis_of(call, axis, rank));
  axes.nothing = axes.dims.empty() && call.flag("noop_with_empty_axes", false);
  return axes;
}

using Reduction = Variable (*)(const Variable& x, const Dims& dims, bool keepdim);

template <Reduction F> Variables reduced(const Call& call) {
  const Axes axes = axes_of(call);
  if (axes.nothing) return {call.in(0)};
  return {F(call.in(0), axes.dims, axes.keepdims)};
}

/// Integers keep their type, though sums of small ones are int64.
Variable sum_of(const Variable& x, const Dims& dims, bool keepdim) {
  return cast(sum(x, dims, keepdim), x.value().dtype());
}
/// Of integers it is rounded towards 0.
Variable mean_of(const Variable& x, const Dims& dims, bool keepdim) {
  if (is_floating(x.value().dtype())) return mean(x, dims, keepdim);
  Tensor means = core::sum(x.value(), dims, keepdim);
  if (means.numel() == 0) return means.to(x.value().dtype());
  const std::int64_t count = x.value().numel() / means.numel();
  if (count == 0) fail<BadDataError>("ReduceMean: the mean of no integers");
  for (std::int64_t i = 0; i < means.numel(); ++i) means.data<std::int64_t>()[i] /= count;
  return means.to(x.value().dtype());
}
Variable max_of(const Variable& x, const Dims& dims, bool keepdim) { return max(x, dims, keepdim); }
Variable min_of(const Variable& x, const Dims& dims, bool keepdim) { return min(x, dims, keepdim); }
Variable l1_of(const Variable& x, const Dims& dims, bool keepdim) {
  if (!is_floating(x.value().dtype())) return sum_of(abs(x), dims, keepdim);
  return norm(x, 1, dims, keepdim);
}
Variable l2_of(const Variable& x, const Dims& dims, bool keepdim) {
  if (!is_floating(x.value().dtype()))
    return cast(norm(cast(x, float64), 2, dims, keepdim), x.value().dtype());
  return norm(x, 2, dims, keepdim);
}
Variable log_sum_of(const Variable& x, const Dims& dims, bool keepdim) {
  return log(sum(x, dims, keepdim));
}
Variable log_sum_exp_of(const Variable& x, const Dims& dims, bool keepdim) {
  return logsumexp(x, dims, keepdim);
}
Variable sum_square_of(const Variable& x, const Dims& dims, bool keepdim) {
  return sum_of(square(x), dims, keepdim);
}

/// One axis after the other, the last first, so that the others stay where they are.
Variable prod_of(const Variable& x, const Dims& dims, bool keepdim) {
  const int rank = x.value().rank();
  const Dims sorted = normalize_dims("ReduceProd", dims, rank);
  Variable result = x;
  for (int i = sorted.rank() - 1; i >= 0; --i) result = prod(result, sorted[i], keepdim);
  return cast(result, x.value().dtype());
}

template <Tensor (*F)(const Tensor&, std::optional<std::int64_t>, bool)>
Variables arg_node(const Call& call) {
  const Tensor& x = call.in(0).value();
  const std::int64_t axis = axis_of(call, call.integer("axis", 0), x.rank());
  const bool keep = call.flag("keepdims", true);
  if (!call.flag("select_last_index", false)) return {F(x, axis, keep)};
  const Tensor from_the_end = F(core::flip(x, {axis}), axis, keep);
  return {core::sub(core::mul(from_the_end, -1.0), -static_cast<double>(x.size(axis) - 1))};
}

/// Without the element itself (exclusive), or from the end (reverse).
Variables cumsum_node(const Call& call) {
  Variable x = call.in(0);
  const DType dtype = x.value().dtype();
  const auto given = static_cast<std::int64_t>(call.in(1).value().item());
  const std::int64_t axis = axis_of(call, given, x.value().rank());
  const bool reverse = call.flag("reverse", false);
  if (reverse) x = flip(x, {axis});
  Variable sums = cast(cumsum(x, axis), dtype);
  const std::int64_t size = x.value().size(axis);
  if (call.flag("exclusive", false) && size > 0) {
    Shape one = x.value().shape();
    one[static_cast<int>(axis)] = 1;
    sums = cat({zeros(one, dtype), narrow(sums, axis, 0, size - 1)}, axis);
  }
  return {reverse ? flip(sums, {axis}) : sums};
}

}  // namespace

std::vector<OperatorEntry> reduce_operators() {
  return {{"ArgMax", arg_node<core::argmax>},
          {"ArgMin", arg_node<core::argmin>},
          {"CumSum", cumsum_node},
          {"ReduceL1", reduced<l1_of>},
          {"ReduceL2", reduced<l2_of>},
          {"ReduceLogSum", reduced<log_sum_of>},
          {"ReduceLogSumExp", reduced<log_sum_exp_of>},
          {"ReduceMax", reduced<max_of>},
          {"ReduceMean", reduced<mean_of>},
          {"ReduceMin", reduced<min_of>},
          {"ReduceProd", reduced<prod_of>},
          {"ReduceSum", reduced<sum_of>},
          {"ReduceSumSquare", reduced<sum_square_of>}};
}

}  // namespace gradus::interchange
