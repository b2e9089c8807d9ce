// The checks of the functions on images, and the texts of what they refuse.
#include <gradus/core/detail/conv_checks.h>

#include <algorithm>

namespace gradus::checks {
namespace {

std::int64_t least(Pair pair) { return std::min(pair.height, pair.width); }

}  // namespace

std::string spell(Pair pair, Axes axes) {
  if (axes == Axes::width) return std::to_string(pair.width);
  return "(" + std::to_string(pair.height) + "," + std::to_string(pair.width) + ")";
}

std::string extent(std::int64_t height, std::int64_t width, Axes axes) {
  return axes == Axes::both ? std::to_string(height) + "x" + std::to_string(width)
                            : std::to_string(width);
}

Shape as_given(const Shape& shape, Axes axes) {
  return axes == Axes::both ? shape : Shape{shape[0], shape[1], shape[3]};
}

void check_tensor(std::string_view op, std::string_view what, const Tensor& x, int rank) {
  if (!x.defined()) fail<ShapeError>(op, ": ", what, " is undefined");
  if (x.rank() != rank)
    fail<ShapeError>(op, ": ", what, " must have rank ", rank, ", got ", describe(x));
}

void check_same_dtype(std::string_view op, std::string_view a_name, const Tensor& a,
                      std::string_view b_name, const Tensor& b) {
  if (a.dtype() != b.dtype()) {
    fail<DTypeError>(op, ": ", a_name, " is ", describe(a), ", ", b_name, " is ", describe(b), "; ",
                     cast_to_match(a.dtype(), b.dtype()));
  }
}

void check_floating(std::string_view op, const Tensor& x) {
  dispatch_floating(op, x.dtype(), []<class T>() {});
}

void check_extent(std::string_view op, const Shape& shape) {
  for (const std::int64_t size : shape) {
    if (size > largest) fail<ShapeError>(op, ": a size of ", shape, " is beyond ", largest);
  }
}

void check_options(std::string_view op, const Conv2dOptions& o, Axes axes) {
  if (least(o.stride) < 1)
    fail<ValueError>(op, ": stride must be at least 1, got ", spell(o.stride, axes));
  if (o.padding.rule == Padding::Rule::same)
    fail<ValueError>(op, ": padding must be sizes, got same, which only conv2d of Variables takes");
  if (least(o.padding) < 0)
    fail<ValueError>(op, ": padding must not be negative, got ", spell(o.padding, axes));
  if (least(o.dilation) < 1)
    fail<ValueError>(op, ": dilation must be at least 1, got ", spell(o.dilation, axes));
  if (o.groups < 1) fail<ValueError>(op, ": groups must be at least 1, got ", o.groups);
  const auto check_largest = [&](std::string_view option, Pair pair) {
    if (pair.height > largest || pair.width > largest)
      fail<ValueError>(op, ": ", option, " ", spell(pair, axes), " is beyond ", largest);
  };
  check_largest("stride", o.stride);
  check_largest("padding", Pair(o.padding));
  check_largest("dilation", o.dilation);
  if (o.groups > largest) fail<ValueError>(op, ": groups ", o.groups, " is beyond ", largest);
}

void check_bias(std::string_view op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                std::int64_t channels) {
  if (!bias.defined()) return;
  check_same_dtype(op, "input", x, "bias", bias);
  if (bias.shape() != Shape{channels}) {
    fail<ShapeError>(op, ": bias is ", bias.shape(), ", weight ", weight.shape(), " has ", channels,
                     " output channels");
  }
}

kernels::Conv2dGeometry geometry_of(std::string_view op, const Shape& x, const Shape& w,
                                    const Conv2dOptions& o, Axes axes) {
  check_options(op, o, axes);
  const auto both = [&] {
    return "(input " + to_string(as_given(x, axes)) + ", weight " + to_string(as_given(w, axes)) +
           ", groups " + std::to_string(o.groups) + ")";
  };
  if (x.rank() != 4 || w.rank() != 4) {
    fail<ShapeError>(op, ": expects input [N,C,H,W] and weight [O,C/groups,kh,kw], got input ", x,
                     " and weight ", w);
  }
  check_extent(op, x);
  check_extent(op, w);
  if (x[1] != w[1] * o.groups) {
    fail<ShapeError>(op, ": input has ", x[1], " channels, weight expects ", w[1] * o.groups, " ",
                     both());
  }
  if (w[0] % o.groups != 0) {
    fail<ShapeError>(op, ": ", w[0], " output channels do not divide into ", o.groups, " groups ",
                     both());
  }
  if (w[2] < 1 || w[3] < 1) fail<ShapeError>(op, ": the kernel is empty ", both());
  const kernels::Conv2dGeometry g{.batch = x[0],
                                  .in_channels = x[1],
                                  .in_height = x[2],
                                  .in_width = x[3],
                                  .out_channels = w[0],
                                  .kernel_h = w[2],
                                  .kernel_w = w[3],
                                  .stride_h = o.stride.height,
                                  .stride_w = o.stride.width,
                                  .padding_h = o.padding.height,
                                  .padding_w = o.padding.width,
                                  .dilation_h = o.dilation.height,
                                  .dilation_w = o.dilation.width,
                                  .groups = o.groups};
  const std::int64_t reach_h = o.dilation.height * (w[2] - 1) + 1;
  const std::int64_t reach_w = o.dilation.width * (w[3] - 1) + 1;
  const std::int64_t height = x[2] + 2 * o.padding.height;
  const std::int64_t width = x[3] + 2 * o.padding.width;
  if (reach_h > height || reach_w > width) {
    fail<ShapeError>(op, ": the kernel reaches ", extent(reach_h, reach_w, axes),
                     ", the padded input is only ", extent(height, width, axes), " ", both());
  }
  return g;
}

void check_conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Conv2dOptions& o) {
  constexpr std::string_view op = "conv1d";
  check_tensor(op, "input", x, 3);
  check_tensor(op, "weight", weight, 3);
  check_same_dtype(op, "input", x, "weight", weight);
  check_floating(op, x);
  const Shape image{x.size(0), x.size(1), 1, x.size(2)};
  const Shape kernel{weight.size(0), weight.size(1), 1, weight.size(2)};
  Conv2dOptions with_sizes = o;
  const PaddingSizes sizes =
      padding_sizes(op, o.padding, {1, weight.size(2)}, o.stride, o.dilation, Axes::width);
  // With `same` every kernel fits: more than what stands in front is not needed to see that.
  with_sizes.padding = sizes.after;
  geometry_of(op, image, kernel, with_sizes, Axes::width);
  check_bias(op, x, weight, bias, weight.size(0));
}

