// Convolution. Σ dy·(x ⋆ w) is linear in each of dy, x and w. Fix two and you have one of three
// operations: conv2d, conv2d_input_grad, conv2d_weight_grad. So the backward pass of each is
// written with the other two, and derivatives of any order need nothing more.
#include <gradus/autograd/check/winograd_bound.h>
#include <gradus/autograd/ops/chapter.h>

#include <array>

namespace gradus {
namespace ops {
namespace {

Variable input_grad(const Variable& dy, const Variable& w, const Shape& input,
                    const Conv2dOptions& options);
Variable weight_grad(const Variable& dy, const Variable& x, const Shape& weight,
                     const Conv2dOptions& options);

/// Of all three: one multiplication and addition for each element of y [N,O,OH,OW] and each of the
/// weights [O,C/groups,kh,kw] that it sees.
std::int64_t flops(const Tensor& y, const Shape& weight) {
  return 2 * y.numel() * weight[1] * weight[2] * weight[3];
}

/// The numbers of the trilinear form in a call of one of the three ops; those that the pass computes
/// are not needed.
struct Trilinear {
  Tensor dy, x, w;
  Shape x_shape, w_shape;
};

/// What all three state: sums of products, γ(k) of them, or Winograd's bound for a pass that
/// Winograd computes. `passes` are those of the value and of the gradients of both inputs.
Rounding convolution_rounding(const Conv2dOptions& options, const std::array<Conv2dPass, 3>& passes,
                              const std::function<Trilinear(const RoundingCall&)>& numbers_of) {
  const auto algorithm_of = [=](const Trilinear& form, std::size_t pass) {
    return core::conv2d_algorithm(form.x_shape, form.w_shape, options, float32, passes[pass]);
  };
  // Undefined where the sums of products are right.
  const auto winograd = [=](const RoundingCall& call, std::size_t pass, const Tensor& result) {
    const Trilinear form = numbers_of(call);
    if (algorithm_of(form, pass) != Conv2dAlgorithm::winograd || result.numel() == 0)
      return Tensor();
    const Tensor& first = passes[pass] == Conv2dPass::forward ? form.x : form.dy;
    const Tensor& second = passes[pass] == Conv2dPass::weight_grad ? form.x : form.w;
    const Tensor bound = winograd_bound(passes[pass], first, second, result.shape(), options);
    // A bias is added last.
    return core::add(bound, core::mul(core::abs(result), unit_roundoff));
  };
  const Rounding products = bilinear();
  const auto value = [=](const RoundingCall& call) {
    const Tensor bound = winograd(call, 0, call.y);
    return bound.defined() ? bound : products.value(call);
  };
  const auto gradients = [=](const RoundingCall& call) {
    std::vector<Tensor> bounds = products.gradients(call);
    for (std::size_t i = 0; i < 2; ++i) {
      if (!bounds[i].defined()) continue;
      const Tensor bound = winograd(call, i + 1, call.gradients[i]);
      if (bound.defined()) bounds[i] = bound;
    }
    return bounds;
  };
  const auto algorithm = [=](const RoundingCall& call, std::size_t pass) {
    if (pass >= passes.size()) return std::string();
    return std::string(to_string(algorithm_of(numbers_of(call), pass)));
  };
  return {.value = value, .gradients = gradients, .algorithm = algorithm, .bilinear = true};
}

/// For the proof in float32: geometries that train, and all algorithms with them.
struct Geometry {
  const char* description;
  Shape x, w;
  Conv2dOptions options;
  bool bias = false;
};

std::vector<Geometry> training_geometries() {
  std::vector<Geometry> all{
      {"the first layer", {8, 3, 32, 32}, {16, 3, 3, 3}, {.padding = 1}, true},
      {"5x5", {16, 1, 28, 28}, {6, 1, 5, 5}, {.padding = 2}, true},
      {"5x5, more channels", {8, 6, 14, 14}, {16, 6, 5, 5}, {}, true},
      {"64x64 pixels", {4, 16, 64, 64}, {16, 16, 3, 3}, {.padding = 1}, false},
      {"many channels", {8, 64, 32, 32}, {64, 64, 3, 3}, {.padding = 1}, true},
      {"small images", {32, 96, 8, 8}, {96, 96, 3, 3}, {.padding = 1}, false},
      {"ragged tiles", {9, 48, 33, 31}, {52, 48, 3, 3}, {}, true},
      {"stride 2", {8, 32, 32, 32}, {64, 32, 3, 3}, {.stride = 2, .padding = 1}, false},
      // A single image is cut into tiles, and with this padding the phases of a stride begin at
      // different rows.
      {"stride 2, one image", {1, 16, 32, 32}, {16, 16, 3, 3}, {.stride = 2, .padding = 1}, false},
      {"7x7, stride 2", {1, 3, 64, 64}, {16, 3, 7, 7}, {.stride = 2, .padding = 3}, true},
      {"stride 3", {1, 16, 61, 40}, {16, 16, 4, 4}, {.stride = 3, .padding = 1}, false},
      {"dilation", {4, 16, 20, 20}, {16, 16, 3, 3}, {.padding = 2, .dilation = 2}, false},
      {"groups", {8, 32, 17, 15}, {48, 8, 3, 3}, {.padding = 1, .groups = 4}, true},
      {"depthwise", {8, 33, 31, 33}, {33, 1, 3, 3}, {.padding = 1, .groups = 33}, false},
      {"depthwise, stride 2",
       {8, 32, 32, 32},
       {32, 1, 3, 3},
       {.stride = 2, .padding = 1, .groups = 32},
       false},
      {"1x1", {8, 64, 16, 16}, {96, 64, 1, 1}, {}, true},
      {"1x1, few channels", {8, 16, 17, 19}, {31, 16, 1, 1}, {}, false},
      {"1x1, stride 2", {8, 32, 16, 16}, {64, 32, 1, 1}, {.stride = 2}, false},
  };
  for (const std::int64_t size : remainders) {
    all.push_back({"filters", {2, 5, 9, 9}, {size, 5, 3, 3}, {.padding = 1}, true});
    all.push_back({"channels", {2, size, 9, 9}, {7, size, 3, 3}, {.padding = 1}, false});
    all.push_back({"columns", {2, 5, 7, size}, {13, 5, 3, 3}, {.padding = 1}, false});
  }
  return all;
}

Shape output_shape(const Geometry& g) {
  const auto size = [](std::int64_t in, std::int64_t kernel, std::int64_t stride,
                       std::int64_t padding, std::int64_t dilation) {
    return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  };
  const Conv2dOptions& o = g.options;
  return {g.x[0], g.w[0],
          size(g.x[2], g.w[2], o.stride.height, o.padding.height, o.dilation.height),
          size(g.x[3], g.w[3], o.stride.width, o.padding.width, o.dilation.width)};
}

std::string described(const Geometry& g) {
  return std::string(g.description) + ", " + to_string(g.x) + " by " + to_string(g.w);
}

}  // namespace

/// y = x ⋆ w + b        dL/dx = input_grad(dL/dy, w),   dL/dw = weight_grad(dL/dy, x),
///                      dL/db = Σ_{n,i,j} dL/dy
struct Conv2d final : Op {
  static constexpr std::string_view name = "conv2d";
  Conv2dOptions options;
  Variable x, w;
  Epilogue epilogue;

