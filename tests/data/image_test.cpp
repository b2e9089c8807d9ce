// Image files: every kind of PNG and JPEG as libpng and libjpeg write them, and all that a file may
// be instead of an image.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/data/image.h>

#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/fixtures.h"
#include "support/image_files.h"
#include "support/temporary_folder.h"

using namespace gradus;

namespace {

Tensor decoded(const std::string& bytes, ImageMode mode = ImageMode::as_is) {
  return decode_image(std::as_bytes(std::span(bytes)), "bytes", mode);
}

/// [C,H,W] of numbers 0..255, by channel, row and column.
Tensor planes_of(const Shape& shape, const std::vector<int>& values) {
  REQUIRE(std::ssize(values) == shape.numel());
  const Tensor result = Tensor::empty(shape, uint8);
  for (std::size_t i = 0; i < values.size(); ++i) {
    result.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(values[i]);
  }
  return result;
}

/// Bytes that follow no pattern.
std::string noise_bytes(std::size_t count, std::uint64_t seed = 1) {
  Generator generator(seed);
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += static_cast<char>(generator.below(256));
  return bytes;
}

/// Interleaved pixels of 8 bits -> [C,H,W].
Tensor planar(const std::string& pixels, std::int64_t channels, std::int64_t height,
              std::int64_t width) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(pixels.data());
  return Tensor::from(bytes, {height, width, channels}).permute({2, 0, 1}).contiguous();
}

/// A slope in each channel, which JPEG keeps almost as it is.
std::string slopes(unsigned width, unsigned height, unsigned channels) {
  std::string pixels;
  for (unsigned y = 0; y < height; ++y) {
    for (unsigned x = 0; x < width; ++x) {
      for (unsigned c = 0; c < channels; ++c) {
        pixels += static_cast<char>(c == 0 ? 20 + 3 * x : c == 1 ? 200 - 2 * y : 60 + 2 * x + y);
      }
    }
  }
  return pixels;
}

double greatest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const std::vector<double> x = a.to(float64).to_vector<double>();
  const std::vector<double> y = b.to(float64).to_vector<double>();
  double greatest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) greatest = std::max(greatest, std::fabs(x[i] - y[i]));
  return greatest;
}

// In the best quality coefficients are rounded to whole numbers, the 8x8 transform spreads these
// halves, and libjpeg's conversion of colours rounds three times more.
constexpr double best_jpeg = 3;

std::string refusal(const std::string& bytes) {
  return message_of<BadDataError>([&] { decoded(bytes); });
}

/// The file cut at each length is refused.
void check_every_cut(const std::string& file) {
  for (std::size_t length = 0; length < file.size(); ++length) {
    CAPTURE(length);
    CHECK_THROWS_AS(decoded(file.substr(0, length)), BadDataError);
  }
}

std::string with_flipped_bit(std::string bytes, std::size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  return bytes;
}

std::optional<Tensor> decoded_or_refused(const std::string& bytes) {
  try {
    return decoded(bytes);
  } catch (const BadDataError&) {
    return std::nullopt;
  }
}

/// How many of the files with one wrong bit are refused; the others give an image.
std::size_t refused_flips(const std::string& file) {
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    CAPTURE(bit);
    const std::optional<Tensor> image = decoded_or_refused(with_flipped_bit(file, bit));
    if (!image) ++refused;
    if (image) CHECK(image->rank() == 3);
  }
  return refused;
}

}  // namespace

// ---- PNG ----

TEST_CASE("gray of 1, 2 and 4 bits is spread over 0 to 255") {
  const auto read = [](int bits, const std::string& row, unsigned width) {
    return decoded(png_file({.width = width, .height = 1, .bit_depth = bits}, row));
  };
  CHECK(core::equal(read(1, "\xb0", 5), planes_of({1, 1, 5}, {255, 0, 255, 255, 0})));
  CHECK(core::equal(read(2, "\x1b", 4), planes_of({1, 1, 4}, {0, 85, 170, 255})));
  CHECK(core::equal(read(4, "\x01\x7f", 4), planes_of({1, 1, 4}, {0, 17, 119, 255})));
}

