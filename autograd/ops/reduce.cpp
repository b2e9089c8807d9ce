// Reductions, and the softmax family that is built on them. What a reduction gathers, its
// gradient spreads.
#include <gradus/autograd/ops/chapter.h>

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

/// The one dimension of a softmax; none for a scalar.
Dims along(std::int64_t dim, const Variable& x) { return x.rank() == 0 ? Dims{} : Dims{dim}; }

/// Samples for a function of (x, dims, keepdim).
template <class F> std::vector<Sample> reduction_samples(F f) {
  const auto over = [f](const Dims& dims, bool keepdim) {
    return [=](const Variables& v) { return f(v[0], dims, keepdim); };
  };
  return {{"everything", {spread({3, 4, 5}, 1)}, over({}, false)},
          {"everything, kept", {spread({3, 4}, 2)}, over({}, true)},
          {"the last dimension", {spread({3, 4}, 3)}, over({-1}, false)},
          {"the first, kept", {spread({3, 4, 5}, 4)}, over({0}, true)},
          {"two of three", {spread({3, 4, 5}, 5)}, over({0, 2}, false)},
          {"two of three, kept, sizes equal", {spread({4, 3, 4}, 6)}, over({-1, 1}, true)},
          {"columns of a square", {spread({4, 4}, 7)}, over({0}, false)},
          {"a scalar", {spread({}, 8)}, over({}, false)},
          {"no rows", {spread({0, 3}, 9)}, over({1}, false)}};
}

/// For the proof in float32, of a function of (x, dims, keepdim).
template <class F> std::vector<Sample> reduction_training_samples(F f) {
  const auto over = [f](const Dims& dims) {
    return [=](const Variables& v) { return f(v[0], dims, false); };
  };
  std::vector<Sample> all{{"everything", {spread({many_elements}, 1)}, over({})},
                          {"all but channels", {spread({8, 16, 33, 31}, 2)}, over({0, 2, 3})},
                          {"planes", {spread({8, 16, 33, 31}, 3)}, over({2, 3})},
                          {"columns", {spread({1031, 97}, 4)}, over({0})},
                          {"rows", {spread({97, 1031}, 5)}, over({1})}};
  for (const std::int64_t size : remainders) {
    all.push_back({"rows of " + size_name(size), {spread({33, size}, 6)}, over({1})});
    all.push_back({"columns, " + size_name(size), {spread({size, 33}, 7)}, over({0})});
  }
  return all;
}

/// Samples for a function of (x, dim).
template <class F> std::vector<Sample> softmax_samples(F f) {
  const auto along = [f](std::int64_t dim) {
    return [=](const Variables& v) { return f(v[0], dim); };
  };
  return {{"rows", {spread({3, 4}, 1)}, along(1)},
          {"columns of a square", {spread({4, 4}, 2)}, along(0)},
          {"the middle", {spread({3, 4, 5}, 3)}, along(-2)},
          {"a scalar", {spread({}, 4)}, along(0)},
          {"no rows", {spread({0, 3}, 5)}, along(1)},
          {"nothing to share", {spread({3, 0}, 6)}, along(1)}};
}

/// For the proof in float32.
template <class F> std::vector<Sample> softmax_training_samples(F f) {
  const auto along = [f](std::int64_t dim) {
    return [=](const Variables& v) { return f(v[0], dim); };
  };
  std::vector<Sample> all{{"a thousand classes", {spread({128, 1000}, 1)}, along(1)},
                          {"classes of pixels", {spread({4, 19, 33, 31}, 2)}, along(1)},
                          {"far apart", {spread({64, 33}, 3, {-60, 60})}, along(1)}};
  for (const std::int64_t size : remainders)
    all.push_back({"rows of " + size_name(size), {spread({33, size}, 4)}, along(1)});
  return all;
}

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

  static std::vector<Sample> samples() {
    auto all = reduction_samples(
        [](const Variable& x, const Dims& d, bool keep) { return sum(x, d, keep); });
    all.push_back(
        {"nothing", {spread({0, 3}, 10)}, [](const Variables& v) { return sum(v[0], {0}); }});
    return all;
  }

  static std::vector<Sample> training_samples() {
    return reduction_training_samples(
        [](const Variable& x, const Dims& d, bool keep) { return sum(x, d, keep); });
  }
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

  static std::vector<Sample> samples() {
    return reduction_samples(
        [](const Variable& x, const Dims& d, bool keep) { return mean(x, d, keep); });
  }

  static std::vector<Sample> training_samples() {
    return reduction_training_samples(
        [](const Variable& x, const Dims& d, bool keep) { return mean(x, d, keep); });
  }
};

/// y = Σ(x - mean)²/(n - correction), composed
struct Var {
  static constexpr std::string_view name = "var";

  static std::vector<Sample> samples() {
    auto all = reduction_samples(
        [](const Variable& x, const Dims& d, bool keep) { return var(x, d, keep, 0); });
    all.push_back(
        {"unbiased", {spread({3, 4}, 10)}, [](const Variables& v) { return var(v[0], {1}); }});
    all.push_back({"a greater correction", {spread({4, 3}, 11)}, [](const Variables& v) {
                     return var(v[0], {0}, true, 2);
                   }});
    return all;
  }

