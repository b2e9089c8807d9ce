// Pooling. Max pooling chooses, average pooling averages; both are linear once the choice is made,
// so forward and gradient come as a pair of adjoints.
#include <gradus/autograd/ops/chapter.h>

namespace gradus {
namespace ops {
namespace {

Variable scatter(const Variable& dy, const Tensor& choices, const Shape& input,
                 const Pool2dOptions& options);
Variable collect(const Variable& x, const Tensor& choices, const Pool2dOptions& options);
Variable average_grad(const Variable& dy, const Shape& input, const Pool2dOptions& options);
Variable adaptive_grad(const Variable& dy, const Shape& input);

// For samples: options of several kinds, and what max pooling chooses: places in the window, but
// with `dilated` indices, since a byte cannot say them.
constexpr Pool2dOptions uneven{.kernel_size = {3, 2}, .stride = {2, 1}, .padding = {1, 0}};
constexpr Pool2dOptions overlapping{.kernel_size = 3, .stride = 2, .padding = 1};
constexpr Pool2dOptions uncounted{
    .kernel_size = {2, 3}, .stride = 1, .padding = 1, .count_include_pad = false};
constexpr Pool2dOptions dilated{
    .kernel_size = {2, 3}, .stride = 1, .padding = 1, .dilation = {3, 2}};

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

/// For the proof in float32: f(input shape, options) makes the sample.
template <class F> std::vector<Sample> pool_training_samples(const F& f) {
  std::vector<Sample> all{f(Shape{8, 16, 32, 32}, Pool2dOptions{.kernel_size = 2}),
                          f(Shape{8, 16, 33, 31}, Pool2dOptions{.kernel_size = 2}),
                          f(Shape{8, 16, 33, 31}, overlapping), f(Shape{4, 8, 35, 37}, uneven)};
  for (const std::int64_t size : remainders) {
    all.push_back(f(Shape{2, 3, 6, size + 1}, Pool2dOptions{.kernel_size = 2}));
    all.push_back(f(Shape{2, 3, 6, size + 1}, overlapping));
  }
  return all;
}

Shape pooled(const Shape& input, const Pool2dOptions& options) {
  return core::avg_pool2d(zeros(input), options).shape();
}

Tensor choice(const Shape& input, const Pool2dOptions& options) {
  return core::max_pool2d_compact(spread(input, 9).value(), options).indices;
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
    if (needs(0)) choices = result.indices;
    return result.values;
  }

  Variables backward(const Variable& dy) override {
    return {scatter(dy, choices, input_shape(0), options)};
  }

  Rounding rounding() const { return choosing(); }

  static std::vector<Sample> samples() {
    const auto with = [](const Pool2dOptions& o) {
      return [o](const Variables& v) { return max_pool2d(v[0], o); };
    };
    return {{"2x2", {spread({2, 2, 4, 4}, 1)}, with({.kernel_size = 2})},
            {"all sizes different", {spread({2, 3, 6, 5}, 2)}, with(uneven)},
            {"overlapping, padded", {spread({1, 2, 5, 4}, 3)}, with(overlapping)},
            {"dilated",
             {spread({1, 1, 5, 6}, 4)},
             with({.kernel_size = {2, 3}, .stride = 1, .dilation = {3, 2}})},
            {"dilated, padded", {spread({1, 2, 5, 6}, 6)}, with(dilated)},
            {"no images", {spread({0, 2, 4, 4}, 5)}, with({.kernel_size = 2})}};
  }

  static std::vector<Sample> training_samples() {
    return pool_training_samples([](const Shape& x, const Pool2dOptions& o) {
      return Sample{
          to_string(x), {spread(x, 1)}, [o](const Variables& v) { return max_pool2d(v[0], o); }};
    });
  }
};

/// dx = zeros with dy added where `choices` say        dL/d(dy) = dL/d(dx) there
struct MaxPool2dScatter final : Op {
  static constexpr std::string_view name = "max_pool2d_scatter";
  Tensor choices;
  Shape input;
  Pool2dOptions options;

  MaxPool2dScatter(Tensor chosen, const Shape& shape, const Pool2dOptions& o)
      : choices(std::move(chosen)), input(shape), options(o) {}

  Tensor forward(const Variable& dy) {
    return core::max_pool2d_scatter(dy.value(), choices, input, options);
  }

  Variables backward(const Variable& g) override { return {collect(g, choices, options)}; }