TEST_CASE("8 bits stay as they are, in any number of channels") {
  struct Kind {
    int color_type;
    std::int64_t channels;
  };
  for (const Kind kind : {Kind{PNG_COLOR_TYPE_GRAY, 1}, Kind{PNG_COLOR_TYPE_GRAY_ALPHA, 2},
                          Kind{PNG_COLOR_TYPE_RGB, 3}, Kind{PNG_COLOR_TYPE_RGB_ALPHA, 4}}) {
    CAPTURE(kind.channels);
    const std::string rows = noise_bytes(static_cast<std::size_t>(5 * 7 * kind.channels));
    for (const bool interlaced : {false, true}) {
      const Tensor image = decoded(png_file(
          {.width = 7, .height = 5, .color_type = kind.color_type, .interlaced = interlaced},
          rows));
      CHECK(image.is_contiguous());
      CHECK(core::equal(image, planar(rows, kind.channels, 5, 7)));
    }
  }
}

TEST_CASE("16 bits are rounded to 8") {
  // v·255/65535: 128 is just below a half, 129 above; 65406 is just below 254.5, 65407 above.
  std::string row;
  for (const int value : {0, 128, 129, 257, 32768, 65406, 65407, 65535}) {
    row += static_cast<char>(value >> 8);
    row += static_cast<char>(value & 255);
  }
  const std::vector<int> rounded{0, 0, 1, 1, 128, 254, 255, 255};
  const auto read = [&](int color_type, unsigned width) {
    return decoded(
        png_file({.width = width, .height = 1, .color_type = color_type, .bit_depth = 16}, row));
  };
  CHECK(core::equal(read(PNG_COLOR_TYPE_GRAY, 8), planes_of({1, 1, 8}, rounded)));
  CHECK(core::equal(read(PNG_COLOR_TYPE_GRAY_ALPHA, 4),
                    planes_of({2, 1, 4}, {0, 1, 128, 255, 0, 1, 254, 255})));
  CHECK(core::equal(read(PNG_COLOR_TYPE_RGB_ALPHA, 2),
                    planes_of({4, 1, 2}, {0, 128, 0, 254, 1, 255, 1, 255})));
  row.resize(12);
  CHECK(core::equal(read(PNG_COLOR_TYPE_RGB, 2), planes_of({3, 1, 2}, {0, 1, 0, 128, 1, 254})));
}

TEST_CASE("a palette becomes RGB, with the transparency of its entries RGBA") {
  const std::vector<png_color> palette{{1, 2, 3}, {40, 50, 60}, {255, 254, 253}, {7, 8, 9}};
  struct Packing {
    int bits;
    std::string row;
  };
  for (const Packing& packing : {Packing{2, "\x87"}, Packing{4, std::string("\x20\x13", 2)},
                                 Packing{8, std::string("\2\0\1\3", 4)}}) {
    CAPTURE(packing.bits);
    PngRecipe recipe{.width = 4,
                     .height = 1,
                     .color_type = PNG_COLOR_TYPE_PALETTE,
                     .bit_depth = packing.bits,
                     .palette = palette};
    const std::vector<int> colors{255, 1, 40, 7, 254, 2, 50, 8, 253, 3, 60, 9};
    CHECK(core::equal(decoded(png_file(recipe, packing.row)), planes_of({3, 1, 4}, colors)));
    recipe.palette_alpha = {0, 128};  // the others are opaque
    std::vector<int> with_alpha = colors;
    with_alpha.insert(with_alpha.end(), {255, 0, 128, 255});
    CHECK(core::equal(decoded(png_file(recipe, packing.row)), planes_of({4, 1, 4}, with_alpha)));
  }
  const PngRecipe two{.width = 3,
                      .height = 1,
                      .color_type = PNG_COLOR_TYPE_PALETTE,
                      .bit_depth = 1,
                      .palette = {palette[0], palette[1]}};
  CHECK(core::equal(decoded(png_file(two, "\x40")),
                    planes_of({3, 1, 3}, {1, 40, 1, 2, 50, 2, 3, 60, 3})));
}

TEST_CASE("one transparent colour becomes an alpha channel") {
  png_color_16 color{};
  color.gray = 1;
  CHECK(core::equal(
      decoded(png_file({.width = 4, .height = 1, .bit_depth = 2, .transparent = &color}, "\x1b")),
      planes_of({2, 1, 4}, {0, 85, 170, 255, 255, 0, 255, 255})));
  color.red = 10;
  color.green = 20;
  color.blue = 30;
  const std::string row{10, 20, 30, 10, 20, 31};
  CHECK(core::equal(
      decoded(png_file(
          {.width = 2, .height = 1, .color_type = PNG_COLOR_TYPE_RGB, .transparent = &color}, row)),
      planes_of({4, 1, 2}, {10, 10, 20, 20, 30, 31, 0, 255})));
  // Of 16 bits all count: 1 and 2 both round to 0, only 1 is transparent.
  color.gray = 1;
  CHECK(core::equal(
      decoded(png_file({.width = 2, .height = 1, .bit_depth = 16, .transparent = &color},
                       std::string("\0\1\0\2", 4))),
      planes_of({2, 1, 2}, {0, 0, 0, 255})));
}

