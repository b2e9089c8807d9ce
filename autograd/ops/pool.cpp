// Pooling. Max pooling chooses, average pooling averages; both are linear once the choice is made,
// so forward and gradient come as a pair of adjoints.
#include <gradus/autograd/ops/chapter.h>

#include <algorithm>

namespace gradus {
namespace ops {
namespace {

/// A mean of `size` numbers: additions, and a quotient or a product with a rounded 1/size.
Rounding mean_of(std::int64_t size) { return weighted(size + 1); }

Rounding window_mean(const Pool2dOptions& options) {
  return mean_of(options.kernel_size.height * options.kernel_size.width);
}

/// A bin holds at most ⌈H/OH⌉ + 1 rows, a row lies in at most ⌈OH/H⌉ + 1 bins; so do columns.
Rounding bin_mean() {
  const auto rule = [](const RoundingCall& call) {
    const auto most = [&](int d) {
      const auto [least, greatest] = std::minmax({call.inputs[0].size(d), call.y.size(d)});
      return (greatest + least - 1) / std::max<std::int64_t>(least, 1) + 1;
    };
    return mean_of(most(2) * most(3));
  };
  return {.value = [rule](const RoundingCall& call) { return rule(call).value(call); },
          .gradients = [rule](const RoundingCall& call) { return rule(call).gradients(call); }};
}

}  // namespace

/// y = the greatest of each window        dL/dx = dL/dy, at the element that was chosen
struct MaxPool2d final : Op {
  static constexpr std::string_view name = "max_pool2d";
  Pool2dOptions options;
  Tensor choices;

  explicit MaxPool2d(const Pool2dOptions& o) : options(o) {}

  Tensor forward(const Variable& x) {
    const core::MaxPool2dResult result = core::max_pool2d_compact(x.value(), options);
    if (needs(0)) {
      choices = result.indices;
      keeps(choices, "choices");
    }
    return result.values;
  }

  Variables backward(const Variable& dy) override {
    return {max_pool2d_scatter(dy, choices, input_shape(0), options)};
  }

  Rounding rounding() const { return choosing(); }
};

/// dx = zeros with dy added where `choices` say        dL/d(dy) = dL/d(dx) there
/// The choices are places within the windows of `options`, or without those indices into a plane.
struct MaxPool2dScatter final : Op {
  static constexpr std::string_view name = "max_pool2d_scatter";
  Tensor choices;
  Shape input;
  std::optional<Pool2dOptions> options;

  MaxPool2dScatter(Tensor chosen, const Shape& shape, const std::optional<Pool2dOptions>& o)
      : choices(std::move(chosen)), input(shape), options(o) {}

  Tensor forward(const Variable& dy) {
    keeps(choices, "choices");
    return options ? core::max_pool2d_scatter(dy.value(), choices, input, *options)
                   : core::max_pool2d_scatter(dy.value(), choices, input);
  }

  Variables backward(const Variable& g) override {
    return {options ? max_pool2d_gather(g, choices, *options) : max_pool2d_gather(g, choices)};
  }

  Rounding rounding() const { return multilinear(0); }
};

/// y = x where `choices` say        dL/dx = dL/dy added there
struct MaxPool2dGather final : Op {
  static constexpr std::string_view name = "max_pool2d_gather";
  Tensor choices;
  std::optional<Pool2dOptions> options;

  MaxPool2dGather(Tensor chosen, const std::optional<Pool2dOptions>& o)
      : choices(std::move(chosen)), options(o) {}

  Tensor forward(const Variable& x) {
    keeps(choices, "choices");
    return options ? core::max_pool2d_gather(x.value(), choices, *options)
                   : core::max_pool2d_gather(x.value(), choices);
  }

  Variables backward(const Variable& dy) override {
    return {options ? max_pool2d_scatter(dy, choices, input_shape(0), *options)
                    : max_pool2d_scatter(dy, choices, input_shape(0))};
  }

