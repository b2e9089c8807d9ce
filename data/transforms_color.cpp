// Transforms that change what a pixel shows. The four adjustments of color_jitter() work in place on the copy of
// an image, a channel a row: [C, H·W].
#include <gradus/core/error.h>
#include <gradus/data/transforms.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace gradus {
namespace {

/// What luma is made of: ITU-R BT.601.
constexpr float luma_red = 0.299F;
constexpr float luma_green = 0.587F;
constexpr float luma_blue = 0.114F;

/// One image, [C, size].
struct ColorPlanes {
  float* data;
  std::int64_t channels;
  std::int64_t size;  // H·W

  float* channel(std::int64_t c) const { return data + c * size; }
};

float luma(float red, float green, float blue) {
  return luma_red * red + luma_green * green + luma_blue * blue;
}

float unit_clamp(float x) { return std::min(std::max(x, 0.0F), 1.0F); }

/// x -> f·x + shift
void stretch_values(const ColorPlanes& picture, float f, float shift) {
  const std::int64_t count = picture.channels * picture.size;
  for (std::int64_t i = 0; i < count; ++i)
    picture.data[i] = unit_clamp(f * picture.data[i] + shift);
}

void change_brightness(const ColorPlanes& picture, double f) {
  stretch_values(picture, static_cast<float>(f), 0);
}

double mean_luma(const ColorPlanes& picture) {
  double sum = 0;
  if (picture.channels == 1) {
    for (std::int64_t i = 0; i < picture.size; ++i) sum += static_cast<double>(picture.data[i]);
  } else {
    const float* red = picture.channel(0);
    const float* green = picture.channel(1);
    const float* blue = picture.channel(2);
    for (std::int64_t i = 0; i < picture.size; ++i)
      sum += static_cast<double>(luma(red[i], green[i], blue[i]));
  }
  return sum / static_cast<double>(picture.size);
}

void change_contrast(const ColorPlanes& picture, double f) {
  stretch_values(picture, static_cast<float>(f), static_cast<float>((1 - f) * mean_luma(picture)));
}

void change_saturation(const ColorPlanes& picture, double factor) {
  if (picture.channels == 1) return;
  const auto f = static_cast<float>(factor);
  const auto rest = static_cast<float>(1 - factor);
  float* red = picture.channel(0);
  float* green = picture.channel(1);
  float* blue = picture.channel(2);
  for (std::int64_t i = 0; i < picture.size; ++i) {
    const float gray = rest * luma(red[i], green[i], blue[i]);
    red[i] = unit_clamp(f * red[i] + gray);
    green[i] = unit_clamp(f * green[i] + gray);
    blue[i] = unit_clamp(f * blue[i] + gray);
  }
}

/// A channel of the colour with this hue in sixths of a turn, where the largest channel is `value` and the
/// smallest `value - chroma`: high up to a sixth from the channel's own hue, low from two sixths on, and
/// linear between. A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978, has HSV.
float channel_of(float hue, float own_hue, float value, float chroma) {
  const float away = std::fabs(hue - own_hue);                 // 0..8, once round is 6
  const float distance = std::min(away, std::fabs(6 - away));  // 0..3
  return unit_clamp(value - chroma * unit_clamp(distance - 1));
}

/// Six times H of HSV, from -1 to 5; gray, which has none, gets 0.
float hue_of(float red, float green, float blue, float chroma) {
  const float divisor = std::max(chroma, std::numeric_limits<float>::min());
  const float from_red = (green - blue) / divisor;
  const float from_green = 2 + (blue - red) / divisor;
  const float from_blue = 4 + (red - green) / divisor;
  const float other = green >= blue ? from_green : from_blue;
  return red >= std::max(green, blue) ? from_red : other;
}

void turn_hue(const ColorPlanes& picture, double turns) {
  if (picture.channels == 1) return;
  const auto turn = static_cast<float>(6 * turns);  // -3..3
  float* red = picture.channel(0);
  float* green = picture.channel(1);
  float* blue = picture.channel(2);
  for (std::int64_t i = 0; i < picture.size; ++i) {
    const float r = red[i];
    const float g = green[i];
    const float b = blue[i];
    const float value = std::max(std::max(r, g), b);
    const float chroma = value - std::min(std::min(r, g), b);
    const float hue = hue_of(r, g, b, chroma) + turn;
    red[i] = channel_of(hue, 0, value, chroma);
    green[i] = channel_of(hue, 2, value, chroma);
    blue[i] = channel_of(hue, 4, value, chroma);
  }
}

/// One of the four, and from where to where its number is drawn.
struct Adjustment {
  void (*apply)(const ColorPlanes& picture, double number);
  bool wanted;
  Interval interval;
};
using Adjustments = std::array<Adjustment, 4>;

Interval factor_interval(double x) { return {std::max(0.0, 1 - x), 1 + x}; }

Adjustments adjustments_of(const ColorJitterOptions& o) {
  return {Adjustment{change_brightness, o.brightness > 0, factor_interval(o.brightness)},
          Adjustment{change_contrast, o.contrast > 0, factor_interval(o.contrast)},
          Adjustment{change_saturation, o.saturation > 0, factor_interval(o.saturation)},
          Adjustment{turn_hue, o.hue > 0, {-o.hue, o.hue}}};
}

/// Draws seven numbers, whatever is wanted: the order, by Fisher and Yates, and one for each change.
void jitter_picture(const ColorPlanes& picture, const Adjustments& adjustments,
                    Generator& generator) {
  std::array<std::size_t, 4> order{0, 1, 2, 3};
  for (std::size_t i = order.size() - 1; i > 0; --i) {
    const auto j = static_cast<std::size_t>(generator.below(static_cast<std::int64_t>(i) + 1));
    std::swap(order[i], order[j]);
  }
  std::array<double, 4> numbers{};
  for (std::size_t i = 0; i < adjustments.size(); ++i)
    numbers[i] = detail::draw(adjustments[i].interval, generator);
  for (const std::size_t i : order) {
    if (adjustments[i].wanted) adjustments[i].apply(picture, numbers[i]);
  }
}

}  // namespace

Transform color_jitter(const ColorJitterOptions& options) {
  constexpr double largest = 1000;
  detail::check_number("color_jitter", "brightness", options.brightness, 0, largest);
  detail::check_number("color_jitter", "contrast", options.contrast, 0, largest);
  detail::check_number("color_jitter", "saturation", options.saturation, 0, largest);
  detail::check_number("color_jitter", "hue", options.hue, 0, 0.5);
  return [adjustments = adjustments_of(options)](const Tensor& images, Generator& generator) {
    const Tensor x = detail::checked_images("color_jitter", images);
    const std::int64_t channels = x.size(1);
    if (channels != 1 && channels != 3)
      fail<ShapeError>("color_jitter: expects 1 or 3 channels, got ", x.shape());
    Tensor result = x.clone();
    if (result.numel() == 0) return result;
    const std::int64_t size = x.size(2) * x.size(3);
    for (std::int64_t i = 0; i < x.size(0); ++i) {
      float* image = result.data<float>() + i * channels * size;
      jitter_picture({image, channels, size}, adjustments, generator);
    }
    return result;
  };
}

}  // namespace gradus
