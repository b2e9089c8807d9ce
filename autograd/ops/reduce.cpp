// Reductions, and the softmax family that is built on them. What a reduction gathers, its
// gradient spreads.
#include <gradus/autograd/ops/chapter.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradus {
namespace ops {
namespace {

/// A reduced result laid over `shape` again: [2,1] or [2] -> [2,3] for dims {1}.
Variable spread_back(const Variable& reduced, const Dims& dims, const Shape& shape) {
  Shape kept = shape;
  for (const std::int64_t d : normalize_dims("reduce", dims, shape.rank()))
    kept[static_cast<int>(d)] = 1;
  return expand(reshape(reduced, kept), shape);
}

std::int64_t reduced_count(std::string_view op, const Dims& dims, const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t d : normalize_dims(op, dims, shape.rank()))
    count *= shape[static_cast<int>(d)];
  return count;
}

/// root(x) with slope 0 where x is 0. A norm has a kink there, and PyTorch takes that side of it; √x by
/// itself has an infinite slope, and 0·∞ in the next step of the chain would be NaN.
template <class Root> Variable flat_at_zero(const Variable& x, Place at, const Root& root) {
  const Tensor zero = core::eq(x.value(), 0);
  const Variable safe = where(zero, 1, {x, at});
  return where(zero, 0, {root({safe, at}), at});
}

/// Are sums of powers so far from both ends of their dtype's range that no power of weight was lost there? NaN is not.
bool in_range(const Tensor& sums) {
  const bool narrow = sums.dtype() == float32;
  const Tensor all = sums.to(float64).contiguous();
  const double* values = all.data<double>();
  return std::all_of(values, values + all.numel(), [&](double sum) {
    return sum >= (narrow ? 0x1p-60 : 0x1p-500) && sum <= (narrow ? 0x1p100 : 0x1p1000);
  });
}

/// For each slice over dims, which are kept, a power of two next to its greatest |x|, or to its least that is not 0: exact
/// to divide by. That number itself where a quotient of 2 is too much (`steep`); 1 where there is none.
Tensor scale_of(const Tensor& x, const Dims& dims, bool by_greatest, bool steep) {
  const Tensor sizes = core::abs(x.to(float64));
  const double infinite = std::numeric_limits<double>::infinity();
  Tensor scale =
      by_greatest ? core::max(sizes, dims, true)
                  : core::min(core::where(core::eq(sizes, 0), full({}, infinite, float64), sizes),
                              dims, true);
  scale = scale.contiguous().clone();
  double* values = scale.data<double>();
  for (std::int64_t i = 0; i < scale.numel(); ++i) {
    const bool usable = std::isfinite(values[i]) && values[i] > 0;
    if (!usable) {
      values[i] = 1;
    } else if (!steep) {
      values[i] = std::ldexp(1.0, std::ilogb(values[i]));
    }
  }
  return scale.to(x.dtype());
}

/// root(sums(x, keepdim)), homogeneous in x: f(a·x) = a·f(x) for a > 0. Where the sums leave the range of the dtype, and the
/// result need not, of each slice divided by a power of two, or where f is `steep` by its greatest or least.
template <class Sums, class Root>
Variable root_in_range(const Operand& x, const Dims& dims, bool keepdim, bool by_greatest,
                       const Sums& sums, const Root& root, bool steep = false) {
  const Place at = x.at();
  if (x->numel() == 0) return root(sums(x, keepdim));
  {
    const DetectAnomaly only_tried(false);
    const Variable plain = sums(x, keepdim);
    if (in_range(plain.value())) return root(plain);
  }
  const Tensor scale = scale_of(x->value(), dims, by_greatest, steep);
  const Variable y = mul({root(sums({div(x, scale), at}, true)), at}, scale);
  return keepdim ? y : sum({y, at}, dims);  // of one each
}

/// The one dimension of a softmax; none for a scalar.
Dims along(std::int64_t dim, const Variable& x) { return x.rank() == 0 ? Dims{} : Dims{dim}; }

}  // namespace

/// y = Σ x        dL/dx = dL/dy, repeated
struct Sum final : Op {
  static constexpr std::string_view name = "sum";
  Dims dims;
  bool keepdim;

  Sum(const Dims& over, bool keep) : dims(over), keepdim(keep) {}

  Tensor forward(const Variable& x) { return core::sum(x.value(), dims, keepdim); }

  Variables backward(const Variable& dy) override {
    return {spread_back(dy, dims, input_shape(0))};
  }

  Rounding rounding() const { return summed_in_double(1); }
};

