// Pooling. Max pooling chooses, average pooling averages; both are linear once the choice is made,
// so forward and gradient come as a pair of adjoints.
#include <gradus/autograd/ops/chapter.h>

namespace gradus {
namespace ops {
namespace {

Variable scatter(const Variable& dy, const Tensor& indices, const Shape& input);
Variable collect(const Variable& x, const Tensor& indices);
Variable average_grad(const Variable& dy, const Shape& input, const Pool2dOptions& options);
Variable adaptive_grad(const Variable& dy, const Shape& input);

const Tensor& sample_indices() {
  static const Tensor indices =
      core::max_pool2d(spread({2, 2, 4, 4}, 1).value(), {.kernel_size = 2}).indices;
  return indices;
}

}  // namespace

/// y = the greatest of each window        dL/dx = dL/dy, at the element that was chosen
struct MaxPool2d final : Op {
  static constexpr std::string_view name = "max_pool2d";
  Pool2dOptions options;
  Tensor indices;

  explicit MaxPool2d(const Pool2dOptions& o) : options(o) {}

  Tensor forward(const Variable& x) {
    const core::MaxPool2dResult result = core::max_pool2d(x.value(), options);
    if (needs(0)) indices = result.indices;
    return result.values;
  }

  Variables backward(const Variable& dy) override { return {scatter(dy, indices, input_shape(0))}; }

  static std::vector<Sample> samples() {
    const auto with = [](const Pool2dOptions& o) {
      return [o](const Variables& v) { return max_pool2d(v[0], o); };
    };
    return {{"2x2", {spread({2, 2, 4, 4}, 1)}, with({.kernel_size = 2})},
            {"overlapping, padded",
             {spread({1, 2, 5, 4}, 2)},
             with({.kernel_size = 3, .stride = 2, .padding = 1})},
            {"dilated",
             {spread({1, 1, 5, 6}, 3)},
             with({.kernel_size = {2, 3}, .stride = 1, .dilation = 2})}};
  }
};

/// dx = zeros with dy added at `indices`        dL/d(dy) = dL/d(dx) at `indices`
struct MaxPool2dScatter final : Op {
  static constexpr std::string_view name = "max_pool2d_scatter";
  Tensor indices;
  Shape input;

  MaxPool2dScatter(Tensor chosen, const Shape& shape) : indices(std::move(chosen)), input(shape) {}

  Tensor forward(const Variable& dy) {
    return core::max_pool2d_scatter(dy.value(), indices, input);
  }

  Variables backward(const Variable& g) override { return {collect(g, indices)}; }

  static std::vector<Sample> samples() {
    return {{"2x2", {spread({2, 2, 2, 2}, 2)}, [](const Variables& v) {
               return scatter(v[0], sample_indices(), {2, 2, 4, 4});
             }}};
  }
};

/// y = x at `indices`        dL/dx = dL/dy added at `indices`
struct MaxPool2dGather final : Op {
  static constexpr std::string_view name = "max_pool2d_gather";
  Tensor indices;

  explicit MaxPool2dGather(Tensor chosen) : indices(std::move(chosen)) {}

  Tensor forward(const Variable& x) { return core::max_pool2d_gather(x.value(), indices); }

  Variables backward(const Variable& dy) override { return {scatter(dy, indices, input_shape(0))}; }

  static std::vector<Sample> samples() {
    return {{"2x2", {spread({2, 2, 4, 4}, 3)}, [](const Variables& v) {
               return collect(v[0], sample_indices());
             }}};
  }
};

/// y = the mean of each window        dL/dx = Σ dL/dy / window size, over the windows that hold x
struct AvgPool2d final : Op {
  static constexpr std::string_view name = "avg_pool2d";
  Pool2dOptions options;

  explicit AvgPool2d(const Pool2dOptions& o) : options(o) {}

  Tensor forward(const Variable& x) { return core::avg_pool2d(x.value(), options); }

  Variables backward(const Variable& dy) override {
    return {average_grad(dy, input_shape(0), options)};
  }

