// Contact sheets and pictures of confusion matrices, pixel by pixel where the layout says what is there.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/data/contact_sheet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/error_message.h"

using namespace gradus;

namespace {

using Rgb = std::array<int, 3>;
constexpr Rgb paper{255, 255, 255};

Rgb pixel_at(const Tensor& picture, std::int64_t x, std::int64_t y) {
  Rgb color{};
  for (int c = 0; c < 3; ++c)
    color[static_cast<std::size_t>(c)] = picture.at<std::uint8_t>({c, y, x});
  return color;
}

Rgb grey_of(int value) { return {value, value, value}; }

Tensor grey_image(const NestedList& rows) { return Tensor::from(rows, uint8).unsqueeze(0); }

/// What is drawn below an image of one pixel in a square of `cell`, as rows of '#' and '.'.
std::string caption_drawn(const std::string& caption, std::int64_t cell) {
  const Tensor sheet =
      contact_sheet({grey_image({{0}})}, {caption}, {.cell = cell, .gap = 2, .dot = 1});
  std::string drawn;
  for (std::int64_t y = 2 + cell + 3; y < 2 + cell + 12; ++y) {
    for (std::int64_t x = 2; x < 2 + cell; ++x) drawn += pixel_at(sheet, x, y) == paper ? '.' : '#';
    drawn += '\n';
  }
  return drawn;
}

int darkness(const Rgb& color) { return 3 * 255 - color[0] - color[1] - color[2]; }

/// The most frequent colours are those of the paper and of the cells.
bool has_color(const Tensor& picture, const Rgb& color) {
  for (std::int64_t y = 0; y < picture.size(1); ++y)
    for (std::int64_t x = 0; x < picture.size(2); ++x)
      if (pixel_at(picture, x, y) == color) return true;
  return false;
}

}  // namespace

TEST_CASE("a small image is enlarged by a whole factor, in the middle of its square") {
  // 3 wide and 2 high: three times as large, 9x6, in a square of 10.
  const Tensor sheet =
      contact_sheet({grey_image({{10, 20, 30}, {40, 50, 60}})}, {}, {.cell = 10, .gap = 4});
  REQUIRE(sheet.dtype() == uint8);
  REQUIRE(sheet.shape() == Shape{3, 18, 18});
  for (std::int64_t y = 0; y < 6; ++y)
    for (std::int64_t x = 0; x < 9; ++x)
      CHECK(pixel_at(sheet, 4 + x, 4 + 2 + y) ==
            grey_of(static_cast<int>(10 + 30 * (y / 3) + 10 * (x / 3))));
  // A frame of one pixel, and white around it.
  CHECK(pixel_at(sheet, 4, 5) != paper);
  CHECK(pixel_at(sheet, 3, 6) != paper);
  CHECK(pixel_at(sheet, 13, 11) != paper);
  CHECK(pixel_at(sheet, 4, 4) == paper);
  CHECK(pixel_at(sheet, 2, 6) == paper);
  CHECK(pixel_at(sheet, 14, 6) == paper);
}

TEST_CASE("colours stay where they were") {
  const Tensor image = Tensor::from({{{1, 2}}, {{3, 4}}, {{5, 6}}}, uint8);  // [3,1,2]
  const Tensor sheet = contact_sheet({image}, {}, {.cell = 8, .gap = 2});
  CHECK(pixel_at(sheet, 2, 4) == Rgb{1, 3, 5});
  CHECK(pixel_at(sheet, 9, 7) == Rgb{2, 4, 6});
}

