// Transforms that choose where a pixel comes from: windows, flips, turns, and rectangles that are erased.
// Windows and flips copy rows. All that samples between pixels finds once for a row of the result where its
// pixels lie, and then walks the channels.
#include <gradus/core/error.h>
#include <gradus/data/transforms.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {
namespace {

/// A part of an image; it may reach beyond it.
struct CutOut {
  std::int64_t top;
  std::int64_t left;
  std::int64_t height;
  std::int64_t width;
};

void check_pixels(std::string_view name, std::string_view option, std::int64_t count) {
  detail::check_number(name, option, static_cast<double>(count), 0, detail::most_pixels);
}

void check_size(std::string_view name, Pair size) {
  check_pixels(name, "height of size", size.height);
  check_pixels(name, "width of size", size.width);
}

void check_probability(std::string_view name, double p) {
  detail::check_number(name, "p", p, 0, 1);
}

/// `size`, where 0 means that of the images [B,C,H,W].
Pair size_or_own(Pair size, const Tensor& images) {
  return {size.height == 0 ? images.size(2) : size.height,
          size.width == 0 ? images.size(3) : size.width};
}

/// Calls body(from, to) for each image of `x` and its place in the result, a new [B,C,height,width].
template <class Body> Tensor each_image(const Tensor& x, Pair size, Body&& body) {
  const Shape shape{x.size(0), x.size(1), size.height, size.width};
  Tensor result = Tensor::empty(shape, float32);
  if (result.numel() == 0) return result;
  const std::int64_t from = x.numel() / x.size(0);
  const std::int64_t to = result.numel() / x.size(0);
  for (std::int64_t i = 0; i < x.size(0); ++i)
    body(x.data<float>() + i * from, result.data<float>() + i * to);
  return result;
}

// ---- windows ----

void copy_floats(const float* from, std::int64_t count, float* to) {
  std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
}

/// A window of one channel, where `of` is {H,W}: [height,width].
void copy_window(const float* plane, Pair of, const CutOut& window, float fill, float* to) {
  // These rows of the window, and these columns, lie in the image.
  const std::int64_t top = std::clamp(-window.top, std::int64_t{0}, window.height);
  const std::int64_t bottom = std::clamp(of.height - window.top, top, window.height);
  const std::int64_t left = std::clamp(-window.left, std::int64_t{0}, window.width);
  const std::int64_t right = std::clamp(of.width - window.left, left, window.width);
  if (top == bottom || left == right) {
    std::fill_n(to, window.height * window.width, fill);
    return;
  }
  std::fill(to, to + top * window.width, fill);
  std::fill(to + bottom * window.width, to + window.height * window.width, fill);
  const float* from = plane + (window.top + top) * of.width + window.left + left;
  const std::int64_t count = right - left;
  if (window.width == of.width)  // at once: what comes along between the rows is filled below
    copy_floats(from, (bottom - top - 1) * of.width + count, to + top * of.width + left);
  for (std::int64_t y = top; y < bottom; ++y) {
    float* row = to + y * window.width;
    if (window.width != of.width) copy_floats(from + (y - top) * of.width, count, row + left);
    for (std::int64_t x = 0; x < left; ++x) row[x] = fill;
    for (std::int64_t x = right; x < window.width; ++x) row[x] = fill;
  }
}

/// The same window of each channel.
void copy_windows(const float* image, std::int64_t channels, Pair of, const CutOut& window,
                  float fill, float* to) {
  for (std::int64_t c = 0; c < channels; ++c) {
    copy_window(image + c * of.height * of.width, of, window, fill,
                to + c * window.height * window.width);
  }
}

// ---- flips ----

enum class Swapped { columns, rows };

/// [C,H,W], with C·H = `rows`.
void flip_image(const float* from, std::int64_t rows, std::int64_t height, std::int64_t width,
                Swapped swapped, float* to) {
  for (std::int64_t row = 0; row < rows; ++row) {
    if (swapped == Swapped::columns) {
      const float* last = from + (row + 1) * width - 1;
      for (std::int64_t x = 0; x < width; ++x) to[row * width + x] = last[-x];
    } else {
      const std::int64_t first = row / height * height;  // of this channel
      const std::int64_t mirrored = first + height - 1 - (row - first);
      std::copy_n(from + mirrored * width, width, to + row * width);
    }
  }
}

Transform random_flip(const char* name, double p, Swapped swapped) {
  check_probability(name, p);
  return [=](const Tensor& images, Generator& generator) {
    const Tensor x = detail::checked_images(name, images);
    const std::int64_t height = x.size(2);
    const std::int64_t width = x.size(3);
    const std::int64_t rows = x.size(1) * height;
    return each_image(x, {height, width}, [&](const float* from, float* to) {
      if (generator.uniform() < p) {
        flip_image(from, rows, height, width, swapped, to);
      } else {
        std::copy_n(from, rows * width, to);
      }
    });
  };
}

// ---- between pixels ----

/// A point of an image, in pixels; the middle of the first is (0, 0).
struct ImagePoint {
  double x;
  double y;
};

/// An image with zeros around it, one pixel before and two behind: of a point anywhere, moved to that
/// border where it lies farther out, all four pixels around are there.
class Bordered {
 public:
  Bordered(std::int64_t channels, Pair size, std::int64_t result_width)
      : channels_(channels),
        size_(size),
        width_(size.width + 3),
        plane_((size.height + 3) * width_),
        pixels_(static_cast<std::size_t>(channels * plane_)),
        spots_(static_cast<std::size_t>(result_width)) {}

