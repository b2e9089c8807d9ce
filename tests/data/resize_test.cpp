// Resizing and cropping: PIL's pixels, and values computed by hand.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/core/random.h>
#include <gradus/data/image.h>
#include <gradus/data/resize.h>

#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/fixtures.h"

using namespace gradus;

namespace {

std::vector<int> pixels_of(const Tensor& image) {
  std::vector<int> values;
  for (const std::uint8_t value : image.to_vector<std::uint8_t>()) values.push_back(value);
  return values;
}

/// [1,H,W] of noise.
Tensor noise(std::int64_t height, std::int64_t width) {
  Generator generator(5);
  return randint(0, 256, {1, height, width}, generator, uint8);
}

}  // namespace

TEST_CASE("resizing gives the pixels of PIL") {
  // PIL rounds to whole levels after the rows and again after the columns, this library once at the
  // end.
  constexpr int second_rounding = 1;
  int compared = 0;
  for (const auto& entry : read_cases("pil_images.json")) {
    if (entry["function"] != "resize") continue;
    const Tensor image = read_tensor(entry["image"]);
    const Tensor expected = read_tensor(entry["result"]);
    const Tensor actual = resize(image, expected.size(1), expected.size(2));
    REQUIRE(actual.shape() == expected.shape());
    const bool one_side = image.size(1) == expected.size(1) || image.size(2) == expected.size(2);
    const int tolerance = one_side ? 0 : second_rounding;
    const std::vector<int> a = pixels_of(actual);
    const std::vector<int> b = pixels_of(expected);
    for (std::size_t i = 0; i < a.size(); ++i) {
      CAPTURE(expected.shape());
      CAPTURE(i);
      CHECK(std::abs(a[i] - b[i]) <= tolerance);
      ++compared;
    }
  }
  CHECK(compared > 900);
}

TEST_CASE("a row that doubles takes quarters, and repeats its ends") {
  // Centres of the new pixels at 0.25, 0.75, 1.25 and 1.75, of the old ones at 0.5 and 1.5.
  CHECK(pixels_of(resize(Tensor::from({{{0, 100}}}, uint8), 1, 4)) == std::vector{0, 25, 75, 100});
  CHECK(pixels_of(resize(Tensor::from({{{0}, {100}}}, uint8), 4, 1)) ==
        std::vector{0, 25, 75, 100});
}

TEST_CASE("a row that shrinks to half takes a triangle four pixels wide") {
  // The first centre is at 1, where the left of the triangle is cut off: weights 3, 3, 1 over their
  // sum 7. In the middle 1, 3, 3, 1 over 8; the end mirrors the beginning.
  const Tensor row = Tensor::from({{{70, 0, 140, 0, 80, 160}}}, uint8);
  // (3·70 + 3·0 + 140) / 7 = 50, (0 + 3·140 + 3·0 + 80) / 8 = 62.5, (0 + 3·80 + 3·160) / 7 = 102.9
  CHECK(pixels_of(resize(row, 1, 3)) == std::vector{50, 63, 103});
}

TEST_CASE("halves are rounded up") {
  CHECK(pixels_of(resize(Tensor::from({{{0, 1}}}, uint8), 1, 1)) == std::vector{1});
  CHECK(pixels_of(resize(Tensor::from({{{254, 255}}}, uint8), 1, 1)) == std::vector{255});
}

TEST_CASE("the same size is the same image, and one colour stays itself in any size") {
  const Tensor image = noise(9, 13);
  CHECK(core::equal(resize(image, 9, 13), image));
  for (const int level : {0, 1, 127, 254, 255}) {
    const Tensor flat = full({2, 11, 7}, level, uint8);
    CHECK(core::equal(resize(flat, 3, 29), full({2, 3, 29}, level, uint8)));
    CHECK(core::equal(resize(flat, 200, 2), full({2, 200, 2}, level, uint8)));
  }
}

TEST_CASE("planes are resized each by itself, whatever the strides and the number of threads") {
  Generator generator(3);
  const Tensor image = randint(0, 256, {3, 40, 50}, generator, uint8);
  const Tensor result = resize(image, 33, 21);
  for (std::int64_t c = 0; c < 3; ++c) {
    CHECK(core::equal(result.narrow(0, c, 1), resize(image.narrow(0, c, 1), 33, 21)));
  }
  CHECK(core::equal(resize(image.transpose(), 21, 33), resize(image.transpose().clone(), 21, 33)));
  const int threads = num_threads();
  set_num_threads(1);
  CHECK(core::equal(resize(image, 33, 21), result));
  set_num_threads(threads);
}

