// Layers that move numbers, drop them or look them up, as nodes.
#include <gradus/core/create.h>
#include <gradus/interchange/detail/layer_writing.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/embedding.h>
#include <gradus/layers/image.h>
#include <gradus/layers/shape.h>

#include <cmath>
#include <optional>

namespace gradus::interchange::detail {
namespace {

/// ONNX has no node that repeats an image around itself before opset 19: its ends are cut out and put there.
std::string write_circular_axis(GraphWriter& w, const std::string& path, const std::string& input,
                                std::int64_t axis, std::int64_t before, std::int64_t behind) {
  constexpr std::int64_t end = INT64_MAX;  // of any axis
  const auto part = [&](std::int64_t from, std::int64_t to) {
    return w.node("Slice", path,
                  {input, w.list(path, "begin", {from}), w.list(path, "end", {to}),
                   w.list(path, "axis", {axis})});
  };
  std::vector<std::string> parts;
  if (before > 0) parts.push_back(part(-before, end));
  parts.push_back(input);
  if (behind > 0) parts.push_back(part(0, behind));
  return parts.size() == 1 ? input : w.node("Concat", path, parts, {integer("axis", axis)});
}

std::string write_flatten(GraphWriter& w, const LayerPlace& at, Flatten& layer) {
  const int rank = at.in.rank();
  const auto axis = [&](std::int64_t dim) { return static_cast<int>(dim < 0 ? dim + rank : dim); };
  const int start = axis(layer.start_dim());
  const int end = axis(layer.end_dim());
  if (start == 1 && end == rank - 1 && at.batch_axis == 0)
    return w.node("Flatten", at.path, {at.input}, {integer("axis", 1)});
  if (start == end) return w.node("Identity", at.path, {at.input});
  if (start <= at.batch_axis && at.batch_axis <= end)
    at.refuse("Flatten", "dimensions ", start, " to ", end, " hold the batch");
  if (end < at.batch_axis) at.refuse("Flatten", "moves the batch, which is behind ", end);
  return w.reshape(at.path, at.input, at.out, at.batch_axis);
}

std::string write_identity(GraphWriter& w, const LayerPlace& at, Module&) {
  return w.node("Identity", at.path, {at.input});
}

/// Without the input training_mode a node drops nothing; who trains on finds the probability.
std::string write_dropout(GraphWriter& w, const LayerPlace& at, Dropout& layer) {
  return w.node("Dropout", at.path, {at.input, w.number(at.path, "ratio", layer.p(), at.dtype)});
}

std::string write_zero_pad(GraphWriter& w, const LayerPlace& at, ZeroPad2d& layer) {
  const std::vector<std::int64_t>& s = layer.sizes();
  return write_border(w, at.path, at.input, at.in.rank(), {{s[2], s[0]}, {s[3], s[1]}},
                      PaddingMode::zeros, at.dtype);
}

void expect_images(const LayerPlace& at, std::string_view kind) {
  if (at.in.rank() != 4) at.refuse(kind, "is written for [N,C,H,W], its input is ", at.in);
}

std::string write_pixel_shuffle(GraphWriter& w, const LayerPlace& at, PixelShuffle& layer) {
  expect_images(at, "PixelShuffle");
  return w.node("DepthToSpace", at.path, {at.input},
                {integer("blocksize", layer.upscale_factor()), text("mode", "CRD")});
}

/// SpaceToDepth has the channels in another order.
std::string write_pixel_unshuffle(GraphWriter& w, const LayerPlace& at, PixelUnshuffle& layer) {
  expect_images(at, "PixelUnshuffle");
  const std::int64_t r = layer.downscale_factor();
  const std::string blocks =
      w.reshape(at.path, at.input, Shape{1, at.in[1], at.out[2], r, at.out[3], r});
  const std::string turned =
      w.node("Transpose", at.path, {blocks}, {integers("perm", {0, 1, 3, 5, 2, 4})});
  return w.reshape(at.path, turned, at.out);
}

/// Resize takes a factor in float32, and what it rounds down to shall be what Gradus makes of the factor, whether a reader
/// multiplies in float32, in float64, or by the number that was written, as GraphNet does. Where the factor's own float
/// comes to a pixel more, the one below does not. Nothing where neither tells: there the product is whole but for
/// rounding, and the size says the same; and where a factor gives the size itself or its double only by rounding down,
/// as Gradus takes the pixels as if it were exact, and so do sizes.
std::optional<float> telling_factor(const LayerPlace& at, int axis, double factor) {
  const auto size = static_cast<double>(at.in[axis]);
  const auto count = static_cast<double>(at.out[axis]);
  if ((count == size || count == 2 * size) && size * factor != count) return std::nullopt;
  const auto nearest = static_cast<float>(factor);
  for (const float stored : {nearest, std::nextafter(nearest, 0.0F)}) {
    const double in_float = static_cast<double>(static_cast<float>(size) * stored);
    if (std::floor(in_float) == count && std::floor(size * static_cast<double>(stored)) == count &&
        std::floor(size * as_written(stored)) == count)
      return stored;
  }
  return std::nullopt;
}

std::string write_upsample(GraphWriter& w, const LayerPlace& at, Upsample& layer) {
  expect_images(at, "Upsample");
  const InterpolateOptions& o = layer.options();
  std::vector<Attribute> how;
  if (o.mode == InterpolateMode::nearest) {
    how = {text("coordinate_transformation_mode", "asymmetric"), text("mode", "nearest"),
           text("nearest_mode", "floor")};
  } else {
    const bool corners = o.align_corners.value_or(false);
    how = {text("coordinate_transformation_mode", corners ? "align_corners" : "half_pixel"),
           text("mode", "linear")};
  }
  const std::optional<float> height = telling_factor(at, 2, o.scale_factor.height);
  const std::optional<float> width = telling_factor(at, 3, o.scale_factor.width);
  if (o.scale_factor != Scale(0) && height && width) {
    const std::vector<float> factors = {1, 1, *height, *width};
    return w.node("Resize", at.path,
                  {at.input, "", w.constant(at.path, "scales", Tensor::from(factors.data(), {4}))},
                  std::move(how));
  }
  const std::string batch =
      w.node("Shape", at.path, {at.input}, {integer("end", 1), integer("start", 0)});
  const std::string sizes = w.node(
      "Concat", at.path, {batch, w.list(at.path, "sizes", {at.out[1], at.out[2], at.out[3]})},
      {integer("axis", 0)});
  return w.node("Resize", at.path, {at.input, "", "", sizes}, std::move(how));
}

std::string write_embedding(GraphWriter& w, const LayerPlace& at, Embedding& layer) {
  return w.node("Gather", at.path, {w.state(layer.weight.value()), at.input}, {integer("axis", 0)});
}

}  // namespace

std::string write_border(GraphWriter& w, const std::string& path, const std::string& input,
                         int rank, const Border& border, PaddingMode mode, DType dtype) {
  const std::size_t axes = border.before.size();
  const std::size_t first = static_cast<std::size_t>(rank) - axes;
  if (mode == PaddingMode::circular) {
    std::string value = input;
    for (std::size_t i = 0; i < axes; ++i)
      value = write_circular_axis(w, path, value, static_cast<std::int64_t>(first + i),
                                  border.before[i], border.behind[i]);
    return value;
  }
  Ints pads(2 * static_cast<std::size_t>(rank));
  for (std::size_t i = 0; i < axes; ++i) {
    pads[first + i] = border.before[i];
    pads[static_cast<std::size_t>(rank) + first + i] = border.behind[i];
  }
  const char* name = mode == PaddingMode::reflect     ? "reflect"
                     : mode == PaddingMode::replicate ? "edge"
                                                      : "constant";
  std::vector<std::string> inputs = {input, w.list(path, "pads", pads)};
  if (mode == PaddingMode::zeros) inputs.push_back(w.number(path, "zero", 0, dtype));
  return w.node("Pad", path, std::move(inputs), {text("mode", name)});
}

LayerWriters writers_of_shapes() {
  return {writes<Flatten>(write_flatten),
          {typeid(Identity), write_identity},
          writes<Dropout>(write_dropout),
          {typeid(Dropout2d), write_identity},  // ONNX has no node that drops whole channels
          writes<ZeroPad2d>(write_zero_pad),
          writes<PixelShuffle>(write_pixel_shuffle),
          writes<PixelUnshuffle>(write_pixel_unshuffle),
          writes<Upsample>(write_upsample),
          writes<Embedding>(write_embedding)};
}

}  // namespace gradus::interchange::detail
