// Images of other sizes: padding, resizing, sampling. Resizing is a product with a matrix along each axis, whose rows say
// which pixels an output pixel is made of; so every mode has its gradient. The nearest pixel is taken as it is.
#include <gradus/core/words.h>
#include <gradus/interchange/operators/call.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace gradus::interchange {
namespace {

/// For each place of a padded axis the one that it shows.
Tensor shown(const Call& call, const std::string& mode, std::int64_t size, std::int64_t begin,
             std::int64_t end) {
  if (size < 1) call.refuse("mode ", mode, " of a dimension of 0");
  Tensor places = Tensor::empty({std::max<std::int64_t>(begin + size + end, 0)}, int64);
  const std::int64_t period = std::max<std::int64_t>(2 * (size - 1), 1);
  for (std::int64_t i = -begin; i < size + end; ++i) {
    std::int64_t at = std::clamp<std::int64_t>(i, 0, size - 1);
    if (mode == "reflect") {
      at = (i % period + period) % period;
      if (at >= size) at = period - at;
    }
    places.data<std::int64_t>()[i + begin] = at;
  }
  return places;
}

/// Sizes and value are attributes before opset 11, then inputs. Negative sizes take away.
Variables pad_node(const Call& call) {
  Variable x = call.in(0);
  const int rank = x.value().rank();
  const Integers pads = call.integers_since(11, "pads", 1);
  const std::string mode = call.text("mode", "constant");
  if (std::ssize(pads) != 2 * rank)
    call.refuse(pads.size(), " sizes of padding for ", rank, " dimensions; two each are expected");
  for (const std::int64_t size : pads) {
    if (std::abs(static_cast<double>(size)) > 1e12) call.refuse("padding of ", size);
  }
  if (mode == "constant") {
    double value = call.opset < 11 ? call.real("value", 0) : 0;
    if (call.opset >= 11 && call.has(2)) value = call.in(2).value().reshape({}).item();
    Integers sizes;
    for (int d = rank - 1; d >= 0; --d) {
      sizes.push_back(pads[static_cast<std::size_t>(d)]);
      sizes.push_back(pads[static_cast<std::size_t>(d + rank)]);
    }
    return {pad(x, sizes, PaddingMode::constant, value)};
  }
  if (mode != "reflect" && mode != "edge")
    call.refuse("mode ", in_quotes(mode), "; known are constant, reflect and edge");
  for (int d = 0; d < rank; ++d) {
    const std::int64_t begin = pads[static_cast<std::size_t>(d)];
    const std::int64_t end = pads[static_cast<std::size_t>(d + rank)];
    if (begin == 0 && end == 0) continue;
    x = index_select(x, d, shown(call, mode, x.value().size(d), begin, end));
  }
  return {x};
}

/// How an axis is resized.
struct AxisResize {
  std::int64_t in = 0;
  std::int64_t out = 0;
  double scale = 1;    ///< out/in, as given
  bool sized = false;  ///< the size was given, so that out/in is exact