  void take(const float* image) {
    for (std::int64_t c = 0; c < channels_; ++c) {
      for (std::int64_t y = 0; y < size_.height; ++y) {
        std::copy_n(image, size_.width, pixels_.data() + c * plane_ + (y + 1) * width_ + 1);
        image += size_.width;
      }
    }
  }

  /// [C,height,result_width], pixel (x, y) of which is taken from the point origin(x, y).
  template <class Origin> void sample(std::int64_t height, const Origin& origin, float* to) {
    const std::int64_t width = std::ssize(spots_);
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        spots_[static_cast<std::size_t>(x)] =
            spot(origin(static_cast<double>(x), static_cast<double>(y)));
      }
      for (std::int64_t c = 0; c < channels_; ++c)
        sample_row(pixels_.data() + c * plane_, to + (c * height + y) * width);
    }
  }

 private:
  /// The pixel left of and above a point, and by which shares of a step the point lies beyond.
  struct Spot {
    std::int64_t at;
    float right;
    float down;
  };

  Spot spot(ImagePoint point) const {
    const double x = std::clamp(point.x + 1, 0.0, static_cast<double>(size_.width + 1));
    const double y = std::clamp(point.y + 1, 0.0, static_cast<double>(size_.height + 1));
    const auto column = static_cast<std::int64_t>(x);
    const auto row = static_cast<std::int64_t>(y);
    return {row * width_ + column, static_cast<float>(x - static_cast<double>(column)),
            static_cast<float>(y - static_cast<double>(row))};
  }

  /// A pixel that is hit exactly keeps its bits: a share of 0 adds 0.
  void sample_row(const float* plane, float* to) const {
    for (const Spot& spot : spots_) {
      const float* p = plane + spot.at;
      const float* q = p + width_;
      const float upper = p[0] + spot.right * (p[1] - p[0]);
      const float lower = q[0] + spot.right * (q[1] - q[0]);
      *to++ = upper + spot.down * (lower - upper);
    }
  }

  std::int64_t channels_;
  Pair size_;
  std::int64_t width_;  // with the border
  std::int64_t plane_;
  std::vector<float> pixels_;
  std::vector<Spot> spots_;  // of one row of the result
};