  Rounding rounding() const { return multilinear(0); }

  static std::vector<Sample> samples() {
    const auto into = [](const Shape& x, const Pool2dOptions& o) {
      return [=](const Variables& v) { return scatter(v[0], choice(x, o), x, o); };
    };
    return {{"2x2", {spread({2, 2, 2, 2}, 1)}, into({2, 2, 4, 4}, {.kernel_size = 2})},
            {"all sizes different", {spread({2, 3, 3, 4}, 2)}, into({2, 3, 6, 5}, uneven)},
            {"pixels chosen twice", {spread({1, 2, 3, 2}, 3)}, into({1, 2, 5, 4}, overlapping)},
            {"dilated, padded", {spread({1, 2, 4, 4}, 5)}, into({1, 2, 5, 6}, dilated)},
            {"no images", {spread({0, 2, 2, 2}, 4)}, into({0, 2, 4, 4}, {.kernel_size = 2})}};
  }

  static std::vector<Sample> training_samples() {
    return pool_training_samples([](const Shape& x, const Pool2dOptions& o) {
      return Sample{to_string(x), {spread(pooled(x, o), 1)}, [=](const Variables& v) {
                      return scatter(v[0], choice(x, o), x, o);
                    }};
    });
  }
};

/// y = x where `choices` say        dL/dx = dL/dy added there
struct MaxPool2dGather final : Op {
  static constexpr std::string_view name = "max_pool2d_gather";
  Tensor choices;
  Pool2dOptions options;

  MaxPool2dGather(Tensor chosen, const Pool2dOptions& o) : choices(std::move(chosen)), options(o) {}

  Tensor forward(const Variable& x) { return core::max_pool2d_gather(x.value(), choices, options); }

  Variables backward(const Variable& dy) override {
    return {scatter(dy, choices, input_shape(0), options)};
  }

  Rounding rounding() const { return multilinear(0); }

  static std::vector<Sample> samples() {
    const auto with = [](const Pool2dOptions& o) {
      return [=](const Variables& v) { return collect(v[0], choice(v[0].shape(), o), o); };
    };
    return {{"2x2", {spread({2, 2, 4, 4}, 1)}, with({.kernel_size = 2})},
            {"all sizes different", {spread({2, 3, 6, 5}, 2)}, with(uneven)},
            {"pixels chosen twice", {spread({1, 2, 5, 4}, 3)}, with(overlapping)},
            {"dilated, padded", {spread({1, 2, 5, 6}, 5)}, with(dilated)},
            {"no images", {spread({0, 2, 4, 4}, 4)}, with({.kernel_size = 2})}};
  }