TEST_CASE("a large image is reduced to the means of what its pixels cover") {
  Tensor image = zeros({1, 16, 32}, uint8);
  for (std::int64_t y = 0; y < 16; ++y)
    for (std::int64_t x = 0; x < 32; ++x)
      image.at<std::uint8_t>({0, y, x}) = static_cast<std::uint8_t>(7 * y + x);
  // Of 32 a quarter: 8 wide and 4 high. The mean of 7y+x over 4x4 pixels is 8·1.5 above the first; halves go up.
  const Tensor sheet = contact_sheet({image}, {}, {.cell = 8, .gap = 2});
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 8; ++x)
      CHECK(pixel_at(sheet, 2 + x, 2 + 2 + y) == grey_of(28 * y + 4 * x + 12));

  // Nine pixels on eight: none is passed over, the last shows two.
  const Tensor nine =
      contact_sheet({grey_image({{0, 10, 20, 30, 40, 50, 60, 70, 81}})}, {}, {.cell = 8, .gap = 2});
  CHECK(pixel_at(nine, 2, 2 + 3) == grey_of(0));
  CHECK(pixel_at(nine, 9, 2 + 3) == grey_of(76));
}

TEST_CASE("views are read as they are seen") {
  const Tensor image = grey_image({{1, 2}, {3, 4}});
  const Tensor turned = image.transpose(1, 2);
  const Tensor sheet = contact_sheet({turned}, {}, {.cell = 8, .gap = 2});
  CHECK(pixel_at(sheet, 2, 9) == grey_of(2));
  CHECK(pixel_at(sheet, 9, 2) == grey_of(3));
}

TEST_CASE("the grid is about square, or as wide as it was asked to be") {
  std::vector<Tensor> images;
  for (int i = 0; i < 5; ++i) images.push_back(grey_image({{50 * i}}));
  CHECK(contact_sheet(images, {}, {.cell = 8, .gap = 2}).shape() == Shape{3, 22, 32});
  CHECK(contact_sheet(images, {}, {.columns = 9, .cell = 8, .gap = 2}).shape() == Shape{3, 12, 52});
  const Tensor sheet = contact_sheet(images, std::vector<std::string>(5),
                                     {.columns = 2, .cell = 8, .gap = 2, .dot = 2});
  CHECK(sheet.shape() == Shape{3, 2 + 3 * (8 + 24 + 2), 22});
  for (int i = 0; i < 5; ++i)
    CHECK(pixel_at(sheet, 2 + i % 2 * 10, 2 + i / 2 * 34) == grey_of(50 * i));
  CHECK(pixel_at(sheet, 12, 2 + 2 * 34) == paper);  // there is no sixth
}

TEST_CASE("captions are drawn in dots, in the middle") {
  // 8 pixels have room for one letter of 5, one pixel in.
  CHECK(caption_drawn("T", 8) ==
        ".#####..\n"
        "...#....\n"
        "...#....\n"
        "...#....\n"
        "...#....\n"
        "...#....\n"
        "...#....\n"
        "........\n"
        "........\n");
  CHECK(caption_drawn("\xc3\xa4", 8) ==  // an umlaut is one box
        ".#####..\n"
        ".#...#..\n"
        ".#...#..\n"
        ".#...#..\n"
        ".#...#..\n"
        ".#...#..\n"
        ".#####..\n"
        "........\n"
        "........\n");
  CHECK(caption_drawn("p", 8).substr(7 * 9) == ".#......\n.#......\n");  // below the line
}

TEST_CASE("a caption is cut where its square ends") {
  CHECK(caption_drawn("TIM", 11) == caption_drawn("TI", 11));  // 5 + 1 + 5
  CHECK(caption_drawn("TIM", 10) == caption_drawn("T", 10));
  CHECK(caption_drawn("\xc3\xa4\xc3\xa4x", 11) == caption_drawn("\xc3\xa4\xc3\xa4", 11));
  CHECK(caption_drawn("T", 11) != caption_drawn("TI", 11));
  CHECK(caption_drawn("", 11).find('#') == std::string::npos);
  CHECK(caption_drawn("\n", 8) == caption_drawn("\xf0\x9f\x99\x82", 8));
}