  explicit Conv2d(const Conv2dOptions& o) : options(o), epilogue{o.activation} {}

  Tensor forward(const Variable& input, const Variable& weight, const Variable& bias) {
    if (needs(1)) x = input;
    if (needs(0)) w = weight;
    const Tensor y = core::conv2d(input.value(), weight.value(),
                                  bias.defined() ? bias.value() : Tensor(), options);
    options.activation = Activation::none;  // the gradients are those of the convolution alone
    count_flops(flops(y, weight.shape()));
    return epilogue.kept(y);
  }

  Variables backward(const Variable& dy) override {
    const Variable g = epilogue.backward(dy);
    return {needs(0) ? input_grad(g, w, input_shape(0), options) : Variable(),
            needs(1) ? weight_grad(g, x, input_shape(1), options) : Variable(),
            needs(2) ? sum(g, {0, 2, 3}) : Variable()};
  }

  Activation take_activation() {
    options.activation = Activation::none;
    return epilogue.take();
  }

  Rounding rounding() const {
    return convolution_rounding(
        options, {Conv2dPass::forward, Conv2dPass::input_grad, Conv2dPass::weight_grad},
        [](const RoundingCall& call) {
          return Trilinear{call.dy, call.inputs[0], call.inputs[1], call.inputs[0].shape(),
                           call.inputs[1].shape()};
        });
  }