TEST_CASE("interlaced images of any size are those that are not, also where passes are empty") {
  for (unsigned height = 1; height <= 9; ++height) {
    for (unsigned width = 1; width <= 9; ++width) {
      CAPTURE(height);
      CAPTURE(width);
      const std::string rows = noise_bytes(3 * width * height);
      CHECK(core::equal(decoded(png_file({.width = width,
                                          .height = height,
                                          .color_type = PNG_COLOR_TYPE_RGB,
                                          .interlaced = true},
                                         rows)),
                        planar(rows, 3, height, width)));
      // Of packed pixels the bits that fill a row carry nothing.
      const std::string bits = noise_bytes((width + 7) / 8 * height);
      CHECK(core::equal(
          decoded(png_file({.width = width, .height = height, .bit_depth = 1, .interlaced = true},
                           bits)),
          decoded(png_file({.width = width, .height = height, .bit_depth = 1}, bits))));
    }
  }
}

// ---- channels ----

TEST_CASE("colours become gray as PIL makes them") {
  int compared = 0;
  for (const auto& entry : read_cases("pil_images.json")) {
    if (entry["function"] != "gray") continue;
    const Tensor colors = read_tensor(entry["image"]);
    const Tensor interleaved = colors.permute({1, 2, 0}).contiguous();
    const std::string rows(reinterpret_cast<const char*>(interleaved.data<std::uint8_t>()),
                           static_cast<std::size_t>(interleaved.numel()));
    const PngRecipe recipe{.width = static_cast<unsigned>(colors.size(2)),
                           .height = static_cast<unsigned>(colors.size(1)),
                           .color_type = PNG_COLOR_TYPE_RGB};
    CHECK(core::equal(decoded(png_file(recipe, rows), ImageMode::gray),
                      read_tensor(entry["result"])));
    ++compared;
  }
  CHECK(compared > 0);
}

TEST_CASE("the weights of luma are those of BT.601") {
  const std::string corners("\xff\0\0\0\xff\0\0\0\xff\xff\xff\xff\0\0\0", 15);
  const PngRecipe recipe{.width = 5, .height = 1, .color_type = PNG_COLOR_TYPE_RGB};
  // 0.299·255 = 76.2, 0.587·255 = 149.7, 0.114·255 = 29.1
  CHECK(core::equal(decoded(png_file(recipe, corners), ImageMode::gray),
                    planes_of({1, 1, 5}, {76, 150, 29, 255, 0})));
}

TEST_CASE("alpha is dropped, not blended, and gray stands three times") {
  const std::string rows = noise_bytes(3 * 4 * 4);
  const auto read = [&](int color_type, ImageMode mode) {
    return decoded(png_file({.width = 4, .height = 3, .color_type = color_type}, rows), mode);
  };
  for (const ImageMode mode : {ImageMode::gray, ImageMode::rgb}) {
    CHECK(read(PNG_COLOR_TYPE_GRAY_ALPHA, mode).is_contiguous());
    CHECK(read(PNG_COLOR_TYPE_RGB_ALPHA, mode).is_contiguous());
  }
  const Tensor rgba = planar(rows, 4, 3, 4);
  CHECK(core::equal(read(PNG_COLOR_TYPE_RGB_ALPHA, ImageMode::rgb), rgba.narrow(0, 0, 3)));
  const Tensor gray = planar(rows, 2, 3, 4).narrow(0, 0, 1);
  CHECK(core::equal(read(PNG_COLOR_TYPE_GRAY_ALPHA, ImageMode::gray), gray));
  CHECK(core::equal(read(PNG_COLOR_TYPE_GRAY_ALPHA, ImageMode::rgb), gray.expand({3, 3, 4})));
  CHECK(core::equal(read(PNG_COLOR_TYPE_GRAY, ImageMode::gray), planar(rows, 1, 3, 4)));
  CHECK(core::equal(read(PNG_COLOR_TYPE_RGB, ImageMode::rgb), planar(rows, 3, 3, 4)));
}