/// y = Σ x / n        dL/dx = dL/dy / n, repeated
struct Mean final : Op {
  static constexpr std::string_view name = "mean";
  Dims dims;
  bool keepdim;

  Mean(const Dims& over, bool keep) : dims(over), keepdim(keep) {}

  Tensor forward(const Variable& x) { return core::mean(x.value(), dims, keepdim); }

  Variables backward(const Variable& dy) override {
    // The gradient of nothing is nothing; divided by 0 its own derivative would be NaN, not 0.
    const auto count =
        static_cast<double>(std::max<std::int64_t>(reduced_count(name, dims, input_shape(0)), 1));
    return {spread_back(div(dy, count), dims, input_shape(0))};
  }

  /// The sum is divided before or after it is rounded. dL/dx = dL/dy·(1/n): two roundings.
  Rounding rounding() const {
    const auto value = [over = dims](const RoundingCall& call) {
      const double terms = static_cast<double>(reduced_count(name, over, call.inputs[0].shape()));
      const Tensor sizes = core::mean(core::abs(call.inputs[0]), over);
      return core::add(core::mul(core::abs(call.y), 2 * unit_roundoff),
                       core::mul(sizes, terms * 0x1p-53).reshape(call.y.shape()));
    };
    const auto gradients = [](const RoundingCall& call) {
      return std::vector<Tensor>{core::mul(core::abs(call.gradients[0]), 2 * unit_roundoff)};
    };
    return {.value = value, .gradients = gradients};
  }
};

/// y = max x        dL/dx = dL/dy / (number of ties) where x = y, else 0
struct Max final : Op {
  static constexpr std::string_view name = "max";
  Dims dims;
  bool keepdim;
  Tensor x, peak;

  Max(const Dims& over, bool keep) : dims(over), keepdim(keep) {}

  Tensor forward(const Variable& input) {
    const Tensor y = core::max(input.value(), dims, keepdim);
    if (needs(0)) {
      x = input.value();
      peak = y;
    }
    return y;
  }

  Variables backward(const Variable& dy) override {
    const Tensor top = spread_back(peak, dims, x.shape()).value();
    const Tensor chosen = core::eq(x, top).to(x.dtype());
    const Tensor share = core::div(chosen, core::sum(chosen, dims, true));
    return {mul(spread_back(dy, dims, x.shape()), share)};
  }

  Rounding rounding() const { return choosing(); }
};

/// y = ln Σ eˣ        dL/dx = dL/dy·e^(x-y)
struct LogSumExp final : Op {
  static constexpr std::string_view name = "logsumexp";
  Dims dims;
  bool keepdim;
  Variable x;
  Tensor y;

  LogSumExp(const Dims& over, bool keep) : dims(over), keepdim(keep) {}

  Tensor forward(const Variable& input) {
    if (needs(0)) x = input;
    return y = core::logsumexp(input.value(), dims, keepdim);
  }

  Variables backward(const Variable& dy) override {
    const Shape& shape = input_shape(0);
    return {spread_back(dy, dims, shape) * exp(x - spread_back(reattach(y), dims, shape))};
  }

  /// y = m + ln Σ e^(x-m): the sum's relative error is the logarithm's absolute one; then the
  /// library's error of the logarithm, and a rounding of y. e^(x-y) has the absolute error of its
  /// exponent for a relative one.
  Rounding rounding() const {
    const auto value = [over = dims](const RoundingCall& call) {
      if (call.inputs[0].numel() == 0) return zeros_like(call.y);
      const Exponentials e(call.inputs[0], over);
      const Tensor logarithm =
          core::add(e.all, core::mul(core::abs(e.log_of_sum), library_roundings));
      return core::mul(core::add(logarithm.reshape(call.y.shape()), core::abs(call.y)),
                       unit_roundoff);
    };
    const auto gradients = [value, over = dims](const RoundingCall& call) {
      const Tensor& in = call.inputs[0];
      const Tensor out = spread_back(call.y, over, in.shape()).value();
      const Tensor y_error = spread_back(value(call), over, in.shape()).value();
      const Tensor rounded = core::add(core::abs(core::sub(in, out)), library_roundings + 1);
      const Tensor relative = core::add(y_error, core::mul(rounded, unit_roundoff));
      return std::vector<Tensor>{core::mul(core::abs(call.gradients[0]), relative)};
    };
    return {.value = value, .gradients = gradients};
  }
};

/// y = eˣ/Σeˣ        dL/dx = y·(dL/dy - Σ dL/dy·y)
struct Softmax final : Op {
  static constexpr std::string_view name = "softmax";
  std::int64_t dim;
  Tensor y;

  explicit Softmax(std::int64_t d) : dim(d) {}