  static std::vector<Sample> samples() { return activation_samples(samples_with); }

  static std::vector<Sample> samples_with(Activation activation) {
    const auto with = [=](Conv2dOptions o) {
      o.activation = activation;
      return [=](const Variables& v) {
        return conv2d(v[0], v[1], v.size() > 2 ? v[2] : Variable(), o);
      };
    };
    return {
        {"3x3 with bias",
         {spread({2, 2, 5, 4}, 1), spread({4, 2, 3, 3}, 2), spread({4}, 3)},
         with({})},
        {"all sizes different", {spread({3, 2, 6, 4}, 4), spread({5, 2, 4, 3}, 5)}, with({})},
        {"all sizes equal",
         {spread({3, 3, 3, 3}, 6), spread({3, 3, 3, 3}, 7)},
         with({.padding = 1})},
        {"1x1", {spread({2, 3, 3, 4}, 8), spread({4, 3, 1, 1}, 9), spread({4}, 10)}, with({})},
        {"1x1, strided", {spread({1, 3, 5, 4}, 11), spread({2, 3, 1, 1}, 12)}, with({.stride = 2})},
        {"1x1, padded", {spread({1, 2, 3, 3}, 13), spread({2, 2, 1, 1}, 14)}, with({.padding = 1})},
        {"stride and padding",
         {spread({2, 2, 5, 6}, 15), spread({2, 2, 3, 2}, 16)},
         with({.stride = {2, 1}, .padding = {1, 0}})},
        {"dilation",
         {spread({1, 2, 6, 7}, 17), spread({2, 2, 2, 3}, 18)},
         with({.dilation = {2, 3}})},
        {"groups",
         {spread({2, 4, 4, 4}, 19), spread({6, 2, 3, 3}, 20), spread({6}, 21)},
         with({.padding = 1, .groups = 2})},
        {"depthwise",
         {spread({1, 3, 5, 5}, 22), spread({3, 1, 3, 3}, 23)},
         with({.stride = 2, .padding = 1, .groups = 3})},
        {"depthwise, two filters a channel",
         {spread({2, 2, 4, 5}, 24), spread({4, 1, 3, 3}, 25), spread({4}, 26)},
         with({.groups = 2})},
        {"every option at once",
         {spread({2, 4, 6, 4}, 27), spread({4, 2, 3, 2}, 28), spread({4}, 29)},
         with({.stride = {1, 2}, .padding = {2, 1}, .dilation = {2, 3}, .groups = 2})},
        {"pixels no window reaches",
         {spread({1, 1, 6, 6}, 30), spread({1, 1, 2, 2}, 31)},
         with({.stride = 3})},
        {"a permuted input",
         {spread({2, 5, 4, 2}, 32), spread({3, 2, 3, 3}, 33)},
         [=](const Variables& v) {
           return conv2d(permute(v[0], {0, 3, 1, 2}), v[1], {}, {.activation = activation});
         }},
        {"no images",
         {spread({0, 2, 4, 4}, 34), spread({3, 2, 3, 3}, 35), spread({3}, 36)},
         with({})},
        {"no input channels",
         {spread({2, 0, 4, 4}, 37), spread({3, 0, 3, 3}, 38), spread({3}, 39)},
         with({})},
        {"no output channels", {spread({2, 3, 4, 4}, 40), spread({0, 3, 3, 3}, 41)}, with({})},
        {"the same twice", {spread({2, 2, 3, 3}, 42)}, [=](const Variables& v) {
           return conv2d(v[0], v[0], {}, {.padding = 1, .activation = activation});
         }}};
  }

  static std::vector<Sample> training_samples() {
    return activation_samples(training_samples_with);
  }