// ---- JPEG ----

TEST_CASE("JPEG is read in gray and in colours, and in every order of its data") {
  for (const int channels : {1, 3}) {
    CAPTURE(channels);
    const std::string pixels = slopes(37, 21, static_cast<unsigned>(channels));
    const Tensor original = planar(pixels, channels, 21, 37);
    JpegRecipe recipe{.width = 37, .height = 21, .channels = channels};
    const Tensor image = decoded(jpeg_file(recipe, pixels));
    CHECK(greatest_difference(image, original) <= best_jpeg);
    recipe.progressive = true;  // the same coefficients in another order
    CHECK(core::equal(decoded(jpeg_file(recipe, pixels)), image));
    recipe.progressive = false;
    recipe.whole_color = false;  // slopes lose little by it, but at the edges
    constexpr double half_the_color = 12;
    CHECK(greatest_difference(decoded(jpeg_file(recipe, pixels)), original) <= half_the_color);
  }
}

TEST_CASE("JPEG stored in RGB is read") {
  const std::string pixels = slopes(16, 16, 3);
  const std::string file =
      jpeg_file({.width = 16, .height = 16, .channels = 3, .stored = JpegColors::rgb}, pixels);
  CHECK(greatest_difference(decoded(file), planar(pixels, 3, 16, 16)) <= best_jpeg);
}

TEST_CASE("CMYK, stored inverted, becomes RGB") {
  // 255 is no ink: white, cyan (no red), half black, all black by its own ink.
  const std::vector<std::vector<int>> inks{{255, 255, 255, 255},
                                           {0, 255, 255, 255},
                                           {255, 255, 255, 128},
                                           {255, 255, 255, 0},
                                           {200, 100, 50, 128}};
  const std::vector<std::vector<int>> colors{
      {255, 255, 255}, {0, 255, 255}, {128, 128, 128}, {0, 0, 0}, {100, 50, 25}};
  for (const JpegColors stored : {JpegColors::cmyk, JpegColors::ycck}) {
    for (std::size_t i = 0; i < inks.size(); ++i) {
      CAPTURE(i);
      std::string pixels;
      for (int p = 0; p < 64; ++p) {
        for (const int ink : inks[i]) pixels += static_cast<char>(ink);
      }
      const Tensor image =
          decoded(jpeg_file({.width = 8, .height = 8, .channels = 4, .stored = stored}, pixels));
      const Tensor expected = planes_of({3, 1, 1}, colors[i]).expand({3, 8, 8});
      CHECK(greatest_difference(image, expected) <= best_jpeg);
    }
  }
}

TEST_CASE("the EXIF orientation turns and mirrors, in both byte orders") {
  // Six blocks of 8x8, each of one level, in two rows.
  const std::string levels = "\x0a\x32\x5a\x82\xaa\xd2";
  std::string pixels;
  for (std::size_t y = 0; y < 16; ++y) {
    for (std::size_t x = 0; x < 24; ++x) pixels += levels[y / 8 * 3 + x / 8];
  }
  // Where row 0 and column 0 are seen says the table of the tag, Exif 2.3: 1 top left, 2 top right,
  // 3 bottom right, 4 bottom left, 5 left top, 6 right top, 7 right bottom, 8 left bottom.
  const std::vector<std::vector<std::string>> seen{
      {"012", "345"},     {"210", "543"},     {"543", "210"},     {"345", "012"},
      {"03", "14", "25"}, {"30", "41", "52"}, {"52", "41", "30"}, {"25", "14", "03"}};
  const TemporaryFolder folder;
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big_endian : {true, false}) {
      CAPTURE(orientation);
      CAPTURE(big_endian);
      const std::string file = jpeg_file(
          {.width = 24, .height = 16, .channels = 1, .app1 = {exif(orientation, big_endian)}},
          pixels);
      write_bytes(folder / "f", file);
      const Tensor image = read_image(folder / "f");
      const auto& blocks = seen[static_cast<std::size_t>(orientation - 1)];
      REQUIRE(image.shape() == Shape{1, 8 * std::ssize(blocks), 8 * std::ssize(blocks[0])});
      for (std::int64_t y = 0; y < image.size(1); ++y) {
        for (std::int64_t x = 0; x < image.size(2); ++x) {
          const char block =
              blocks[static_cast<std::size_t>(y / 8)][static_cast<std::size_t>(x / 8)];
          const int level =
              static_cast<unsigned char>(levels[static_cast<std::size_t>(block - '0')]);
          REQUIRE(std::abs(image.at<std::uint8_t>({0, y, x}) - level) <= 1);  // of one rounding
        }
      }
      const ImageInfo info = read_image_info(folder / "f");
      CHECK(Shape{info.channels, info.height, info.width} == image.shape());
    }
  }
}

