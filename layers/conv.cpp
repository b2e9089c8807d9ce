// The convolutions: two parameters and one call each. What they ask of their options, and how they
// print, is said once.
#include <gradus/autograd/functions.h>
#include <gradus/core/detail/conv_checks.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/init.h>
#include <gradus/layers/print.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace gradus {
namespace {

/// A convolution in all but its numbers. Of Conv1d a row, which is an image one pixel high.
struct Convolution {
  std::string_view layer;
  std::int64_t in, out;
  Pair kernel_size, stride;
  Padding padding;
  Pair dilation;
  std::int64_t groups;
  bool bias;
  PaddingMode padding_mode = PaddingMode::zeros;
  Pair output_padding = 0;
  bool is_row = false;

  /// "(3, 2)"; of a row "(2,)", as Python does.
  std::string tuple(Pair pair) const {
    return is_row ? "(" + std::to_string(pair.width) + ",)" : print_tuple(pair);
  }
  std::string text_of_padding() const {
    if (padding.rule != Padding::Rule::sizes) return std::string(to_string(padding.rule));
    return tuple(padding);
  }
  void check() const;
  std::string print() const;
};

void Convolution::check() const {
  if (in < 1 || out < 1) {
    fail<ValueError>(layer, ": numbers of channels must be positive, got in_channels ", in,
                     " and out_channels ", out);
  }
  if (groups < 1 || in % groups != 0 || out % groups != 0) {
    fail<ValueError>(layer, ": groups ", groups, " must divide in_channels ", in,
                     " and out_channels ", out);
  }
  const auto least = [](Pair pair) { return std::min(pair.height, pair.width); };
  if (least(kernel_size) < 1 || least(stride) < 1 || least(dilation) < 1 || least(padding) < 0) {
    fail<ValueError>(
        layer, ": kernel_size, stride and dilation must be at least 1 and padding at least 0,",
        " got kernel_size ", tuple(kernel_size), ", stride ", tuple(stride), ", dilation ",
        tuple(dilation), ", padding ", text_of_padding());
  }
  if (padding.rule == Padding::Rule::same && stride != Pair(1)) {
    fail<ValueError>(layer, ": padding same needs a stride of ", tuple(1), ", got ", tuple(stride));
  }
  const Pair beyond{std::max(stride.height, dilation.height),
                    std::max(stride.width, dilation.width)};
  if (least(output_padding) < 0 || output_padding.height >= beyond.height ||
      output_padding.width >= beyond.width) {
    fail<ValueError>(
        layer, ": output_padding must be at least 0 and below stride or dilation, got ",
        tuple(output_padding), ", stride ", tuple(stride), ", dilation ", tuple(dilation));
  }
}

std::string Convolution::print() const {
  PlainText text;
  text << in << ", " << out << ", kernel_size=" << tuple(kernel_size)
       << ", stride=" << tuple(stride);
  if (padding != Padding(0)) text << ", padding=" << text_of_padding();
  if (dilation != Pair(1)) text << ", dilation=" << tuple(dilation);
  if (output_padding != Pair(0)) text << ", output_padding=" << tuple(output_padding);
  if (groups != 1) text << ", groups=" << groups;
  if (!bias) text << ", bias=False";
  if (padding_mode != PaddingMode::zeros) text << ", padding_mode=" << to_string(padding_mode);
  return text.str();
}

/// Uninitialised leaves, then PyTorch's start.
void start(Variable& weight, Variable& bias, const Shape& shape, std::int64_t out_channels,
           bool has_bias, Generator& generator) {
  weight = Variable(Tensor::empty(shape), true);
  if (has_bias) bias = Variable(Tensor::empty({out_channels}), true);
  init::default_(weight.value(), has_bias ? bias.value() : Tensor(), generator);
}

Convolution description(std::int64_t in, std::int64_t out, std::int64_t kernel_size, bool bias,
                        const Conv1dOptions& o, PaddingMode mode) {
  return {.layer = "Conv1d",
          .in = in,
          .out = out,
          .kernel_size = kernel_size,
          .stride = o.stride,
          .padding = o.padding,
          .dilation = o.dilation,
          .groups = o.groups,
          .bias = bias,
          .padding_mode = mode,
          .is_row = true};
}

Convolution description(std::int64_t in, std::int64_t out, Pair kernel_size, bool bias,
                        const Conv2dOptions& o, PaddingMode mode) {
  return {.layer = "Conv2d",
          .in = in,
          .out = out,
          .kernel_size = kernel_size,
          .stride = o.stride,
          .padding = o.padding,
          .dilation = o.dilation,
          .groups = o.groups,
          .bias = bias,
          .padding_mode = mode};
}

Convolution description(std::int64_t in, std::int64_t out, Pair kernel_size, bool bias,
                        const ConvTranspose2dOptions& o) {
  return {.layer = "ConvTranspose2d",
          .in = in,
          .out = out,
          .kernel_size = kernel_size,
          .stride = o.stride,
          .padding = o.padding,
          .dilation = o.dilation,
          .groups = o.groups,
          .bias = bias,
          .output_padding = o.output_padding};
}

}  // namespace

