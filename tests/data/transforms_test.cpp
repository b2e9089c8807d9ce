// The transforms, against formulas in double, plain loops and what probability theory says of many draws.
// Seeds are fixed: a test of chance gives the same numbers each time, and its bound says how rarely another
// seed would exceed it.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/data/transforms.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/wrong_calls.h"

using namespace gradus;

namespace {

/// So many standard deviations a sum of independent draws exceeds with one seed in 16,000.
constexpr double deviations = 4;

/// Random pixels, float32 in [0, 1).
Tensor pixels(const Shape& shape, std::uint64_t seed = 1) {
  Generator generator(seed);
  return rand(shape, generator, float32);
}

/// One image `count` times.
Tensor repeated(const Tensor& image, std::int64_t count) {
  return image.expand({count, image.size(1), image.size(2), image.size(3)}).contiguous();
}

Tensor apply_seeded(const Transform& transform, const Tensor& images, std::uint64_t seed = 7) {
  Generator generator(seed);
  return transform(images, generator);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.to_vector<float>();
  const auto y = b.to_vector<float>();
  double most = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    most = std::max(most, std::fabs(static_cast<double>(x[i]) - static_cast<double>(y[i])));
  return most;
}

struct Named {
  std::string name;
  Transform transform;
};

/// Each random transform, so made that it changes every image of 3 channels.
std::vector<Named> random_transforms() {
  return {{"random_crop", random_crop({.padding = 3, .fill = 0.5})},
          {"random_resized_crop", random_resized_crop({})},
          {"random_horizontal_flip", random_horizontal_flip()},
          {"random_vertical_flip", random_vertical_flip()},
          {"random_rotation", random_rotation(90)},
          {"random_affine", random_affine({.degrees = {-30, 30},
                                           .translate = {0.2, 0.2},
                                           .scale = {0.5, 2},
                                           .shear = {-20, 20},
                                           .shear_y = {-20, 20}})},
          {"color_jitter",
           color_jitter({.brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.2})},
          {"random_erasing", random_erasing({.p = 0.9})}};
}

}  // namespace

// ---- what holds of all ----

TEST_CASE("a transform that is to change nothing changes no bit") {
  const std::vector<Named> still{
      {"compose", compose({})},
      {"pad", pad(0)},
      {"random_crop", random_crop({})},
      {"random_horizontal_flip", random_horizontal_flip(0)},
      {"random_vertical_flip", random_vertical_flip(0)},
      {"random_rotation", random_rotation(0)},
      {"random_affine", random_affine({})},
      {"color_jitter", color_jitter({})},
      {"random_erasing", random_erasing({.p = 0})},
      {"random_resized_crop", random_resized_crop({.scale = {1, 1}, .ratio = {1, 1}})}};
  for (const Shape& shape :
       {Shape{2, 3, 8, 8}, Shape{3, 1, 5, 5}, Shape{2, 3, 5, 8}, Shape{2, 4, 9, 9}}) {
    const Tensor x = pixels(shape);
    for (const Named& t : still) {
      const bool square_only = t.name == "random_resized_crop";
      if (square_only && shape[2] != shape[3]) continue;
      if (t.name == "color_jitter" && shape[1] == 4) continue;
      CAPTURE(t.name);
      CAPTURE(shape);
      CHECK(core::equal(apply_seeded(t.transform, x), x));
    }
  }
}

TEST_CASE("no transform writes to the images that it is given, nor gives them back as they lie") {
  const Tensor x = pixels({4, 3, 9, 7});
  const Tensor before = x.clone();
  for (const Named& t : random_transforms()) {
    CAPTURE(t.name);
    const Tensor y = apply_seeded(t.transform, x);
    CHECK(core::equal(x, before));
    y.fill_(0);
    CHECK(core::equal(x, before));
  }
}

TEST_CASE("equal generators give equal bits, others other images") {
  const Tensor x = pixels({8, 3, 9, 7});
  for (const Named& t : random_transforms()) {
    CAPTURE(t.name);
    const Tensor y = apply_seeded(t.transform, x, 1);
    CHECK(core::equal(apply_seeded(t.transform, x, 1), y));
    CHECK_FALSE(core::equal(apply_seeded(t.transform, x, 2), y));
    Generator later(1, 1000);
    CHECK_FALSE(core::equal(t.transform(x, later), y));
  }
}

TEST_CASE("each image draws its own numbers, in the order of the batch") {
  const Tensor x = repeated(pixels({1, 3, 9, 7}), 16);
  for (const Named& t : random_transforms()) {
    CAPTURE(t.name);
    const Tensor whole = apply_seeded(t.transform, x);
    bool differ = false;
    for (std::int64_t i = 1; i < 16; ++i) differ = differ || !core::equal(whole[i], whole[0]);
    CHECK(differ);

    Generator generator(7);
    const Tensor first = t.transform(x.narrow(0, 0, 5), generator);
    const Tensor rest = t.transform(x.narrow(0, 5, 11), generator);
    CHECK(core::equal(first, whole.narrow(0, 0, 5)));
    CHECK(core::equal(rest, whole.narrow(0, 5, 11)));
  }
}

TEST_CASE("how many numbers are drawn does not hang on the pixels") {
  for (const Named& t : random_transforms()) {
    CAPTURE(t.name);
    Generator dark(3);
    Generator bright(3);
    t.transform(zeros({5, 3, 6, 6}, float32), dark);
    t.transform(pixels({5, 3, 6, 6}), bright);
    CHECK(dark.position() == bright.position());
    CHECK(dark.position() > 0);
  }
}

TEST_CASE(
    "a batch may be empty, an image one pixel, its channels one or four, its memory strided") {
  for (const std::string& name : transform_names()) {
    CAPTURE(name);
    const Transform transform = parse_transforms(name);
    for (const Shape& shape : {Shape{0, 3, 6, 5}, Shape{2, 1, 1, 1}, Shape{3, 3, 1, 1},
                               Shape{2, 3, 1, 7}, Shape{2, 3, 6, 1}, Shape{2, 4, 6, 5}}) {
      if (name == "jitter" && shape[1] == 4) continue;
      CAPTURE(shape);
      const Tensor y = apply_seeded(transform, pixels(shape));
      CHECK(y.dtype() == float32);
      const std::int64_t border = name == "pad" ? 4 : 0;
      CHECK(y.shape() == Shape{shape[0], shape[1], shape[2] + border, shape[3] + border});
      for (const float value : y.to_vector<float>()) CHECK((value >= 0 && value <= 1));
    }
    const Tensor strided = pixels({2, 3, 5, 6}).transpose();
    CHECK(core::equal(apply_seeded(transform, strided),
                      apply_seeded(transform, strided.contiguous())));
    if (name != "resized" && name != "pad")
      CHECK(apply_seeded(transform, pixels({2, 3, 0, 5})).shape() == Shape{2, 3, 0, 5});
  }
}