  static std::vector<Sample> samples() {
    const auto with = [](const Pool2dOptions& o) {
      return [o](const Variables& v) { return avg_pool2d(v[0], o); };
    };
    return {{"2x2", {spread({2, 2, 4, 4}, 1)}, with({.kernel_size = 2})},
            {"overlapping, padded",
             {spread({1, 2, 5, 4}, 2)},
             with({.kernel_size = 3, .stride = 2, .padding = 1})},
            {"padding not counted",
             {spread({1, 1, 4, 5}, 3)},
             with({.kernel_size = {2, 3}, .stride = 1, .padding = 1, .count_include_pad = false})}};
  }
};

/// dx = the adjoint of avg_pool2d at dy        dL/d(dy) = avg_pool2d(dL/d(dx))
struct AvgPool2dGrad final : Op {
  static constexpr std::string_view name = "avg_pool2d_grad";
  Shape input;
  Pool2dOptions options;

  AvgPool2dGrad(const Shape& shape, const Pool2dOptions& o) : input(shape), options(o) {}

  Tensor forward(const Variable& dy) { return core::avg_pool2d_grad(dy.value(), input, options); }

  Variables backward(const Variable& g) override { return {avg_pool2d(g, options)}; }

  static std::vector<Sample> samples() {
    return {{"2x2", {spread({2, 2, 2, 2}, 1)}, [](const Variables& v) {
               return average_grad(v[0], {2, 2, 4, 4}, {.kernel_size = 2});
             }}};
  }
};

/// y = means over bins that cover the image        dL/dx = Σ dL/dy / bin size, over the bins that
/// hold x
struct AdaptiveAvgPool2d final : Op {
  static constexpr std::string_view name = "adaptive_avg_pool2d";
  Pair output_size;

  explicit AdaptiveAvgPool2d(Pair size) : output_size(size) {}

  Tensor forward(const Variable& x) { return core::adaptive_avg_pool2d(x.value(), output_size); }

  Variables backward(const Variable& dy) override { return {adaptive_grad(dy, input_shape(0))}; }

  static std::vector<Sample> samples() {
    return {{"to one pixel",
             {spread({2, 3, 4, 3}, 1)},
             [](const Variables& v) { return adaptive_avg_pool2d(v[0], 1); }},
            {"uneven bins",
             {spread({1, 2, 5, 7}, 2)},
             [](const Variables& v) {
               return adaptive_avg_pool2d(v[0], {3, 2});
             }},
            {"enlarging", {spread({1, 1, 2, 3}, 3)}, [](const Variables& v) {
               return adaptive_avg_pool2d(v[0], 4);
             }}};
  }
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

  static std::vector<Sample> samples() {
    return {{"uneven bins", {spread({1, 2, 3, 2}, 1)}, [](const Variables& v) {
               return adaptive_grad(v[0], {1, 2, 5, 7});
             }}};
  }
};

namespace {

Variable scatter(const Variable& dy, const Tensor& indices, const Shape& input) {
  return apply(MaxPool2dScatter(indices, input), dy);
}
Variable collect(const Variable& x, const Tensor& indices) {
  return apply(MaxPool2dGather(indices), x);
}
Variable average_grad(const Variable& dy, const Shape& input, const Pool2dOptions& options) {
  return apply(AvgPool2dGrad(input, options), dy);
}
Variable adaptive_grad(const Variable& dy, const Shape& input) {
  return apply(AdaptiveAvgPool2dGrad(input), dy);
}

}  // namespace

template OpInfo op_info<MaxPool2d>();
template OpInfo op_info<MaxPool2dScatter>();
template OpInfo op_info<MaxPool2dGather>();
template OpInfo op_info<AvgPool2d>();
template OpInfo op_info<AvgPool2dGrad>();
template OpInfo op_info<AdaptiveAvgPool2d>();
template OpInfo op_info<AdaptiveAvgPool2dGrad>();

}  // namespace ops

Variable max_pool2d(const Variable& x, const Pool2dOptions& options) {
  return apply(ops::MaxPool2d(options), x);
}
Variable avg_pool2d(const Variable& x, const Pool2dOptions& options) {
  return apply(ops::AvgPool2d(options), x);
}
Variable adaptive_avg_pool2d(const Variable& x, Pair output_size) {
  return apply(ops::AdaptiveAvgPool2d(output_size), x);
}

}  // namespace gradus
