// Windows that slide over rows, images and volumes: kernel, stride, dilation and padding of convolutions and pools.
#include <gradus/core/words.h>
#include <gradus/interchange/operators/call.h>

#include <algorithm>

namespace gradus::interchange {
namespace {

/// A list of as many positive numbers as there are axes.
Integers per_axis(const Call& call, const std::string& name, std::size_t axes,
                  std::int64_t otherwise, std::int64_t least) {
  Integers list = call.integers(name);
  if (list.empty()) list.assign(axes, otherwise);
  if (list.size() != axes) call.refuse(name, " has ", list.size(), " numbers, ", axes, " expected");
  for (const std::int64_t number : list) {
    if (number < least || number > (std::int64_t{1} << 40))
      call.refuse(name, " has ", number, "; ", least, " to 2^40 expected");
  }
  return list;
}

}  // namespace

Integers spatial_sizes(const Call& call, const Variable& x) {
  const Shape& shape = x.value().shape();
  if (shape.rank() < 3 || shape.rank() > 5)
    call.refuse("input 0 is ", describe(x.value()), "; [N,C] and 1 to 3 sizes more are expected");
  return {shape.begin() + 2, shape.end()};
}

Windows windows_of(const Call& call, const Integers& sizes, const Integers& kernel) {
  const std::size_t axes = sizes.size();
  Windows w;
  w.kernel = per_axis(call, "kernel_shape", axes, 1, 1);
  if (!call.given("kernel_shape")) {
    if (kernel.empty()) call.refuse("attribute \"kernel_shape\" is left out; it is needed");
    w.kernel = kernel;
  }
  if (w.kernel.size() != axes || (!kernel.empty() && w.kernel != kernel))
    call.refuse("kernel_shape is not that of the weights");
  w.stride = per_axis(call, "strides", axes, 1, 1);
  w.dilation = per_axis(call, "dilations", axes, 1, 1);
  const Integers pads = per_axis(call, "pads", 2 * axes, 0, 0);
  w.begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(axes));
  w.end.assign(pads.begin() + static_cast<std::ptrdiff_t>(axes), pads.end());
  const std::string rule = call.text("auto_pad", "NOTSET");
  if (rule == "NOTSET") return w;
  if (rule != "VALID" && rule != "SAME_UPPER" && rule != "SAME_LOWER") {
    call.refuse("auto_pad ", in_quotes(rule),
                "; known are NOTSET, VALID, SAME_UPPER and SAME_LOWER");
  }
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t out = (sizes[i] + w.stride[i] - 1) / w.stride[i];
    const std::int64_t reach = (out - 1) * w.stride[i] + w.dilation[i] * (w.kernel[i] - 1) + 1;
    const std::int64_t all = rule == "VALID" ? 0 : std::max<std::int64_t>(0, reach - sizes[i]);
    const std::int64_t less = all / 2;
    w.begin[i] = rule == "SAME_UPPER" ? less : all - less;
    w.end[i] = all - w.begin[i];
  }
  return w;
}

Variable padded(const Variable& x, const Windows& windows, double value) {
  Integers sizes;
  for (std::size_t i = windows.begin.size(); i-- > 0;) {
    sizes.push_back(windows.begin[i]);
    sizes.push_back(windows.end[i]);
  }
  const auto is_zero = [](std::int64_t size) { return size == 0; };
  if (std::all_of(sizes.begin(), sizes.end(), is_zero)) return x;
  return pad(x, sizes, PaddingMode::constant, value);
}

}  // namespace gradus::interchange