// ---- windows and flips ----

TEST_CASE("pad puts pixels of one value around each image") {
  const Tensor x = pixels({2, 3, 2, 4});
  const Tensor y = apply_seeded(pad(3, 0.25), x);
  REQUIRE(y.shape() == Shape{2, 3, 8, 10});
  Tensor expected = full({2, 3, 8, 10}, 0.25, float32);
  expected.narrow(2, 3, 2).narrow(3, 3, 4).copy_(x);
  CHECK(core::equal(y, expected));
  CHECK(core::equal(apply_seeded(pad(1, 0.25), zeros({1, 1, 0, 0}, float32)),
                    full({1, 1, 2, 2}, 0.25, float32)));
}

TEST_CASE("a flip with probability 1 swaps the sides exactly") {
  for (const Shape& shape : {Shape{2, 3, 5, 4}, Shape{1, 1, 4, 7}, Shape{3, 2, 1, 1}}) {
    const Tensor x = pixels(shape);
    CHECK(core::equal(apply_seeded(random_horizontal_flip(1), x), core::flip(x, {3})));
    CHECK(core::equal(apply_seeded(random_vertical_flip(1), x), core::flip(x, {2})));
  }
}

TEST_CASE("a flip is as frequent as its probability says") {
  constexpr std::int64_t count = 10000;
  constexpr double p = 0.3;
  const Tensor x = repeated(Tensor::from({{{{0.0, 1.0}, {0.25, 0.75}}}}, float32), count);
  for (const Transform& flip : {random_horizontal_flip(p), random_vertical_flip(p)}) {
    const auto first = apply_seeded(flip, x).select(2, 0).select(2, 0).to_vector<float>();
    const auto flipped = std::count_if(first.begin(), first.end(), [](float v) { return v > 0; });
    CHECK(std::fabs(static_cast<double>(flipped) - p * count) <
          deviations * std::sqrt(count * p * (1 - p)));
  }
}

TEST_CASE("random_crop cuts windows out of the padded image, row and column drawn in turn") {
  for (const std::int64_t height : {1, 2, 5}) {
    for (const std::int64_t width : {1, 4}) {
      for (const std::int64_t padding : {0, 1, 6}) {
        for (const Pair size : {Pair(0), Pair(1), Pair(height, 0), Pair(height + padding, 1),
                                Pair(1, width + 2 * padding)}) {
          const Tensor x = pixels({6, 2, height, width});
          const Tensor padded = apply_seeded(pad(padding, 0.5), x);
          const Tensor y =
              apply_seeded(random_crop({.size = size, .padding = padding, .fill = 0.5}), x);
          const std::int64_t h = size.height == 0 ? height : size.height;
          const std::int64_t w = size.width == 0 ? width : size.width;
          REQUIRE(y.shape() == Shape{6, 2, h, w});
          Generator generator(7);
          for (std::int64_t i = 0; i < 6; ++i) {
            const std::int64_t top = generator.below(height + 2 * padding - h + 1);
            const std::int64_t left = generator.below(width + 2 * padding - w + 1);
            CHECK(core::equal(y[i], padded[i].narrow(1, top, h).narrow(2, left, w)));
          }
        }
      }
    }
  }
}

TEST_CASE("random_crop takes each window equally often") {
  struct Case {
    Pair size;
    std::int64_t padding;
    double bound;  // which chi-square of (windows - 1) degrees of freedom exceeds once in 1000
  };
  constexpr std::int64_t count = 9000;
  const Tensor image = pixels({1, 1, 4, 4});
  for (const Case& c : {Case{0, 1, 26.12}, Case{{2, 3}, 0, 20.52}, Case{5, 1, 16.27}}) {
    const Tensor padded = apply_seeded(pad(c.padding), image);
    const Tensor y =
        apply_seeded(random_crop({.size = c.size, .padding = c.padding}), repeated(image, count));
    const std::int64_t rows = padded.size(2) - y.size(2) + 1;
    const std::int64_t columns = padded.size(3) - y.size(3) + 1;
    std::vector<std::vector<float>> windows;
    for (std::int64_t top = 0; top < rows; ++top) {
      for (std::int64_t left = 0; left < columns; ++left) {
        windows.push_back(padded.narrow(2, top, y.size(2))
                              .narrow(3, left, y.size(3))
                              .contiguous()
                              .to_vector<float>());
      }
    }
    std::vector<double> found(windows.size());
    std::int64_t others = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto at = std::find(windows.begin(), windows.end(), y[i].to_vector<float>());
      if (at == windows.end()) {
        ++others;
      } else {
        ++found[static_cast<std::size_t>(at - windows.begin())];
      }
    }
    CHECK(others == 0);
    const double expected = static_cast<double>(count) / static_cast<double>(windows.size());
    double chi_square = 0;
    for (const double n : found) chi_square += (n - expected) * (n - expected) / expected;
    CHECK(chi_square < c.bound);
  }
}

// ---- random_resized_crop ----

namespace {

/// Coordinates of a pixel of 0..1 times the size, from a sampled ramp: some roundings of float32 each.
constexpr double ramp_tolerance = 1e-4;

/// Channel 0 is x/width, channel 1 is y/height.
Tensor ramps(std::int64_t height, std::int64_t width) {
  const Tensor x = Tensor::empty({1, 2, height, width}, float32);
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t column = 0; column < width; ++column) {
      x.at<float>({0, 0, row, column}) = static_cast<float>(column) / static_cast<float>(width);
      x.at<float>({0, 1, row, column}) = static_cast<float>(row) / static_cast<float>(height);
    }
  }
  return x;
}

/// A stretch of one axis, found from the ramp along it.
struct Found {
  double first;
  double count;
};

/// From the coordinates of the stretched pixels; they must lie where bilinear sampling takes them.
Found found_stretch(const std::vector<double>& at) {
  const auto size = static_cast<double>(at.size());
  const std::size_t middle = at.size() / 2;
  const double step = at[middle] - at[middle - 1];
  const double count = std::round(step * size);
  const double first = std::round(at[middle] + 0.5 - (static_cast<double>(middle) + 0.5) * step);
  CHECK(std::fabs(count - step * size) < ramp_tolerance * size);
  for (std::size_t i = 0; i < at.size(); ++i) {
    const double expected =
        first + std::clamp((static_cast<double>(i) + 0.5) * count / size - 0.5, 0.0, count - 1);
    CHECK(std::fabs(at[i] - expected) < ramp_tolerance);
  }
  return {first, count};
}

}  // namespace