  Tensor forward(const Variable& x) { return y = core::softmax(x.value(), dim); }

  Variables backward(const Variable& dy) override {
    const Variable output = reattach(y);
    return {output * (dy - sum(dy * output, along(dim, dy), true))};
  }

  /// y = e/Σ: the errors of both, and of the quotient. dL/dx = y·(dL/dy - S), S = Σ dL/dy·y summed
  /// in float64: S takes y's error and that of a product, y counts once more as a factor, and there
  /// are the roundings of S, of the difference and of the product.
  Rounding rounding() const {
    const auto value = [over = dim](const RoundingCall& call) {
      if (call.y.numel() == 0) return zeros_like(call.y);
      const Exponentials e(call.inputs[0], call.y.rank() == 0 ? Dims{} : Dims{over});
      const Tensor relative = core::add(core::add(e.one, e.all), 1);
      return core::mul(core::mul(call.y, relative), unit_roundoff);
    };
    const auto gradients = [value, over = dim](const RoundingCall& call) {
      if (call.y.numel() == 0) return std::vector<Tensor>{zeros_like(call.y)};
      const Dims dims = call.y.rank() == 0 ? Dims{} : Dims{over};
      const double u = unit_roundoff;
      const Tensor y_error = value(call);
      const Tensor s = core::sum(core::mul(call.dy, call.y), dims, true);
      const Tensor products =
          core::mul(core::abs(call.dy), core::add(y_error, core::mul(call.y, u)));
      const Tensor s_error = core::add(core::sum(products, dims, true), core::mul(core::abs(s), u));
      const Tensor difference = core::abs(core::sub(call.dy, s));
      const Tensor inner = core::add(core::mul(difference, 2 * u), s_error);
      return std::vector<Tensor>{
          core::add(core::mul(call.y, inner), core::mul(y_error, difference))};
    };
    return {.value = value, .gradients = gradients};
  }
};

/// y = x - ln Σeˣ        dL/dx = dL/dy - e^y·Σ dL/dy
struct LogSoftmax final : Op {
  static constexpr std::string_view name = "log_softmax";
  std::int64_t dim;
  Tensor y;

  explicit LogSoftmax(std::int64_t d) : dim(d) {}

  Tensor forward(const Variable& x) { return y = core::log_softmax(x.value(), dim); }

  Variables backward(const Variable& dy) override {
    return {dy - exp(reattach(y)) * sum(dy, along(dim, dy), true)};
  }

  /// y = (x-m) - ln Σ: the difference rounded, the sum's relative error, the logarithm's own, and a
  /// rounding of y. dL/dx = dL/dy - e^y·S, S = Σ dL/dy summed in float64: e^y has y's absolute
  /// error for a relative one and the library's; S, the product and the difference are rounded.
  Rounding rounding() const {
    const auto value = [over = dim](const RoundingCall& call) {
      if (call.y.numel() == 0) return zeros_like(call.y);
      const Exponentials e(call.inputs[0], call.y.rank() == 0 ? Dims{} : Dims{over});
      const Tensor logarithm =
          core::add(e.all, core::mul(core::abs(e.log_of_sum), library_roundings));
      const Tensor rounded = core::add(core::abs(e.shifted), core::abs(call.y));
      return core::mul(core::add(logarithm, rounded), unit_roundoff);
    };
    const auto gradients = [value, over = dim](const RoundingCall& call) {
      if (call.y.numel() == 0) return std::vector<Tensor>{zeros_like(call.y)};
      const Dims dims = call.y.rank() == 0 ? Dims{} : Dims{over};
      const double u = unit_roundoff;
      const Tensor product =
          core::abs(core::mul(core::exp(call.y), core::sum(call.dy, dims, true)));
      const Tensor relative = core::add(value(call), (library_roundings + 2) * u);
      return std::vector<Tensor>{
          core::add(core::mul(product, relative), core::mul(core::abs(call.gradients[0]), u))};
    };
    return {.value = value, .gradients = gradients};
  }
};

/// y = x summed over what broadcasting repeated        dL/dx = dL/dy, repeated
struct SumTo final : Op {
  static constexpr std::string_view name = "sum_to";
  Shape shape;

  explicit SumTo(const Shape& target) : shape(target) {}

  Tensor forward(const Variable& x) { return core::sum_to(x.value(), shape); }

  Variables backward(const Variable& dy) override { return {expand(dy, input_shape(0))}; }

  Rounding rounding() const { return summed_in_double(1); }
};

}  // namespace ops

Variable sum(const Operand& x, const Dims& dims, bool keepdim) {
  return apply(ops::Sum(dims, keepdim), x);
}
Variable mean(const Operand& x, const Dims& dims, bool keepdim) {
  return apply(ops::Mean(dims, keepdim), x);
}