  static std::vector<Sample> training_samples() {
    return reduction_training_samples(
        [](const Variable& x, const Dims& d, bool keep) { return var(x, d, keep, 0); });
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

  static std::vector<Sample> samples() {
    return reduction_samples(
        [](const Variable& input, const Dims& d, bool keep) { return max(input, d, keep); });
  }

  static std::vector<Sample> training_samples() {
    return reduction_training_samples(
        [](const Variable& input, const Dims& d, bool keep) { return max(input, d, keep); });
  }
};

/// y = -max(-x), composed
struct Min {
  static constexpr std::string_view name = "min";

  static std::vector<Sample> samples() {
    return reduction_samples(
        [](const Variable& x, const Dims& d, bool keep) { return min(x, d, keep); });
  }

  static std::vector<Sample> training_samples() {
    return reduction_training_samples(
        [](const Variable& x, const Dims& d, bool keep) { return min(x, d, keep); });
  }
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

  static std::vector<Sample> samples() {
    return reduction_samples(
        [](const Variable& input, const Dims& d, bool keep) { return logsumexp(input, d, keep); });
  }

  static std::vector<Sample> training_samples() {
    return reduction_training_samples(
        [](const Variable& input, const Dims& d, bool keep) { return logsumexp(input, d, keep); });
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

  static std::vector<Sample> samples() {
    return softmax_samples([](const Variable& x, std::int64_t d) { return softmax(x, d); });
  }

  static std::vector<Sample> training_samples() {
    return softmax_training_samples(
        [](const Variable& x, std::int64_t d) { return softmax(x, d); });
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

  static std::vector<Sample> samples() {
    return softmax_samples([](const Variable& x, std::int64_t d) { return log_softmax(x, d); });
  }

  static std::vector<Sample> training_samples() {
    return softmax_training_samples(
        [](const Variable& x, std::int64_t d) { return log_softmax(x, d); });
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

  static std::vector<Sample> samples() {
    const auto to = [](const Shape& target) {
      return [target](const Variables& v) { return sum_to(v[0], target); };
    };
    return {{"to a row", {spread({3, 4}, 1)}, to({4})},
            {"to a column", {spread({4, 4}, 2)}, to({4, 1})},
            {"to the middle", {spread({3, 4, 5}, 3)}, to({4, 1})},
            {"to both ends", {spread({4, 3, 4}, 4)}, to({4, 1, 4})},
            {"to a number", {spread({3, 4}, 5)}, to({})},
            {"to itself", {spread({3, 4}, 6)}, to({3, 4})},
            {"a scalar", {spread({}, 7)}, to({})},
            {"nothing", {spread({0, 3}, 8)}, to({3})}};
  }

  static std::vector<Sample> training_samples() {
    const auto to = [](const Shape& target) {
      return [target](const Variables& v) { return sum_to(v[0], target); };
    };
    std::vector<Sample> all{{"to a bias", {spread({512, 47}, 1)}, to({47})},
                            {"to channels", {spread({8, 16, 33, 31}, 2)}, to({16, 1, 1})},
                            {"to a number", {spread({many_elements}, 3)}, to({})},
                            {"to a column", {spread({33, 1031}, 4)}, to({33, 1})}};
    for (const std::int64_t size : remainders)
      all.push_back({size_name(size), {spread({33, size}, 5)}, to({size})});
    return all;
  }
};

template OpInfo op_info<Sum>();
template OpInfo op_info<Mean>();
template OpInfo op_info<Var>();
template OpInfo op_info<Max>();
template OpInfo op_info<Min>();
template OpInfo op_info<LogSumExp>();
template OpInfo op_info<Softmax>();
template OpInfo op_info<LogSoftmax>();
template OpInfo op_info<SumTo>();

}  // namespace ops

Variable sum(const Variable& x, const Dims& dims, bool keepdim) {
  return apply(ops::Sum(dims, keepdim), x);
}
Variable mean(const Variable& x, const Dims& dims, bool keepdim) {
  return apply(ops::Mean(dims, keepdim), x);
}

Variable var(const Variable& x, const Dims& dims, bool keepdim, std::int64_t correction) {
  dispatch_floating("var", x.dtype(), []<class T>() {});
  const auto count = static_cast<double>(ops::reduced_count("var", dims, x.shape()));
  const Variable centred = x - mean(x, dims, true);
  if (count == 0) return mean(centred * centred, dims, keepdim);  // NaN, whose gradient is nothing
  return sum(centred * centred, dims, keepdim) /
         std::max(count - static_cast<double>(correction), 0.0);
}

Variable max(const Variable& x, const Dims& dims, bool keepdim) {
  return apply(ops::Max(dims, keepdim), x);
}
Variable min(const Variable& x, const Dims& dims, bool keepdim) {
  dispatch_number("min", x.dtype(), []<class T>() {});
  if (ops::reduced_count("min", dims, x.shape()) == 0) return core::min(x.value(), dims);  // throws
  return neg(max(neg(x), dims, keepdim));
}
Variable logsumexp(const Variable& x, const Dims& dims, bool keepdim) {
  return apply(ops::LogSumExp(dims, keepdim), x);
}
Variable softmax(const Variable& x, std::int64_t dim) { return apply(ops::Softmax(dim), x); }
Variable log_softmax(const Variable& x, std::int64_t dim) { return apply(ops::LogSoftmax(dim), x); }
Variable sum_to(const Variable& x, const Shape& shape) {
  return x.shape() == shape ? x : apply(ops::SumTo(shape), x);
}

}  // namespace gradus