  Rounding rounding() const { return multilinear(0); }
};

/// y = the greatest of bins that cover the image        dL/dx = Σ dL/dy, at the elements that were
/// chosen
struct AdaptiveMaxPool2d final : Op {
  static constexpr std::string_view name = "adaptive_max_pool2d";
  Pair output_size;
  Tensor indices;

  explicit AdaptiveMaxPool2d(Pair size) : output_size(size) {}

  Tensor forward(const Variable& x) {
    const core::MaxPool2dResult result = core::adaptive_max_pool2d(x.value(), output_size);
    if (needs(0)) {
      indices = result.indices;
      keeps(indices, "indices");
    }
    return result.values;
  }

  Variables backward(const Variable& dy) override {
    return {max_pool2d_scatter(dy, indices, input_shape(0))};
  }

  Rounding rounding() const { return choosing(); }
};

/// y = the mean of each window        dL/dx = Σ dL/dy / window size, over the windows that hold x
struct AvgPool2d final : Op {
  static constexpr std::string_view name = "avg_pool2d";
  Pool2dOptions options;

  explicit AvgPool2d(const Pool2dOptions& o) : options(o) {}

  Tensor forward(const Variable& x) { return core::avg_pool2d(x.value(), options); }

  Variables backward(const Variable& dy) override {
    return {avg_pool2d_grad(dy, input_shape(0), options)};
  }

  Rounding rounding() const { return window_mean(options); }
};

/// dx = the adjoint of avg_pool2d at dy        dL/d(dy) = avg_pool2d(dL/d(dx))
struct AvgPool2dGrad final : Op {
  static constexpr std::string_view name = "avg_pool2d_grad";
  Shape input;
  Pool2dOptions options;

  AvgPool2dGrad(const Shape& shape, const Pool2dOptions& o) : input(shape), options(o) {}

  Tensor forward(const Variable& dy) { return core::avg_pool2d_grad(dy.value(), input, options); }

  Variables backward(const Variable& g) override { return {avg_pool2d(g, options)}; }

  Rounding rounding() const { return window_mean(options); }
};

/// y = means over bins that cover the image
/// dL/dx = Σ dL/dy / bin size, over the bins that hold x
struct AdaptiveAvgPool2d final : Op {
  static constexpr std::string_view name = "adaptive_avg_pool2d";
  Pair output_size;

  explicit AdaptiveAvgPool2d(Pair size) : output_size(size) {}

  Tensor forward(const Variable& x) { return core::adaptive_avg_pool2d(x.value(), output_size); }

  Variables backward(const Variable& dy) override {
    return {adaptive_avg_pool2d_grad(dy, input_shape(0))};
  }

  Rounding rounding() const { return bin_mean(); }
};

/// dx = the adjoint of adaptive_avg_pool2d at dy        dL/d(dy) = adaptive_avg_pool2d(dL/d(dx))
struct AdaptiveAvgPool2dGrad final : Op {
  static constexpr std::string_view name = "adaptive_avg_pool2d_grad";
  Shape input;

  explicit AdaptiveAvgPool2dGrad(const Shape& shape) : input(shape) {}

  Tensor forward(const Variable& dy) { return core::adaptive_avg_pool2d_grad(dy.value(), input); }

  Variables backward(const Variable& g) override {
    return {adaptive_avg_pool2d(g, {input_shape(0)[2], input_shape(0)[3]})};
  }