TEST_CASE("every printable character has a look of its own, and only the space is empty") {
  std::set<std::string> looks;
  for (char c = ' '; c <= '~'; ++c) {
    const std::string look = caption_drawn(std::string(1, c), 8);
    CAPTURE(c);
    CHECK((look.find('#') == std::string::npos) == (c == ' '));
    CHECK(looks.insert(look).second);
  }
  CHECK(looks.insert(caption_drawn("\x7f", 8)).second);  // the box
}

TEST_CASE("larger dots are the same picture") {
  const Tensor image = grey_image({{0}});
  const Tensor one = contact_sheet({image}, {"7"}, {.cell = 8, .gap = 2, .dot = 1});
  const Tensor three = contact_sheet({image}, {"7"}, {.cell = 24, .gap = 6, .dot = 3});
  for (std::int64_t y = 3 + 8; y < one.size(1); ++y)  // below the frame, whose line stays thin
    for (std::int64_t x = 0; x < one.size(2); ++x)
      CHECK(pixel_at(one, x, y) == pixel_at(three, 3 * x + 1, 3 * y + 1));
}

TEST_CASE("contact_sheet refuses what is no image, and says which and why") {
  const Tensor good = zeros({1, 2, 2}, uint8);
  const auto refused = [&](auto call) { return message_of<ValueError>(call); };
  CHECK(contains(refused([] { contact_sheet({}, {}); }), "at least 1 image, got 0"));
  CHECK(contains(refused([&] {
                   contact_sheet({good, good}, {"a"});
                 }),
                 "one for each of 2 images, got 1"));
  CHECK(contains(refused([&] { contact_sheet({good, Tensor()}, {}); }), "image 1 is undefined"));
  CHECK(
      contains(refused([&] { contact_sheet({good}, {}, {.columns = -1}); }), "columns must be 0"));
  CHECK(contains(refused([&] { contact_sheet({good}, {}, {.cell = 7}); }), "8 to 4096, got 7"));
  CHECK(contains(refused([&] { contact_sheet({good}, {}, {.gap = 1}); }), "gap must be 2 to 256"));
  CHECK(contains(refused([&] { contact_sheet({good}, {}, {.dot = 17}); }), "1 to 16, got 17"));
  const std::vector<Tensor> many(1000, good);
  CHECK(contains(refused([&] { contact_sheet(many, {}, {.cell = 4096}); }), "268435456 allowed"));
  CHECK(contains(message_of<DTypeError>([&] {
                   contact_sheet({good, zeros({1, 2, 2})}, {});
                 }),
                 "image 1 must be uint8, got float32"));
  for (const Shape& shape : {Shape{2, 2}, Shape{2, 2, 2}, Shape{1, 0, 2}, Shape{1, 1, 2, 2}})
    CHECK(contains(message_of<ShapeError>([&] { contact_sheet({zeros(shape, uint8)}, {}); }),
                   "[1,H,W] or [3,H,W], got " + to_string(shape)));
}

TEST_CASE(
    "a confusion picture is blue where it is right, red where wrong, and white where nothing is") {
  const Tensor counts = Tensor::from({{90, 10, 0}, {0, 50, 50}, {0, 0, 0}});
  const Tensor picture = confusion_picture(counts);
  REQUIRE(picture.size(1) == picture.size(2));
  // The corner of a cell, where no number is. A cell is 36 wide and a line follows; with names of one letter
  // of two dots the first begins at 4·8 + 14 + 10.
  const auto cell = [&](std::int64_t row, std::int64_t column) {
    return pixel_at(picture, 56 + 37 * column, 56 + 37 * row);
  };
  CHECK(cell(0, 0)[2] > cell(0, 0)[0]);  // blue
  CHECK(cell(1, 1)[2] > cell(1, 1)[0]);
  CHECK(darkness(cell(0, 0)) > darkness(cell(1, 1)));
  CHECK(cell(0, 1)[0] > cell(0, 1)[2]);  // red
  CHECK(darkness(cell(1, 2)) > darkness(cell(0, 1)));
  // Square roots: a tenth is darker than a tenth of the way to what all would be, a half less than all of it.
  CHECK(darkness(cell(0, 1)) > darkness(cell(1, 2)) / 5 * 2);
  for (const auto& [row, column] : {std::pair{0, 2}, {1, 0}, {2, 0}, {2, 1}, {2, 2}})
    CHECK(cell(row, column) == paper);
  CHECK(picture.size(1) == 56 + 3 * 37 + 24);
}

