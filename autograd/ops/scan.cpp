// Along one dimension, each element after the one before it: cumulative sums and products, the
// recurrence that stands behind their derivatives, and sorting.
#include <gradus/autograd/ops/chapter.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace gradus {
namespace ops {
namespace {

/// `dim` of x; a scalar counts as [1].
int line_of(std::string_view op, std::int64_t dim, const Variable& x) {
  return normalize_dim_of_line(op, dim, x.rank());
}

/// x moved on by one place, which a number takes: (a,b,c) -> (number,a,b), or with `back`
/// (b,c,number). x has no size 0 along dimension d.
Variable moved_on(const Variable& x, int d, double number, bool back) {
  Shape one = x.shape();
  one[d] = 1;
  const Variable filler = full(one, number, x.dtype());
  const std::int64_t kept = x.size(d) - 1;
  if (back) return cat({narrow(x, d, 1, kept), filler}, d);
  return cat({filler, narrow(x, d, 0, kept)}, d);
}

}  // namespace

/// y_k = x_0 + ... + x_k        dL/dx_k = dL/dy_k + dL/dy_(k+1) + ..., a sum from the other end
struct CumSum final : Op {
  static constexpr std::string_view name = "cumsum";
  std::int64_t dim;

  explicit CumSum(std::int64_t d) : dim(d) {}

  Tensor forward(const Variable& x) { return core::cumsum(x.value(), dim); }

  Variables backward(const Variable& dy) override {
    const Dims line = dy.rank() == 0 ? Dims{} : Dims{dim};
    return {flip(cumsum(flip(dy, line), dim), line)};
  }

  Rounding rounding() const { return summed_in_double(1); }
};

/// y_0 = b_0,  y_k = a_k·y_(k-1) + b_k
///
/// y_k passes to y_(k+1) with the factor a_(k+1), so all that comes down to it is
///   g_k = dL/dy_k + a_(k+1)·g_(k+1),
/// a recurrence again, from the other end. dL/db = g,   dL/da_k = g_k·y_(k-1),   dL/da_0 = 0
struct LinearRecurrence final : Op {
  static constexpr std::string_view name = "linear_recurrence";
  std::int64_t dim;
  Variable a;
  Tensor y;
  Tensor
      wide_y;  // of float32, not rounded: a product may be a float32 number where a factor is none

  explicit LinearRecurrence(std::int64_t d) : dim(d) {}

  Tensor forward(const Variable& factors, const Variable& terms) {
    a = factors;
    if (!needs(0)) return core::linear_recurrence(factors.value(), terms.value(), dim);
    if (factors.dtype() != float32)
      return y = core::linear_recurrence(factors.value(), terms.value(), dim);
    wide_y = core::linear_recurrence(factors.value().to(float64), terms.value().to(float64), dim);
    return y = wide_y.to(float32);
  }

  Variables backward(const Variable& dy) override {
    if (dy.numel() == 0 || dy.rank() == 0)
      return {needs(0) ? Variable(zeros_like(dy.value())) : Variable(), dy};
    // A gradient that is recorded is made of ops on float32.
    if (!wide_y.defined() || grad_enabled())
      return gradients(a, needs(0) ? reattach(y) : Variable(), dy);
    Variables wide = gradients(Variable(a.value().to(float64)), Variable(wide_y),
                               Variable(dy.value().to(float64)));
    for (Variable& each : wide) {
      if (each.defined()) each = Variable(each.value().to(float32));
    }
    return wide;
  }

  Variables gradients(const Variable& factors, const Variable& result, const Variable& dy) const {
    const int d = line_of(name, dim, dy);
    const Variable next = flip(moved_on(factors, d, 0, true), {d});
    const Variable g = flip(linear_recurrence(next, flip(dy, {d}), d), {d});
    return {needs(0) ? mul(g, moved_on(result, d, 0, false)) : Variable(),
            needs(1) ? g : Variable()};
  }