Variable var(const Operand& x, const Dims& dims, bool keepdim, std::int64_t correction) {
  dispatch_floating("var", x->dtype(), []<class T>() {});
  const auto count = static_cast<double>(ops::reduced_count("var", dims, x->shape()));
  const Variable near = x - mean(x, dims, true);
  // The mean is rounded. Where numbers are large and close together that is as much as they differ by.
  const Variable centred = sub({near, x.at()}, mean({near, x.at()}, dims, true));
  const Variable squares = mul({centred, x.at()}, centred);
  if (count == 0) return mean({squares, x.at()}, dims, keepdim);  // NaN, whose gradient is nothing
  return div({sum({squares, x.at()}, dims, keepdim), x.at()},
             std::max(count - static_cast<double>(correction), 0.0));
}

Variable std(const Operand& x, const Dims& dims, bool keepdim, std::int64_t correction) {
  dispatch_floating("std", x->dtype(), []<class T>() {});
  normalize_dims("std", dims, x->rank());
  return ops::root_in_range(
      x, dims, keepdim, true,
      [&](const Operand& part, bool keep) { return var(part, dims, keep, correction); },
      [&](const Variable& squares) {
        return ops::flat_at_zero(squares, x.at(), [](const Operand& s) { return sqrt(s); });
      });
}

Variable norm(const Operand& x, double p, const Dims& dims, bool keepdim) {
  const Place at = x.at();
  dispatch_floating("norm", x->dtype(), []<class T>() {});
  if (std::isnan(p)) fail<ValueError>("norm: p must be a number, got ", p);
  const std::int64_t count = ops::reduced_count("norm", dims, x->shape());
  if (p == 0) {  // how many are not 0; NaN is one of them
    const Variable ones = where(core::ne(x->value(), 0), 1, {mul(x, 0), at});
    return sum({ones, at}, dims, keepdim);
  }
  if (p == 1) return sum({abs(x), at}, dims, keepdim);
  if (p == 2) {
    return ops::root_in_range(
        x, dims, keepdim, true,
        [&](const Operand& part, bool keep) {
          return sum({mul(part, *part), at}, dims, keep);
        },
        [&](const Variable& total) {
          return ops::flat_at_zero(total, at, [](const Operand& s) { return sqrt(s); });
        });
  }
  if (count == 0 && (p < 0 || std::isinf(p))) {
    fail<ShapeError>("norm: no elements to choose from in shape ", x->shape(), " over dims ", dims);
  }
  if (std::isinf(p)) {
    return p > 0 ? max({abs(x), at}, dims, keepdim) : min({abs(x), at}, dims, keepdim);
  }
  return ops::root_in_range(
      x, dims, keepdim, p > 0,
      [&](const Operand& part, bool keep) {  // |x|^p, whose slope at 0 is taken for 0
        const Tensor zero = core::eq(part->value(), 0);
        const Variable size = where(zero, 1, {abs(part), at});
        const Variable powers = where(zero, std::pow(0.0, p), {pow({size, at}, p), at});
        return sum({powers, at}, dims, keep);
      },
      [&](const Variable& total) {
        const auto root = [p](const Operand& s) { return pow(s, 1 / p); };
        if (p < 0) return root({total, at});  // infinite where all of them are 0
        return ops::flat_at_zero(total, at, root);
      },
      std::abs(p) > 50);
}

Variable max(const Operand& x, const Dims& dims, bool keepdim) {
  return apply(ops::Max(dims, keepdim), x);
}
Variable min(const Operand& x, const Dims& dims, bool keepdim) {
  dispatch_number("min", x->dtype(), []<class T>() {});
  if (!is_floating(x->dtype()))
    return core::min(x->value(), dims, keepdim);  // of some there is no -x
  if (ops::reduced_count("min", dims, x->shape()) == 0)
    return core::min(x->value(), dims);  // throws
  return neg({max({neg(x), x.at()}, dims, keepdim), x.at()});
}
Variable logsumexp(const Operand& x, const Dims& dims, bool keepdim) {
  return apply(ops::LogSumExp(dims, keepdim), x);
}
Variable softmax(const Operand& x, std::int64_t dim) { return apply(ops::Softmax(dim), x); }
Variable log_softmax(const Operand& x, std::int64_t dim) { return apply(ops::LogSoftmax(dim), x); }
Variable sum_to(const Operand& x, const Shape& shape) {
  return x->shape() == shape ? *x : apply(ops::SumTo(shape), x);
}

}  // namespace gradus
