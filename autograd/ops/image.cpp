// Moving the pixels of images. unfold and fold are a pair of adjoints, so each is the other's
// derivative; all else is made of what moves elements already, and has its derivatives from there.
#include <gradus/autograd/ops/chapter.h>
#include <gradus/core/detail/conv_checks.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace gradus {
namespace ops {

/// y = the windows of x, as columns        dL/dx = fold(dL/dy)
struct Unfold final : Op {
  static constexpr std::string_view name = "unfold";
  UnfoldOptions options;

  explicit Unfold(const UnfoldOptions& o) : options(o) {}

  Tensor forward(const Variable& x) { return core::unfold(x.value(), options); }

  Variables backward(const Variable& dy) override {
    return {fold(dy, {input_shape(0)[2], input_shape(0)[3]}, options)};
  }

  Rounding rounding() const { return multilinear(0); }
};

/// x = columns, added where their windows lie        dL/d(columns) = unfold(dL/dx)
struct Fold final : Op {
  static constexpr std::string_view name = "fold";
  Pair output_size;
  UnfoldOptions options;

  Fold(Pair size, const UnfoldOptions& o) : output_size(size), options(o) {}

  Tensor forward(const Variable& columns) {
    return core::fold(columns.value(), output_size, options);
  }

  Variables backward(const Variable& g) override { return {unfold(g, options)}; }

