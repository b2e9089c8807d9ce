// Layers with a window that moves over the image, convolutions and pools, and linear ones.
#include <gradus/core/detail/conv_checks.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/detail/layer_text.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/pool.h>

#include <algorithm>

namespace gradus::detail {
namespace {

// ---- Convolutions ---------------------------------------------------------------------------------

/// How many places a window has along one axis, rounded down; 0 where it has none.
std::int64_t window_places(std::int64_t padded, std::int64_t reach, std::int64_t stride) {
  return reach > padded ? 0 : (padded - reach) / stride + 1;
}

/// What pad() asks of an image, for the modes that are not zeros.
void check_border_of(const LayerText& t, PaddingMode mode, const checks::PaddingSizes& sizes) {
  const std::int64_t height = std::max(sizes.before.height, sizes.after.height);
  const std::int64_t width = std::max(sizes.before.width, sizes.after.width);
  const std::int64_t less = mode == PaddingMode::reflect ? 1 : 0;
  const bool bounded = mode == PaddingMode::reflect || mode == PaddingMode::circular;
  if (bounded && (height > t.shape[1] - less || width > t.shape[2] - less)) {
    t.refuse_input("a padding of ", extent_of(height, width), " is more than ", to_string(mode),
                   " can take from the image");
  }
}

MadeLayer make_conv2d(LayerText& t) {
  t.expect_image();
  constexpr PaddingMode modes[] = {PaddingMode::zeros, PaddingMode::reflect, PaddingMode::replicate,
                                   PaddingMode::circular};
  const std::int64_t out = t.outputs("out_channels");
  const Conv2dLayerOptions o{
      .kernel_size = t.pair("kernel_size", 1),
      .stride = t.pair("stride", 1, 1),
      .padding = t.padding("padding"),
      .dilation = t.pair("dilation", 1, 1),
      .groups = t.whole("groups", 1, 1),
      .bias = t.flag("bias", true),
      .padding_mode = modes[t.word("padding_mode", {"zeros", "reflect", "replicate", "circular"})]};
  const Pair kernel = o.kernel_size;
  t.spend("weight", {out, t.shape[0] / o.groups, kernel.height, kernel.width});
  if (o.bias) t.spend("bias", {out});
  auto layer = std::make_unique<Conv2d>(t.shape[0], out, o, t.net.generator);

  const checks::PaddingSizes sizes =
      checks::padding_sizes("Conv2d", o.padding, kernel, o.stride, o.dilation);
  check_border_of(t, o.padding_mode, sizes);
  const std::int64_t height = t.shape[1] + sizes.before.height + sizes.after.height;
  const std::int64_t width = t.shape[2] + sizes.before.width + sizes.after.width;
  const std::int64_t reach_h = o.dilation.height * (kernel.height - 1) + 1;
  const std::int64_t reach_w = o.dilation.width * (kernel.width - 1) + 1;
  if (reach_h > height || reach_w > width) {
    t.refuse_input("the kernel reaches ", extent_of(reach_h, reach_w),
                   ", the padded image is only ", extent_of(height, width));
  }
  t.shape = {out, window_places(height, reach_h, o.stride.height),
             window_places(width, reach_w, o.stride.width)};
  return layer;
}

MadeLayer make_conv_transpose2d(LayerText& t) {
  t.expect_image();
  const std::int64_t out = t.outputs("out_channels");
  const ConvTranspose2dLayerOptions o{.kernel_size = t.pair("kernel_size", 1),
                                      .stride = t.pair("stride", 1, 1),
                                      .padding = t.pair("padding", 0, 0),
                                      .output_padding = t.pair("output_padding", 0, 0),
                                      .groups = t.whole("groups", 1, 1),
                                      .bias = t.flag("bias", true),
                                      .dilation = t.pair("dilation", 1, 1)};
  const Pair kernel = o.kernel_size;
  t.spend("weight", {t.shape[0], out / o.groups, kernel.height, kernel.width});
  if (o.bias) t.spend("bias", {out});
  auto layer = std::make_unique<ConvTranspose2d>(t.shape[0], out, o, t.net.generator);

  const auto size = [](std::int64_t pixels, std::int64_t stride, std::int64_t padding,
                       std::int64_t dilation, std::int64_t k, std::int64_t more) {
    return (pixels - 1) * stride - 2 * padding + dilation * (k - 1) + more + 1;
  };
  t.shape = {out,
             size(t.shape[1], o.stride.height, o.padding.height, o.dilation.height, kernel.height,
                  o.output_padding.height),
             size(t.shape[2], o.stride.width, o.padding.width, o.dilation.width, kernel.width,
                  o.output_padding.width)};
  return layer;
}

MadeLayer make_linear(LayerText& t) {
  const std::int64_t in = t.shape[t.shape.rank() - 1];
  const std::int64_t out = t.outputs("out_features");
  const LinearOptions o{.bias = t.flag("bias", true)};
  t.spend("weight", {out, in});
  if (o.bias) t.spend("bias", {out});
  t.shape[t.shape.rank() - 1] = out;
  return std::make_unique<Linear>(in, out, o, t.net.generator);
}

// ---- Pools ----------------------------------------------------------------------------------------

/// One axis of a pool.
struct PoolAxis {
  std::int64_t size, kernel, stride, padding, dilation;
  bool ceil_mode;

