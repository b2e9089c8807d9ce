// A net from JSON: layers of one's own choice in a row, without a compiler.
//
// The text says what a layer shall give, never what it takes: numbers of input channels and features are
// found from the image, layer by layer, so that a layer can be put in or taken out without a change to
// those behind it. Nothing is run for that: the shapes are computed by the layers' formulas, and nothing
// is allocated for a layer before its sizes are known to lie within the limits.
#pragma once

#include <gradus/core/random.h>
#include <gradus/layers/models.h>
#include <gradus/layers/sequential.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// No net takes a longer description, in bytes.
inline constexpr std::int64_t longest_net_text = std::int64_t{1} << 18;

/// How large a net may be that a file asks for.
struct NetLimits {
  std::int64_t parameter_bytes = std::int64_t{1} << 30;  ///< parameters and buffers of all layers
  std::int64_t output_bytes = std::int64_t{1}
                              << 30;  ///< of any one layer, for one image in float32
};

/// The net that `json` describes, for images [N,channels,height,width] -> [N,classes], in float32.
///
/// The text is a list of layers, or {"layers": [...]}:
///
///   [{"Conv2d": {"out_channels": 16, "kernel_size": 3, "padding": "same", "bias": false}},
///    "BatchNorm2d", "ReLU",
///    {"Residual": {"body": [{"Conv2d": {"out_channels": 16, "kernel_size": 3, "padding": 1}}],
///                  "activation": "relu"}},
///    {"MaxPool2d": 2}, "Flatten", {"Dropout": 0.5}, {"Linear": "classes"}]
///
/// A layer is its name, if it needs no options; {NAME: {OPTION: VALUE, ...}} with the names and defaults
/// of the class's option struct; or {NAME: VALUE}, which gives the option that is named first below:
///
///   Conv2d                    out_channels, kernel_size (both needed), stride, padding ("same" and
///                             "valid" too), dilation, groups, bias, padding_mode ("zeros", "reflect",
///                             "replicate", "circular")
///   ConvTranspose2d           out_channels, kernel_size (both needed), stride, padding, output_padding,
///                             groups, bias, dilation
///   Linear                    out_features (needed), bias
///   MaxPool2d                 kernel_size (needed), stride, padding, dilation, ceil_mode
///   AvgPool2d                 kernel_size (needed), stride, padding, ceil_mode, count_include_pad,
///                             divisor_override
///   AdaptiveAvgPool2d, AdaptiveMaxPool2d                   output_size (needed)
///   BatchNorm1d, BatchNorm2d  eps, momentum (null: the plain mean), affine, track_running_stats
///   InstanceNorm2d            eps, momentum, affine, track_running_stats
///   GroupNorm                 num_groups (needed), eps, affine
///   LayerNorm                 normalized_shape (the whole image or row unless given), eps,
///                             elementwise_affine
///   ReLU, ReLU6, SELU, SiLU, Sigmoid, Tanh, LogSigmoid, Softsign, Hardsigmoid, Hardswish, Identity
///   LeakyReLU negative_slope, ELU alpha, GELU approximate ("none", "tanh"), PReLU num_parameters and
///   init, Softplus beta and threshold, Hardtanh min_val and max_val
///   Softmax, LogSoftmax       dim (needed), not the batch's
///   Dropout, Dropout2d        p; both draw from default_generator()
///   Flatten                   start_dim and end_dim, not the batch's
///   Upsample                  scale_factor or size, mode ("nearest", "bilinear"), align_corners
///   PixelShuffle              upscale_factor (needed)
///   PixelUnshuffle            downscale_factor (needed)
///   ZeroPad2d                 padding (needed): one number, or [left, right, top, bottom]
///   Sequential                layers (needed): a list as the text itself
///   Residual                  body (needed) and shortcut: lists likewise; activation ("none", "relu")
///
/// Of two axes a size is one number or [height, width]. "classes" stands for the number of classes in
/// out_channels and out_features. Weights are drawn from `generator` in the order of the text, of a
/// Residual the body first: the same layers made in C++ get the same bits.
///
/// `label` opens every message, and each names the layer by its place, "net.json: layers[3].body[0]
/// Conv2d: ...". Throws BadDataError for a text longer than longest_net_text, for what is no JSON or holds a key
/// twice, for more than 64 levels or 5,000 layers; for unknown layers and options, with the nearest that
/// are known; for options that a layer does not take, and inputs; for what goes beyond the limits; and
/// unless the last layer gives [N,classes]. Throws ValueError for an image with a size below 1 or beyond
/// `limits`.
Sequential make_net(std::string_view json, const std::string& label, const ImageSpec& image,
                    Generator& generator = default_generator(), const NetLimits& limits = {});

/// The layers that make_net() knows, by the alphabet: "AdaptiveAvgPool2d", ...
std::vector<std::string> net_layer_names();

}  // namespace gradus
