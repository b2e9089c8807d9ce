// Convolutions, pools and windows, and Linear, as nodes.
//
// Rows and images are written by the same functions: each axis has a number in every list. Where ONNX leaves open
// what a window means that hangs over the edge, or programs differ, sizes are stated as paddings.
#include <gradus/core/create.h>
#include <gradus/core/detail/conv_checks.h>
#include <gradus/core/math.h>
#include <gradus/interchange/detail/layer_writing.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/image.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/pool.h>

#include <algorithm>

namespace gradus::interchange::detail {
namespace {

Ints joined_lists(Ints first, const Ints& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// Both axes, or the one that a row has.
Ints axes_of(Pair pair, bool row) { return row ? Ints{pair.width} : Ints{pair.height, pair.width}; }

std::vector<std::string> weights_of(GraphWriter& w, const std::string& input,
                                    const Variable& weight, const Variable& bias) {
  std::vector<std::string> inputs = {input, w.state(weight.value())};
  if (bias.defined()) inputs.push_back(w.state(bias.value()));
  return inputs;
}

// ---- Convolutions ---------------------------------------------------------------------------------

std::string write_convolution(GraphWriter& w, const LayerPlace& at, const Variable& weight,
                              const Variable& bias, const Conv2dOptions& o, PaddingMode mode) {
  const bool row = weight.rank() == 3;
  const int rank = at.in.rank();
  if (rank != weight.rank())
    at.refuse(row ? "Conv1d" : "Conv2d", "is written for a batch, its input is ", at.in);
  const Pair kernel = row ? Pair{1, weight.size(2)} : Pair{weight.size(2), weight.size(3)};
  const checks::PaddingSizes sizes =
      checks::padding_sizes("export", o.padding, kernel, o.stride, o.dilation);
  Border border{axes_of(sizes.before, row), axes_of(sizes.after, row)};
  std::string input = at.input;
  if (mode != PaddingMode::zeros) {
    input = write_border(w, at.path, input, rank, border, mode, at.dtype);
    border = {Ints(border.before.size()), Ints(border.before.size())};
  }
  return w.node("Conv", at.path, weights_of(w, input, weight, bias),
                {integers("dilations", axes_of(o.dilation, row)), integer("group", o.groups),
                 integers("kernel_shape", axes_of(kernel, row)),
                 integers("pads", joined_lists(border.before, border.behind)),
                 integers("strides", axes_of(o.stride, row))});
}

std::string write_conv1d(GraphWriter& w, const LayerPlace& at, Conv1d& layer) {
  const Conv1dOptions& o = layer.options();
  Padding padding = o.padding;
  if (padding.rule == Padding::Rule::sizes) padding = Padding(0, o.padding.width);
  return write_convolution(w, at, layer.weight, layer.bias,
                           {.stride = {1, o.stride},
                            .padding = padding,
                            .dilation = {1, o.dilation},
                            .groups = o.groups},
                           layer.padding_mode());
}

std::string write_conv2d(GraphWriter& w, const LayerPlace& at, Conv2d& layer) {
  return write_convolution(w, at, layer.weight, layer.bias, layer.options(), layer.padding_mode());
}

std::string write_conv_transpose2d(GraphWriter& w, const LayerPlace& at, ConvTranspose2d& layer) {
  if (at.in.rank() != 4)
    at.refuse("ConvTranspose2d", "is written for a batch, its input is ", at.in);
  const ConvTranspose2dOptions& o = layer.options();
  const Ints padding = axes_of(o.padding, false);
  return w.node("ConvTranspose", at.path, weights_of(w, at.input, layer.weight, layer.bias),
                {integers("dilations", axes_of(o.dilation, false)), integer("group", o.groups),
                 integers("kernel_shape", {layer.weight.size(2), layer.weight.size(3)}),
                 integers("output_padding", axes_of(o.output_padding, false)),
                 integers("pads", joined_lists(padding, padding)),
                 integers("strides", axes_of(o.stride, false))});
}

std::string write_linear(GraphWriter& w, const LayerPlace& at, Linear& layer) {
  if (at.in.rank() == 2) {
    return w.node("Gemm", at.path, weights_of(w, at.input, layer.weight, layer.bias),
                  {integer("transB", 1)});
  }
  return w.linear(at.path, at.input, w.state(layer.weight.value()),
                  layer.bias.defined() ? w.state(layer.bias.value()) : "");
}

// ---- Pools ----------------------------------------------------------------------------------------

/// A pooling axis by axis: how far the last window hangs over the padded image, and whether rounding up is all
/// that makes it do so.
struct PoolAxes {
  Ints kernel, stride, padding, dilation;
  Ints over;
  bool hangs_over = false;
  bool rounded_up = true;
};

PoolAxes axes_of_pool(const LayerPlace& at, const Pool2dOptions& o, bool row) {
  PoolAxes axes{.kernel = axes_of(o.kernel_size, row),
                .stride = axes_of(o.stride, row),
                .padding = axes_of(o.padding, row),
                .dilation = axes_of(o.dilation, row),
                .over = {}};
  for (std::size_t i = 0; i < axes.kernel.size(); ++i) {
    const int axis = static_cast<int>(i) + 2;
    const std::int64_t padded = at.in[axis] + 2 * axes.padding[i];
    const std::int64_t reach = axes.dilation[i] * (axes.kernel[i] - 1) + 1;
    const std::int64_t end = (at.out[axis] - 1) * axes.stride[i] + reach;
    const std::int64_t up = (padded - reach + axes.stride[i] - 1) / axes.stride[i] + 1;
    axes.over.push_back(std::max<std::int64_t>(0, end - padded));
    axes.hangs_over = axes.hangs_over || axes.over.back() > 0;
    axes.rounded_up = axes.rounded_up && at.out[axis] == up;
  }
  return axes;
}

Ints padding_and_over(const PoolAxes& axes) {
  Ints pads = joined_lists(axes.padding, axes.padding);
  for (std::size_t i = 0; i < axes.over.size(); ++i) pads[axes.over.size() + i] += axes.over[i];
  return pads;
}

void expect_batch(const LayerPlace& at, std::string_view kind, bool row) {
  if (at.in.rank() != (row ? 3 : 4))
    at.refuse(kind, "is written for a batch, its input is ", at.in);
}

std::string write_max_pool(GraphWriter& w, const LayerPlace& at, const Pool2dOptions& o, bool row) {
  expect_batch(at, row ? "MaxPool1d" : "MaxPool2d", row);
  const PoolAxes axes = axes_of_pool(at, o, row);
  const bool ceil = axes.hangs_over && axes.rounded_up;
  return w.node(
      "MaxPool", at.path, {at.input},
      {integer("ceil_mode", ceil ? 1 : 0), integers("dilations", axes.dilation),
       integers("kernel_shape", axes.kernel),
       integers("pads", ceil ? joined_lists(axes.padding, axes.padding) : padding_and_over(axes)),
       integers("strides", axes.stride)});
}

/// Pixels of each window of a pool, over those that count: what hangs over the padding does not, so that its windows
/// are not all alike. [OH,OW], or [OL].
Tensor shares_of_windows(const LayerPlace& at, const PoolAxes& axes) {
  Tensor shares = ones({}, float64);
  for (std::size_t i = 0; i < axes.kernel.size(); ++i) {
    const int axis = static_cast<int>(i) + 2;
    std::vector<double> along;
    for (std::int64_t k = 0; k < at.out[axis]; ++k) {
      const std::int64_t begin = k * axes.stride[i] - axes.padding[i];
      const std::int64_t end = std::min(begin + axes.kernel[i], at.in[axis] + axes.padding[i]);
      along.push_back(static_cast<double>(axes.kernel[i]) / static_cast<double>(end - begin));
    }
    const Tensor factors = Tensor::from(along.data(), {std::ssize(along)});
    shares = core::mul(shares.unsqueeze(-1), factors);
  }
  return shares.to(at.dtype);
}

std::string write_avg_pool(GraphWriter& w, const LayerPlace& at, const Pool2dOptions& o, bool row) {
  expect_batch(at, row ? "AvgPool1d" : "AvgPool2d", row);
  const PoolAxes axes = axes_of_pool(at, o, row);
  const bool padded = std::any_of(axes.padding.begin(), axes.padding.end(),
                                  [](std::int64_t size) { return size > 0; });
  const bool counts = (o.count_include_pad && padded) || o.divisor_override.has_value();
  const std::string mean =
      w.node("AveragePool", at.path, {at.input},
             {integer("ceil_mode", 0), integer("count_include_pad", counts ? 1 : 0),
              integers("kernel_shape", axes.kernel), integers("pads", padding_and_over(axes)),
              integers("strides", axes.stride)});
  if (o.divisor_override) {
    const double factor = static_cast<double>(o.kernel_size.height * o.kernel_size.width) /
                          static_cast<double>(*o.divisor_override);
    return w.node("Mul", at.path, {mean, w.number(at.path, "factor", factor, at.dtype)});
  }
  if (!counts || !axes.hangs_over) return mean;
  return w.node("Mul", at.path,
                {mean, w.constant(at.path, "factors", shares_of_windows(at, axes))});
}

/// Windows of different sizes along one axis: each cut out and reduced by itself.
std::string write_uneven_axis(GraphWriter& w, const LayerPlace& at, const std::string& input,
                              int axis, const char* reduce) {
  const std::int64_t size = at.in[axis];
  const std::int64_t count = at.out[axis];
  const std::string axes = w.list(at.path, "axis", {axis});
  std::vector<std::string> parts;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t begin = i * size / count;
    const std::int64_t end = ((i + 1) * size + count - 1) / count;
    const std::string window =
        w.node("Slice", at.path,
               {input, w.list(at.path, "begin", {begin}), w.list(at.path, "end", {end}), axes});
    parts.push_back(
        w.node(reduce, at.path, {window}, {integers("axes", {axis}), integer("keepdims", 1)}));
  }
  return parts.size() == 1 ? parts[0] : w.node("Concat", at.path, parts, {integer("axis", axis)});
}

/// `of` is "Average" or "Max".
std::string write_adaptive_pool(GraphWriter& w, const LayerPlace& at, std::string_view kind,
                                const std::string& of, bool row) {
  expect_batch(at, kind, row);
  bool global = true;
  bool even = true;
  Ints kernel;
  for (int axis = 2; axis < at.in.rank(); ++axis) {
    global = global && at.out[axis] == 1;
    even = even && at.in[axis] % at.out[axis] == 0;
    kernel.push_back(at.in[axis] / at.out[axis]);
  }
  if (global) return w.node("Global" + of + "Pool", at.path, {at.input});
  if (even) {
    return w.node(of + "Pool", at.path, {at.input},
                  {integers("kernel_shape", kernel), integers("strides", kernel)});
  }
  std::string value = at.input;
  for (int axis = 2; axis < at.in.rank(); ++axis)
    value = write_uneven_axis(w, at, value, axis, of == "Max" ? "ReduceMax" : "ReduceMean");
  return value;
}

// ---- Windows as columns ---------------------------------------------------------------------------

/// [C·kh·kw, 1, kh, kw]: row c·kh·kw + k has its one at place k.
Tensor one_pixel_kernels(std::int64_t channels, Pair kernel, DType dtype) {
  const std::int64_t places = kernel.height * kernel.width;
  return eye(places, dtype)
      .reshape({1, places, places})
      .expand({channels, places, places})
      .reshape({channels * places, 1, kernel.height, kernel.width});
}

/// The attributes of a convolution, and of its adjoint, with these windows.
std::vector<Attribute> windows(const UnfoldOptions& o, std::int64_t channels) {
  const Ints padding = axes_of(o.padding, false);
  return {integers("dilations", axes_of(o.dilation, false)), integer("group", channels),
          integers("kernel_shape", axes_of(o.kernel_size, false)),
          integers("pads", joined_lists(padding, padding)),
          integers("strides", axes_of(o.stride, false))};
}

std::string write_unfold(GraphWriter& w, const LayerPlace& at, Unfold& layer) {
  expect_batch(at, "Unfold", false);
  const UnfoldOptions& o = layer.options();
  const std::int64_t channels = at.in[1];
  const std::string kernels =
      w.constant(at.path, "kernels", one_pixel_kernels(channels, o.kernel_size, at.dtype));
  const std::string images = w.node("Conv", at.path, {at.input, kernels}, windows(o, channels));
  return w.reshape(at.path, images, at.out);
}

std::string write_fold(GraphWriter& w, const LayerPlace& at, Fold& layer) {
  expect_batch(at, "Fold", true);
  const UnfoldOptions& o = layer.options();
  const std::int64_t channels = at.out[1];
  Ints places;
  Ints rest;  // pixels behind the last window
  const auto along = [&](std::int64_t size, std::int64_t kernel, std::int64_t padding,
                         std::int64_t dilation, std::int64_t stride) {
    const std::int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
    places.push_back(room / stride + 1);
    rest.push_back(room % stride);
  };
  along(at.out[2], o.kernel_size.height, o.padding.height, o.dilation.height, o.stride.height);
  along(at.out[3], o.kernel_size.width, o.padding.width, o.dilation.width, o.stride.width);
  const std::string images = w.reshape(at.path, at.input, Shape{1, at.in[1], places[0], places[1]});
  const std::string kernels =
      w.constant(at.path, "kernels", one_pixel_kernels(channels, o.kernel_size, at.dtype));
  std::vector<Attribute> attributes = windows(o, channels);
  attributes.push_back(integers("output_padding", rest));
  return w.node("ConvTranspose", at.path, {images, kernels}, attributes);
}

template <class Layer> WriteLayer max_pool_writer() {
  return [](GraphWriter& w, const LayerPlace& at, Module& module) {
    const auto& o = dynamic_cast<Layer&>(module).options();
    if constexpr (std::is_same_v<Layer, MaxPool1d>)
      return write_max_pool(w, at, o.of_images(), true);
    else
      return write_max_pool(w, at, o, false);
  };
}

template <class Layer> WriteLayer avg_pool_writer() {
  return [](GraphWriter& w, const LayerPlace& at, Module& module) {
    const auto& o = dynamic_cast<Layer&>(module).options();
    if constexpr (std::is_same_v<Layer, AvgPool1d>)
      return write_avg_pool(w, at, o.of_images(), true);
    else
      return write_avg_pool(w, at, o, false);
  };
}

WriteLayer adaptive_pool_writer(const std::string& of, bool row) {
  return [of, row](GraphWriter& w, const LayerPlace& at, Module& module) {
    return write_adaptive_pool(w, at, module.kind(), of, row);
  };
}

}  // namespace

LayerWriters writers_of_windows() {
  return {writes<Conv1d>(write_conv1d),
          writes<Conv2d>(write_conv2d),
          writes<ConvTranspose2d>(write_conv_transpose2d),
          writes<Linear>(write_linear),
          writes<Unfold>(write_unfold),
          writes<Fold>(write_fold),
          {typeid(MaxPool1d), max_pool_writer<MaxPool1d>()},
          {typeid(MaxPool2d), max_pool_writer<MaxPool2d>()},
          {typeid(AvgPool1d), avg_pool_writer<AvgPool1d>()},
          {typeid(AvgPool2d), avg_pool_writer<AvgPool2d>()},
          {typeid(AdaptiveAvgPool1d), adaptive_pool_writer("Average", true)},
          {typeid(AdaptiveAvgPool2d), adaptive_pool_writer("Average", false)},
          {typeid(AdaptiveMaxPool1d), adaptive_pool_writer("Max", true)},
          {typeid(AdaptiveMaxPool2d), adaptive_pool_writer("Max", false)}};
}

}  // namespace gradus::interchange::detail