TEST_CASE("EXIF that cannot be understood leaves the image as it is") {
  const std::string pixels = slopes(16, 8, 1);
  const JpegRecipe recipe{.width = 16, .height = 8, .channels = 1};
  const Tensor plain = decoded(jpeg_file(recipe, pixels));
  const auto check_unturned = [&](const std::string& segment) {
    JpegRecipe with = recipe;
    with.app1 = {segment};
    CHECK(core::equal(decoded(jpeg_file(with, pixels)), plain));
  };
  for (const int orientation : {0, 9, 255}) check_unturned(exif(orientation));
  const std::string right = exif(6);
  JpegRecipe turned = recipe;
  turned.app1 = {right};
  CHECK(decoded(jpeg_file(turned, pixels)).shape() == Shape{1, 16, 8});
  // The offset of the directory, the count of entries, type and count of the entry, mark and byte
  // order.
  const std::vector<std::pair<std::size_t, char>> damage{
      {10, '\xff'}, {13, '\xff'}, {14, 0}, {19, 9}, {23, 2}, {0, 'x'}, {6, 'X'}, {9, 41}};
  for (const auto& change : damage) {
    CAPTURE(change.first);
    std::string wrong = right;
    wrong[change.first] = change.second;
    if (change.first == 14) wrong[15] = 0;
    check_unturned(wrong);
  }
  // A value that is cut off is none; one whose entry is whole counts.
  for (std::size_t length = 0; length < 26; ++length) check_unturned(right.substr(0, length));
  // 65,535 entries of which none is there.
  check_unturned(right.substr(0, 14) + "\xff\xff");
}

// ---- damage ----

TEST_CASE("an image cut at any byte is refused") {
  check_every_cut(png_file({.width = 5, .height = 4}, noise_bytes(20)));
  check_every_cut(png_file({.width = 9, .height = 9, .interlaced = true}, noise_bytes(81)));
  const std::string pixels = slopes(17, 9, 3);
  check_every_cut(jpeg_file({.width = 17, .height = 9, .app1 = {exif(6)}}, pixels));
  check_every_cut(jpeg_file({.width = 17, .height = 9, .progressive = true}, pixels));
}

TEST_CASE("a PNG file with one wrong bit is refused") {
  const std::string plain = png_file({.width = 5, .height = 4}, noise_bytes(20));
  CHECK(refused_flips(plain) == 8 * plain.size());
  const std::string palette = png_file({.width = 3,
                                        .height = 2,
                                        .color_type = PNG_COLOR_TYPE_PALETTE,
                                        .bit_depth = 2,
                                        .interlaced = true,
                                        .palette = {{1, 2, 3}, {4, 5, 6}},
                                        .palette_alpha = {7}},
                                       "\x40\x10");
  CHECK(refused_flips(palette) == 8 * palette.size());
}

TEST_CASE("a JPEG file with one wrong bit is refused or gives an image") {
  for (const bool progressive : {false, true}) {
    const std::string file =
        jpeg_file({.width = 17, .height = 9, .progressive = progressive, .app1 = {exif(6)}},
                  slopes(17, 9, 3));
    // JPEG has no checksum: most bits of tables and coefficients give another image.
    CHECK(refused_flips(file) > file.size() / 4);
  }
}

TEST_CASE(
    "compressed data with one wrong bit is refused, or the bit carried nothing, where the chunk's "
    "checksum is right") {
  const std::string stream = zlib_stream(std::string("\0abcd\0efgh\0ijkl", 15));
  const auto file = [](const std::string& data) {
    return png_start(4, 3) + png_chunk("IDAT", data) + png_end();
  };
  const Tensor right = planar("abcdefghijkl", 1, 3, 4);
  CHECK(core::equal(decoded(file(stream)), right));
  int without_effect = 0;
  for (std::size_t bit = 0; bit < 8 * stream.size(); ++bit) {
    CAPTURE(bit);
    const std::optional<Tensor> image = decoded_or_refused(file(with_flipped_bit(stream, bit)));
    if (!image) continue;
    CHECK(core::equal(*image, right));
    ++without_effect;
  }
  CHECK(without_effect <= 7);  // bits that fill the last byte
  CHECK(contains(refusal(file(zlib_stream(std::string("\0abcd\0efgh", 10)))), "PNG is damaged"));
  CHECK(contains(refusal(file(zlib_stream(std::string("\0abcd\0efgh\0ijkl\0mnop", 20)))),
                 "PNG is damaged"));
}