TEST_CASE("the numbers and names of a confusion picture can be read on their ground") {
  Tensor counts = zeros({2, 2}, int64);
  const Tensor empty = confusion_picture(counts, {"cat", "dog"});
  counts.at<std::int64_t>({0, 0}) = 7;
  const Tensor one = confusion_picture(counts, {"cat", "dog"});
  REQUIRE(one.shape() == empty.shape());
  // 7 of 7 are right: white dots on dark blue, so the blue cell has white in it, and nothing else changes.
  const std::int64_t begin = 4 * 8 + 14 + (3 * 6 - 1) * 2;
  std::int64_t white_dots = 0;
  for (std::int64_t y = 0; y < one.size(1); ++y) {
    for (std::int64_t x = 0; x < one.size(2); ++x) {
      const bool inside = x >= begin && x < begin + 36 && y >= begin && y < begin + 36;
      if (!inside) {
        CHECK(pixel_at(one, x, y) == pixel_at(empty, x, y));
      } else if (pixel_at(one, x, y) == paper) {
        ++white_dots;
      }
    }
  }
  CHECK(white_dots == 4 * 11);  // a 7 is a bar of 5 dots and 6 below, each 2x2
  const Tensor other = confusion_picture(counts, {"cat", "cow"});
  bool differ = false;
  for (std::int64_t y = begin; y < one.size(1); ++y)
    for (std::int64_t x = 0; x < begin; ++x)
      differ = differ || pixel_at(one, x, y) != pixel_at(other, x, y);
  CHECK(differ);
}

TEST_CASE("confusion pictures of all sizes hold together") {
  for (const std::int64_t classes : {1, 2, 20, 21, 100}) {
    CAPTURE(classes);
    const Tensor counts = full({classes, classes}, 12345678, int64);
    CHECK(confusion_picture(counts).size(0) == 3);
    // Names of no letter, and one far too long.
    std::vector<std::string> names(static_cast<std::size_t>(classes));
    CHECK(confusion_picture(counts, names).size(0) == 3);
    names[0] = std::string(1000, 'W');
    CHECK(confusion_picture(counts, names).size(1) < 100 + 200 + 110 * classes);
  }
  Tensor most = full({2, 2}, 0, int64);
  most.at<std::int64_t>({0, 0}) = INT64_MAX;
  most.at<std::int64_t>({0, 1}) = INT64_MAX;
  CHECK(has_color(confusion_picture(most), paper));
}

TEST_CASE("confusion_picture refuses what are no counts") {
  const auto refused = [&](auto call) { return message_of<ValueError>(call); };
  CHECK(contains(refused([] { confusion_picture(Tensor()); }), "undefined"));
  CHECK(contains(refused([] { confusion_picture(full({2, 2}, -3, int64)); }), "0 or more, got -3"));
  CHECK(contains(refused([] {
                   confusion_picture(zeros({2, 2}, int64), {"a"});
                 }),
                 "one for each of 2 classes, got 1"));
  CHECK(contains(message_of<DTypeError>([] {
                   confusion_picture(zeros({2, 2}));
                 }),
                 "must be int64, got float32"));
  for (const Shape& shape : {Shape{2}, Shape{2, 3}, Shape{0, 0}, Shape{513, 513}})
    CHECK(contains(message_of<ShapeError>([&] { confusion_picture(zeros(shape, int64)); }),
                   "got " + to_string(shape)));
}
