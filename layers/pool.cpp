// Pools: options checked once, then one call each.
#include <gradus/autograd/functions.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/print.h>

#include <algorithm>

namespace gradus {
namespace {

/// A pair as the layer's user gave it: of a layer of rows, its second number.
std::string spell(Pair pair, bool rows) {
  return rows ? std::to_string(pair.width) : print_tuple(pair);
}

Pool2dOptions checked(std::string_view layer, Pool2dOptions o, bool rows = false) {
  const auto least = [](Pair pair) { return std::min(pair.height, pair.width); };
  if (o.stride == Pair(0)) o.stride = o.kernel_size;
  if (least(o.kernel_size) < 1 || least(o.stride) < 1 || least(o.dilation) < 1) {
    fail<ValueError>(layer,
                     ": kernel_size, stride and dilation must be at least 1, got kernel_size ",
                     spell(o.kernel_size, rows), ", stride ", spell(o.stride, rows), ", dilation ",
                     spell(o.dilation, rows));
  }
  const Pair half{o.kernel_size.height / 2, o.kernel_size.width / 2};
  if (least(o.padding) < 0 || o.padding.height > half.height || o.padding.width > half.width) {
    fail<ValueError>(layer, ": padding must be between 0 and half the kernel size, got padding ",
                     spell(o.padding, rows), " and kernel_size ", spell(o.kernel_size, rows));
  }
  return o;
}

Pool1dOptions checked(std::string_view layer, Pool1dOptions o) {
  checked(layer, o.of_images(), true);
  if (o.stride == 0) o.stride = o.kernel_size;
  return o;
}

/// For averages.
void check_undilated(std::string_view layer, Pair dilation, bool rows = false) {
  if (dilation != Pair(1)) {
    fail<ValueError>(layer, ": has no dilation, got ", spell(dilation, rows), " instead of ",
                     spell(1, rows));
  }
}

Pair checked_size(std::string_view layer, Pair size, bool rows = false) {
  if (size.height < 1 || size.width < 1)
    fail<ValueError>(layer, ": output_size must be at least 1, got ", spell(size, rows));
  return size;
}

std::string print_number(Pair pair) { return print_pair(pair); }
std::string print_number(std::int64_t number) { return std::to_string(number); }
/// A row's number as AvgPool1d prints it.
std::string print_row(std::int64_t number) { return print_tuple(Shape{number}); }

template <class Options> std::string print_max(const Options& o) {
  return "kernel_size=" + print_number(o.kernel_size) + ", stride=" + print_number(o.stride) +
         ", padding=" + print_number(o.padding) + ", dilation=" + print_number(o.dilation) +
         ", ceil_mode=" + print_bool(o.ceil_mode);
}

/// What PyTorch does not print stands there where it is not the default.
template <class Options> std::string print_rest(const Options& o) {
  std::string text = o.ceil_mode ? ", ceil_mode=True" : "";
  if (!o.count_include_pad) text += ", count_include_pad=False";
  return text;
}

}  // namespace

MaxPool2d::MaxPool2d(const Pool2dOptions& options) : options_(checked("MaxPool2d", options)) {}

Variable MaxPool2d::forward(const Variable& x) { return max_pool2d(x, options_); }

std::string MaxPool2d::extra() const { return print_max(options_); }

AvgPool2d::AvgPool2d(const Pool2dOptions& options) : options_(checked("AvgPool2d", options)) {
  check_undilated("AvgPool2d", options.dilation);
  if (options.divisor_override == 0) fail<ValueError>("AvgPool2d: divisor_override must not be 0");
}

Variable AvgPool2d::forward(const Variable& x) { return avg_pool2d(x, options_); }

std::string AvgPool2d::extra() const {
  std::string text = "kernel_size=" + print_pair(options_.kernel_size) +
                     ", stride=" + print_pair(options_.stride) +
                     ", padding=" + print_pair(options_.padding) + print_rest(options_);
  if (options_.divisor_override)
    text += ", divisor_override=" + std::to_string(*options_.divisor_override);
  return text;
}

AdaptiveAvgPool2d::AdaptiveAvgPool2d(Pair output_size)
    : output_size_(checked_size("AdaptiveAvgPool2d", output_size)) {}

Variable AdaptiveAvgPool2d::forward(const Variable& x) {
  return adaptive_avg_pool2d(x, output_size_);
}

std::string AdaptiveAvgPool2d::extra() const { return "output_size=" + print_pair(output_size_); }

AdaptiveMaxPool2d::AdaptiveMaxPool2d(Pair output_size)
    : output_size_(checked_size("AdaptiveMaxPool2d", output_size)) {}

Variable AdaptiveMaxPool2d::forward(const Variable& x) {
  return adaptive_max_pool2d(x, output_size_);
}

std::string AdaptiveMaxPool2d::extra() const { return "output_size=" + print_pair(output_size_); }

MaxPool1d::MaxPool1d(const Pool1dOptions& options) : options_(checked("MaxPool1d", options)) {}

Variable MaxPool1d::forward(const Variable& x) { return max_pool1d(x, options_); }

std::string MaxPool1d::extra() const { return print_max(options_); }

AvgPool1d::AvgPool1d(const Pool1dOptions& options) : options_(checked("AvgPool1d", options)) {
  check_undilated("AvgPool1d", {1, options.dilation}, true);
}

Variable AvgPool1d::forward(const Variable& x) { return avg_pool1d(x, options_); }

std::string AvgPool1d::extra() const {
  return "kernel_size=" + print_row(options_.kernel_size) +
         ", stride=" + print_row(options_.stride) + ", padding=" + print_row(options_.padding) +
         print_rest(options_);
}

AdaptiveAvgPool1d::AdaptiveAvgPool1d(std::int64_t output_size)
    : output_size_(checked_size("AdaptiveAvgPool1d", {1, output_size}, true).width) {}

Variable AdaptiveAvgPool1d::forward(const Variable& x) {
  return adaptive_avg_pool1d(x, output_size_);
}

std::string AdaptiveAvgPool1d::extra() const {
  return "output_size=" + std::to_string(output_size_);
}

AdaptiveMaxPool1d::AdaptiveMaxPool1d(std::int64_t output_size)
    : output_size_(checked_size("AdaptiveMaxPool1d", {1, output_size}, true).width) {}

Variable AdaptiveMaxPool1d::forward(const Variable& x) {
  return adaptive_max_pool1d(x, output_size_);
}

std::string AdaptiveMaxPool1d::extra() const {
  return "output_size=" + std::to_string(output_size_);
}

}  // namespace gradus