TEST_CASE("random_resized_crop stretches windows of the permitted area and shape") {
  constexpr std::int64_t height = 64;
  constexpr std::int64_t width = 48;
  constexpr std::int64_t size = 24;
  constexpr std::int64_t images = 300;
  const RandomResizedCropOptions options{
      .size = {size, size + 2}, .scale = {0.2, 0.5}, .ratio = {0.5, 1.5}};
  const Tensor y =
      apply_seeded(random_resized_crop(options), repeated(ramps(height, width), images));
  REQUIRE(y.shape() == Shape{images, 2, size, size + 2});
  std::set<std::pair<double, double>> shapes;
  for (std::int64_t i = 0; i < images; ++i) {
    std::vector<double> across;
    std::vector<double> down;
    for (std::int64_t x = 0; x < size + 2; ++x)
      across.push_back(static_cast<double>(y.at<float>({i, 0, 3, x})) * width);
    for (std::int64_t x = 0; x < size; ++x)
      down.push_back(static_cast<double>(y.at<float>({i, 1, x, 3})) * height);
    const auto [left, w] = found_stretch(across);
    const auto [top, h] = found_stretch(down);
    CHECK((left >= 0 && left + w <= width && top >= 0 && top + h <= height));
    // The sides were rounded: each lies within 1/2 of what was drawn.
    CHECK((w + 0.5) * (h + 0.5) >= options.scale.low * height * width);
    CHECK((w - 0.5) * (h - 0.5) <= options.scale.high * height * width);
    CHECK((w + 0.5) / (h - 0.5) >= options.ratio.low);
    CHECK((w - 0.5) / (h + 0.5) <= options.ratio.high);
    shapes.emplace(w, h);
  }
  CHECK(shapes.size() > images / 2);
}

TEST_CASE("random_resized_crop samples as PyTorch's interpolate without align_corners") {
  const Tensor x = Tensor::from({{{{0.0, 1.0}}}}, float32);
  const Transform wider = random_resized_crop({.size = {1, 4}, .scale = {1, 1}, .ratio = {2, 2}});
  CHECK(core::equal(apply_seeded(wider, x), Tensor::from({{{{0, 0.25, 0.75, 1}}}}, float32)));
}

TEST_CASE("where no window fits, random_resized_crop takes the largest of a permitted shape") {
  const Tensor x = pixels({2, 1, 4, 4});
  const Tensor flat = apply_seeded(random_resized_crop({.scale = {1, 1}, .ratio = {10, 10}}), x);
  const Tensor high = apply_seeded(random_resized_crop({.scale = {1, 1}, .ratio = {0.5, 0.5}}), x);
  CHECK(core::equal(flat, x.narrow(2, 1, 1).expand({2, 1, 4, 4}).contiguous()));
  const Tensor columns = x.narrow(3, 1, 2);  // 2 wide: 4 high at a ratio of 1/2
  CHECK(core::equal(high.select(3, 0), columns.select(3, 0)));
  CHECK(core::equal(high.select(3, 3), columns.select(3, 1)));
}

// ---- rotation and affine ----

namespace {

/// A sample is some ten roundings of numbers up to 1; its place is a double, of which the share is rounded
/// to float once: 16·2^-24.
constexpr double sample_tolerance = 16 * 0x1p-24;

/// One motion, as torchvision documents it, and the result by plain loops.
struct PlainAffine {
  double degrees = 0;  // counter-clockwise
  double right = 0;
  double down = 0;
  double scale = 1;
  double shear = 0;
  double shear_y = 0;

  Tensor operator()(const Tensor& image) const {  // [C,H,W]
    const auto rad = [](double d) { return d * std::numbers::pi / 180; };
    const double turn = rad(-degrees);  // torchvision's affine turns clockwise
    const double sx = rad(shear);
    const double sy = rad(shear_y);
    const double m00 = scale * std::cos(turn - sy) / std::cos(sy);
    const double m01 =
        scale * (-std::cos(turn - sy) * std::tan(sx) / std::cos(sy) - std::sin(turn));
    const double m10 = scale * std::sin(turn - sy) / std::cos(sy);
    const double m11 =
        scale * (-std::sin(turn - sy) * std::tan(sx) / std::cos(sy) + std::cos(turn));
    const double det = m00 * m11 - m01 * m10;
    const double cx = static_cast<double>(image.size(2)) / 2 - 0.5;
    const double cy = static_cast<double>(image.size(1)) / 2 - 0.5;
    const Tensor result = Tensor::empty(image.shape(), float32);
    for (std::int64_t c = 0; c < image.size(0); ++c) {
      for (std::int64_t y = 0; y < image.size(1); ++y) {
        for (std::int64_t x = 0; x < image.size(2); ++x) {
          const double u = static_cast<double>(x) - cx - right;
          const double v = static_cast<double>(y) - cy - down;
          result.at<float>({c, y, x}) = static_cast<float>(
              sampled(image[c], (m00 * v - m10 * u) / det + cy, (m11 * u - m01 * v) / det + cx));
        }
      }
    }
    return result;
  }

 private:
  static double pixel(const Tensor& plane, std::int64_t y, std::int64_t x) {
    if (y < 0 || x < 0 || y >= plane.size(0) || x >= plane.size(1)) return 0;
    return static_cast<double>(plane.at<float>({y, x}));
  }

  static double sampled(const Tensor& plane, double y, double x) {
    const auto row = static_cast<std::int64_t>(std::floor(y));
    const auto column = static_cast<std::int64_t>(std::floor(x));
    const double below = y - std::floor(y);
    const double right_of = x - std::floor(x);
    return (1 - below) * ((1 - right_of) * pixel(plane, row, column) +
                          right_of * pixel(plane, row, column + 1)) +
           below * ((1 - right_of) * pixel(plane, row + 1, column) +
                    right_of * pixel(plane, row + 1, column + 1));
  }
};

}  // namespace

TEST_CASE("a quarter turn counter-clockwise is a transposition and a swap of the rows") {
  for (const Shape& shape : {Shape{2, 3, 8, 8}, Shape{2, 1, 7, 7}, Shape{1, 1, 1, 1}}) {
    const Tensor x = pixels(shape);
    const Tensor left = core::flip(x.transpose(), {2});
    const Tensor right = core::flip(x.transpose(), {3});
    const Tensor half = core::flip(x, {2, 3});
    const auto turned = [&](double by) { return apply_seeded(random_rotation({by, by}), x); };
    CHECK(largest_difference(turned(90), left) < sample_tolerance);
    CHECK(largest_difference(turned(-90), right) < sample_tolerance);
    CHECK(largest_difference(turned(180), half) < sample_tolerance);
    CHECK(largest_difference(turned(360), x) < sample_tolerance);
    const RandomAffineOptions options{.degrees = {90, 90}};
    CHECK(largest_difference(apply_seeded(random_affine(options), x), left) < sample_tolerance);
  }
}

