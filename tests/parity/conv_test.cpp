// Convolutions, windows, borders and images of other sizes, as PyTorch computes them.
#include <gradus/layers/conv.h>
#include <gradus/layers/image.h>

#include "support/parity.h"

using namespace gradus;
using parity::Options;

namespace {

Padding padding_of(const Options& o) {
  const auto found = o.find("padding");
  if (found == o.end() || !found->is_string()) return parity::pair_of(o, "padding", 0);
  return *found == "same" ? Padding::same : Padding::valid;
}

PaddingMode mode_of(const Options& o, const char* name) {
  const std::string mode = o.at(name);
  if (mode == "reflect") return PaddingMode::reflect;
  if (mode == "replicate") return PaddingMode::replicate;
  if (mode == "circular") return PaddingMode::circular;
  return PaddingMode::constant;
}

std::int64_t number_of(const Options& o, const char* name, std::int64_t otherwise = 1) {
  return o.value(name, otherwise);
}

Variables run_conv2d(const Variables& x, const Options& o) {
  return {conv2d(x[0], x[1], x[2],
                 {.stride = parity::pair_of(o, "stride", 1),
                  .padding = padding_of(o),
                  .dilation = parity::pair_of(o, "dilation", 1),
                  .groups = number_of(o, "groups")})};
}

Variables run_conv1d(const Variables& x, const Options& o) {
  return {conv1d(x[0], x[1], x[2],
                 {.stride = number_of(o, "stride"),
                  .padding = padding_of(o),
                  .dilation = number_of(o, "dilation"),
                  .groups = number_of(o, "groups")})};
}

Variables run_conv_transpose2d(const Variables& x, const Options& o) {
  return {conv_transpose2d(x[0], x[1], x[2],
                           {.stride = parity::pair_of(o, "stride", 1),
                            .padding = parity::pair_of(o, "padding", 0),
                            .output_padding = parity::pair_of(o, "output_padding", 0),
                            .groups = number_of(o, "groups"),
                            .dilation = parity::pair_of(o, "dilation", 1)})};
}

/// The layer with the case's weight and bias for its own.
template <class Layer> Variables run_layer(Layer layer, const Variables& x) {
  layer.weight = x[1];
  layer.bias = x[2];
  return {layer(x[0])};
}

Variables run_conv2d_layer(const Variables& x, const Options& o) {
  const std::int64_t groups = number_of(o, "groups");
  return run_layer(Conv2d{x[1].size(1) * groups,
                          x[1].size(0),
                          {.kernel_size = {x[1].size(2), x[1].size(3)},
                           .stride = parity::pair_of(o, "stride", 1),
                           .padding = padding_of(o),
                           .dilation = parity::pair_of(o, "dilation", 1),
                           .groups = groups,
                           .padding_mode = mode_of(o, "padding_mode")}},
                   x);
}

Variables run_conv1d_layer(const Variables& x, const Options& o) {
  return run_layer(Conv1d{x[1].size(1),
                          x[1].size(0),
                          {.kernel_size = x[1].size(2),
                           .stride = number_of(o, "stride"),
                           .padding = padding_of(o),
                           .padding_mode = mode_of(o, "padding_mode")}},
                   x);
}

UnfoldOptions unfold_options(const Options& o) {
  return {.kernel_size = parity::pair_of(o, "kernel_size", 0),
          .dilation = parity::pair_of(o, "dilation", 1),
          .padding = parity::pair_of(o, "padding", 0),
          .stride = parity::pair_of(o, "stride", 1)};
}

Variables run_pad(const Variables& x, const Options& o) {
  return {pad(x[0], o.at("sizes").get<std::vector<std::int64_t>>(), mode_of(o, "mode"),
              o.at("value").get<double>())};
}

Variables run_zero_pad2d(const Variables& x, const Options& o) {
  const auto sizes = o.at("sizes").get<std::vector<std::int64_t>>();
  return {ZeroPad2d{sizes[0], sizes[1], sizes[2], sizes[3]}(x[0])};
}

InterpolateOptions interpolate_options(const Options& o) {
  InterpolateOptions options{.size = parity::pair_of(o, "size", 0)};
  if (o.contains("scale_factor")) {
    const Options& scale = o.at("scale_factor");
    options.scale_factor =
        scale.is_number() ? Scale(scale.get<double>()) : Scale(scale[0], scale[1]);
  }
  if (o.at("mode") == "bilinear") options.mode = InterpolateMode::bilinear;
  if (o.contains("align_corners")) options.align_corners = o.at("align_corners").get<bool>();
  return options;
}

}  // namespace

TEST_CASE("convolutions and what moves pixels give PyTorch's values and gradients") {
  parity::check("conv",
                {{"conv2d", run_conv2d},
                 {"conv1d", run_conv1d},
                 {"conv_transpose2d", run_conv_transpose2d},
                 {"Conv2d", run_conv2d_layer},
                 {"Conv1d", run_conv1d_layer},
                 {"unfold",
                  [](const Variables& x, const Options& o) -> Variables {
                    return {unfold(x[0], unfold_options(o))};
                  }},
                 {"fold",
                  [](const Variables& x, const Options& o) -> Variables {
                    return {fold(x[0], parity::pair_of(o, "output_size", 0), unfold_options(o))};
                  }},
                 {"pad", run_pad},
                 {"ZeroPad2d", run_zero_pad2d},
                 {"pixel_shuffle",
                  [](const Variables& x, const Options& o) -> Variables {
                    return {pixel_shuffle(x[0], number_of(o, "factor"))};
                  }},
                 {"pixel_unshuffle",
                  [](const Variables& x, const Options& o) -> Variables {
                    return {pixel_unshuffle(x[0], number_of(o, "factor"))};
                  }},
                 {"interpolate",
                  [](const Variables& x, const Options& o) -> Variables {
                    return {interpolate(x[0], interpolate_options(o))};
                  }},
                 {"Upsample", [](const Variables& x, const Options& o) -> Variables {
                    return {Upsample{interpolate_options(o)}(x[0])};
                  }}});
}
