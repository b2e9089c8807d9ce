// Pools: options checked once, then one call each.
#include <gradus/autograd/functions.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/print.h>

#include <algorithm>
#include <sstream>

namespace gradus {
namespace {

Pool2dOptions checked(std::string_view layer, Pool2dOptions o) {
  const auto least = [](Pair pair) { return std::min(pair.height, pair.width); };
  if (o.stride == Pair(0)) o.stride = o.kernel_size;
  if (least(o.kernel_size) < 1 || least(o.stride) < 1 || least(o.dilation) < 1) {
    fail<ValueError>(layer,
                     ": kernel_size, stride and dilation must be at least 1, got kernel_size ",
                     print_tuple(o.kernel_size), ", stride ", print_tuple(o.stride), ", dilation ",
                     print_tuple(o.dilation));
  }
  const Pair half{o.kernel_size.height / 2, o.kernel_size.width / 2};
  if (least(o.padding) < 0 || o.padding.height > half.height || o.padding.width > half.width) {
    fail<ValueError>(layer, ": padding must be between 0 and half the kernel size, got padding ",
                     print_tuple(o.padding), " and kernel_size ", print_tuple(o.kernel_size));
  }
  return o;
}

std::string print(const Pool2dOptions& o) {
  std::string text = "kernel_size=" + print_pair(o.kernel_size) +
                     ", stride=" + print_pair(o.stride) + ", padding=" + print_pair(o.padding);
  if (o.dilation != Pair(1)) text += ", dilation=" + print_pair(o.dilation);
  if (!o.count_include_pad) text += ", count_include_pad=False";
  return text;
}

}  // namespace

MaxPool2d::MaxPool2d(const Pool2dOptions& options) : options_(checked("MaxPool2d", options)) {}

Variable MaxPool2d::forward(const Variable& x) { return max_pool2d(x, options_); }

std::string MaxPool2d::extra() const { return print(options_); }

AvgPool2d::AvgPool2d(const Pool2dOptions& options) : options_(checked("AvgPool2d", options)) {
  if (options.dilation != Pair(1)) {
    fail<ValueError>("AvgPool2d: has no dilation, got ", print_tuple(options.dilation),
                     " instead of (1, 1)");
  }
}

Variable AvgPool2d::forward(const Variable& x) { return avg_pool2d(x, options_); }

std::string AvgPool2d::extra() const { return print(options_); }

AdaptiveAvgPool2d::AdaptiveAvgPool2d(Pair output_size) : output_size_(output_size) {
  if (output_size.height < 1 || output_size.width < 1) {
    fail<ValueError>("AdaptiveAvgPool2d: output_size must be at least 1, got ",
                     print_tuple(output_size));
  }
}

Variable AdaptiveAvgPool2d::forward(const Variable& x) {
  return adaptive_avg_pool2d(x, output_size_);
}

std::string AdaptiveAvgPool2d::extra() const { return "output_size=" + print_pair(output_size_); }

}  // namespace gradus
