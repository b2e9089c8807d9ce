// Convolution and pooling: what is asked of shapes is checked once, for all three directions, and
// memory is allocated here.
#include <gradus/core/conv.h>
#include <gradus/core/detail/conv_checks.h>
#include <gradus/core/detail/environment.h>
#include <gradus/core/kernels/conv2d/conv2d.h>
#include <gradus/core/kernels/pool/pool2d.h>
#include <gradus/core/math.h>

#include <algorithm>
#include <atomic>

namespace gradus {

using namespace checks;

namespace {

constexpr int automatic = -1;
std::atomic<int> forced_algorithm{automatic};

std::atomic<bool>& winograd_allowed() {
  static std::atomic<bool> allowed =
      gradus::detail::switch_from_environment("GRADUS_WINOGRAD", true);
  return allowed;
}

/// A forgotten mask would be a wrong gradient that looks like a right one.
void check_linear(std::string_view op, const Conv2dOptions& o) {
  if (o.activation != Activation::none)
    fail<ValueError>(op, ": the activation must be none, got relu; mask dy with relu_grad");
}

template <class T>
kernels::Conv2dChoice choice_for(const kernels::Conv2dGeometry& geometry,
                                 kernels::Conv2dPass pass) {
  return kernels::explain<T>(geometry, pass, winograd_allowed().load(std::memory_order_relaxed));
}

template <class T>
Conv2dAlgorithm algorithm_for(const kernels::Conv2dGeometry& geometry, kernels::Conv2dPass pass) {
  const std::optional<Conv2dAlgorithm> forced = forced_conv2d_algorithm();
  if (!forced) return choice_for<T>(geometry, pass).algorithm;
  if (!kernels::supports(*forced, geometry)) {
    fail<ValueError>("conv2d: the forced algorithm ", kernels::to_string(*forced),
                     " cannot do a kernel of ", geometry.kernel_h, "x", geometry.kernel_w,
                     " with stride ", spell({geometry.stride_h, geometry.stride_w}), ", padding ",
                     spell({geometry.padding_h, geometry.padding_w}), ", dilation ",
                     spell({geometry.dilation_h, geometry.dilation_w}), ", ", geometry.in_channels,
                     " input channels and ", geometry.groups, " groups in ", dtype_of<T>());
  }
  return *forced;
}

bool is_empty(const kernels::Conv2dGeometry& g) {
  return g.batch == 0 || g.in_channels == 0 || g.out_channels == 0 || g.in_plane() == 0;
}

void check_shape(std::string_view op, std::string_view what, const Tensor& tensor,
                 const Shape& output) {
  if (tensor.shape() != output)
    fail<ShapeError>(op, ": ", what, " is ", tensor.shape(), ", the output is ", output);
}

void check_output(std::string_view op, const Tensor& dy, const Shape& expected) {
  check_shape(op, "dy", dy, expected);
}

Shape output_shape(const kernels::Conv2dGeometry& g) {
  return {g.batch, g.out_channels, g.out_height(), g.out_width()};
}

/// [N,C,H,W] whose products do not overflow: of an input that is given as a tensor or as a shape.
void check_image(std::string_view op, const Shape& input) {
  if (input.rank() != 4) fail<ShapeError>(op, ": expects an input [N,C,H,W], got ", input);
  check_extent(op, input);
  check_sizes(op, input);
}

/// Average pooling has neither dilation nor windows that may hang over by more than
/// half a kernel.
kernels::Pool2dGeometry pool_geometry(std::string_view op, const Shape& x, const Pool2dOptions& o,
                                      Axes axes = Axes::both) {
  check_image(op, x);
  const Pair stride{o.stride.height == 0 ? o.kernel_size.height : o.stride.height,
                    o.stride.width == 0 ? o.kernel_size.width : o.stride.width};
  if (o.kernel_size.height < 1 || o.kernel_size.width < 1) {
    fail<ValueError>(op, ": kernel_size must be at least 1, got ", spell(o.kernel_size, axes));
  }
  check_extent(op, {o.kernel_size.height, o.kernel_size.width});
  check_options(op, {.stride = stride, .padding = o.padding, .dilation = o.dilation}, axes);
  if (2 * o.padding.height > o.kernel_size.height || 2 * o.padding.width > o.kernel_size.width) {
    fail<ValueError>(op, ": padding ", spell(o.padding, axes), " is more than half of kernel_size ",
                     spell(o.kernel_size, axes));
  }
  const kernels::Pool2dGeometry g{.planes = x[0] * x[1],
                                  .in_height = x[2],
                                  .in_width = x[3],
                                  .kernel_h = o.kernel_size.height,
                                  .kernel_w = o.kernel_size.width,
                                  .stride_h = stride.height,
                                  .stride_w = stride.width,
                                  .padding_h = o.padding.height,
                                  .padding_w = o.padding.width,
                                  .dilation_h = o.dilation.height,
                                  .dilation_w = o.dilation.width,
                                  .ceil_mode = o.ceil_mode};
  if (g.out_height() < 1 || g.out_width() < 1 || x[2] < 1 || x[3] < 1) {
    const std::int64_t reach_h = o.dilation.height * (o.kernel_size.height - 1) + 1;
    const std::int64_t reach_w = o.dilation.width * (o.kernel_size.width - 1) + 1;
    const std::string padded =
        extent(x[2] + 2 * o.padding.height, x[3] + 2 * o.padding.width, axes);
    fail<ShapeError>(op, ": the window reaches ", extent(reach_h, reach_w, axes),
                     ", the padded input is only ", padded, " (input ", as_given(x, axes), ")");
  }
  return g;
}

/// Indices into the planes of `input`, or no_pixel, as max_pool2d gives them: anything else would be
/// read or written outside of the tensor.
void check_indices(std::string_view op, const Tensor& indices, const Shape& input) {
  if (!indices.defined() || indices.dtype() != int64) {
    fail<DTypeError>(op, ": the indices must be int64, got ", describe(indices),
                     indices.defined() ? "; cast with .to(int64)" : "");
  }
  check_image(op, input);
  if (indices.rank() != 4 || indices.shape()[0] != input[0] || indices.shape()[1] != input[1]) {
    fail<ShapeError>(op, ": indices ", indices.shape(), " do not fit input ", input);
  }
  const Tensor dense = indices.contiguous();
  const std::int64_t* index = dense.data<std::int64_t>();
  const std::int64_t plane = input[2] * input[3];
  for (std::int64_t i = 0, n = dense.numel(); i < n; ++i) {
    if (index[i] < kernels::no_pixel || index[i] >= plane) {
      fail<ShapeError>(op, ": index ", index[i], " is outside of the ", plane, " pixels of input ",
                       input);
    }
  }
}

Shape pooled_shape(const Shape& x, const kernels::Pool2dGeometry& g) {
  return {x[0], x[1], g.out_height(), g.out_width()};
}

/// Throws unless `choices` have the shape of what pooling `input` gives.
kernels::Pool2dGeometry geometry_of_choices(std::string_view op, const Tensor& choices,
                                            const Shape& input, const Pool2dOptions& options) {
  const auto g = pool_geometry(op, input, options);
  check_shape(op, "the choice", choices, pooled_shape(input, g));
  return g;
}

/// Places as max_pool2d_compact gives them for `input`: with one in the padding, or beyond the
/// window, memory outside of the tensor would be read or written.
kernels::Pool2dGeometry geometry_of_places(std::string_view op, const Tensor& places,
                                           const Shape& input, const Pool2dOptions& options) {
  const auto g = geometry_of_choices(op, places, input, options);
  if (!kernels::place_fits_byte(g))
    fail<DTypeError>(op, ": the indices must be int64, got ", describe(places));
  const Tensor dense = places.contiguous();
  const std::uint8_t* place = dense.data<std::uint8_t>();
  std::uint8_t greatest = 0;
  for (std::int64_t i = 0, n = dense.numel(); i < n; ++i) greatest = std::max(greatest, place[i]);
  if (dense.numel() > 0 && greatest >= g.kernel_h * g.kernel_w) {
    fail<ShapeError>(op, ": place ", static_cast<int>(greatest), " is outside of the window of ",
                     spell(options.kernel_size));
  }
  if (g.padding_h == 0 && g.padding_w == 0 && !g.ceil_mode) return g;
  for (std::int64_t i = 0, n = dense.numel(), width = g.out_width(); i < n; ++i) {
    const std::int64_t output = i % g.out_plane();
    const std::int64_t h =
        output / width * g.stride_h - g.padding_h + place[i] / g.kernel_w * g.dilation_h;
    const std::int64_t w =
        output % width * g.stride_w - g.padding_w + place[i] % g.kernel_w * g.dilation_w;
    if (h < 0 || h >= g.in_height || w < 0 || w >= g.in_width) {
      fail<ShapeError>(op, ": place ", static_cast<int>(place[i]), " of window ", output,
                       " is outside of the pixels of input ", input);
    }
  }
  return g;
}

kernels::AdaptivePool2dGeometry adaptive_geometry(std::string_view op, const Shape& x,
                                                  Pair output_size, Axes axes = Axes::both) {
  check_image(op, x);
  if (output_size.height < 1 || output_size.width < 1)
    fail<ValueError>(op, ": output_size must be at least 1, got ", spell(output_size, axes));
  check_extent(op, {output_size.height, output_size.width});
  if (x[2] < 1 || x[3] < 1) {
    fail<ShapeError>(op, ": the input ", as_given(x, axes), " has no ",
                     axes == Axes::both ? "pixels" : "elements along L");
  }
  return {.planes = x[0] * x[1],
          .in_height = x[2],
          .in_width = x[3],
          .out_height = output_size.height,
          .out_width = output_size.width};
}

}  // namespace

std::string_view to_string(Padding::Rule rule) {
  switch (rule) {
    case Padding::Rule::sizes:
      return "sizes";
    case Padding::Rule::valid:
      return "valid";
    case Padding::Rule::same:
      return "same";
  }
  return "?";
}

std::string_view to_string(PaddingMode mode) {
  switch (mode) {
    case PaddingMode::zeros:
      return "zeros";
    case PaddingMode::reflect:
      return "reflect";
    case PaddingMode::replicate:
      return "replicate";
    case PaddingMode::circular:
      return "circular";
  }
  return "?";
}

void set_conv2d_algorithm(std::optional<Conv2dAlgorithm> algorithm) {
  forced_algorithm.store(algorithm ? static_cast<int>(*algorithm) : automatic,
                         std::memory_order_relaxed);
}

std::optional<Conv2dAlgorithm> forced_conv2d_algorithm() {
  const int forced = forced_algorithm.load(std::memory_order_relaxed);
  if (forced == automatic) return std::nullopt;
  return static_cast<Conv2dAlgorithm>(forced);
}

void set_conv2d_winograd(bool allowed) {
  winograd_allowed().store(allowed, std::memory_order_relaxed);
}

namespace core {

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Conv2dOptions& options) {
  constexpr std::string_view op = "conv2d";
  const bool relu = options.activation == Activation::relu;
  check_tensor(op, "input", x, 4);
  check_tensor(op, "weight", weight, 4);
  check_same_dtype(op, "input", x, "weight", weight);
  const auto geometry = geometry_of(op, x.shape(), weight.shape(), options);
  check_bias(op, x, weight, bias, weight.shape()[0]);
  const Tensor y = Tensor::empty(output_shape(geometry), x.dtype());
  if (y.numel() == 0) return y;
  const Tensor dense_bias = bias.defined() ? bias.contiguous() : bias;
  dispatch_floating(op, x.dtype(), [&]<class T>() {
    const T* offset = bias.defined() ? dense_bias.data<T>() : nullptr;
    if (is_empty(geometry)) {  // an empty sum, plus the bias
      y.fill_(0);
      if (bias.defined()) y.copy_(dense_bias.reshape({1, bias.numel(), 1, 1}));
      if (relu) y.copy_(core::relu(y));
      return;
    }
    kernels::conv2d_forward(algorithm_for<T>(geometry, kernels::Conv2dPass::forward), geometry,
                            x.contiguous().data<T>(), weight.contiguous().data<T>(),
                            {.bias = offset, .relu = relu}, y.data<T>());
  });
  return y;
}

Tensor conv2d_input_grad(const Tensor& dy, const Tensor& weight, const Shape& input,
                         const Conv2dOptions& options) {
  check_tensor("conv2d_input_grad", "dy", dy, 4);
  check_tensor("conv2d_input_grad", "weight", weight, 4);
  check_same_dtype("conv2d_input_grad", "dy", dy, "weight", weight);
  check_linear("conv2d_input_grad", options);
  const auto geometry = geometry_of("conv2d_input_grad", input, weight.shape(), options);
  check_output("conv2d_input_grad", dy, output_shape(geometry));
  const Tensor dx = Tensor::empty(input, dy.dtype());
  if (is_empty(geometry)) return dx.fill_(0);
  dispatch_floating("conv2d_input_grad", dy.dtype(), [&]<class T>() {
    kernels::conv2d_input_grad(algorithm_for<T>(geometry, kernels::Conv2dPass::input_grad),
                               geometry, dy.contiguous().data<T>(), weight.contiguous().data<T>(),
                               dx.data<T>());
  });
  return dx;
}

Tensor conv2d_weight_grad(const Tensor& dy, const Tensor& x, const Shape& weight,
                          const Conv2dOptions& options) {
  check_tensor("conv2d_weight_grad", "dy", dy, 4);
  check_tensor("conv2d_weight_grad", "input", x, 4);
  check_same_dtype("conv2d_weight_grad", "dy", dy, "input", x);
  check_linear("conv2d_weight_grad", options);
  const auto geometry = geometry_of("conv2d_weight_grad", x.shape(), weight, options);
  check_output("conv2d_weight_grad", dy, output_shape(geometry));
  const Tensor dw = Tensor::empty(weight, dy.dtype());
  if (is_empty(geometry)) return dw.fill_(0);
  dispatch_floating("conv2d_weight_grad", dy.dtype(), [&]<class T>() {
    kernels::conv2d_weight_grad(algorithm_for<T>(geometry, kernels::Conv2dPass::weight_grad),
                                geometry, x.contiguous().data<T>(), dy.contiguous().data<T>(),
                                dw.data<T>());
  });
  return dw;
}

Conv2dAlgorithm conv2d_algorithm(const Shape& x, const Shape& weight, const Conv2dOptions& options,
                                 DType dtype, Conv2dPass pass) {
  const auto geometry = geometry_of("conv2d_algorithm", x, weight, options);
  return dispatch_floating("conv2d_algorithm", dtype,
                           [&]<class T>() { return algorithm_for<T>(geometry, pass); });
}

std::string_view conv2d_algorithm_reason(const Shape& x, const Shape& weight,
                                         const Conv2dOptions& options, DType dtype,
                                         Conv2dPass pass) {
  constexpr std::string_view op = "conv2d_algorithm_reason";
  const auto geometry = geometry_of(op, x, weight, options);
  return dispatch_floating(op, dtype, [&]<class T>() -> std::string_view {
    const bool chosen = algorithm_for<T>(geometry, pass) == choice_for<T>(geometry, pass).algorithm;
    return forced_conv2d_algorithm() && !chosen ? "forced by set_conv2d_algorithm()"
                                                : choice_for<T>(geometry, pass).why;
  });
}

void check_pool2d(std::string_view op, const Shape& x, const Pool2dOptions& options) {
  pool_geometry(op, x, options);
}
void check_adaptive_pool2d(std::string_view op, const Shape& x, Pair output_size) {
  adaptive_geometry(op, x, output_size);
}
void check_pool1d(std::string_view op, const Shape& x, const Pool1dOptions& options) {
  pool_geometry(op, {x[0], x[1], 1, x[2]}, options.of_images(), Axes::width);
}
void check_adaptive_pool1d(std::string_view op, const Shape& x, std::int64_t output_size) {
  adaptive_geometry(op, {x[0], x[1], 1, x[2]}, {1, output_size}, Axes::width);
}

MaxPool2dResult max_pool2d(const Tensor& x, const Pool2dOptions& options) {
  check_tensor("max_pool2d", "input", x, 4);
  const auto geometry = pool_geometry("max_pool2d", x.shape(), options);
  const Shape shape = pooled_shape(x.shape(), geometry);
  const MaxPool2dResult result{Tensor::empty(shape, x.dtype()), Tensor::empty(shape, int64)};
  dispatch_floating("max_pool2d", x.dtype(), [&]<class T>() {
    kernels::max_pool2d_forward(geometry, x.contiguous().data<T>(), result.values.data<T>(),
                                result.indices.data<std::int64_t>());
  });
  return result;
}

Tensor max_pool2d_scatter(const Tensor& dy, const Tensor& indices, const Shape& input) {
  check_tensor("max_pool2d_scatter", "dy", dy, 4);
  check_indices("max_pool2d_scatter", indices, input);
  check_output("max_pool2d_scatter", dy, indices.shape());
  const Tensor dx = Tensor::empty(input, dy.dtype());
  dispatch_floating("max_pool2d_scatter", dy.dtype(), [&]<class T>() {
    kernels::max_pool2d_scatter(input[0] * input[1], input[2] * input[3], dy.size(2) * dy.size(3),
                                dy.contiguous().data<T>(),
                                indices.contiguous().data<std::int64_t>(), dx.data<T>());
  });
  return dx;
}

Tensor max_pool2d_gather(const Tensor& x, const Tensor& indices) {
  check_tensor("max_pool2d_gather", "input", x, 4);
  check_indices("max_pool2d_gather", indices, x.shape());
  const Tensor y = Tensor::empty(indices.shape(), x.dtype());
  dispatch_floating("max_pool2d_gather", x.dtype(), [&]<class T>() {
    kernels::max_pool2d_gather(x.size(0) * x.size(1), x.size(2) * x.size(3), y.size(2) * y.size(3),
                               x.contiguous().data<T>(), indices.contiguous().data<std::int64_t>(),
                               y.data<T>());
  });
  return y;
}

MaxPool2dResult max_pool2d_compact(const Tensor& x, const Pool2dOptions& options) {
  check_tensor("max_pool2d", "input", x, 4);
  const auto geometry = pool_geometry("max_pool2d", x.shape(), options);
  if (!kernels::place_fits_byte(geometry)) return max_pool2d(x, options);
  const Shape shape = pooled_shape(x.shape(), geometry);
  const MaxPool2dResult result{Tensor::empty(shape, x.dtype()), Tensor::empty(shape, uint8)};
  dispatch_floating("max_pool2d", x.dtype(), [&]<class T>() {
    kernels::max_pool2d_forward(geometry, x.contiguous().data<T>(), result.values.data<T>(),
                                result.indices.data<std::uint8_t>());
  });
  return result;
}

Tensor max_pool2d_scatter(const Tensor& dy, const Tensor& choices, const Shape& input,
                          const Pool2dOptions& options) {
  if (choices.dtype() != uint8) {
    geometry_of_choices("max_pool2d_scatter", choices, input, options);
    return max_pool2d_scatter(dy, choices, input);
  }
  check_tensor("max_pool2d_scatter", "dy", dy, 4);
  const auto geometry = geometry_of_places("max_pool2d_scatter", choices, input, options);
  check_output("max_pool2d_scatter", dy, choices.shape());
  const Tensor dx = Tensor::empty(input, dy.dtype());
  dispatch_floating("max_pool2d_scatter", dy.dtype(), [&]<class T>() {
    kernels::max_pool2d_scatter(geometry, dy.contiguous().data<T>(),
                                choices.contiguous().data<std::uint8_t>(), dx.data<T>());
  });
  return dx;
}

Tensor max_pool2d_gather(const Tensor& x, const Tensor& choices, const Pool2dOptions& options) {
  check_tensor("max_pool2d_gather", "input", x, 4);
  if (choices.dtype() != uint8) {
    geometry_of_choices("max_pool2d_gather", choices, x.shape(), options);
    return max_pool2d_gather(x, choices);
  }
  const auto geometry = geometry_of_places("max_pool2d_gather", choices, x.shape(), options);
  const Tensor y = Tensor::empty(choices.shape(), x.dtype());
  dispatch_floating("max_pool2d_gather", x.dtype(), [&]<class T>() {
    kernels::max_pool2d_gather(geometry, x.contiguous().data<T>(),
                               choices.contiguous().data<std::uint8_t>(), y.data<T>());
  });
  return y;
}

MaxPool2dResult adaptive_max_pool2d(const Tensor& x, Pair output_size) {
  constexpr std::string_view op = "adaptive_max_pool2d";
  check_tensor(op, "input", x, 4);
  const auto geometry = adaptive_geometry(op, x.shape(), output_size);
  const Shape shape{x.size(0), x.size(1), output_size.height, output_size.width};
  const MaxPool2dResult result{Tensor::empty(shape, x.dtype()), Tensor::empty(shape, int64)};
  dispatch_floating(op, x.dtype(), [&]<class T>() {
    kernels::adaptive_max_pool2d_forward(geometry, x.contiguous().data<T>(),
                                         result.values.data<T>(),
                                         result.indices.data<std::int64_t>());
  });
  return result;
}

namespace {

kernels::Pool2dGeometry average_geometry(std::string_view op, const Shape& x,
                                         const Pool2dOptions& options) {
  if (options.dilation != Pair(1))
    fail<ValueError>(op, ": dilation must be 1, got ", spell(options.dilation));
  if (options.divisor_override == 0) fail<ValueError>(op, ": divisor_override must not be 0");
  return pool_geometry(op, x, options);
}

kernels::PoolDivisor divisor_of(const Pool2dOptions& options) {
  return {.count_include_pad = options.count_include_pad,
          .fixed = options.divisor_override.value_or(0)};
}

}  // namespace

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options) {
  check_tensor("avg_pool2d", "input", x, 4);
  const auto geometry = average_geometry("avg_pool2d", x.shape(), options);
  const Tensor y = Tensor::empty(pooled_shape(x.shape(), geometry), x.dtype());
  dispatch_floating("avg_pool2d", x.dtype(), [&]<class T>() {
    kernels::avg_pool2d_forward(geometry, divisor_of(options), x.contiguous().data<T>(),
                                y.data<T>());
  });
  return y;
}