TEST_CASE("random_affine agrees with torchvision's matrix, inverted, in plain loops") {
  for (const Shape& shape : {Shape{4, 3, 9, 6}, Shape{4, 1, 5, 12}, Shape{4, 2, 1, 1}}) {
    const Tensor x = pixels(shape);
    for (const RandomAffineOptions& o :
         {RandomAffineOptions{.degrees = {-180, 180}}, RandomAffineOptions{.translate = {0.3, 0.4}},
          RandomAffineOptions{.scale = {0.4, 2.5}}, RandomAffineOptions{.shear = {-60, 60}},
          RandomAffineOptions{.shear_y = {-60, 60}},
          RandomAffineOptions{.degrees = {10, 80},
          .translate = {0.5, 0.1},
          .scale = {0.5, 1.5},
          .shear = {-30, 10},
          .shear_y = {5, 40}}}) {
      const Tensor y = apply_seeded(random_affine(o), x);
      Generator generator(7);
      const auto drawn = [&](double low, double high) {
        return low + (high - low) * generator.uniform();
      };
      for (std::int64_t i = 0; i < shape[0]; ++i) {
        const double most_right = o.translate[0] * static_cast<double>(shape[3]);
        const double most_down = o.translate[1] * static_cast<double>(shape[2]);
        PlainAffine plain;
        plain.degrees = drawn(o.degrees.low, o.degrees.high);
        plain.right = std::round(drawn(-most_right, most_right));
        plain.down = std::round(drawn(-most_down, most_down));
        plain.scale = drawn(o.scale.low, o.scale.high);
        plain.shear = drawn(o.shear.low, o.shear.high);
        plain.shear_y = drawn(o.shear_y.low, o.shear_y.high);
        CHECK(largest_difference(y[i], plain(x[i])) < sample_tolerance);
      }
    }
  }
}

TEST_CASE("random_rotation draws the angle over all of its range") {
  // A bright pixel right of the centre of 9x9 tells the angle by where its light goes.
  Tensor image = zeros({1, 1, 9, 9}, float32);
  image.at<float>({0, 0, 4, 7}) = 1;
  const Tensor y = apply_seeded(random_rotation(40), repeated(image, 2000));
  double lowest = 90;
  double highest = -90;
  for (std::int64_t i = 0; i < y.size(0); ++i) {
    double across = 0;
    double up = 0;
    for (std::int64_t row = 0; row < 9; ++row) {
      for (std::int64_t column = 0; column < 9; ++column) {
        const auto light = static_cast<double>(y.at<float>({i, 0, row, column}));
        across += light * static_cast<double>(column - 4);
        up += light * static_cast<double>(4 - row);
      }
    }
    const double angle = std::atan2(up, across) * 180 / std::numbers::pi;
    lowest = std::min(lowest, angle);
    highest = std::max(highest, angle);
  }
  // The middle of the light is off by a fraction of a pixel in three.
  constexpr double blur = 5;
  CHECK(lowest < -40 + blur);
  CHECK(lowest > -40 - blur);
  CHECK(highest > 40 - blur);
  CHECK(highest < 40 + blur);
}

// ---- color_jitter ----

namespace {

/// One image in double, [C][pixels].
using Colours = std::vector<std::vector<double>>;

double cut_to_one(double x) { return std::clamp(x, 0.0, 1.0); }

double plain_luma(const Colours& c, std::size_t i) {
  return c.size() == 1 ? c[0][i] : 0.299 * c[0][i] + 0.587 * c[1][i] + 0.114 * c[2][i];
}

void plain_brightness(Colours& c, double f) {
  for (auto& channel : c)
    for (double& x : channel) x = cut_to_one(f * x);
}

void plain_contrast(Colours& c, double f) {
  double mean = 0;
  for (std::size_t i = 0; i < c[0].size(); ++i)
    mean += plain_luma(c, i) / static_cast<double>(c[0].size());
  for (auto& channel : c)
    for (double& x : channel) x = cut_to_one(f * x + (1 - f) * mean);
}

void plain_saturation(Colours& c, double f) {
  if (c.size() == 1) return;
  for (std::size_t i = 0; i < c[0].size(); ++i) {
    const double gray = plain_luma(c, i);
    for (auto& channel : c) channel[i] = cut_to_one(f * channel[i] + (1 - f) * gray);
  }
}

/// To HSV and back by the sectors of the hexcone, as A. R. Smith has it.
void plain_hue(Colours& c, double turn) {
  if (c.size() == 1) return;
  for (std::size_t i = 0; i < c[0].size(); ++i) {
    const double r = c[0][i];
    const double g = c[1][i];
    const double b = c[2][i];
    const double v = std::max({r, g, b});
    const double low = std::min({r, g, b});
    if (v == low) continue;
    const double s = (v - low) / v;
    const double red_away = (v - r) / (v - low);
    const double green_away = (v - g) / (v - low);
    const double blue_away = (v - b) / (v - low);
    double h = 0;
    if (v == r) {
      h = low == g ? 5 + blue_away : 1 - green_away;
    } else if (v == g) {
      h = low == b ? 1 + red_away : 3 - blue_away;
    } else {
      h = low == r ? 3 + green_away : 5 - red_away;
    }
    h = std::fmod(h + 6 * turn + 12, 6);
    const double part = h - std::floor(h);
    const double p = v * (1 - s);
    const double q = v * (1 - s * part);
    const double t = v * (1 - s * (1 - part));
    const std::array<std::array<double, 3>, 6> sectors{
        {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}}};
    for (std::size_t k = 0; k < 3; ++k) c[k][i] = sectors[static_cast<std::size_t>(h) % 6][k];
  }
}