  /// y and g are taken in double, of which no more than 2n roundings remain, and rounded once; the
  /// product of both has a rounding more.
  Rounding rounding() const {
    const auto bound = [d = dim](const Tensor& result, const Tensor& sums, double roundings) {
      const double n = result.rank() == 0 ? 1 : static_cast<double>(result.size(d));
      return core::add(core::mul(core::abs(result), roundings * unit_roundoff),
                       core::mul(sums, 4 * n * double_roundoff));
    };
    const auto magnitudes = [](const RoundingCall& call) {
      return call.run({core::abs(call.inputs[0]), core::abs(call.inputs[1])},
                      call.dy.defined() ? core::abs(call.dy) : Tensor());
    };
    const auto value = [=](const RoundingCall& call) {
      return bound(call.y, magnitudes(call).y, 1);
    };
    const auto gradients = [=](const RoundingCall& call) {
      const std::vector<Tensor> sums = magnitudes(call).gradients;
      std::vector<Tensor> bounds;
      for (std::size_t i = 0; i < sums.size(); ++i) {
        bounds.push_back(sums[i].defined() ? bound(call.gradients[i], sums[i], i == 0 ? 3 : 1)
                                           : Tensor());
      }
      return bounds;
    };
    return {.value = value, .gradients = gradients};
  }
};

}  // namespace ops

Variable cumsum(const Operand& x, std::int64_t dim) { return apply(ops::CumSum(dim), x); }
Variable linear_recurrence(const Operand& a, const Variable& b, std::int64_t dim) {
  return apply(ops::LinearRecurrence(dim), a, b);
}

Variable cumprod(const Operand& x, std::int64_t dim) {
  const int d = ops::line_of("cumprod", dim, *x);
  const bool counts = x->dtype() == boolean || x->dtype() == uint8;
  const Variable factors = counts ? Variable(x->value().to(int64)) : *x;
  if (x->numel() == 0 || x->rank() == 0) return mul({factors, x.at()}, 1);
  // y_k = x_k·y_(k-1), begun with b_0 = x_0: a recurrence, so zeros do no harm to its derivative.
  Shape rest = x->shape();
  rest[d] -= 1;
  const Variable first = narrow({factors, x.at()}, d, 0, 1);
  const Variable terms = cat({first, zeros(rest, factors.dtype())}, d, x.at());
  return linear_recurrence({factors, x.at()}, terms, d);
}

Variable prod(const Operand& x, std::optional<std::int64_t> dim, bool keepdim) {
  if (!dim) {
    const Variable all = prod({reshape(x, {-1}), x.at()}, 0);
    return keepdim ? reshape({all, x.at()}, Shape::filled(x->rank(), 1)) : all;
  }
  const int d = ops::line_of("prod", *dim, *x);
  if (x->rank() == 0) return cumprod(x, d);
  if (x->size(d) == 0) return add({sum(x, {d}, keepdim), x.at()}, 1);  // a product of nothing is 1
  const Variable last = narrow({cumprod(x, d), x.at()}, d, x->size(d) - 1, 1);
  return keepdim ? last : squeeze({last, x.at()}, d);
}

ValuesAndIndices sort(const Operand& x, std::int64_t dim, bool descending) {
  const int d = ops::line_of("sort", dim, *x);
  const Tensor order = core::argsort(x->value(), d, descending);
  if (x->rank() == 0) return {*x, order};
  return {gather(x, d, order), order};
}

ValuesAndIndices topk(const Operand& x, std::int64_t k, std::int64_t dim, bool largest) {
  const int d = ops::line_of("topk", dim, *x);
  const std::int64_t size = x->rank() == 0 ? 1 : x->size(d);
  if (k < 0 || k > size) {
    fail<ShapeError>("topk: k is ", k, ", dimension ", dim, " of shape ", x->shape(), " has ", size,
                     " elements");
  }
  if (x->rank() == 0) return sort(x);
  const Tensor first = core::argsort(x->value(), d, largest).narrow(d, 0, k).contiguous();
  return {gather(x, d, first), first};
}

}  // namespace gradus