  static std::vector<Sample> training_samples() {
    return pool_training_samples([](const Shape& x, const Pool2dOptions& o) {
      return Sample{to_string(x), {spread(x, 1)}, [=](const Variables& v) {
                      return collect(v[0], choice(x, o), o);
                    }};
    });
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

  Rounding rounding() const { return window_mean(options); }

  static std::vector<Sample> samples() {
    const auto with = [](const Pool2dOptions& o) {
      return [o](const Variables& v) { return avg_pool2d(v[0], o); };
    };
    return {{"2x2", {spread({2, 2, 4, 4}, 1)}, with({.kernel_size = 2})},
            {"all sizes different", {spread({2, 3, 6, 5}, 2)}, with(uneven)},
            {"overlapping, padded", {spread({1, 2, 5, 4}, 3)}, with(overlapping)},
            {"padding not counted", {spread({1, 2, 4, 5}, 4)}, with(uncounted)},
            {"no images", {spread({0, 2, 4, 4}, 5)}, with({.kernel_size = 2})}};
  }

  static std::vector<Sample> training_samples() {
    return pool_training_samples([](const Shape& x, const Pool2dOptions& o) {
      return Sample{
          to_string(x), {spread(x, 1)}, [o](const Variables& v) { return avg_pool2d(v[0], o); }};
    });
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

  Rounding rounding() const { return window_mean(options); }

  static std::vector<Sample> samples() {
    const auto to = [](const Shape& x, const Pool2dOptions& o) {
      return [=](const Variables& v) { return average_grad(v[0], x, o); };
    };
    return {{"2x2", {spread({2, 2, 2, 2}, 1)}, to({2, 2, 4, 4}, {.kernel_size = 2})},
            {"all sizes different", {spread({2, 3, 3, 4}, 2)}, to({2, 3, 6, 5}, uneven)},
            {"overlapping, padded", {spread({1, 2, 3, 2}, 3)}, to({1, 2, 5, 4}, overlapping)},
            {"padding not counted", {spread({1, 2, 5, 5}, 4)}, to({1, 2, 4, 5}, uncounted)},
            {"no images", {spread({0, 2, 2, 2}, 5)}, to({0, 2, 4, 4}, {.kernel_size = 2})}};
  }

  static std::vector<Sample> training_samples() {
    return pool_training_samples([](const Shape& x, const Pool2dOptions& o) {
      return Sample{to_string(x), {spread(pooled(x, o), 1)}, [=](const Variables& v) {
                      return average_grad(v[0], x, o);
                    }};
    });
  }
};

/// y = means over bins that cover the image
/// dL/dx = Σ dL/dy / bin size, over the bins that hold x
struct AdaptiveAvgPool2d final : Op {
  static constexpr std::string_view name = "adaptive_avg_pool2d";
  Pair output_size;

  explicit AdaptiveAvgPool2d(Pair size) : output_size(size) {}

  Tensor forward(const Variable& x) { return core::adaptive_avg_pool2d(x.value(), output_size); }

  Variables backward(const Variable& dy) override { return {adaptive_grad(dy, input_shape(0))}; }

  Rounding rounding() const { return bin_mean(); }

  static std::vector<Sample> samples() {
    const auto to = [](Pair size) {
      return [size](const Variables& v) { return adaptive_avg_pool2d(v[0], size); };
    };
    return {{"to one pixel", {spread({2, 3, 4, 3}, 1)}, to(1)},
            {"uneven bins", {spread({1, 3, 5, 7}, 2)}, to({3, 2})},
            {"a square", {spread({2, 2, 4, 4}, 3)}, to({2, 4})},
            {"enlarging", {spread({1, 1, 2, 3}, 4)}, to(4)},
            {"no images", {spread({0, 2, 4, 4}, 5)}, to(2)}};
  }

  static std::vector<Sample> training_samples() {
    const auto to = [](Pair size) {
      return [size](const Variables& v) { return adaptive_avg_pool2d(v[0], size); };
    };
    std::vector<Sample> all{{"to one pixel", {spread({32, 64, 8, 8}, 1)}, to(1)},
                            {"uneven bins", {spread({8, 16, 33, 31}, 2)}, to({5, 7})}};
    for (const std::int64_t size : remainders)
      all.push_back({size_name(size), {spread({2, 3, 6, size}, 3)}, to(4)});
    return all;
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

  Rounding rounding() const { return bin_mean(); }

  static std::vector<Sample> samples() {
    const auto to = [](const Shape& x) {
      return [x](const Variables& v) { return adaptive_grad(v[0], x); };
    };
    return {{"from one pixel", {spread({2, 3, 1, 1}, 1)}, to({2, 3, 4, 3})},
            {"uneven bins", {spread({1, 3, 5, 2}, 2)}, to({1, 3, 7, 4})},
            {"a square", {spread({2, 2, 2, 4}, 3)}, to({2, 2, 4, 4})},
            {"enlarging", {spread({1, 1, 4, 4}, 4)}, to({1, 1, 2, 3})},
            {"no images", {spread({0, 2, 2, 2}, 5)}, to({0, 2, 4, 4})}};
  }

  static std::vector<Sample> training_samples() {
    const auto to = [](const Shape& x) {
      return [x](const Variables& v) { return adaptive_grad(v[0], x); };
    };
    std::vector<Sample> all{{"from one pixel", {spread({32, 64, 1, 1}, 1)}, to({32, 64, 8, 8})},
                            {"uneven bins", {spread({8, 16, 5, 7}, 2)}, to({8, 16, 33, 31})}};
    for (const std::int64_t size : remainders)
      all.push_back({size_name(size), {spread({2, 3, 4, 4}, 3)}, to({2, 3, 6, size})});
    return all;
  }
};

namespace {

Variable scatter(const Variable& dy, const Tensor& choices, const Shape& input,
                 const Pool2dOptions& options) {
  return apply(MaxPool2dScatter(choices, input, options), dy);
}
Variable collect(const Variable& x, const Tensor& choices, const Pool2dOptions& options) {
  return apply(MaxPool2dGather(choices, options), x);
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