TEST_CASE("a wrong checksum counts in chunks without pixels too, which are passed over") {
  const std::string rows = png_chunk("IDAT", zlib_stream(std::string("\0a", 2)));
  const std::string text = png_chunk("tEXt", std::string("Title\0image", 11));
  CHECK(core::equal(decoded(png_start(1, 1) + text + rows + png_end()), planar("a", 1, 1, 1)));
  CHECK(contains(refusal(png_start(1, 1) + with_flipped_bit(text, 100) + rows + png_end()),
                 "tEXt: CRC error"));
  // A megabyte of text, packed: never unpacked.
  const std::string bomb =
      png_chunk("zTXt", std::string("Title\0\0", 7) + zlib_stream(std::string(1 << 20, 'x')));
  CHECK(core::equal(decoded(png_start(1, 1) + bomb + rows + png_end()), planar("a", 1, 1, 1)));
  const std::string long_text = png_chunk("tEXt", std::string(9'000'000, 'x'));
  CHECK(core::equal(decoded(png_start(1, 1) + long_text + rows + png_end()), planar("a", 1, 1, 1)));
}

TEST_CASE("an index that the palette lacks is black") {
  const std::string palette = png_chunk("PLTE", "abcdef");
  const std::string rows = png_chunk("IDAT", zlib_stream(std::string("\0\0\1\2\xff", 5)));
  const Tensor image = decoded(png_start(4, 1, 3) + palette + rows + png_end());
  CHECK(core::equal(image, planes_of({3, 1, 4}, {'a', 'd', 0, 0, 'b', 'e', 0, 0, 'c', 'f', 0, 0})));
}

TEST_CASE("sizes that a small file cannot justify are refused before memory is taken") {
  const std::string rows = png_chunk("IDAT", zlib_stream("a"));
  CHECK(contains(
      refusal(png_start(30'000, 20'000, 2) + rows + png_end()),
      "bytes: claims 30000x20000 pixels, to decode them takes 1800600000 bytes, a file of "));
  CHECK(contains(refusal(png_start(1'000'000, 1'000'000) + rows + png_end()),
                 "claims 1000000x1000000 pixels"));
  CHECK(contains(refusal(png_start(1, 2147483647) + rows + png_end()),
                 "claims 1x2147483647 pixels, a side may have 1000000"));
  CHECK(contains(refusal(png_start(2147483648, 1) + rows + png_end()), "PNG is damaged"));
  // What it is converted to counts as well: 30 million pixels as they are, and 3 times that as RGB.
  const std::string gray = png_start(6'000, 5'000) + rows + png_end();
  CHECK(contains(refusal(gray), "PNG is damaged"));
  CHECK(contains(message_of<BadDataError>([&] { decoded(gray, ImageMode::rgb); }),
                 "claims 6000x5000 pixels, to decode them takes 120120000 bytes"));
}

TEST_CASE("sizes that a small JPEG file cannot justify are refused, its coefficients counted") {
  const auto claiming = [](std::string file, char frame, const std::string& sizes) {
    const std::size_t at = file.find(std::string("\xff") + frame);
    REQUIRE(at != std::string::npos);
    return file.replace(at + 5, 4, sizes);
  };
  const JpegRecipe recipe{.width = 8, .height = 8, .channels = 1};
  const std::string plain = jpeg_file(recipe, slopes(8, 8, 1));
  CHECK(
      contains(refusal(claiming(plain, '\xc0', "\xff\xdc\xff\xdc")), "claims 65500x65500 pixels"));
  JpegRecipe in_scans = recipe;
  in_scans.progressive = true;
  const std::string progressive = jpeg_file(in_scans, slopes(8, 8, 1));
  // 5000x5000 bytes of pixels are allowed, 625x625 blocks of 64 coefficients of 2 bytes with them
  // are not.
  const std::string sizes = "\x13\x88\x13\x88";
  CHECK(contains(refusal(claiming(plain, '\xc0', sizes)), "JPEG is damaged"));
  CHECK(contains(refusal(claiming(progressive, '\xc2', sizes)),
                 "claims 5000x5000 pixels, to decode them takes 75000000 bytes"));
}

