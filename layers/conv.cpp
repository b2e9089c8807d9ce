// Conv2d: two parameters and one call of conv2d().
#include <gradus/autograd/functions.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/init.h>
#include <gradus/layers/print.h>

#include <algorithm>
#include <sstream>

namespace gradus {
namespace {

void check(std::int64_t in, std::int64_t out, const Conv2dLayerOptions& o) {
  if (in < 1 || out < 1) {
    fail<ValueError>("Conv2d: numbers of channels must be positive, got in_channels ", in,
                     " and out_channels ", out);
  }
  if (o.groups < 1 || in % o.groups != 0 || out % o.groups != 0) {
    fail<ValueError>("Conv2d: groups ", o.groups, " must divide in_channels ", in,
                     " and out_channels ", out);
  }
  const auto least = [](Pair pair) { return std::min(pair.height, pair.width); };
  if (least(o.kernel_size) < 1 || least(o.stride) < 1 || least(o.dilation) < 1 ||
      least(o.padding) < 0) {
    fail<ValueError>(
        "Conv2d: kernel_size, stride and dilation must be at least 1 and padding at least 0,",
        " got kernel_size ", print_tuple(o.kernel_size), ", stride ", print_tuple(o.stride),
        ", dilation ", print_tuple(o.dilation), ", padding ", print_tuple(o.padding));
  }
}

}  // namespace

Conv2d::Conv2d(std::int64_t in_channels, std::int64_t out_channels,
               const Conv2dLayerOptions& options, Generator& generator)
    : options_{.stride = options.stride,
               .padding = options.padding,
               .dilation = options.dilation,
               .groups = options.groups} {
  check(in_channels, out_channels, options);
  const Pair kernel = options.kernel_size;
  weight = Variable(
      Tensor::empty({out_channels, in_channels / options.groups, kernel.height, kernel.width}),
      true);
  if (options.bias) bias = Variable(Tensor::empty({out_channels}), true);
  init::default_(weight.value(), options.bias ? bias.value() : Tensor(), generator);
}

void Conv2d::visit(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

Variable Conv2d::forward(const Variable& x) { return forward_fused(x, Activation::none); }

Variable Conv2d::forward_fused(const Variable& x, Activation activation) {
  Conv2dOptions options = options_;
  options.activation = activation;
  return conv2d(x, weight, bias, options);
}

std::string Conv2d::extra() const {
  PlainText text;
  text << weight.size(1) * options_.groups << ", " << weight.size(0)
       << ", kernel_size=" << print_tuple({weight.size(2), weight.size(3)})
       << ", stride=" << print_tuple(options_.stride);
  if (options_.padding != Pair(0)) text << ", padding=" << print_tuple(options_.padding);
  if (options_.dilation != Pair(1)) text << ", dilation=" << print_tuple(options_.dilation);
  if (options_.groups != 1) text << ", groups=" << options_.groups;
  if (!bias.defined()) text << ", bias=False";
  return text.str();
}

}  // namespace gradus