TEST_CASE("the shorter side becomes what is asked for, the longer one is rounded down") {
  CHECK(resize_shorter_side(noise(10, 25), 4).shape() == Shape{1, 4, 10});
  CHECK(resize_shorter_side(noise(25, 10), 4).shape() == Shape{1, 10, 4});
  CHECK(resize_shorter_side(noise(3, 5), 7).shape() ==
        Shape{1, 7, 11});  // 11.67, as torchvision's int()
  CHECK(core::equal(resize_shorter_side(noise(3, 5), 7), resize(noise(3, 5), 7, 11)));
}

TEST_CASE("a crop is the middle, and of an odd surplus what torchvision takes") {
  const Tensor row = arange(0, 9, 1, uint8).reshape({1, 1, 9});
  // (9 - n) / 2 is 0.5, 1, 1.5, ..., rounded to even.
  CHECK(pixels_of(center_crop(row, 1, 8)).front() == 0);
  CHECK(pixels_of(center_crop(row, 1, 7)).front() == 1);
  CHECK(pixels_of(center_crop(row, 1, 6)).front() == 2);
  CHECK(pixels_of(center_crop(row, 1, 4)).front() == 2);
  CHECK(pixels_of(center_crop(row, 1, 2)).front() == 4);
  CHECK(pixels_of(center_crop(row, 1, 1)) == std::vector{4});
}

TEST_CASE("a crop beyond the image is black there, the odd column on the right") {
  const Tensor image = Tensor::from({{{1, 2}, {3, 4}}}, uint8);
  CHECK(pixels_of(center_crop(image, 3, 5)) ==
        std::vector{0, 1, 2, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0});
  CHECK(pixels_of(center_crop(image, 1, 4)) == std::vector{0, 1, 2, 0});
}

TEST_CASE("fit is the resized image cropped around the centre") {
  const Tensor wide = noise(20, 47);
  CHECK(core::equal(fit(wide, 10, 10), center_crop(resize(wide, 10, 23), 10, 10)));
  CHECK(core::equal(fit(wide, 6, 40), center_crop(resize(wide, 17, 40), 6, 40)));
  const Tensor high = noise(31, 12);
  CHECK(core::equal(fit(high, 24, 18), center_crop(resize(high, 46, 18), 24, 18)));
  CHECK(core::equal(fit(high, 31, 12), high));
}

TEST_CASE("fit computes only the pixels that stay") {
  // Resized as a whole it would be 500 million pixels wide.
  const Tensor thread = full({1, 1, 1'000'000}, 9, uint8);
  CHECK(core::equal(fit(thread, 500, 3), full({1, 500, 3}, 9, uint8)));
}

TEST_CASE("what cannot be resized is refused with both values") {
  const Tensor image = noise(2, 3);
  CHECK(message_of<ShapeError>([] { resize({}, 1, 1); }) == "resize: image is undefined");
  CHECK(message_of<ShapeError>([&] { resize(image[0], 1, 1); }) ==
        "resize: takes [C,H,W] with pixels, got uint8 [2,3]");
  CHECK(message_of<ShapeError>([] {
          fit(zeros({3, 0, 5}, uint8), 1, 1);
        }) == "fit: takes [C,H,W] with pixels, got uint8 [3,0,5]");
  CHECK(message_of<DTypeError>([&] { center_crop(image.to(float32), 1, 1); }) ==
        "center_crop: takes uint8, got float32 [1,2,3]");
  CHECK(message_of<ValueError>([&] { resize(image, 0, 1); }) ==
        "resize: height is 0, a side may be 1 to 1000000");
  CHECK(message_of<ValueError>([&] { center_crop(image, 1, 1'000'001); }) ==
        "center_crop: width is 1000001, a side may be 1 to 1000000");
  CHECK(message_of<ValueError>([&] { fit(image, 1, -4); }) ==
        "fit: width is -4, a side may be 1 to 1000000");
  CHECK(message_of<ValueError>([&] { resize_shorter_side(image, -1); }) ==
        "resize_shorter_side: side is -1, a side may be 1 to 1000000");
  CHECK(message_of<ValueError>([] {
          resize_shorter_side(zeros({1, 1, 9}, uint8), 200'000);
        }) == "resize_shorter_side: width is 1800000, a side may be 1 to 1000000");
}
