// Convolution. Σ dy·(x ⋆ w) is linear in each of dy, x and w. Fix two and you have one of three
// operations: conv2d, conv2d_input_grad, conv2d_weight_grad. So the backward pass of each is
// written with the other two, and derivatives of any order need nothing more.
//
// All other convolutions are made of these: along one axis, of an image alone, transposed.
#include <gradus/autograd/convolution_call.h>
#include <gradus/autograd/ops/chapter.h>
#include <gradus/core/detail/conv_checks.h>
#include <gradus/core/winograd_bound.h>

#include <array>

namespace gradus {
namespace ops {
namespace {

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

}  // namespace

/// y = x ⋆ w + b        dL/dx = conv2d_input_grad(dL/dy, w),   dL/dw = conv2d_weight_grad(dL/dy, x),
///                      dL/db = Σ_{n,i,j} dL/dy
struct Conv2d final : Op, ConvolutionCall {
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
    return {needs(0) ? conv2d_input_grad(g, w, input_shape(0), options) : Variable(),
            needs(1) ? conv2d_weight_grad(g, x, input_shape(1), options) : Variable(),
            needs(2) ? sum(g, {0, 2, 3}) : Variable()};
  }

  Conv2dOptions convolution() const override {
    Conv2dOptions called = options;
    called.activation = epilogue.activation;
    return called;
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
};

/// dx = conv2d_input_grad(dy, w)        dL/d(dy) = dL/d(dx) ⋆ w,   dL/dw = conv2d_weight_grad(dy, dL/d(dx))
struct Conv2dInputGrad final : Op, ConvolutionCall {
  static constexpr std::string_view name = "conv2d_input_grad";
  Shape input;
  Conv2dOptions options;
  Variable dy, w;

  Conv2dInputGrad(const Shape& shape, const Conv2dOptions& o) : input(shape), options(o) {}
  Conv2dOptions convolution() const override { return options; }

  Tensor forward(const Variable& slope, const Variable& weight) {
    if (needs(1)) dy = slope;
    if (needs(0)) w = weight;
    Tensor dx = core::conv2d_input_grad(slope.value(), weight.value(), input, options);
    count_flops(flops(slope.value(), weight.shape()));
    return dx;
  }

  Variables backward(const Variable& g) override {
    return {needs(0) ? conv2d(g, w, {}, options) : Variable(),
            needs(1) ? conv2d_weight_grad(dy, g, input_shape(1), options) : Variable()};
  }

  Rounding rounding() const {
    return convolution_rounding(
        options, {Conv2dPass::input_grad, Conv2dPass::forward, Conv2dPass::weight_grad},
        [shape = input](const RoundingCall& call) {  // call.dy is dL/d(dx), in the place of x
          return Trilinear{call.inputs[0], call.dy, call.inputs[1], shape, call.inputs[1].shape()};
        });
  }
};

/// dw = conv2d_weight_grad(dy, x)        dL/d(dy) = x ⋆ dL/d(dw),   dL/dx = conv2d_input_grad(dy, dL/d(dw))
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
            needs(1) ? conv2d_input_grad(dy, g, input_shape(1), options) : Variable()};
  }

  Rounding rounding() const {
    return convolution_rounding(
        options, {Conv2dPass::weight_grad, Conv2dPass::forward, Conv2dPass::input_grad},
        [shape = weight](const RoundingCall& call) {  // call.dy is dL/d(dw), in the place of w
          return Trilinear{call.inputs[0], call.inputs[1], call.dy, call.inputs[1].shape(), shape};
        });
  }
};

namespace {

/// Of images [N,C,H,W]. The kernels know the same zeros before and behind: where `same` has one more
/// behind, it is laid there first.
Variable conv2d_of_batch(const Operand& x, const Variable& weight, const Variable& bias,
                         Conv2dOptions options) {
  if (options.padding.rule != Padding::Rule::same || weight.rank() != 4)
    return apply(Conv2d(options), x, weight, bias);
  const auto [before, behind] =
      checks::padding_sizes(Conv2d::name, options.padding, {weight.size(2), weight.size(3)},
                            options.stride, options.dilation);
  options.padding = before;
  if (before == behind) return apply(Conv2d(options), x, weight, bias);
  const Variable larger =
      pad(x, {0, behind.width - before.width, 0, behind.height - before.height});
  return apply(Conv2d(options), {larger, x.at()}, weight, bias);
}

/// Of images [N,C,H,W].
Variable conv_transpose2d_of_batch(const Operand& x, const Variable& weight, const Variable& bias,
                                   const ConvTranspose2dOptions& o) {
  const Shape output = checks::check_conv_transpose2d(x->value(), weight.value(),
                                                      bias.defined() ? bias.value() : Tensor(), o);
  // conv2d makes of all outputs within a stride the same x. An output_padding beyond, which a dilation
  // allows, is what more pixels of x give that are 0.
  const Pair more{o.output_padding.height / o.stride.height,
                  o.output_padding.width / o.stride.width};
  const Variable input = more == Pair(0) ? *x : pad(x, {0, more.width, 0, more.height});
  const Variable y = conv2d_input_grad(
      {input, x.at()}, weight, output,
      {.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups});
  if (!bias.defined()) return y;
  return add({y, x.at()}, reshape({bias, x.at()}, {output[1], 1, 1}));
}

}  // namespace
}  // namespace ops

Variable conv2d(const Operand& x, const Variable& weight, const Variable& bias,
                const Conv2dOptions& options) {
  return ops::batched("conv2d", 4, x, [&](const Operand& images) {
    return ops::conv2d_of_batch(images, weight, bias, options);
  });
}

Variable conv1d(const Operand& x, const Variable& weight, const Variable& bias,
                const Conv1dOptions& o) {
  Conv2dOptions options{.stride = {1, o.stride},
                        .padding = o.padding,
                        .dilation = {1, o.dilation},
                        .groups = o.groups,
                        .activation = o.activation};
  if (o.padding.height != o.padding.width) {
    fail<ValueError>("conv1d: padding must be one number, got ", checks::spell(o.padding));
  }
  options.padding.height = 0;
  return ops::batched("conv1d", 3, x, [&](const Operand& rows) {
    checks::check_conv1d(rows->value(), weight.value(), bias.defined() ? bias.value() : Tensor(),
                         options);
    const Variable images = unsqueeze(rows, 2);
    const Variable kernel = unsqueeze({weight, rows.at()}, 2);
    const Variable y = conv2d({images, rows.at()}, kernel, bias, options);
    return squeeze({y, rows.at()}, 2);
  });
}

Variable conv_transpose2d(const Operand& x, const Variable& weight, const Variable& bias,
                          const ConvTranspose2dOptions& options) {
  return ops::batched("conv_transpose2d", 4, x, [&](const Operand& images) {
    return ops::conv_transpose2d_of_batch(images, weight, bias, options);
  });
}

Variable conv2d_input_grad(const Operand& dy, const Variable& weight, const Shape& input,
                           const Conv2dOptions& options) {
  return apply(ops::Conv2dInputGrad(input, options), dy, weight);
}

Variable conv2d_weight_grad(const Operand& dy, const Variable& x, const Shape& weight,
                            const Conv2dOptions& options) {
  return apply(ops::Conv2dWeightGrad(weight, options), dy, x);
}

}  // namespace gradus