TEST_CASE("a JPEG file of more than 100 scans is refused") {
  const JpegRecipe recipe{.width = 8, .height = 8, .single_band_scans = true};
  CHECK(contains(refusal(jpeg_file(recipe, slopes(8, 8, 3))), "more than 100 scans"));
}

TEST_CASE("what is no image is refused with its first bytes") {
  CHECK(refusal("GIF89a") ==
        "image: bytes: begins with bytes 71 73 70 56 57 97, a PNG file with 137 80 78 71 13 10 26 "
        "10, a JPEG "
        "file with 255 216 255");
  CHECK(contains(refusal(""), "begins with bytes (none), a PNG"));
  CHECK(contains(refusal("\x89PNG\n\x1a\n and so on"),
                 "begins with bytes 137 80 78 71 10 26 10 32, a PNG"));
  CHECK(contains(refusal("\xff\xd8\xff"), "JPEG is damaged"));
}

TEST_CASE("ten thousand damaged images either load or are refused") {
  const std::vector<std::string> files{
      png_file({.width = 9, .height = 7, .color_type = PNG_COLOR_TYPE_RGB, .interlaced = true},
               noise_bytes(189)),
      jpeg_file({.width = 19, .height = 12, .app1 = {exif(7)}}, slopes(19, 12, 3)),
      jpeg_file({.width = 19, .height = 12, .progressive = true}, slopes(19, 12, 3))};
  Generator generator(11);
  int refused = 0;
  for (int round = 0; round < 10'000; ++round) {
    std::string bytes = files[static_cast<std::size_t>(round) % files.size()];
    for (std::int64_t changes = 1 + generator.below(6); changes > 0; --changes) {
      bytes[static_cast<std::size_t>(generator.below(std::ssize(bytes)))] =
          static_cast<char>(generator.below(256));
    }
    if (!decoded_or_refused(bytes)) ++refused;
  }
  CHECK(refused > 3'000);  // of the PNG files all but a few
}

// ---- files ----

TEST_CASE("the first bytes say what a file is, not its name") {
  const TemporaryFolder folder;
  write_bytes(folder / "cat.jpg", png_file({.width = 2, .height = 1}, "ab"));
  CHECK(core::equal(read_image(folder / "cat.jpg"), planar("ab", 1, 1, 2)));
  write_bytes(folder / "cat.png", jpeg_file({.width = 8, .height = 8}, slopes(8, 8, 3)));
  CHECK(read_image(folder / "cat.png").shape() == Shape{3, 8, 8});
}

TEST_CASE("a missing file is not found; a folder and a pipe are not files") {
  const TemporaryFolder folder;
  ::mkfifo((folder / "pipe").c_str(), 0600);
  const auto check_refused = [&](const auto& read) {
    CHECK(message_of<NotFoundError>([&] { read(folder / "gone.png"); }) ==
          "image: " + (folder / "gone.png").string() + ": no such file");
    CHECK(contains(message_of<IoError>([&] { read(folder.path()); }), "is not a regular file"));
    CHECK(contains(message_of<IoError>([&] { read(folder / "pipe"); }), "is not a regular file"));
  };
  check_refused([](const std::string& path) { read_image(path); });
  check_refused([](const std::string& path) { read_image_info(path); });
}

TEST_CASE("a damaged file is named") {
  const TemporaryFolder folder;
  const std::string whole = png_file({.width = 5, .height = 4}, noise_bytes(20));
  write_bytes(folder / "f.png", whole.substr(0, 50));
  CHECK(message_of<BadDataError>([&] { read_image(folder / "f.png"); }) ==
        "image: " + (folder / "f.png").string() +
            ": PNG is damaged after 41 of 50 bytes: the file ends too early");
}

TEST_CASE("sizes and channels are told without the pixels") {
  const TemporaryFolder folder;
  const auto info_of = [&](const std::string& bytes) {
    write_bytes(folder / "f", bytes);
    const ImageInfo info = read_image_info(folder / "f");
    return Shape{info.channels, info.height, info.width};
  };
  const std::vector<png_color> palette{{1, 2, 3}, {4, 5, 6}};
  CHECK(info_of(png_start(300, 20'000) + png_chunk("IDAT", "")) == Shape{1, 20'000, 300});
  CHECK(info_of(png_start(7, 5, 6) + png_chunk("IDAT", "")) == Shape{4, 5, 7});
  CHECK(info_of(png_file(
            {.width = 3, .height = 2, .color_type = PNG_COLOR_TYPE_PALETTE, .palette = palette},
            std::string(6, '\0'))) == Shape{3, 2, 3});
  CHECK(info_of(png_file({.width = 3,
                          .height = 2,
                          .color_type = PNG_COLOR_TYPE_PALETTE,
                          .palette = palette,
                          .palette_alpha = {0}},
                         std::string(6, '\0'))) == Shape{4, 2, 3});
  CHECK(info_of(jpeg_file({.width = 30, .height = 20, .app1 = {exif(8)}}, slopes(30, 20, 3))) ==
        Shape{3, 30, 20});
}

TEST_CASE("sizes are found behind more than 64 KiB of something else") {
  const TemporaryFolder folder;
  const std::string preview(60'000, 'x');
  write_bytes(folder / "f.jpg",
              jpeg_file({.width = 30, .height = 20, .app1 = {preview, preview, exif(6)}},
                        slopes(30, 20, 3)));
  CHECK(read_image_info(folder / "f.jpg").height == 30);
  CHECK(read_image(folder / "f.jpg").shape() == Shape{3, 30, 20});
  write_bytes(folder / "f.png", png_start(3, 2, 2) + png_chunk("tEXt", std::string(100'000, 'x')) +
                                    png_chunk("IDAT", ""));
  CHECK(read_image_info(folder / "f.png").width == 3);
  write_bytes(folder / "none.png", png_start(3, 2, 2) + std::string(100'000, 'x'));
  CHECK_THROWS_AS(read_image_info(folder / "none.png"), BadDataError);
}

TEST_CASE("what was written is read back") {
  const TemporaryFolder folder;
  Generator generator(2);
  for (const Shape& shape : {Shape{1, 5, 7}, Shape{3, 5, 7}, Shape{3, 1, 1}, Shape{1, 300, 2}}) {
    CAPTURE(shape);
    const Tensor image = randint(0, 256, shape, generator, uint8);
    write_png(folder / "f.png", image);
    CHECK(core::equal(read_image(folder / "f.png"), image));
    write_png(folder / "f.png", image.transpose());  // no copy: columns lie where rows would
    CHECK(core::equal(read_image(folder / "f.png"), image.transpose()));
    if (shape[0] == 1) {
      write_png(folder / "f.png", image[0]);
      CHECK(core::equal(read_image(folder / "f.png"), image));
    }
  }
  CHECK(folder.entries() == 1);
}

TEST_CASE("what cannot be written is refused") {
  const TemporaryFolder folder;
  const std::string path = folder / "f.png";
  const auto refusal_of = [&](const Tensor& image) {
    return message_of<ShapeError>([&] { write_png(path, image); });
  };
  CHECK(refusal_of({}) == "write_png: image is undefined");
  for (const Shape& shape : {Shape{4}, Shape{2, 4, 4}, Shape{4, 4, 4}, Shape{1, 3, 4, 4},
                             Shape{3, 0, 4}, Shape{1, 1, 1'000'001}}) {
    CHECK(refusal_of(zeros(shape, uint8)) ==
          "write_png: takes [H,W], [1,H,W] or [3,H,W] with sides of 1 to 1000000, got uint8 " +
              to_string(shape));
  }
  CHECK(message_of<DTypeError>([&] {
          write_png(path, zeros({3, 2, 2}, float32));
        }) == "write_png: takes uint8, got float32 [3,2,2]");
  CHECK(folder.entries() == 0);
  const Tensor image = zeros({1, 2, 2}, uint8);
  CHECK(contains(message_of<IoError>([&] { write_png(folder / "no/f.png", image); }),
                 (folder / "no/f.png").string() + ": "));
  for (const std::string& other : {folder.path().string(), std::string("/dev/full")}) {
    CHECK(message_of<IoError>([&] { write_png(other, image); }) ==
          "write: " + other + ": is not a regular file");
  }
}

TEST_CASE("names of images end in .png, .jpg or .jpeg") {
  for (const char* name : {"a.png", "b.JPG", "c.Jpeg", "a.b.png", "/data/cats/1.jpg"}) {
    CHECK_MESSAGE(is_image_name(name), name);
  }
  for (const char* name : {"", "png", ".png", "a.gif", "a.png.txt", "apng", "a.pngx", "jpeg"}) {
    CHECK_MESSAGE(!is_image_name(name), name);
  }
}