/// What color_jitter() makes of one image, drawing as it does: the order, then the four numbers.
Colours plain_jitter(Colours colours, const ColorJitterOptions& o, Generator& generator) {
  std::array<int, 4> order{0, 1, 2, 3};
  for (int i = 3; i > 0; --i)
    std::swap(order[static_cast<std::size_t>(i)],
              order[static_cast<std::size_t>(generator.below(i + 1))]);
  const auto factor = [&](double x) {
    const double low = std::max(0.0, 1 - x);
    return low + (1 + x - low) * generator.uniform();
  };
  const double brightness = factor(o.brightness);
  const double contrast = factor(o.contrast);
  const double saturation = factor(o.saturation);
  const double hue = -o.hue + 2 * o.hue * generator.uniform();
  for (const int change : order) {
    if (change == 0 && o.brightness > 0) plain_brightness(colours, brightness);
    if (change == 1 && o.contrast > 0) plain_contrast(colours, contrast);
    if (change == 2 && o.saturation > 0) plain_saturation(colours, saturation);
    if (change == 3 && o.hue > 0) plain_hue(colours, hue);
  }
  return colours;
}

/// 64 colours: at random, the corners of the cube, grays, and ties between channels.
Tensor colours_of_all_kinds() {
  const Tensor x = pixels({1, 3, 8, 8}, 5);
  for (std::int64_t i = 0; i < 8; ++i) {
    for (std::int64_t c = 0; c < 3; ++c) {
      x.at<float>({0, c, 0, i}) = static_cast<float>(i >> c & 1);
      x.at<float>({0, c, 1, i}) = static_cast<float>(i) / 7;
      x.at<float>({0, c, 2, i}) = i % 3 == c ? 0.25F : 0.75F;
      x.at<float>({0, c, 3, i}) = i % 3 == c ? 0.625F : 0.125F;
    }
  }
  return x;
}

/// A colour goes through at most four changes, each of which takes some ten roundings of numbers up to 8
/// (the hue, in sixths of a turn) at 2^-24, and stretches what was there by a factor of up to 3.
constexpr double colour_tolerance = 2e-5;

}  // namespace

TEST_CASE("color_jitter follows its formulas, each alone and all in a random order") {
  for (const ColorJitterOptions& o :
       {ColorJitterOptions{.brightness = 2}, ColorJitterOptions{.contrast = 2},
        ColorJitterOptions{.saturation = 2}, ColorJitterOptions{.hue = 0.5},
        ColorJitterOptions{.brightness = 0.5, .contrast = 0.5, .saturation = 0.5, .hue = 0.1},
        ColorJitterOptions{.brightness = 1, .hue = 0.5}}) {
    for (const Tensor& image : {colours_of_all_kinds(), pixels({1, 1, 8, 8})}) {
      constexpr std::int64_t count = 40;
      const Tensor y = apply_seeded(color_jitter(o), repeated(image, count));
      Colours colours;
      for (std::int64_t c = 0; c < image.size(1); ++c)
        colours.push_back(image.select(1, c).to(float64).to_vector<double>());
      Generator generator(7);
      double most = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        const Colours expected = plain_jitter(colours, o, generator);
        for (std::int64_t c = 0; c < image.size(1); ++c) {
          const auto got = y[i][c].to_vector<float>();
          for (std::size_t k = 0; k < got.size(); ++k) {
            most = std::max(most, std::fabs(static_cast<double>(got[k]) -
                                            expected[static_cast<std::size_t>(c)][k]));
          }
        }
      }
      CHECK(most < colour_tolerance);
      for (const float value : y.to_vector<float>()) CHECK((value >= 0 && value <= 1));
    }
  }
}

TEST_CASE("a third of a turn of the hue makes red green or blue") {
  // With the pixels red, green, blue: h turns by up to half, and at a third each channel is another's.
  Tensor image = zeros({1, 3, 1, 1}, float32);
  image.at<float>({0, 0, 0, 0}) = 1;
  const Tensor y = apply_seeded(color_jitter({.hue = 0.5}), repeated(image, 3000));
  constexpr float nearly = 0.05F;
  int greens = 0;
  int blues = 0;
  for (std::int64_t i = 0; i < 3000; ++i) {
    const auto rgb = y[i].to_vector<float>();
    CHECK(std::max({rgb[0], rgb[1], rgb[2]}) == 1);
    CHECK(std::min({rgb[0], rgb[1], rgb[2]}) == 0);
    if (rgb[1] == 1 && rgb[0] < nearly && rgb[2] < nearly) ++greens;
    if (rgb[2] == 1 && rgb[0] < nearly && rgb[1] < nearly) ++blues;
  }
  // Of the full turn, `nearly` is a twentieth of a sixth on both sides: 50 of 3000.
  constexpr double expected = 50;
  CHECK(std::fabs(greens - expected) < deviations * std::sqrt(expected));
  CHECK(std::fabs(blues - expected) < deviations * std::sqrt(expected));
}

TEST_CASE("the factors of color_jitter fill their range and stop at 0") {
  const Tensor image = full({2000, 1, 1, 1}, 0.25, float32);
  for (const double width : {0.5, 2.0}) {
    const auto y = apply_seeded(color_jitter({.brightness = width}), image).to_vector<float>();
    const auto [least, most] = std::minmax_element(y.begin(), y.end());
    const auto low = static_cast<float>(std::max(0.0, 1 - width) / 4);
    const auto high = static_cast<float>((1 + width) / 4);
    CHECK((*least >= low && *least < low + 0.01F));
    CHECK((*most <= high && *most > high - 0.01F));
  }
}

TEST_CASE("gray images have no saturation and no hue to change") {
  const Tensor x = pixels({3, 1, 4, 4});
  CHECK(core::equal(apply_seeded(color_jitter({.saturation = 1, .hue = 0.5}), x), x));
}

// ---- random_erasing ----

namespace {

struct Box {
  std::int64_t top, left, bottom, right;
};

/// Around the pixels of [H,W] that are `value`.
Box box_of(const Tensor& plane, float value) {
  Box box{plane.size(0), plane.size(1), 0, 0};
  for (std::int64_t y = 0; y < plane.size(0); ++y) {
    for (std::int64_t x = 0; x < plane.size(1); ++x) {
      if (plane.at<float>({y, x}) != value) continue;
      box.top = std::min(box.top, y);
      box.left = std::min(box.left, x);
      box.bottom = std::max(box.bottom, y + 1);
      box.right = std::max(box.right, x + 1);
    }
  }
  return box;
}

}  // namespace