  static std::vector<Sample> training_samples_with(Activation activation) {
    std::vector<Sample> all;
    for (const Geometry& g : training_geometries()) {
      Variables inputs{spread(g.x, 1), spread(g.w, 2)};
      if (g.bias) inputs.push_back(spread({g.w[0]}, 3));
      Conv2dOptions options = g.options;
      options.activation = activation;
      all.push_back({described(g), inputs, [=](const Variables& v) {
                       return conv2d(v[0], v[1], v.size() > 2 ? v[2] : Variable(), options);
                     }});
    }
    return all;
  }
};

/// dx = input_grad(dy, w)        dL/d(dy) = dL/d(dx) ⋆ w,   dL/dw = weight_grad(dy, dL/d(dx))
struct Conv2dInputGrad final : Op {
  static constexpr std::string_view name = "conv2d_input_grad";
  Shape input;
  Conv2dOptions options;
  Variable dy, w;

  Conv2dInputGrad(const Shape& shape, const Conv2dOptions& o) : input(shape), options(o) {}

  Tensor forward(const Variable& slope, const Variable& weight) {
    if (needs(1)) dy = slope;
    if (needs(0)) w = weight;
    Tensor dx = core::conv2d_input_grad(slope.value(), weight.value(), input, options);
    count_flops(flops(slope.value(), weight.shape()));
    return dx;
  }

  Variables backward(const Variable& g) override {
    return {needs(0) ? conv2d(g, w, {}, options) : Variable(),
            needs(1) ? weight_grad(dy, g, input_shape(1), options) : Variable()};
  }

  Rounding rounding() const {
    return convolution_rounding(
        options, {Conv2dPass::input_grad, Conv2dPass::forward, Conv2dPass::weight_grad},
        [shape = input](const RoundingCall& call) {  // call.dy is dL/d(dx), in the place of x
          return Trilinear{call.inputs[0], call.dy, call.inputs[1], shape, call.inputs[1].shape()};
        });
  }

  static std::vector<Sample> samples() {
    const auto to = [](const Shape& x, const Conv2dOptions& o) {
      return [=](const Variables& v) { return input_grad(v[0], v[1], x, o); };
    };
    return {
        {"3x3", {spread({2, 4, 3, 2}, 1), spread({4, 2, 3, 3}, 2)}, to({2, 2, 5, 4}, {})},
        {"all sizes different",
         {spread({3, 5, 3, 2}, 3), spread({5, 2, 4, 3}, 4)},
         to({3, 2, 6, 4}, {})},
        {"all sizes equal",
         {spread({3, 3, 3, 3}, 5), spread({3, 3, 3, 3}, 6)},
         to({3, 3, 3, 3}, {.padding = 1})},
        {"stride and padding",
         {spread({2, 3, 3, 4}, 7), spread({3, 2, 3, 3}, 8)},
         to({2, 2, 5, 4}, {.stride = {2, 1}, .padding = 1})},
        {"groups and dilation",
         {spread({2, 4, 4, 2}, 9), spread({4, 1, 3, 3}, 10)},
         to({2, 2, 4, 4}, {.padding = 1, .dilation = {1, 2}, .groups = 2})},
        {"1x1", {spread({2, 3, 2, 2}, 11), spread({3, 2, 1, 1}, 12)}, to({2, 2, 2, 2}, {})},
        {"pixels no window reaches",
         {spread({1, 2, 2, 2}, 13), spread({2, 1, 2, 2}, 14)},
         to({1, 1, 6, 6}, {.stride = 3})},
        {"no images", {spread({0, 3, 2, 2}, 15), spread({3, 2, 3, 3}, 16)}, to({0, 2, 4, 4}, {})},
        {"the same twice", {spread({2, 2, 3, 3}, 17)}, [](const Variables& v) {
           return input_grad(v[0], v[0], {2, 2, 5, 5}, {});
         }}};
  }

  static std::vector<Sample> training_samples() {
    std::vector<Sample> all;
    for (const Geometry& g : training_geometries()) {
      all.push_back({described(g),
                     {spread(output_shape(g), 1), spread(g.w, 2)},
                     [x = g.x, options = g.options](const Variables& v) {
                       return input_grad(v[0], v[1], x, options);
                     }});
    }
    return all;
  }
};

/// dw = weight_grad(dy, x)        dL/d(dy) = x ⋆ dL/d(dw),   dL/dx = input_grad(dy, dL/d(dw))
struct Conv2dWeightGrad final : Op {
  static constexpr std::string_view name = "conv2d_weight_grad";
  Shape weight;
  Conv2dOptions options;
  Variable dy, x;