/// What random_affine() draws for an image.
struct Motion {
  double degrees = 0;
  double right = 0;  // pixels
  double down = 0;
  double scale = 1;
  double shear = 0;  // degrees
  double shear_y = 0;
};

double radians(double degrees) { return degrees / 180 * std::numbers::pi; }

/// The inverse of the matrix in the header: a pixel of the result -> where it came from.
class InverseMotion {
 public:
  InverseMotion(const Motion& motion, Pair size)
      : centre_{static_cast<double>(size.width - 1) / 2, static_cast<double>(size.height - 1) / 2},
        moved_{centre_.x + motion.right, centre_.y + motion.down} {
    const double sine = std::sin(radians(motion.degrees));
    const double cosine = std::cos(radians(motion.degrees));
    const double shear = std::tan(radians(motion.shear));
    const double shear_y = std::tan(radians(motion.shear_y));
    // R·SHy·SHx = [a, b; c, d]; its determinant is 1.
    const double a = cosine - sine * shear_y;
    const double c = -sine - cosine * shear_y;
    const double b = sine - a * shear;
    const double d = cosine - c * shear;
    xx_ = d / motion.scale;
    xy_ = -b / motion.scale;
    yx_ = -c / motion.scale;
    yy_ = a / motion.scale;
  }

  ImagePoint operator()(double x, double y) const {
    const double dx = x - moved_.x;
    const double dy = y - moved_.y;
    return {xx_ * dx + xy_ * dy + centre_.x, yx_ * dx + yy_ * dy + centre_.y};
  }

 private:
  ImagePoint centre_;
  ImagePoint moved_;  // where the centre goes
  double xx_, xy_, yx_, yy_;
};

/// Moves each image as draw_motion(size, generator) says.
template <class DrawMotion>
Tensor move_each(const Tensor& x, Generator& generator, const DrawMotion& draw_motion) {
  const Pair size{x.size(2), x.size(3)};
  if (x.numel() == 0) return Tensor::empty(x.shape(), float32);
  Bordered image(x.size(1), size, size.width);
  return each_image(x, size, [&](const float* from, float* to) {
    image.take(from);
    image.sample(size.height, InverseMotion(draw_motion(size, generator), size), to);
  });
}

/// From a window to an image of `size`, the outer edges of one on those of the other; what lies beyond the
/// outermost pixels' middles is taken from them.
class Stretch {
 public:
  Stretch(const CutOut& window, Pair size)
      : x_(axis(window.left, window.width, size.width)),
        y_(axis(window.top, window.height, size.height)) {}

  ImagePoint operator()(double x, double y) const { return {at(x_, x), at(y_, y)}; }

 private:
  struct Axis {
    double step;
    double first;
    double last;
  };

  static Axis axis(std::int64_t first, std::int64_t count, std::int64_t size) {
    return {static_cast<double>(count) / static_cast<double>(size), static_cast<double>(first),
            static_cast<double>(first + count - 1)};
  }

  static double at(const Axis& axis, double x) {
    return std::clamp(axis.first + ((x + 0.5) * axis.step - 0.5), axis.first, axis.last);
  }

  Axis x_;
  Axis y_;
};

// ---- rectangles of random area and shape ----

constexpr int attempts = 10;

void check_rectangle(std::string_view name, Interval scale, Interval ratio) {
  detail::check_interval(name, "scale", scale, 0, 1);
  detail::check_interval(name, "ratio", ratio, 0.001, 1000);
}

/// Two sides in whole pixels: first·second is a share of the image's area, first/second the ratio.
struct Sides {
  double first;
  double second;
};

Sides draw_sides(Pair of, Interval scale, Interval ratio, Generator& generator) {
  const auto whole = static_cast<double>(of.height) * static_cast<double>(of.width);
  const double area = whole * detail::draw(scale, generator);
  const double quotient =
      std::exp(detail::draw({std::log(ratio.low), std::log(ratio.high)}, generator));
  return {std::round(std::sqrt(area * quotient)), std::round(std::sqrt(area / quotient))};
}