Shape check_conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                             const ConvTranspose2dOptions& o) {
  constexpr std::string_view op = "conv_transpose2d";
  check_tensor(op, "input", x, 4);
  check_tensor(op, "weight", weight, 4);
  check_same_dtype(op, "input", x, "weight", weight);
  check_floating(op, x);
  check_options(
      op, {.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups});
  const Pair beyond{std::max(o.stride.height, o.dilation.height),
                    std::max(o.stride.width, o.dilation.width)};
  if (least(o.output_padding) < 0 || o.output_padding.height >= beyond.height ||
      o.output_padding.width >= beyond.width) {
    fail<ValueError>(op, ": output_padding must be at least 0 and below stride or dilation, got ",
                     spell(o.output_padding), ", stride ", spell(o.stride), ", dilation ",
                     spell(o.dilation));
  }
  const Shape& in = x.shape();
  const Shape& w = weight.shape();
  const auto both = [&] {
    return "(input " + to_string(in) + ", weight " + to_string(w) + ", groups " +
           std::to_string(o.groups) + ")";
  };
  check_extent(op, in);
  check_extent(op, w);
  if (in[1] != w[0]) {
    fail<ShapeError>(op, ": input has ", in[1], " channels, weight expects ", w[0], " ", both());
  }
  if (w[0] % o.groups != 0) {
    fail<ShapeError>(op, ": ", w[0], " input channels do not divide into ", o.groups, " groups ",
                     both());
  }
  if (w[2] < 1 || w[3] < 1) fail<ShapeError>(op, ": the kernel is empty ", both());
  if (in[2] < 1 || in[3] < 1) fail<ShapeError>(op, ": the input has no pixels ", both());
  const auto size = [&](int d, std::int64_t stride, std::int64_t padding, std::int64_t dilation,
                        std::int64_t more) {
    return (in[d] - 1) * stride - 2 * padding + dilation * (w[d] - 1) + more + 1;
  };
  const Shape out{
      in[0], w[1] * o.groups,
      size(2, o.stride.height, o.padding.height, o.dilation.height, o.output_padding.height),
      size(3, o.stride.width, o.padding.width, o.dilation.width, o.output_padding.width)};
  if (out[2] < 1 || out[3] < 1) {
    fail<ShapeError>(op, ": padding ", spell(o.padding), " leaves an output of ",
                     extent(out[2], out[3], Axes::both), " ", both());
  }
  check_extent(op, out);
  check_bias(op, x, weight, bias, out[1]);
  return out;
}

PaddingSizes padding_sizes(std::string_view op, const Padding& padding, Pair kernel_size,
                           Pair stride, Pair dilation, Axes axes) {
  if (padding.rule != Padding::Rule::same) return {padding, padding};
  check_options(op, {.stride = stride, .dilation = dilation}, axes);
  check_extent(op, {kernel_size.height, kernel_size.width});
  if (stride != Pair(1)) {
    fail<ValueError>(op, ": padding same needs a stride of ", spell(1, axes), ", got ",
                     spell(stride, axes));
  }
  // An empty kernel is refused by who knows the weight.
  const Pair total{dilation.height * std::max<std::int64_t>(kernel_size.height - 1, 0),
                   dilation.width * std::max<std::int64_t>(kernel_size.width - 1, 0)};
  const Pair before{total.height / 2, total.width / 2};
  return {before, {total.height - before.height, total.width - before.width}};
}

}  // namespace gradus::checks