  std::int64_t reach() const { return dilation * (kernel - 1) + 1; }
  std::int64_t padded() const { return size + 2 * padding; }
  std::int64_t places() const {
    const std::int64_t places = window_places(padded(), reach(), stride);
    if (!ceil_mode) return places;
    const std::int64_t over = padded() - reach();
    if (over + stride <= 0) return 0;  // rounded up, that is still none
    const std::int64_t up = (over + stride - 1) / stride + 1;
    return (up - 1) * stride >= size + padding ? up - 1 : up;
  }
};

template <class Pool> MadeLayer make_pool2d(LayerText& t, const Pool2dOptions& o) {
  t.expect_image();
  auto layer = std::make_unique<Pool>(o);
  const Pair stride = layer->options().stride;
  const PoolAxis rows{t.shape[1],       o.kernel_size.height, stride.height,
                      o.padding.height, o.dilation.height,    o.ceil_mode};
  const PoolAxis columns{t.shape[2],      o.kernel_size.width, stride.width,
                         o.padding.width, o.dilation.width,    o.ceil_mode};
  if (rows.places() < 1 || columns.places() < 1) {
    t.refuse_input("the window reaches ", extent_of(rows.reach(), columns.reach()),
                   ", the padded image is only ", extent_of(rows.padded(), columns.padded()));
  }
  t.shape = {t.shape[0], rows.places(), columns.places()};
  return layer;
}

Pool2dOptions pool_options(const LayerText& t) {
  const Pair kernel = t.pair("kernel_size", 1);
  return {.kernel_size = kernel,
          .stride = t.pair("stride", 1, kernel),
          .padding = t.pair("padding", 0, 0),
          .ceil_mode = t.flag("ceil_mode", false)};
}

MadeLayer make_max_pool2d(LayerText& t) {
  Pool2dOptions o = pool_options(t);
  o.dilation = t.pair("dilation", 1, 1);
  return make_pool2d<MaxPool2d>(t, o);
}

MadeLayer make_avg_pool2d(LayerText& t) {
  Pool2dOptions o = pool_options(t);
  o.count_include_pad = t.flag("count_include_pad", true);
  if (t.has("divisor_override")) o.divisor_override = t.whole("divisor_override", -checks::largest);
  return make_pool2d<AvgPool2d>(t, o);
}

template <class Pool> MadeLayer make_adaptive(LayerText& t) {
  t.expect_image();
  const Pair size = t.pair("output_size", 1);
  t.shape = {t.shape[0], size.height, size.width};
  return std::make_unique<Pool>(size);
}

}  // namespace

std::vector<LayerKind> window_kinds() {
  return {
      {"AdaptiveAvgPool2d", make_adaptive<AdaptiveAvgPool2d>, {"output_size"}},
      {"AdaptiveMaxPool2d", make_adaptive<AdaptiveMaxPool2d>, {"output_size"}},
      {"AvgPool2d",
       make_avg_pool2d,
       {"kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"}},
      {"Conv2d",
       make_conv2d,
       {"out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias",
        "padding_mode"}},
      {"ConvTranspose2d",
       make_conv_transpose2d,
       {"out_channels", "kernel_size", "stride", "padding", "output_padding", "groups", "bias",
        "dilation"}},
      {"Linear", make_linear, {"out_features", "bias"}},
      {"MaxPool2d", make_max_pool2d, {"kernel_size", "stride", "padding", "dilation", "ceil_mode"}},
  };
}

}  // namespace gradus::detail
