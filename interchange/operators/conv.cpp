// Convolutions along one, two and three axes. Those of images are the library's; a row is an image one pixel high, and a
// volume is a sum over the slices of the kernel, each a convolution of images.
#include <gradus/interchange/operators/call.h>

namespace gradus::interchange {
namespace {

/// One number more in front of each list, for an axis of size 1.
Windows as_image(const Windows& w) {
  Windows made = w;
  const auto front = [](Integers& list, std::int64_t value) { list.insert(list.begin(), value); };
  front(made.kernel, 1);
  front(made.stride, 1);
  front(made.dilation, 1);
  front(made.begin, 0);
  front(made.end, 0);
  return made;
}

/// All but the first axis.
Windows of_slices(const Windows& w) {
  const auto rest = [](const Integers& list) { return Integers(list.begin() + 1, list.end()); };
  return {rest(w.kernel), rest(w.stride), rest(w.dilation), rest(w.begin), rest(w.end)};
}

Variable conv_images(Variable x, const Variable& weight, const Variable& bias, const Windows& w,
                     std::int64_t groups) {
  Padding padding{w.begin[0], w.begin[1]};
  if (!w.symmetric()) {
    x = padded(x, w, 0);
    padding = 0;
  }
  return conv2d(x, weight, bias,
                {.stride = {w.stride[0], w.stride[1]},
                 .padding = padding,
                 .dilation = {w.dilation[0], w.dilation[1]},
                 .groups = groups});
}

/// Depth of [N,C,D,H,W] among the images: [N·D,C,H,W].
Variable slices_as_images(const Variable& x) {
  const Shape& s = x.value().shape();
  return reshape(permute(x, {0, 2, 1, 3, 4}), {s[0] * s[2], s[1], s[3], s[4]});
}

/// The way back. Both sizes are told: an empty batch does not say how deep it is.
Variable images_as_slices(const Variable& y, std::int64_t batch, std::int64_t depth) {
  const Shape& s = y.value().shape();
  return permute(reshape(y, {batch, depth, s[1], s[2], s[3]}), {0, 2, 1, 3, 4});
}

Variable conv_volumes(const Variable& x, const Variable& weight, const Variable& bias,
                      const Windows& w, std::int64_t groups, const Call& call) {
  const Variable deep = padded(x, w, 0);
  const std::int64_t reach = w.dilation[0] * (w.kernel[0] - 1) + 1;
  const std::int64_t size = deep.value().size(2);
  if (reach > size) call.refuse("a kernel that reaches ", reach, ", in a size of ", size);
  const std::int64_t out = (size - reach) / w.stride[0] + 1;
  Windows slices = of_slices(w);
  slices.begin = slices.end = {0, 0};
  Variable sum;
  for (std::int64_t u = 0; u < w.kernel[0]; ++u) {
    const std::int64_t first = u * w.dilation[0];
    const Variable taken = slice(deep, 2, first, first + (out - 1) * w.stride[0] + 1, w.stride[0]);
    const Variable part = conv_images(slices_as_images(taken), select(weight, 2, u),
                                      u == 0 ? bias : Variable(), slices, groups);
    sum = sum.defined() ? add(sum, part) : part;
  }
  return images_as_slices(sum, x.value().size(0), out);
}

Variables conv_node(const Call& call) {
  const Variable& x = call.in(0);
  const Variable& weight = call.in(1);
  const Variable bias = call.optional(2);
  const Integers sizes = spatial_sizes(call, x);
  const Shape& kernel = weight.value().shape();
  if (kernel.rank() != x.value().rank())
    call.refuse("input ", describe(x.value()), ", weight ", describe(weight.value()),
                "; as many dimensions are expected");
  const Windows w = windows_of(call, sizes, {kernel.begin() + 2, kernel.end()});
  const std::int64_t groups = call.integer("group", 1);
  if (sizes.size() == 2) return {conv_images(x, weight, bias, w, groups)};
  if (sizes.size() == 3) return {conv_volumes(x, weight, bias, w, groups, call)};
  return {
      squeeze(conv_images(unsqueeze(x, 2), unsqueeze(weight, 2), bias, as_image(w), groups), 2)};
}

/// What of the whole result is cut off before and behind, and how many zeros more stand behind.
struct Transposed {
  Windows windows;  ///< begin and end are cut off
  Integers more;    ///< output_padding
};

/// output_shape, where it is given, decides what is cut off.
Transposed transposed_windows(const Call& call, const Integers& sizes, const Integers& kernel) {
  const std::size_t axes = sizes.size();
  const std::string rule = call.text("auto_pad", "NOTSET");
  Transposed t{windows_of(call, sizes, kernel), call.integers("output_padding")};
  t.more.resize(axes, 0);
  Integers shape = call.integers("output_shape");
  if (shape.size() > axes) shape.erase(shape.begin(), shape.end() - static_cast<int>(axes));
  const bool same = rule == "SAME_UPPER" || rule == "SAME_LOWER";
  if (shape.empty() && !same) return t;
  Windows& w = t.windows;
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t whole =
        (sizes[i] - 1) * w.stride[i] + w.dilation[i] * (w.kernel[i] - 1) + 1 + t.more[i];
    const std::int64_t wanted = shape.empty() ? sizes[i] * w.stride[i] : shape[i];
    std::int64_t all = whole - wanted;
    if (all < 0) {
      t.more[i] -= all;
      all = 0;
    }
    w.begin[i] = rule == "SAME_UPPER" ? all / 2 : all - all / 2;
    w.end[i] = all - w.begin[i];
  }
  return t;
}

/// The whole result of images, nothing cut off.
Variable spread_images(const Variable& x, const Variable& weight, const Windows& w,
                       std::int64_t groups) {
  return conv_transpose2d(x, weight, {},
                          {.stride = {w.stride[0], w.stride[1]},
                           .groups = groups,
                           .dilation = {w.dilation[0], w.dilation[1]}});
}

Variable spread_volumes(const Variable& x, const Variable& weight, const Windows& w,
                        std::int64_t groups) {
  const std::int64_t depth = x.value().size(2);
  const std::int64_t whole = (depth - 1) * w.stride[0] + w.dilation[0] * (w.kernel[0] - 1) + 1;
  Variable sum;
  for (std::int64_t u = 0; u < w.kernel[0]; ++u) {
    const Variable part = images_as_slices(
        spread_images(slices_as_images(x), select(weight, 2, u), of_slices(w), groups),
        x.value().size(0), depth);
    Shape shape = part.value().shape();
    shape[2] = whole;
    const Variable placed = slice_scatter(shape, 2, u * w.dilation[0], w.stride[0], part);
    sum = sum.defined() ? add(sum, placed) : placed;
  }
  return sum;
}

Variables conv_transpose_node(const Call& call) {
  const Variable& x = call.in(0);
  const Variable& weight = call.in(1);
  const Integers sizes = spatial_sizes(call, x);
  const Shape& kernel = weight.value().shape();
  if (kernel.rank() != x.value().rank())
    call.refuse("input ", describe(x.value()), ", weight ", describe(weight.value()),
                "; as many dimensions are expected");
  auto [w, more] = transposed_windows(call, sizes, {kernel.begin() + 2, kernel.end()});
  const std::int64_t groups = call.integer("group", 1);
  Variable y =
      sizes.size() == 3 ? spread_volumes(x, weight, w, groups)
      : sizes.size() == 2
          ? spread_images(x, weight, w, groups)
          : squeeze(spread_images(unsqueeze(x, 2), unsqueeze(weight, 2), as_image(w), groups), 2);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    w.end[i] = more[i] - w.end[i];  // a negative size takes away
    w.begin[i] = -w.begin[i];
  }
  y = padded(y, w, 0);
  if (!call.has(2)) return {y};
  Shape channels = Shape::filled(y.value().rank(), 1);
  channels[1] = call.in(2).value().numel();
  return {add(y, reshape(call.in(2), channels))};
}

}  // namespace

std::vector<OperatorEntry> conv_operators() {
  return {{"Conv", conv_node}, {"ConvTranspose", conv_transpose_node}};
}

}  // namespace gradus::interchange