  /// x pixels of the output in those of the input.
  double back(double x) const {
    return sized ? x * static_cast<double>(in) / static_cast<double>(out) : x / scale;
  }
  double first = 0, last = 1;  ///< of tf_crop_and_resize: the part of the axis, in sizes of it
};

/// Where in the input the middle of output pixel i lies.
double source_of(const Call& call, const std::string& rule, const AxisResize& a, std::int64_t i) {
  const auto x = static_cast<double>(i);
  const auto in = static_cast<double>(a.in);
  // Not rounded down, as onnx's own cases have it.
  const double out = a.sized ? static_cast<double>(a.out) : in * a.scale;
  if (rule == "asymmetric") return a.back(x);
  if (rule == "half_pixel") return a.back(x + 0.5) - 0.5;
  if (rule == "pytorch_half_pixel") return a.out > 1 ? a.back(x + 0.5) - 0.5 : 0;
  if (rule == "tf_half_pixel_for_nn") return a.back(x + 0.5);
  if (rule == "align_corners") return a.out > 1 ? x * (in - 1) / (out - 1) : 0;
  if (rule == "tf_crop_and_resize") {
    if (a.out == 1) return 0.5 * (a.first + a.last) * (in - 1);
    const auto steps = static_cast<double>(a.out - 1);
    return a.first * (in - 1) + x * (a.last - a.first) * (in - 1) / steps;
  }
  call.refuse("coordinate_transformation_mode ", in_quotes(rule),
              "; known are half_pixel, pytorch_half_pixel, align_corners, asymmetric, "
              "tf_half_pixel_for_nn and tf_crop_and_resize");
}

/// The nearest pixel, by the node's rule for the middle between two.
std::int64_t rounded(const Call& call, double x) {
  const std::string rule =
      call.text("nearest_mode", call.opset < 11 ? "floor" : "round_prefer_floor");
  double at = std::floor(x);
  if (rule == "round_prefer_floor") {
    at = std::ceil(x - 0.5);
  } else if (rule == "round_prefer_ceil") {
    at = std::floor(x + 0.5);
  } else if (rule == "ceil") {
    at = std::ceil(x);
  } else if (rule != "floor") {
    call.refuse("nearest_mode ", in_quotes(rule),
                "; known are round_prefer_floor, round_prefer_ceil, floor and ceil");
  }
  return static_cast<std::int64_t>(at);
}

/// Weights of the four pixels around: R. Keys, "Cubic convolution interpolation for digital image processing", 1981.
std::array<double, 4> cubic_weights(double t, double a) {
  const auto near = [a](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [a](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return {far(1 + t), near(t), near(1 - t), far(2 - t)};
}

std::string coordinate_rule(const Call& call) {
  return call.text("coordinate_transformation_mode", call.opset < 11 ? "asymmetric" : "half_pixel");
}

/// Of a crop: which output pixels lie beyond the image.
Tensor beyond(const Call& call, const AxisResize& a) {
  Tensor outside = zeros({a.out}, boolean);
  for (std::int64_t i = 0; i < a.out; ++i) {
    const double x = source_of(call, coordinate_rule(call), a, i);
    outside.data<bool>()[i] = x < 0 || x > static_cast<double>(a.in - 1);
  }
  return outside;
}

/// The input pixel that each output pixel shows.
Integers nearest_pixels(const Call& call, const AxisResize& a) {
  const std::string rule = coordinate_rule(call);
  Integers pixels;
  for (std::int64_t i = 0; i < a.out; ++i) {
    const std::int64_t at = rounded(call, source_of(call, rule, a, i));
    pixels.push_back(std::clamp<std::int64_t>(at, 0, a.in - 1));
  }
  return pixels;
}

/// Row i holds what output pixel i takes of each input pixel.
Tensor resize_matrix(const Call& call, const AxisResize& a, const std::string& mode, DType dtype) {
  const std::string rule = coordinate_rule(call);
  const bool exclude = call.flag("exclude_outside", false);
  const Tensor matrix = zeros({a.out, a.in}, float64);
  auto* rows = matrix.data<double>();
  for (std::int64_t i = 0; i < a.out; ++i) {
    const double x = source_of(call, rule, a, i);
    double* row = rows + i * a.in;
    const double base = std::floor(x);
    const double t = x - base;
    std::array<double, 4> weights{0, 1 - t, t, 0};
    if (mode == "cubic") weights = cubic_weights(t, call.real("cubic_coeff_a", -0.75));
    double total = 0;
    for (int k = 0; k < 4; ++k) {
      const auto at = static_cast<std::int64_t>(base) + k - 1;
      const bool outside = at < 0 || at >= a.in;
      const double weight = outside && exclude ? 0 : weights[static_cast<std::size_t>(k)];
      total += weight;
      row[std::clamp<std::int64_t>(at, 0, a.in - 1)] += weight;
    }
    if (exclude && total != 0) std::for_each(row, row + a.in, [&](double& w) { w /= total; });
  }
  return matrix.to(dtype);
}

/// x with axis d resized.
Variable resized(const Variable& x, int d, const Tensor& matrix) {
  const std::int64_t last = x.value().rank() - 1;
  return transpose(linear(transpose(x, d, last), Variable(matrix)), d, last);
}

/// Scales as somebody wrote them: 0.7 rather than its float, by which 10 pixels would become 6.
std::vector<double> scales_in(const Tensor& numbers) {
  std::vector<double> scales = numbers.to(float64).reshape({-1}).to_vector<double>();
  for (double& scale : scales) {
    const auto rounded = static_cast<float>(scale);
    if (static_cast<double>(rounded) == scale) scale = as_written(rounded);
  }
  return scales;
}

/// Sizes and scales from the inputs of Resize and Upsample, which differ between opsets.
std::vector<AxisResize> resize_axes(const Call& call) {
  const Shape& shape = call.in(0).value().shape();
  const bool old = call.opset < 11 || call.node.op == "Upsample";
  std::vector<double> scales;
  Integers sizes;
  const std::size_t input = old ? 1 : 2;
  if (call.node.op == "Upsample" && call.opset < 9) {
    scales = call.reals("scales");
  } else if (call.has(input) && call.in(input).value().numel() > 0) {
    scales = scales_in(call.in(input).value());
  } else if (!old && call.has(3)) {
    sizes = call.integers_in(3);
  }
  const std::size_t given = sizes.empty() ? scales.size() : sizes.size();
  if (static_cast<int>(given) != shape.rank())
    call.refuse(given, " scales or sizes of ", shape.rank(), " dimensions; one each is expected");
  std::vector<double> region;
  if (!old && call.has(1))
    region = call.in(1).value().to(float64).reshape({-1}).to_vector<double>();
  std::vector<AxisResize> axes;
  for (int d = 0; d < shape.rank(); ++d) {
    const auto i = static_cast<std::size_t>(d);
    AxisResize a{.in = shape[d]};
    const bool crops = region.size() == 2 * given;
    if (crops && call.text("coordinate_transformation_mode", "") == "tf_crop_and_resize") {
      a.first = region[i];
      a.last = region[i + given];
      if (!(std::abs(a.first) < 1e9 && std::abs(a.last) < 1e9))
        call.refuse("a region from ", a.first, " to ", a.last, "; below 10^9 expected");
    }
    if (sizes.empty()) {
      a.scale = scales[i];
      if (!(a.scale > 0 && a.scale < 1e9)) call.refuse("a scale of ", a.scale, "; 0 to 10^9");
      a.out = static_cast<std::int64_t>(
          std::floor(static_cast<double>(a.in) * (a.last - a.first) * a.scale));
    } else {
      a.out = sizes[i];
      a.sized = true;
      a.scale = static_cast<double>(a.out) / static_cast<double>(a.in);
    }
    if (a.in < 1 || a.out < 1) call.refuse("a size of ", a.in, " to ", a.out, "; 1 or more each");
    axes.push_back(a);
  }
  return axes;
}

Variables resize_node(const Call& call) {
  Variable x = call.in(0);
  const std::string mode = call.text("mode", "nearest");
  if (mode != "nearest" && mode != "linear" && mode != "bilinear" && mode != "cubic")
    call.refuse("mode ", in_quotes(mode), "; known are nearest, linear and cubic");
  const std::vector<AxisResize> axes = resize_axes(call);
  // A pixel that is taken whole needs no arithmetic: integers stay exact, and an infinity keeps to its place.
  const bool nearest = mode == "nearest";
  const DType given = x.value().dtype();
  const bool counts = is_floating(given) || (nearest && !is_storage_only(given));
  const DType dtype = counts ? given : float64;
  x = cast(x, dtype);
  const bool crops = call.text("coordinate_transformation_mode", "") == "tf_crop_and_resize";
  Tensor outside = zeros(Shape::filled(x.value().rank(), 1), boolean);
  for (int d = 0; d < x.value().rank(); ++d) {
    const AxisResize& a = axes[static_cast<std::size_t>(d)];
    if (a.in == a.out && a.scale == 1 && !crops) continue;
    x = nearest ? index_select(x, d, tensor_of(nearest_pixels(call, a)))
                : resized(x, d, resize_matrix(call, a, mode, dtype));
    Shape along = Shape::filled(x.value().rank(), 1);
    along[d] = a.out;
    if (crops) outside = core::logical_or(outside, beyond(call, a).reshape(along));
  }
  if (crops) {  // beyond the image stands the value of the node
    const double value = call.real("extrapolation_value", 0);
    x = masked_fill(x, outside, is_floating(dtype) ? value : std::trunc(value));
  }
  return {cast(x, given)};
}

}  // namespace

std::vector<OperatorEntry> image_operators() {
  return {{"Pad", pad_node}, {"Resize", resize_node}, {"Upsample", resize_node}};
}

}  // namespace gradus::interchange
