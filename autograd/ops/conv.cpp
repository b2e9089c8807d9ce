// Convolution. Σ dy·(x ⋆ w) is linear in each of dy, x and w. Fix two and you have one of three
// operations: conv2d, conv2d_input_grad, conv2d_weight_grad. So the backward pass of each is
// written with the other two, and derivatives of any order need nothing more.
#include <gradus/autograd/ops/chapter.h>

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