Tensor avg_pool2d_grad(const Tensor& dy, const Shape& input, const Pool2dOptions& options) {
  check_tensor("avg_pool2d_grad", "dy", dy, 4);
  const auto geometry = average_geometry("avg_pool2d_grad", input, options);
  check_output("avg_pool2d_grad", dy, pooled_shape(input, geometry));
  const Tensor dx = Tensor::empty(input, dy.dtype());
  dispatch_floating("avg_pool2d_grad", dy.dtype(), [&]<class T>() {
    kernels::avg_pool2d_input_grad(geometry, divisor_of(options), dy.contiguous().data<T>(),
                                   dx.data<T>());
  });
  return dx;
}

Tensor adaptive_avg_pool2d(const Tensor& x, Pair output_size) {
  check_tensor("adaptive_avg_pool2d", "input", x, 4);
  const auto geometry = adaptive_geometry("adaptive_avg_pool2d", x.shape(), output_size);
  const Tensor y =
      Tensor::empty({x.size(0), x.size(1), output_size.height, output_size.width}, x.dtype());
  dispatch_floating("adaptive_avg_pool2d", x.dtype(), [&]<class T>() {
    kernels::adaptive_avg_pool2d_forward(geometry, x.contiguous().data<T>(), y.data<T>());
  });
  return y;
}

Tensor adaptive_avg_pool2d_grad(const Tensor& dy, const Shape& input) {
  check_tensor("adaptive_avg_pool2d_grad", "dy", dy, 4);
  const auto geometry =
      adaptive_geometry("adaptive_avg_pool2d_grad", input, {dy.size(2), dy.size(3)});
  check_output("adaptive_avg_pool2d_grad", dy, {input[0], input[1], dy.size(2), dy.size(3)});
  const Tensor dx = Tensor::empty(input, dy.dtype());
  dispatch_floating("adaptive_avg_pool2d_grad", dy.dtype(), [&]<class T>() {
    kernels::adaptive_avg_pool2d_input_grad(geometry, dy.contiguous().data<T>(), dx.data<T>());
  });
  return dx;
}

}  // namespace core
}  // namespace gradus