  Rounding rounding() const { return multilinear(0); }
};

namespace {

// ---- pad ----

/// One dimension of a tensor that is padded, and by how much.
struct Border {
  PaddingMode mode;
  double value;
  int dim;
  std::int64_t before, behind;
};

void check_border(const Border& b, const Shape& shape) {
  const std::int64_t size = shape[b.dim];
  const auto refuse = [&](const auto&... rule) {
    fail<ValueError>("pad: ", rule..., ", got ", b.before, " and ", b.behind, " for dimension ",
                     b.dim, " of ", shape);
  };
  constexpr std::int64_t largest = checks::largest;
  if (std::max(b.before, b.behind) > largest || std::min(b.before, b.behind) < -largest)
    refuse("sizes must not be beyond ", largest);
  const std::int64_t left =
      size + std::min<std::int64_t>(b.before, 0) + std::min<std::int64_t>(b.behind, 0);
  if (left < 0) refuse("no more can be taken away than is there");
  const std::int64_t most = std::max(b.before, b.behind);
  if (most <= 0) return;
  if (b.mode == PaddingMode::reflect && most >= size)
    refuse("reflect needs sizes below that of the dimension");
  if (b.mode == PaddingMode::replicate && size == 0)
    refuse("replicate needs a border that it can repeat");
  if (b.mode == PaddingMode::circular && most > left)
    refuse("circular needs sizes of at most that of the dimension");
}

/// `count` elements to stand before x, or behind it.
Variable border(const Operand& x, const Border& b, std::int64_t count, bool before) {
  const std::int64_t size = x->size(b.dim);
  Shape shape = x->shape();
  shape[b.dim] = count;
  switch (b.mode) {
    case PaddingMode::constant:
      return Variable(full(shape, b.value, x->dtype()));
    case PaddingMode::replicate: {
      const Variable edge = narrow(x, b.dim, before ? 0 : size - 1, 1);
      return expand({edge, x.at()}, shape);
    }
    case PaddingMode::circular:
      return narrow(x, b.dim, before ? size - count : 0, count);
    case PaddingMode::reflect:
      break;
  }
  // The border pixel is the mirror, and is not repeated: count, ..., 2, 1 before the first.
  const Tensor mirrored = Tensor::empty({count}, int64);
  for (std::int64_t i = 0; i < count; ++i)
    mirrored.at<std::int64_t>({i}) = before ? count - i : size - 2 - i;
  return index_select(x, b.dim, mirrored);
}

Variable pad_dimension(const Operand& x, const Border& b) {
  const std::int64_t size = x->size(b.dim);
  const bool cut = b.before < 0 || b.behind < 0;
  const Variable middle = cut ? slice(x, b.dim, std::max<std::int64_t>(-b.before, 0),
                                      size - std::max<std::int64_t>(-b.behind, 0))
                              : *x;
  // A border repeats x as it was given, but circular what is left of it: PyTorch's conventions.
  const Operand source(b.mode == PaddingMode::circular ? middle : *x, x.at());
  Variables parts;
  if (b.before > 0) parts.push_back(border(source, b, b.before, true));
  parts.push_back(middle);
  if (b.behind > 0) parts.push_back(border(source, b, b.behind, false));
  return parts.size() == 1 ? middle : cat(parts, b.dim, x.at());
}

// ---- interpolate ----

/// Along one axis: each output lies between two pixels, `share` of the way from the lower one.
struct Between {
  std::vector<std::int64_t> lower, upper;
  std::vector<double> share;
};

Between nearest_pixels(std::int64_t size, std::int64_t count, double step) {
  Between all;
  // Two roundings may put i·step below a whole number by 2⁻⁵² of it.
  constexpr double up = 1 + 0x1p-51;
  // The same size, or twice that, is what it says, whatever factor it was rounded down from.
  if (count == size) step = 1;
  if (count == 2 * size) step = 0.5;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto pixel = static_cast<std::int64_t>(static_cast<double>(i) * step * up);
    all.lower.push_back(std::min(pixel, size - 1));
  }
  return all;
}

Between linear_pixels(std::int64_t size, std::int64_t count, double step, bool align_corners) {
  Between all;
  if (count == size) step = 1;  // the pixels themselves, whatever factor it was rounded down from
  for (std::int64_t i = 0; i < count; ++i) {
    const auto position = static_cast<double>(i);
    const double place =
        align_corners ? position * step : std::max(step * (position + 0.5) - 0.5, 0.0);
    const std::int64_t lower = std::min(static_cast<std::int64_t>(place), size - 1);
    all.lower.push_back(lower);
    all.upper.push_back(std::min(lower + 1, size - 1));
    all.share.push_back(std::min(place - static_cast<double>(lower), 1.0));
  }
  return all;
}

bool is_identity(const std::vector<std::int64_t>& index, std::int64_t size) {
  std::vector<std::int64_t> same(static_cast<std::size_t>(size));
  std::iota(same.begin(), same.end(), 0);
  return index == same;
}

Variable pixels_at(const Operand& x, int dim, const std::vector<std::int64_t>& index) {
  if (is_identity(index, x->size(dim))) return *x;
  return index_select(x, dim,
                      Tensor::from(index.data(), {static_cast<std::int64_t>(index.size())}));
}

Variable interpolate_axis(const Operand& x, int dim, const Between& pixels) {
  const Variable lower = pixels_at(x, dim, pixels.lower);
  const auto moves = [](double share) { return share != 0; };
  if (std::none_of(pixels.share.begin(), pixels.share.end(), moves)) return lower;
  const Variable upper = pixels_at(x, dim, pixels.upper);
  Shape shape = Shape::filled(x->rank(), 1);
  shape[dim] = static_cast<std::int64_t>(pixels.share.size());
  const Tensor share = Tensor::from(pixels.share.data(), shape);
  const Variable near = mul({lower, x.at()}, core::sub(1, share).to(x->dtype()));
  return add({near, x.at()}, mul({upper, x.at()}, share.to(x->dtype())));
}

/// The sizes of the result, one of them given.
Shape interpolated_size(const Shape& x, const InterpolateOptions& o) {
  constexpr std::int64_t largest = checks::largest;
  const bool has_size = o.size != Pair(0);
  const bool has_scale = o.scale_factor != Scale(0);
  const auto scale = [&] {
    return text_of("(", o.scale_factor.height, ",", o.scale_factor.width, ")");
  };
  if (has_size == has_scale) {
    fail<ValueError>("interpolate: expects either size or scale_factor, got size ",
                     checks::spell(o.size), " and scale_factor ", scale());
  }
  if (has_size) {
    if (std::min(o.size.height, o.size.width) < 1 ||
        std::max(o.size.height, o.size.width) > largest) {
      fail<ValueError>("interpolate: size must be between 1 and ", largest, ", got ",
                       checks::spell(o.size));
    }
    return {o.size.height, o.size.width};
  }
  const double height = std::floor(static_cast<double>(x[2]) * o.scale_factor.height);
  const double width = std::floor(static_cast<double>(x[3]) * o.scale_factor.width);
  const auto fits = [](double pixels) { return pixels >= 1 && pixels <= double{largest}; };
  if (!fits(height) || !fits(width)) {
    fail<ValueError>("interpolate: scale_factor ", scale(), " makes ", height, "x", width,
                     " pixels of ", x);
  }
  return {static_cast<std::int64_t>(height), static_cast<std::int64_t>(width)};
}

/// [..,C,H,W] as one batch [N,C,H,W], and the dimensions in front of C to go back to.
struct Images {
  Shape leading;
  std::int64_t count, channels, height, width;
};

Images images_of(std::string_view op, const Shape& x) {
  if (x.rank() < 3) fail<ShapeError>(op, ": expects [..,C,H,W], got ", x);
  Images images{.leading = {},
                .count = 1,
                .channels = x[x.rank() - 3],
                .height = x[x.rank() - 2],
                .width = x[x.rank() - 1]};
  for (int d = 0; d < x.rank() - 3; ++d) {
    images.leading.push_back(x[d]);
    images.count *= x[d];
  }
  return images;
}

Shape with_leading(Shape leading, std::initializer_list<std::int64_t> rest) {
  for (const std::int64_t size : rest) leading.push_back(size);
  return leading;
}

}  // namespace
}  // namespace ops

std::string_view to_string(InterpolateMode mode) {
  return mode == InterpolateMode::nearest ? "nearest" : "bilinear";
}

Variable unfold(const Operand& x, const UnfoldOptions& options) {
  return ops::batched("unfold", 4, x,
                      [&](const Operand& images) { return apply(ops::Unfold(options), images); });
}

