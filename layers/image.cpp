// The layers that move pixels: options checked once, then one call each.
#include <gradus/layers/image.h>
#include <gradus/layers/print.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace gradus {
namespace {

UnfoldOptions checked_windows(std::string_view layer, const UnfoldOptions& o) {
  const auto least = [](Pair pair) { return std::min(pair.height, pair.width); };
  if (least(o.kernel_size) < 1 || least(o.stride) < 1 || least(o.dilation) < 1 ||
      least(o.padding) < 0) {
    fail<ValueError>(
        layer, ": kernel_size, dilation and stride must be at least 1 and padding at least 0,",
        " got kernel_size ", print_tuple(o.kernel_size), ", dilation ", print_tuple(o.dilation),
        ", padding ", print_tuple(o.padding), ", stride ", print_tuple(o.stride));
  }
  return o;
}

std::string print_windows(const UnfoldOptions& o) {
  return "kernel_size=" + print_pair(o.kernel_size) + ", dilation=" + print_pair(o.dilation) +
         ", padding=" + print_pair(o.padding) + ", stride=" + print_pair(o.stride);
}

std::int64_t checked_factor(std::string_view layer, std::string_view name, std::int64_t factor) {
  if (factor < 1) fail<ValueError>(layer, ": ", name, " must be at least 1, got ", factor);
  return factor;
}

/// As Python prints a float: "2.0".
std::string print_factor(double factor) {
  const std::string text = text_of(factor);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

}  // namespace

Unfold::Unfold(const UnfoldOptions& options) : options_(checked_windows("Unfold", options)) {}

Variable Unfold::forward(const Variable& x) { return unfold(x, options_); }

std::string Unfold::extra() const { return print_windows(options_); }

Fold::Fold(Pair output_size, const UnfoldOptions& options)
    : output_size_(output_size), options_(checked_windows("Fold", options)) {
  if (output_size.height < 1 || output_size.width < 1)
    fail<ValueError>("Fold: output_size must be at least 1, got ", print_tuple(output_size));
}

Variable Fold::forward(const Variable& x) { return fold(x, output_size_, options_); }

std::string Fold::extra() const {
  return "output_size=" + print_pair(output_size_) + ", " + print_windows(options_);
}

Variable ZeroPad2d::forward(const Variable& x) { return pad(x, sizes_); }

std::string ZeroPad2d::extra() const {
  return text_of("(", sizes_[0], ", ", sizes_[1], ", ", sizes_[2], ", ", sizes_[3], ")");
}

PixelShuffle::PixelShuffle(std::int64_t upscale_factor)
    : factor_(checked_factor("PixelShuffle", "upscale_factor", upscale_factor)) {}

Variable PixelShuffle::forward(const Variable& x) { return pixel_shuffle(x, factor_); }

std::string PixelShuffle::extra() const { return "upscale_factor=" + std::to_string(factor_); }

PixelUnshuffle::PixelUnshuffle(std::int64_t downscale_factor)
    : factor_(checked_factor("PixelUnshuffle", "downscale_factor", downscale_factor)) {}

Variable PixelUnshuffle::forward(const Variable& x) { return pixel_unshuffle(x, factor_); }

std::string PixelUnshuffle::extra() const { return "downscale_factor=" + std::to_string(factor_); }

Upsample::Upsample(const InterpolateOptions& options) : options_(options) {
  const bool has_size = options.size != Pair(0);
  const bool has_scale = options.scale_factor != Scale(0);
  if (has_size == has_scale) {
    fail<ValueError>("Upsample: expects either size or scale_factor, got size ",
                     print_tuple(options.size), " and scale_factor (", options.scale_factor.height,
                     ", ", options.scale_factor.width, ")");
  }
  if (has_size && std::min(options.size.height, options.size.width) < 1)
    fail<ValueError>("Upsample: size must be at least 1, got ", print_tuple(options.size));
  for (const double factor : {options.scale_factor.height, options.scale_factor.width}) {
    if (has_scale && !(factor > 0 && std::isfinite(factor)))
      fail<ValueError>("Upsample: scale_factor must be positive and finite, got ", factor);
  }
  if (options.mode == InterpolateMode::nearest && options.align_corners)
    fail<ValueError>("Upsample: align_corners is for bilinear, got nearest");
}

Variable Upsample::forward(const Variable& x) { return interpolate(x, options_); }

std::string Upsample::extra() const {
  const Scale& scale = options_.scale_factor;
  std::string text = "size=" + print_pair(options_.size);
  if (scale != Scale(0)) {
    const std::string height = print_factor(scale.height);
    const std::string width = print_factor(scale.width);
    text = "scale_factor=" + (height == width ? height : "(" + height + ", " + width + ")");
  }
  return text + ", mode=" + std::string(to_string(options_.mode));
}

}  // namespace gradus