TEST_CASE("random_erasing writes its value over one rectangle of permitted area and shape") {
  constexpr std::int64_t height = 40;
  constexpr std::int64_t width = 50;
  constexpr std::int64_t images = 400;
  const RandomErasingOptions options{.p = 1, .scale = {0.05, 0.3}, .ratio = {0.4, 2}, .value = 2};
  const Tensor x = pixels({images, 2, height, width});
  const Tensor y = apply_seeded(random_erasing(options), x);
  std::set<std::pair<std::int64_t, std::int64_t>> corners;
  for (std::int64_t i = 0; i < images; ++i) {
    const Box box = box_of(y[i][0], 2);
    REQUIRE(box.top < box.bottom);
    const Tensor expected = x[i].clone();
    expected.slice(1, box.top, box.bottom).slice(2, box.left, box.right).fill_(2);
    CHECK(core::equal(y[i], expected));
    // The sides were rounded: each lies within 1/2 of what was drawn.
    const auto h = static_cast<double>(box.bottom - box.top);
    const auto w = static_cast<double>(box.right - box.left);
    CHECK((h + 0.5) * (w + 0.5) >= options.scale.low * height * width);
    CHECK((h - 0.5) * (w - 0.5) <= options.scale.high * height * width);
    CHECK((h + 0.5) / (w - 0.5) >= options.ratio.low);
    CHECK((h - 0.5) / (w + 0.5) <= options.ratio.high);
    corners.emplace(box.top, box.left);
  }
  CHECK(corners.size() > images / 2);
}

TEST_CASE("a ratio is drawn uniformly in the logarithm: upright is as likely as lying") {
  constexpr std::int64_t images = 1000;
  const Tensor y =
      apply_seeded(random_erasing({.p = 1, .scale = {0.05, 0.05}, .ratio = {0.25, 4}, .value = 2}),
                   zeros({images, 1, 40, 40}, float32));
  double upright = 0;
  double lying = 0;
  for (std::int64_t i = 0; i < images; ++i) {
    const Box box = box_of(y[i][0], 2);
    upright += box.bottom - box.top > box.right - box.left ? 1 : 0;
    lying += box.bottom - box.top < box.right - box.left ? 1 : 0;
  }
  CHECK(std::fabs(upright - lying) < deviations * std::sqrt(upright + lying));
}

TEST_CASE("random_erasing spares as many images as its probability says") {
  constexpr std::int64_t count = 4000;
  const Tensor x = ones({count, 1, 8, 8}, float32);
  const Tensor y = apply_seeded(random_erasing({.p = 0.25, .scale = {0.1, 0.3}}), x);
  int erased = 0;
  for (std::int64_t i = 0; i < count; ++i) erased += core::equal(y[i], x[i]) ? 0 : 1;
  CHECK(std::fabs(erased - 0.25 * count) < deviations * std::sqrt(count * 0.25 * 0.75));
}

TEST_CASE("where no rectangle fits into the image, random_erasing leaves it") {
  const Tensor x = pixels({3, 3, 1, 1});
  CHECK(core::equal(apply_seeded(random_erasing({.p = 1, .scale = {1, 1}}), x), x));
}

// ---- compose ----

TEST_CASE("compose applies one after the other, with one generator") {
  const Tensor x = pixels({5, 3, 6, 6});
  const Transform first = random_crop({.padding = 2});
  const Transform second = random_horizontal_flip();
  Generator generator(7);
  const Tensor expected = second(first(x, generator), generator);
  CHECK(core::equal(apply_seeded(compose({first, second}), x), expected));
  CHECK_FALSE(core::equal(apply_seeded(compose({second, first}), x), expected));
}

// ---- mixup ----

namespace {

/// λ of a batch of eight with labels of their own: what an image keeps of itself beside a partner that is
/// another. (One order in 40320 has no such image; the seed is not one of those.)
double lambda_of(const MixedBatch& mixed) {
  for (std::int64_t i = 0; i < 8; ++i) {
    const auto row = mixed.targets[i].to_vector<float>();
    const auto kept = static_cast<std::size_t>(i);
    bool partner = false;
    for (std::size_t k = 0; k < row.size(); ++k) partner = partner || (k != kept && row[k] != 0);
    if (partner || row[kept] != 1) return static_cast<double>(row[kept]);
  }
  return 1;
}

std::vector<double> lambdas(double alpha, std::size_t count) {
  const Tensor images = zeros({8, 1, 1, 1}, float32);
  const Tensor labels = arange(8);
  Generator generator(11);
  std::vector<double> result;
  while (result.size() < count)
    result.push_back(lambda_of(mixup(images, labels, 8, alpha, generator)));
  return result;
}

}  // namespace

TEST_CASE("mixup mixes images and labels with the same share") {
  constexpr std::int64_t batch = 6;
  const Tensor x = pixels({batch, 2, 3, 4});
  const Tensor labels = Tensor::from({0, 1, 2, 3, 4, 5});
  Generator generator(3);
  const MixedBatch mixed = mixup(x, labels, 7, 1.0, generator);
  REQUIRE(mixed.images.shape() == x.shape());
  REQUIRE(mixed.targets.shape() == Shape{batch, 7});
  std::set<std::int64_t> partners;
  for (std::int64_t i = 0; i < batch; ++i) {
    // Σ target_k·x_k over all images k: the labels are their numbers.
    Tensor expected = zeros({2, 3, 4}, float64);
    double sum = 0;
    for (std::int64_t k = 0; k < 7; ++k) {
      const auto share = static_cast<double>(mixed.targets.at<float>({i, k}));
      CHECK((share >= 0 && share <= 1));
      sum += share;
      if (share > 0 && k != i) partners.insert(k);
      if (k < batch)
        expected = core::add(expected, core::mul(x[k].to(float64), Tensor::scalar(share, float64)));
    }
    constexpr double one_rounding = 0x1p-24;
    CHECK(std::fabs(sum - 1) <= one_rounding);
    constexpr double three_roundings = 3 * 0x1p-24;
    CHECK(largest_difference(mixed.images[i], expected.to(float32)) <= three_roundings);
  }
  CHECK(partners.size() > 1);
}

TEST_CASE("the share of mixup has the moments of the Beta distribution") {
  constexpr std::size_t count = 60000;
  const auto n = static_cast<double>(count);
  for (const double alpha : {0.2, 0.5, 1.0, 4.0}) {
    CAPTURE(alpha);
    double mean = 0;
    double variance = 0;
    const std::vector<double> drawn = lambdas(alpha, count);
    for (const double x : drawn) mean += x / n;
    for (const double x : drawn) variance += (x - 0.5) * (x - 0.5) / n;
    // Of Beta(a, a): mean 1/2, variance 1/(4(2a+1)), fourth central moment 3/(16(2a+1)(2a+3)).
    const double expected = 1 / (4 * (2 * alpha + 1));
    const double fourth = 3 / (16 * (2 * alpha + 1) * (2 * alpha + 3));
    CHECK(std::fabs(mean - 0.5) < deviations * std::sqrt(expected / n));
    CHECK(std::fabs(variance - expected) <
          deviations * std::sqrt((fourth - expected * expected) / n));
  }
}