/// A window of that size anywhere in the image.
CutOut draw_place(Pair of, double height, double width, Generator& generator) {
  CutOut window{0, 0, static_cast<std::int64_t>(height), static_cast<std::int64_t>(width)};
  window.top = generator.below(of.height - window.height + 1);
  window.left = generator.below(of.width - window.width + 1);
  return window;
}

/// The largest window whose ratio of width to height is permitted, in the middle.
CutOut largest_window(Pair of, Interval ratio) {
  CutOut window{0, 0, of.height, of.width};
  const auto height = static_cast<double>(of.height);
  const auto width = static_cast<double>(of.width);
  if (width < ratio.low * height) {
    window.height =
        std::max(static_cast<std::int64_t>(std::round(width / ratio.low)), std::int64_t{1});
  } else if (width > ratio.high * height) {
    window.width =
        std::max(static_cast<std::int64_t>(std::round(height * ratio.high)), std::int64_t{1});
  }
  window.top = (of.height - window.height) / 2;
  window.left = (of.width - window.width) / 2;
  return window;
}

CutOut draw_window(Pair of, const RandomResizedCropOptions& o, Generator& generator) {
  for (int i = 0; i < attempts; ++i) {
    const auto [width, height] = draw_sides(of, o.scale, o.ratio, generator);
    if (height >= 1 && width >= 1 && height <= static_cast<double>(of.height) &&
        width <= static_cast<double>(of.width)) {
      return draw_place(of, height, width, generator);
    }
  }
  return largest_window(of, o.ratio);
}

/// The rectangle to erase; one without pixels where none was found.
CutOut draw_rectangle(Pair of, const RandomErasingOptions& o, Generator& generator) {
  for (int i = 0; i < attempts; ++i) {
    const auto [height, width] = draw_sides(of, o.scale, o.ratio, generator);
    if (height < static_cast<double>(of.height) && width < static_cast<double>(of.width))
      return draw_place(of, height, width, generator);
  }
  return {0, 0, 0, 0};
}

void fill_rectangle(float* image, std::int64_t channels, Pair of, const CutOut& window,
                    float value) {
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t y = window.top; y < window.top + window.height; ++y)
      std::fill_n(image + (c * of.height + y) * of.width + window.left, window.width, value);
  }
}

}  // namespace

Transform pad(std::int64_t padding, double fill) {
  check_pixels("pad", "padding", padding);
  return [=](const Tensor& images, Generator&) {
    const Tensor x = detail::checked_images("pad", images);
    const Pair of{x.size(2), x.size(3)};
    const Pair size{of.height + 2 * padding, of.width + 2 * padding};
    return each_image(x, size, [&](const float* from, float* to) {
      copy_windows(from, x.size(1), of, {-padding, -padding, size.height, size.width},
                   static_cast<float>(fill), to);
    });
  };
}

Transform random_crop(const RandomCropOptions& options) {
  check_size("random_crop", options.size);
  check_pixels("random_crop", "padding", options.padding);
  return [o = options](const Tensor& images, Generator& generator) {
    const Tensor x = detail::checked_images("random_crop", images);
    const Pair of{x.size(2), x.size(3)};
    const Pair size = size_or_own(o.size, x);
    const std::int64_t spare_rows = of.height + 2 * o.padding - size.height;
    const std::int64_t spare_columns = of.width + 2 * o.padding - size.width;
    if (spare_rows < 0 || spare_columns < 0) {
      fail<ShapeError>("random_crop: size ", size.height, "x", size.width,
                       " is larger than images ", x.shape(), " with padding ", o.padding);
    }
    return each_image(x, size, [&](const float* from, float* to) {
      const std::int64_t top = generator.below(spare_rows + 1) - o.padding;
      const std::int64_t left = generator.below(spare_columns + 1) - o.padding;
      copy_windows(from, x.size(1), of, {top, left, size.height, size.width},
                   static_cast<float>(o.fill), to);
    });
  };
}