Variable fold(const Operand& x, Pair output_size, const UnfoldOptions& options) {
  return ops::batched("fold", 3, x, [&](const Operand& columns) {
    return apply(ops::Fold(output_size, options), columns);
  });
}

Variable pad(const Operand& x, const std::vector<std::int64_t>& sizes, PaddingMode mode,
             double value) {
  const auto count = static_cast<std::int64_t>(sizes.size());
  if (count % 2 != 0)
    fail<ValueError>("pad: expects two sizes for each dimension, got ", count, " sizes");
  if (count / 2 > x->rank()) {
    fail<ShapeError>("pad: ", count, " sizes are for ", count / 2, " dimensions, the input is ",
                     x->shape());
  }
  if (mode != PaddingMode::constant && value != 0)
    fail<ValueError>("pad: ", to_string(mode), " takes no value, got ", value);
  dispatch(x->dtype(), [&]<class T>() { number_as<T>("pad", value); });
  std::vector<ops::Border> borders;
  for (std::size_t i = 0; i < sizes.size() / 2; ++i) {
    borders.push_back({.mode = mode,
                       .value = value,
                       .dim = x->rank() - 1 - static_cast<int>(i),
                       .before = sizes[2 * i],
                       .behind = sizes[2 * i + 1]});
    ops::check_border(borders.back(), x->shape());
  }
  Variable y = *x;
  for (const ops::Border& border : borders) y = ops::pad_dimension({y, x.at()}, border);
  return y;
}

Variable pixel_shuffle(const Operand& x, std::int64_t upscale_factor) {
  constexpr std::string_view op = "pixel_shuffle";
  const ops::Images all = ops::images_of(op, x->shape());
  const std::int64_t r = upscale_factor;
  if (r < 1) fail<ValueError>(op, ": upscale_factor must be at least 1, got ", r);
  check_sizes(op, {all.height, r, all.width, r});
  if (all.channels % (r * r) != 0) {
    fail<ShapeError>(op, ": ", all.channels, " channels do not divide into ", r, "x", r,
                     " pixels, input ", x->shape());
  }
  const std::int64_t channels = all.channels / (r * r);
  const Variable pixels = reshape(x, {all.count, channels, r, r, all.height, all.width});
  const Variable moved = permute({pixels, x.at()}, {0, 1, 4, 2, 5, 3});
  return reshape({moved, x.at()},
                 ops::with_leading(all.leading, {channels, all.height * r, all.width * r}));
}

Variable pixel_unshuffle(const Operand& x, std::int64_t downscale_factor) {
  constexpr std::string_view op = "pixel_unshuffle";
  const ops::Images all = ops::images_of(op, x->shape());
  const std::int64_t r = downscale_factor;
  if (r < 1) fail<ValueError>(op, ": downscale_factor must be at least 1, got ", r);
  check_sizes(op, {all.channels, r, r});
  if (all.height % r != 0 || all.width % r != 0) {
    fail<ShapeError>(op, ": ", all.height, "x", all.width, " pixels do not divide into ", r, "x", r,
                     ", input ", x->shape());
  }
  const std::int64_t height = all.height / r;
  const std::int64_t width = all.width / r;
  const Variable pixels = reshape(x, {all.count, all.channels, height, r, width, r});
  const Variable moved = permute({pixels, x.at()}, {0, 1, 3, 5, 2, 4});
  return reshape({moved, x.at()},
                 ops::with_leading(all.leading, {all.channels * r * r, height, width}));
}

Variable interpolate(const Operand& x, const InterpolateOptions& options) {
  constexpr std::string_view op = "interpolate";
  if (x->rank() != 4) fail<ShapeError>(op, ": expects [N,C,H,W], got ", describe(x->value()));
  if (x->size(2) < 1 || x->size(3) < 1)
    fail<ShapeError>(op, ": the input ", x->shape(), " has no pixels");
  checks::check_floating(op, x->value());
  const bool nearest = options.mode == InterpolateMode::nearest;
  if (nearest && options.align_corners)
    fail<ValueError>(op, ": align_corners is for bilinear, got nearest");
  const bool aligned = options.align_corners.value_or(false);
  const Shape size = ops::interpolated_size(x->shape(), options);
  const double factors[] = {options.scale_factor.height, options.scale_factor.width};
  Variable y = *x;
  for (const int axis : {1, 0}) {  // columns first, as in PyTorch's formula
    const int dim = 2 + axis;
    const auto from = static_cast<double>(x->size(dim));
    const auto to = static_cast<double>(size[axis]);
    double step = factors[axis] != 0 ? 1 / factors[axis] : from / to;
    if (aligned) step = size[axis] > 1 ? (from - 1) / (to - 1) : 0;
    const ops::Between pixels = nearest
                                    ? ops::nearest_pixels(x->size(dim), size[axis], step)
                                    : ops::linear_pixels(x->size(dim), size[axis], step, aligned);
    y = ops::interpolate_axis({y, x.at()}, dim, pixels);
  }
  return y;
}

}  // namespace gradus