TEST_CASE("the share of mixup follows the arcsine law at alpha 1/2") {
  constexpr std::size_t count = 20000;
  const std::vector<double> drawn = lambdas(0.5, count);
  const auto below = std::count_if(drawn.begin(), drawn.end(), [](double x) { return x < 0.25; });
  // P(λ < x) = 2/π·arcsin(√x), which is 1/3 at 1/4.
  const double expected = count / 3.0;
  CHECK(std::fabs(static_cast<double>(below) - expected) <
        deviations * std::sqrt(expected * 2 / 3));
}

TEST_CASE("mixup keeps to 0..1 for the smallest and the largest alpha") {
  for (const double alpha : {5e-324, 1e-300, 1e-6}) {
    for (const double x : lambdas(alpha, 50)) CHECK((x < 0.01 || x > 0.99));
  }
  for (const double alpha : {1e10, 1e300, std::numeric_limits<double>::max()}) {
    for (const double x : lambdas(alpha, 50)) CHECK(std::fabs(x - 0.5) < 1e-4);
  }
}

TEST_CASE("mixup with alpha 0 leaves images and labels alone") {
  const Tensor x = pixels({3, 1, 2, 2});
  Generator generator(1);
  const MixedBatch mixed = mixup(x, Tensor::from({2, 0, 2}), 3, 0, generator);
  CHECK(core::equal(mixed.images, x));
  CHECK(core::equal(mixed.targets, Tensor::from({{0, 0, 1}, {1, 0, 0}, {0, 0, 1}}, float32)));
}

TEST_CASE("mixup takes an empty batch, and gives equal bits for equal generators") {
  Generator generator(1);
  const MixedBatch none = mixup(zeros({0, 3, 4, 4}, float32), zeros({0}, int64), 5, 0.4, generator);
  CHECK(none.images.shape() == Shape{0, 3, 4, 4});
  CHECK(none.targets.shape() == Shape{0, 5});
  Generator a(2);
  Generator b(2);
  const Tensor x = pixels({9, 3, 4, 4});
  const Tensor labels = zeros({9}, int64);
  CHECK(core::equal(mixup(x, labels, 1, 0.4, a).images, mixup(x, labels, 1, 0.4, b).images));
  CHECK(a.position() == b.position());
}

// ---- text ----

TEST_CASE("a text makes the same transforms as the functions behind its names") {
  const Tensor x = pixels({6, 3, 12, 12});
  const std::vector<Named> meanings{
      {"pad", pad(2)},
      {"pad=5", pad(5)},
      {"crop", random_crop({.padding = 4})},
      {"crop=2", random_crop({.padding = 2})},
      {"resized", random_resized_crop({})},
      {"resized=7", random_resized_crop({.size = 7})},
      {"flip", random_horizontal_flip(0.5)},
      {"flip=0.75", random_horizontal_flip(0.75)},
      {"vflip", random_vertical_flip(0.5)},
      {"vflip=.25", random_vertical_flip(0.25)},
      {"rotate", random_rotation(10)},
      {"rotate=45", random_rotation(45)},
      {"affine",
       random_affine({.degrees = {-10, 10}, .translate = {0.1, 0.1}, .scale = {0.9, 1.1}})},
      {"affine=3e1",
       random_affine({.degrees = {-30, 30}, .translate = {0.1, 0.1}, .scale = {0.9, 1.1}})},
      {"jitter",
       color_jitter({.brightness = 0.2, .contrast = 0.2, .saturation = 0.2, .hue = 0.05})},
      {"jitter=4", color_jitter({.brightness = 4, .contrast = 4, .saturation = 4, .hue = 0.5})},
      {"erase", random_erasing({.p = 0.5})},
      {"erase=1", random_erasing({.p = 1})},
      {"pad=1,vflip=1,crop",
       compose({pad(1), random_vertical_flip(1), random_crop({.padding = 4})})}};
  for (const Named& t : meanings) {
    CAPTURE(t.name);
    CHECK(core::equal(apply_seeded(parse_transforms(t.name), x), apply_seeded(t.transform, x)));
  }
}

TEST_CASE("a text that makes no sense is answered with what does") {
  const auto message = [](const std::string& text) {
    return message_of<ValueError>([&] { parse_transforms(text); });
  };
  const std::string known =
      "known are pad, crop, resized, flip, vflip, rotate, affine, jitter, erase";
  CHECK(message("flop") == "transforms: unknown 'flop'; " + known + "; did you mean flip?");
  CHECK(message("crop=4,rotates=5") ==
        "transforms: unknown 'rotates'; " + known + "; did you mean rotate?");
  CHECK(message("crop=4,mirror") == "transforms: unknown 'mirror'; " + known);  // near to none
  CHECK(contains(message("vlip"), "did you mean vflip?"));
  CHECK(contains(message(" flip"), "unknown ' flip'; " + known + "; did you mean flip?"));
  CHECK(contains(message(std::string("\0fl\nip\x7f", 7)), "'?fl?ip?'"));
  CHECK(contains(message(std::string(5000, 'x')), "'" + std::string(40, 'x') + "...'"));
  CHECK(message("") == "transforms: entry 1 of '' is empty; expects name[=number] between commas");
  CHECK(contains(message("flip,"), "entry 2 of 'flip,' is empty"));
  CHECK(contains(message("flip,,crop"), "entry 2 of 'flip,,crop' is empty"));
  CHECK(message("flip=") == "transforms: flip= expects a number, got ''");
  CHECK(contains(message("flip=0.5x"), "flip= expects a number, got '0.5x'"));
  CHECK(contains(message("flip= 0.5"), "got ' 0.5'"));
  CHECK(contains(message("rotate=1=2"), "rotate= expects a number, got '1=2'"));
  CHECK(contains(message("rotate=1e999"), "rotate= expects a number, got '1e999'"));
  CHECK(contains(message("crop=1.5"), "crop's number of pixels must be whole, got 1.5"));
  CHECK(contains(message("crop=-1"), "must be from 0 to 65536, got -1"));
  CHECK(contains(message("pad=1e300"), "must be from 0 to 65536, got 1e+300"));
  CHECK(contains(message("resized=0"), "must be from 1 to 65536, got 0"));
  CHECK(contains(message("flip=2"), "p must be from 0 to 1, got 2"));
  CHECK(contains(message("erase=nan"), "p must be from 0 to 1, got nan"));
  CHECK(contains(message("rotate=inf"), "degrees must be from 0 to 360, got inf"));
  CHECK(contains(message("affine=-1"), "degrees must be from 0 to 360, got -1"));
  CHECK(contains(message("jitter=-1"), "brightness must be from 0 to 1000, got -1"));
}