  Conv2dWeightGrad(const Shape& shape, const Conv2dOptions& o) : weight(shape), options(o) {}

  Tensor forward(const Variable& slope, const Variable& input) {
    if (needs(1)) dy = slope;
    if (needs(0)) x = input;
    Tensor dw = core::conv2d_weight_grad(slope.value(), input.value(), weight, options);
    count_flops(flops(slope.value(), weight));
    return dw;
  }

  Variables backward(const Variable& g) override {
    return {needs(0) ? conv2d(x, g, {}, options) : Variable(),
            needs(1) ? input_grad(dy, g, input_shape(1), options) : Variable()};
  }

  Rounding rounding() const {
    return convolution_rounding(
        options, {Conv2dPass::weight_grad, Conv2dPass::forward, Conv2dPass::input_grad},
        [shape = weight](const RoundingCall& call) {  // call.dy is dL/d(dw), in the place of w
          return Trilinear{call.inputs[0], call.inputs[1], call.dy, call.inputs[1].shape(), shape};
        });
  }

  static std::vector<Sample> samples() {
    const auto to = [](const Shape& w, const Conv2dOptions& o) {
      return [=](const Variables& v) { return weight_grad(v[0], v[1], w, o); };
    };
    return {
        {"3x3", {spread({2, 4, 3, 2}, 1), spread({2, 2, 5, 4}, 2)}, to({4, 2, 3, 3}, {})},
        {"all sizes different",
         {spread({3, 5, 3, 2}, 3), spread({3, 2, 6, 4}, 4)},
         to({5, 2, 4, 3}, {})},
        {"all sizes equal",
         {spread({3, 3, 3, 3}, 5), spread({3, 3, 3, 3}, 6)},
         to({3, 3, 3, 3}, {.padding = 1})},
        {"stride and padding",
         {spread({2, 3, 3, 4}, 7), spread({2, 2, 5, 4}, 8)},
         to({3, 2, 3, 3}, {.stride = {2, 1}, .padding = 1})},
        {"groups and dilation",
         {spread({2, 4, 4, 2}, 9), spread({2, 2, 4, 4}, 10)},
         to({4, 1, 3, 3}, {.padding = 1, .dilation = {1, 2}, .groups = 2})},
        {"1x1", {spread({2, 3, 2, 2}, 11), spread({2, 2, 2, 2}, 12)}, to({3, 2, 1, 1}, {})},
        {"pixels no window reaches",
         {spread({1, 2, 2, 2}, 13), spread({1, 1, 6, 6}, 14)},
         to({2, 1, 2, 2}, {.stride = 3})},
        {"no images", {spread({0, 3, 2, 2}, 15), spread({0, 2, 4, 4}, 16)}, to({3, 2, 3, 3}, {})},
        {"the same twice", {spread({2, 2, 3, 3}, 17)}, [](const Variables& v) {
           return weight_grad(v[0], v[0], {2, 2, 3, 3}, {.padding = 1});
         }}};
  }

  static std::vector<Sample> training_samples() {
    std::vector<Sample> all;
    for (const Geometry& g : training_geometries()) {
      all.push_back({described(g),
                     {spread(output_shape(g), 1), spread(g.x, 2)},
                     [w = g.w, options = g.options](const Variables& v) {
                       return weight_grad(v[0], v[1], w, options);
                     }});
    }
    return all;
  }
};

namespace {

Variable input_grad(const Variable& dy, const Variable& w, const Shape& input,
                    const Conv2dOptions& options) {
  return apply(Conv2dInputGrad(input, options), dy, w);
}
Variable weight_grad(const Variable& dy, const Variable& x, const Shape& weight,
                     const Conv2dOptions& options) {
  return apply(Conv2dWeightGrad(weight, options), dy, x);
}

}  // namespace

template OpInfo op_info<Conv2d>();
template OpInfo op_info<Conv2dInputGrad>();
template OpInfo op_info<Conv2dWeightGrad>();

}  // namespace ops

Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias,
                const Conv2dOptions& options) {
  return apply(ops::Conv2d(options), x, weight, bias);
}

}  // namespace gradus