  Rounding rounding() const { return bin_mean(); }
};

namespace {

/// pool(images) for rows [N,C,L], which are images [N,C,1,L]; check(shape) of the rows first. What is
/// wrong is said in the name of `op`.
template <class Check, class Pool>
Variable pool_checked(std::string_view op, const Operand& x, const Check& check, const Pool& pool) {
  if (x->rank() != 3)
    fail<ShapeError>(op, ": input must have rank 3, [N,C,L], got ", describe(x->value()));
  check(x->shape());
  dispatch_floating(op, x->dtype(), []<class T>() {});
  const Place at = x.at();
  return squeeze({pool(Operand(unsqueeze(x, 2), at)), at}, 2);
}

Variable pool_rows(std::string_view op, const Operand& x, const Pool1dOptions& options,
                   Variable (*pool)(const Operand&, const Pool2dOptions&)) {
  return batched(op, 3, x, [&](const Operand& rows) {
    return pool_checked(
        op, rows, [&](const Shape& shape) { core::check_pool1d(op, shape, options); },
        [&](const Operand& images) { return pool(images, options.of_images()); });
  });
}

Variable pool_rows(std::string_view op, const Operand& x, std::int64_t output_size,
                   Variable (*pool)(const Operand&, Pair)) {
  return batched(op, 3, x, [&](const Operand& rows) {
    return pool_checked(
        op, rows, [&](const Shape& shape) { core::check_adaptive_pool1d(op, shape, output_size); },
        [&](const Operand& images) {
          return pool(images, {1, output_size});
        });
  });
}

/// An image alone, [C,H,W], is a batch of one.
template <class T> Variable pool_images(T op, const Operand& x) {
  if (x->rank() != 3) return apply(std::move(op), x);
  return batched(T::name, 4, x,
                 [&](const Operand& images) { return apply(std::move(op), images); });
}

}  // namespace
}  // namespace ops

Variable max_pool2d(const Operand& x, const Pool2dOptions& options) {
  return ops::pool_images(ops::MaxPool2d(options), x);
}
Variable avg_pool2d(const Operand& x, const Pool2dOptions& options) {
  return ops::pool_images(ops::AvgPool2d(options), x);
}
Variable adaptive_avg_pool2d(const Operand& x, Pair output_size) {
  return ops::pool_images(ops::AdaptiveAvgPool2d(output_size), x);
}
Variable adaptive_max_pool2d(const Operand& x, Pair output_size) {
  return ops::pool_images(ops::AdaptiveMaxPool2d(output_size), x);
}

Variable max_pool1d(const Operand& x, const Pool1dOptions& options) {
  return ops::pool_rows("max_pool1d", x, options, max_pool2d);
}
Variable avg_pool1d(const Operand& x, const Pool1dOptions& options) {
  if (options.dilation != 1)
    fail<ValueError>("avg_pool1d: dilation must be 1, got ", options.dilation);
  return ops::pool_rows("avg_pool1d", x, options, avg_pool2d);
}
Variable adaptive_avg_pool1d(const Operand& x, std::int64_t output_size) {
  return ops::pool_rows("adaptive_avg_pool1d", x, output_size, adaptive_avg_pool2d);
}
Variable adaptive_max_pool1d(const Operand& x, std::int64_t output_size) {
  return ops::pool_rows("adaptive_max_pool1d", x, output_size, adaptive_max_pool2d);
}

Variable max_pool2d_scatter(const Operand& dy, const Tensor& choices, const Shape& input,
                            const Pool2dOptions& options) {
  return apply(ops::MaxPool2dScatter(choices, input, options), dy);
}
Variable max_pool2d_scatter(const Operand& dy, const Tensor& indices, const Shape& input) {
  return apply(ops::MaxPool2dScatter(indices, input, std::nullopt), dy);
}
Variable max_pool2d_gather(const Operand& x, const Tensor& choices, const Pool2dOptions& options) {
  return apply(ops::MaxPool2dGather(choices, options), x);
}
Variable max_pool2d_gather(const Operand& x, const Tensor& indices) {
  return apply(ops::MaxPool2dGather(indices, std::nullopt), x);
}
Variable avg_pool2d_grad(const Operand& dy, const Shape& input, const Pool2dOptions& options) {
  return apply(ops::AvgPool2dGrad(input, options), dy);
}
Variable adaptive_avg_pool2d_grad(const Operand& dy, const Shape& input) {
  return apply(ops::AdaptiveAvgPool2dGrad(input), dy);
}

}  // namespace gradus