Conv1d::Conv1d(std::int64_t in_channels, std::int64_t out_channels,
               const Conv1dLayerOptions& options, Generator& generator)
    : options_{.stride = options.stride,
               .padding = options.padding,
               .dilation = options.dilation,
               .groups = options.groups},
      padding_mode_(options.padding_mode) {
  description(in_channels, out_channels, options.kernel_size, options.bias, options_, padding_mode_)
      .check();
  if (options.padding.height != options.padding.width) {
    fail<ValueError>("Conv1d: padding must be one number, got ", print_tuple(options.padding));
  }
  start(weight, bias, {out_channels, in_channels / options.groups, options.kernel_size},
        out_channels, options.bias, generator);
}

void Conv1d::visit(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

Variable Conv1d::forward(const Variable& x) { return forward_fused(x, Activation::none); }

Variable Conv1d::forward_fused(const Variable& x, Activation activation) {
  Conv1dOptions options = options_;
  options.activation = activation;
  if (padding_mode_ == PaddingMode::zeros) return conv1d(x, weight, bias, options);
  const auto [before, behind] = checks::padding_sizes("Conv1d", options_.padding, weight.size(2),
                                                      options_.stride, options_.dilation);
  options.padding = 0;
  return conv1d(pad(x, {before.width, behind.width}, padding_mode_), weight, bias, options);
}

std::string Conv1d::extra() const {
  return description(weight.size(1) * options_.groups, weight.size(0), weight.size(2),
                     bias.defined(), options_, padding_mode_)
      .print();
}

Conv2d::Conv2d(std::int64_t in_channels, std::int64_t out_channels,
               const Conv2dLayerOptions& options, Generator& generator)
    : options_{.stride = options.stride,
               .padding = options.padding,
               .dilation = options.dilation,
               .groups = options.groups},
      padding_mode_(options.padding_mode) {
  const Pair kernel = options.kernel_size;
  description(in_channels, out_channels, kernel, options.bias, options_, padding_mode_).check();
  start(weight, bias, {out_channels, in_channels / options.groups, kernel.height, kernel.width},
        out_channels, options.bias, generator);
}

void Conv2d::visit(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

Variable Conv2d::forward(const Variable& x) { return forward_fused(x, Activation::none); }

Variable Conv2d::forward_fused(const Variable& x, Activation activation) {
  Conv2dOptions options = options_;
  options.activation = activation;
  if (padding_mode_ == PaddingMode::zeros) return conv2d(x, weight, bias, options);
  const auto [before, behind] =
      checks::padding_sizes("Conv2d", options_.padding, {weight.size(2), weight.size(3)},
                            options_.stride, options_.dilation);
  options.padding = 0;
  return conv2d(pad(x, {before.width, behind.width, before.height, behind.height}, padding_mode_),
                weight, bias, options);
}

std::string Conv2d::extra() const {
  return description(weight.size(1) * options_.groups, weight.size(0),
                     {weight.size(2), weight.size(3)}, bias.defined(), options_, padding_mode_)
      .print();
}

ConvTranspose2d::ConvTranspose2d(std::int64_t in_channels, std::int64_t out_channels,
                                 const ConvTranspose2dLayerOptions& options, Generator& generator)
    : options_{.stride = options.stride,
               .padding = options.padding,
               .output_padding = options.output_padding,
               .groups = options.groups,
               .dilation = options.dilation} {
  const Pair kernel = options.kernel_size;
  description(in_channels, out_channels, kernel, options.bias, options_).check();
  start(weight, bias, {in_channels, out_channels / options.groups, kernel.height, kernel.width},
        out_channels, options.bias, generator);
}

void ConvTranspose2d::visit(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

Variable ConvTranspose2d::forward(const Variable& x) {
  return conv_transpose2d(x, weight, bias, options_);
}

std::string ConvTranspose2d::extra() const {
  return description(weight.size(0), weight.size(1) * options_.groups,
                     {weight.size(2), weight.size(3)}, bias.defined(), options_)
      .print();
}

}  // namespace gradus