// ---- wrong calls ----

TEST_CASE("options that make no sense are told with their range") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto mix = [](const Tensor& x, const Tensor& labels, std::int64_t classes, double alpha) {
    Generator generator(1);
    mixup(x, labels, classes, alpha, generator);
  };
  const Kind value = Kind::value;
  check_wrong_calls({
      {"compose",
       value,
       [] {
         compose({pad(1), nullptr});
       },
       {"transform 1", "of 2"}},
      {"pad", value, [] { pad(-1); }, {"padding", "0 to 65536", "got -1"}},
      {"pad", value, [] { pad(std::int64_t{1} << 62); }, {"padding", "0 to 65536"}},
      {"random_crop",
       value,
       [] {
         random_crop({.size = {3, -4}});
       },
       {"width of size", "got -4"}},
      {"random_crop", value, [] { random_crop({.padding = -1}); }, {"padding", "got -1"}},
      {"random_resized_crop", value, [] { random_resized_crop({.size = -2}); }, {"size", "got -2"}},
      {"random_resized_crop",
       value,
       [] {
         random_resized_crop({.scale = {0.5, 1.5}});
       },
       {"scale", "0 to 1", "got 1.5"}},
      {"random_resized_crop",
       value,
       [] {
         random_resized_crop({.ratio = {2, 1}});
       },
       {"ratio", "low to high", "2 to 1"}},
      {"random_resized_crop",
       value,
       [] {
         random_resized_crop({.ratio = {0, 1}});
       },
       {"ratio", "0.001 to 1000", "got 0"}},
      {"random_horizontal_flip", value, [] { random_horizontal_flip(1.5); }, {"0 to 1", "got 1.5"}},
      {"random_vertical_flip", value, [=] { random_vertical_flip(nan); }, {"0 to 1", "got nan"}},
      {"random_rotation", value, [] { random_rotation(-1); }, {"0 to 360", "got -1"}},
      {"random_rotation",
       value,
       [] {
         random_rotation({10, -10});
       },
       {"degrees", "10 to -10"}},
      {"random_affine",
       value,
       [] {
         random_affine({.degrees = {0, 400}});
       },
       {"-360 to 360", "got 400"}},
      {"random_affine",
       value,
       [] {
         random_affine({.translate = {0.1, 2}});
       },
       {"translate", "0 to 1", "got 2"}},
      {"random_affine",
       value,
       [] {
         random_affine({.scale = {0, 1}});
       },
       {"scale", "0.001 to 1000", "got 0"}},
      {"random_affine",
       value,
       [] {
         random_affine({.shear = {0, 90}});
       },
       {"shear", "-89 to 89", "got 90"}},
      {"random_affine",
       value,
       [=] {
         random_affine({.shear_y = {nan, 0}});
       },
       {"shear_y", "got nan"}},
      {"color_jitter", value, [] { color_jitter({.contrast = -0.5}); }, {"contrast", "got -0.5"}},
      {"color_jitter", value, [] { color_jitter({.hue = 0.6}); }, {"hue", "0 to 0.5", "got 0.6"}},
      {"random_erasing", value, [] { random_erasing({.p = -1}); }, {"0 to 1", "got -1"}},
      {"random_erasing",
       value,
       [] {
         random_erasing({.scale = {0.5, 0.25}});
       },
       {"scale", "0.5 to 0.25"}},
      {"mixup",
       value,
       [=] {
         mix(f32({2, 1, 1, 1}), i64({2}), 2, -1);
       },
       {"alpha", "got -1"}},
      {"mixup",
       value,
       [=] {
         mix(f32({2, 1, 1, 1}), i64({2}), 2, HUGE_VAL);
       },
       {"alpha", "finite", "got inf"}},
      {"mixup",
       value,
       [=] {
         mix(f32({2, 1, 1, 1}), i64({2}), 0, 1);
       },
       {"classes", "got 0"}},
      {"mixup",
       value,
       [=] {
         mix(f32({2, 1, 1, 1}), i64({2}), 1, 1);
       },
       {"labels", "0 to 0", "got 1"}},
      {"mixup",
       Kind::shape,
       [=] {
         mix(f32({2, 1, 1, 1}), i64({3}), 2, 1);
       },
       {"[2]", "[3]"}},
      {"mixup",
       Kind::shape,
       [=] {
         mix(f32({2, 1}), i64({2}), 2, 1);
       },
       {"[B,C,H,W]", "[2,1]"}},
      {"mixup",
       Kind::shape,
       [=] {
         mix(f32({2, 1, 1, 1}), Tensor(), 2, 1);
       },
       {"[2]", "undefined"}},
      {"mixup",
       Kind::dtype,
       [=] {
         mix(f32({2, 1, 1, 1}), f32({2}), 2, 1);
       },
       {"int64", "float32"}},
  });
}

TEST_CASE("images that do not fit are told with their shape or dtype") {
  for (const Named& t : random_transforms()) {
    const auto with = [&t](const Tensor& x) { return [=] { apply_seeded(t.transform, x); }; };
    check_wrong_calls({
        {t.name, Kind::shape, with(f32({3, 8, 8})), {"[B,C,H,W]", "[3,8,8]"}},
        {t.name, Kind::shape, with(Tensor()), {"[B,C,H,W]", "undefined"}},
        {t.name, Kind::dtype, with(f64({1, 3, 8, 8})), {"float32", "float64"}},
    });
  }
  const auto seeded = [](const Transform& transform, const Tensor& x) {
    return [=] { apply_seeded(transform, x); };
  };
  check_wrong_calls({
      {"pad", Kind::shape, seeded(pad(1), f32({3, 8})), {"[B,C,H,W]", "[3,8]"}},
      {"random_crop",
       Kind::shape,
       seeded(random_crop({.size = {9, 4}}), f32({1, 1, 8, 8})),
       {"size 9x4", "[1,1,8,8]", "padding 0"}},
      {"random_crop",
       Kind::shape,
       seeded(random_crop({.size = {4, 11}, .padding = 1}), f32({1, 1, 8, 8})),
       {"size 4x11", "[1,1,8,8]", "padding 1"}},
      {"random_resized_crop",
       Kind::shape,
       seeded(random_resized_crop({.size = 4}), f32({1, 1, 0, 8})),
       {"with pixels", "[1,1,0,8]"}},
      {"color_jitter",
       Kind::shape,
       seeded(color_jitter({}), f32({1, 4, 8, 8})),
       {"1 or 3 channels", "[1,4,8,8]"}},
  });
}