Transform random_resized_crop(const RandomResizedCropOptions& options) {
  check_size("random_resized_crop", options.size);
  check_rectangle("random_resized_crop", options.scale, options.ratio);
  return [o = options](const Tensor& images, Generator& generator) {
    const Tensor x = detail::checked_images("random_resized_crop", images);
    const Pair of{x.size(2), x.size(3)};
    const Pair size = size_or_own(o.size, x);
    if (of.height == 0 || of.width == 0)
      fail<ShapeError>("random_resized_crop: expects images with pixels, got ", x.shape());
    Bordered image(x.size(1), of, size.width);
    return each_image(x, size, [&](const float* from, float* to) {
      image.take(from);
      image.sample(size.height, Stretch(draw_window(of, o, generator), size), to);
    });
  };
}

Transform random_horizontal_flip(double p) {
  return random_flip("random_horizontal_flip", p, Swapped::columns);
}

Transform random_vertical_flip(double p) {
  return random_flip("random_vertical_flip", p, Swapped::rows);
}

Transform random_rotation(double degrees) {
  detail::check_number("random_rotation", "degrees", degrees, 0, 360);
  return random_rotation(Interval{-degrees, degrees});
}

Transform random_rotation(Interval degrees) {
  detail::check_interval("random_rotation", "degrees", degrees, -360, 360);
  return [=](const Tensor& images, Generator& generator) {
    const auto draw_motion = [&](Pair, Generator& g) {
      return Motion{.degrees = detail::draw(degrees, g)};
    };
    return move_each(detail::checked_images("random_rotation", images), generator, draw_motion);
  };
}

Transform random_affine(const RandomAffineOptions& options) {
  constexpr double steepest = 89;  // the tangent of 90 is infinite
  detail::check_interval("random_affine", "degrees", options.degrees, -360, 360);
  for (const double share : options.translate)
    detail::check_number("random_affine", "translate", share, 0, 1);
  detail::check_interval("random_affine", "scale", options.scale, 0.001, 1000);
  detail::check_interval("random_affine", "shear", options.shear, -steepest, steepest);
  detail::check_interval("random_affine", "shear_y", options.shear_y, -steepest, steepest);
  return [o = options](const Tensor& images, Generator& generator) {
    const auto draw_motion = [&](Pair size, Generator& g) {
      const double most_right = o.translate[0] * static_cast<double>(size.width);
      const double most_down = o.translate[1] * static_cast<double>(size.height);
      // Written in braces, these are drawn from left to right.
      return Motion{.degrees = detail::draw(o.degrees, g),
                    .right = std::round(detail::draw({-most_right, most_right}, g)),
                    .down = std::round(detail::draw({-most_down, most_down}, g)),
                    .scale = detail::draw(o.scale, g),
                    .shear = detail::draw(o.shear, g),
                    .shear_y = detail::draw(o.shear_y, g)};
    };
    return move_each(detail::checked_images("random_affine", images), generator, draw_motion);
  };
}

Transform random_erasing(const RandomErasingOptions& options) {
  check_probability("random_erasing", options.p);
  check_rectangle("random_erasing", options.scale, options.ratio);
  return [o = options](const Tensor& images, Generator& generator) {
    const Tensor x = detail::checked_images("random_erasing", images);
    const Pair of{x.size(2), x.size(3)};
    const std::int64_t count = x.size(1) * of.height * of.width;
    return each_image(x, of, [&](const float* from, float* to) {
      std::copy_n(from, count, to);
      if (generator.uniform() >= o.p) return;
      fill_rectangle(to, x.size(1), of, draw_rectangle(of, o, generator),
                     static_cast<float>(o.value));
    });
  };
}

}  // namespace gradus
