// The font, a canvas to draw on, and the two layouts.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/data/contact_sheet.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

namespace gradus {
namespace {

/// The characters from ' ' to '~' and a box for all others, twelve in a band of nine lines, each five dots
/// wide with one between. They stand on the seventh line; two below are for what hangs.
constexpr std::int64_t glyphs_in_band = 12;
constexpr std::int64_t glyph_width = 5;
constexpr std::int64_t glyph_height = 7;  // above the line
constexpr std::int64_t glyph_rows = 9;
constexpr std::int64_t glyph_pitch = glyph_width + 1;
constexpr std::int64_t box_glyph = '~' - ' ' + 1;
// clang-format off
constexpr std::array<std::string_view, 8 * glyph_rows> font = {
    "        #    # #          #   ##     ##     #      #   #                ",
    "        #    # #   # #   #### ##  # #  #    #     #     #   # # #   #   ",
    "        #         ##### # #      #  #  #         #       #   ###    #   ",
    "        #          # #   ###    #    ##          #       #  ##### ##### ",
    "        #         #####   # #  #    # # #        #       #   ###    #   ",
    "                   # #  ####  #  ## #  #          #     #   # # #   #   ",
    "        #                 #      ##  ## #          #   #                ",
    "                                                                        ",
    "                                                                        ",
    "                      #   #     #    ###   ###     #  #####   ##  ##### ",
    "                      #  # #   ##   #   # #   #   ##  #      #        # ",
    "                     #  #   # # #       #     #  # #  ####  #        #  ",
    "      #####         #   #   #   #      #    ##  #  #      # ####     #  ",
    "                   #    #   #   #     #       # #####     # #   #   #   ",
    "  #           #   #      # #    #    #    #   #    #  #   # #   #   #   ",
    "  #           #   #       #   ##### #####  ###     #   ###   ###    #   ",
    " #                                                                      ",
    "                                                                        ",
    " ###   ###                 #         #     ###   ###    #   ####   ###  ",
    "#   # #   #               #           #   #   # #   #  # #  #   # #   # ",
    "#   # #   #   #     #    #    #####    #      # # ### #   # #   # #     ",
    " ###   ####   #     #   #               #    #  # # # #   # ####  #     ",
    "#   #     #              #    #####    #    #   # ### ##### #   # #     ",
    "#   #    #    #     #     #           #         #     #   # #   # #   # ",
    " ###   ##     #     #      #         #      #    #### #   # ####   ###  ",
    "                   #                                                    ",
    "                                                                        ",
    "####  ##### #####  ###  #   #  ###    ### #   # #     #   # #   #  ###  ",
    "#   # #     #     #   # #   #   #      #  #  #  #     ## ## ##  # #   # ",
    "#   # #     #     #     #   #   #      #  # #   #     # # # ##  # #   # ",
    "#   # ####  ####  #  ## #####   #      #  ##    #     # # # # # # #   # ",
    "#   # #     #     #   # #   #   #      #  # #   #     #   # #  ## #   # ",
    "#   # #     #     #   # #   #   #   #  #  #  #  #     #   # #  ## #   # ",
    "####  ##### #      ###  #   #  ###   ##   #   # ##### #   # #   #  ###  ",
    "                                                                        ",
    "                                                                        ",
    "####   ###  ####   #### ##### #   # #   # #   # #   # #   # #####   ##  ",
    "#   # #   # #   # #       #   #   # #   # #   # #   # #   #     #   #   ",
    "#   # #   # #   # #       #   #   # #   # #   #  # #   # #     #    #   ",
    "####  #   # ####   ###    #   #   # #   # # # #   #     #     #     #   ",
    "#     # # # # #       #   #   #   #  # #  # # #  # #    #    #      #   ",
    "#     #  #  #  #      #   #   #   #  # #  ## ## #   #   #   #       #   ",
    "#      ## # #   # ####    #    ###    #   #   # #   #   #   #####   ##  ",
    "                                                                        ",
    "                                                                        ",
    "#      ##     #          #          #               #         ##        ",
    "#       #    # #          #         #               #        #          ",
    " #      #   #   #              ###  ####   ####  ####  ###  ####   #### ",
    "  #     #                         # #   # #     #   # #   #  #    #   # ",
    "   #    #                      #### #   # #     #   # #####  #    #   # ",
    "    #   #                     #   # #   # #     #   # #      #    #   # ",
    "    #  ##                      #### ####   ####  ####  ####  #     #### ",
    "                  #####                                               # ",
    "                                                                   ###  ",
    "#       #      #   #     ##                                             ",
    "#                  #      #                                             ",
    "# ##   ##     ##   #  #   #   ## #  # ##   ###  ####   #### # ##   #### ",
    "##  #   #      #   # #    #   # # # ##  # #   # #   # #   # ##    #     ",
    "#   #   #      #   ##     #   # # # #   # #   # #   # #   # #      ###  ",
    "#   #   #      #   # #    #   # # # #   # #   # #   # #   # #         # ",
    "#   #  ###     #   #  #  ###  # # # #   #  ###  ####   #### #     ####  ",
    "               #                                #         #             ",
    "             ##                                 #         #             ",
    " #                                           ##   #    ##         ##### ",
    " #                                          #     #      #        #   # ",
    "####  #   # #   # #   # #   # #   # #####   #     #      #   #    #   # ",
    " #    #   # #   # # # #  # #  #   #    #   #      #       # # # # #   # ",
    " #    #   #  # #  # # #   #   #   #   #     #     #      #     #  #   # ",
    " #    #  ##  # #  # # #  # #  #   #  #      #     #      #        #   # ",
    "  ##   ## #   #    # #  #   #  #### #####    ##   #    ##         ##### ",
    "                                  #                                     ",
    "                               ###                                      ",
};
// clang-format on

bool has_dot(std::int64_t glyph, std::int64_t column, std::int64_t row) {
  const std::int64_t line = glyph / glyphs_in_band * glyph_rows + row;
  const std::int64_t at = glyph % glyphs_in_band * glyph_pitch + column;
  return font[static_cast<std::size_t>(line)][static_cast<std::size_t>(at)] == '#';
}

/// One for each character of UTF-8: bytes 10xxxxxx go on with the character before.
std::vector<std::int64_t> glyphs_of(std::string_view text) {
  std::vector<std::int64_t> glyphs;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) == 0x80) continue;
    const bool printable = byte >= ' ' && byte <= '~';
    glyphs.push_back(printable ? byte - ' ' : box_glyph);
  }
  return glyphs;
}

std::int64_t text_width(std::int64_t characters, std::int64_t dot) {
  return characters == 0 ? 0 : (characters * glyph_pitch - 1) * dot;
}

struct Color {
  std::uint8_t red, green, blue;
};
constexpr Color paper_white{255, 255, 255};
constexpr Color ink{45, 45, 50};
constexpr Color line_grey{208, 208, 212};
constexpr Color right_blue{24, 84, 158};
constexpr Color wrong_red{190, 30, 45};

/// From white at 0 to `full` at 1.
Color shade(Color full, double amount) {
  const auto mixed = [&](std::uint8_t end) {
    return static_cast<std::uint8_t>(std::lround(255 + (end - 255) * amount));
  };
  return {mixed(full.red), mixed(full.green), mixed(full.blue)};
}

/// By the weights of Rec. 601 for brightness.
bool is_dark(Color c) { return 299 * c.red + 587 * c.green + 114 * c.blue < 150'000; }

enum class Reading { rightwards, upwards };

/// Where a text begins and how it goes on: the left end of its upper edge, or of one that reads upwards the
/// lower end of its left edge.
struct TextAt {
  std::int64_t x, y;
  std::int64_t dot = 1;
  Reading reading = Reading::rightwards;
};

class Canvas {
 public:
  Canvas(std::string_view op, std::int64_t height, std::int64_t width)
      : height_(height), width_(width) {
    constexpr std::int64_t most = 1 << 28;
    if (height > most || width > most || height * width > most)
      fail<ValueError>(op, ": a picture of ", height, " x ", width, " pixels is more than the ",
                       most, " allowed");
    pixels_ = full({3, height, width}, 255, uint8);
    data_ = pixels_.data<std::uint8_t>();
  }

  const Tensor& pixels() const { return pixels_; }

  void fill(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, Color color) {
    for (std::int64_t row = y; row < y + height; ++row)
      for (std::int64_t column = x; column < x + width; ++column) set(column, row, color);
  }

  /// A line of one pixel around a rectangle, outside of it.
  void frame(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, Color color) {
    fill(x - 1, y - 1, width + 2, 1, color);
    fill(x - 1, y + height, width + 2, 1, color);
    fill(x - 1, y, 1, height, color);
    fill(x + width, y, 1, height, color);
  }

  void text(const std::vector<std::int64_t>& glyphs, const TextAt& at, Color color) {
    for (std::size_t i = 0; i < glyphs.size(); ++i) {
      for (std::int64_t row = 0; row < glyph_rows; ++row) {
        for (std::int64_t column = 0; column < glyph_width; ++column) {
          if (!has_dot(glyphs[i], column, row)) continue;
          const std::int64_t along = (static_cast<std::int64_t>(i) * glyph_pitch + column) * at.dot;
          const std::int64_t down = row * at.dot;
          if (at.reading == Reading::rightwards) {
            fill(at.x + along, at.y + down, at.dot, at.dot, color);
          } else {
            fill(at.x + down, at.y - along - at.dot, at.dot, at.dot, color);
          }
        }
      }
    }
  }

  void set(std::int64_t x, std::int64_t y, Color color) {
    std::uint8_t* pixel = data_ + y * width_ + x;
    const std::int64_t plane = height_ * width_;
    pixel[0] = color.red;
    pixel[plane] = color.green;
    pixel[2 * plane] = color.blue;
  }

 private:
  std::int64_t height_;
  std::int64_t width_;
  Tensor pixels_;
  std::uint8_t* data_ = nullptr;
};

/// The glyphs that fit into `width` pixels.
std::vector<std::int64_t> fitting(std::vector<std::int64_t> glyphs, std::int64_t width,
                                  std::int64_t dot) {
  const std::int64_t most = (width / dot + 1) / glyph_pitch;
  if (std::ssize(glyphs) > most) glyphs.resize(static_cast<std::size_t>(most));
  return glyphs;
}

// ---- The contact sheet ----

void expect_in_range(const char* option, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return;
  fail<ValueError>("contact_sheet: ", option, " must be ", low, " to ", high, ", got ", value);
}

void check_sheet(const std::vector<Tensor>& images, const std::vector<std::string>& captions,
                 const ContactSheetOptions& o) {
  if (images.empty()) fail<ValueError>("contact_sheet: expects at least 1 image, got 0");
  if (!captions.empty() && captions.size() != images.size())
    fail<ValueError>("contact_sheet: expects no captions or one for each of ", images.size(),
                     " images, got ", captions.size());
  expect_in_range("columns", o.columns, 0, 1 << 20);
  expect_in_range("cell", o.cell, 8, 4096);
  expect_in_range("gap", o.gap, 2, 256);
  expect_in_range("dot", o.dot, 1, 16);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const Tensor& image = images[i];
    if (!image.defined()) fail<ValueError>("contact_sheet: image ", i, " is undefined");
    if (image.dtype() != uint8)
      fail<DTypeError>("contact_sheet: image ", i, " must be uint8, got ", image.dtype());
    if (image.rank() != 3 || (image.size(0) != 1 && image.size(0) != 3) || image.numel() == 0)
      fail<ShapeError>("contact_sheet: image ", i, " must be [1,H,W] or [3,H,W], got ",
                       image.shape());
  }
}

/// Of a row as wide as it is high.
std::int64_t about_square(std::int64_t count) {
  std::int64_t columns = 1;
  while (columns * columns < count) ++columns;
  return columns;
}

/// A length of the image, enlarged or reduced as the longest one is to fit.
std::int64_t fitted(std::int64_t length, std::int64_t longest, std::int64_t cell) {
  if (longest <= cell) return length * (cell / longest);
  return std::max<std::int64_t>(1, length * cell / longest);
}

/// The pixels from..to of a length of `all` that pixel `i` of `shown` shows; at least one.
std::pair<std::int64_t, std::int64_t> covered(std::int64_t i, std::int64_t all,
                                              std::int64_t shown) {
  const std::int64_t from = i * all / shown;
  return {from, std::max(from + 1, (i + 1) * all / shown)};
}

void draw_image(Canvas& canvas, const Tensor& image, std::int64_t x, std::int64_t y,
                std::int64_t cell) {
  const Tensor whole = image.contiguous();
  const std::uint8_t* source = whole.data<std::uint8_t>();
  const std::int64_t channels = whole.size(0);
  const std::int64_t height = whole.size(1);
  const std::int64_t width = whole.size(2);
  const std::int64_t shown_height = fitted(height, std::max(height, width), cell);
  const std::int64_t shown_width = fitted(width, std::max(height, width), cell);
  x += (cell - shown_width) / 2;
  y += (cell - shown_height) / 2;
  for (std::int64_t row = 0; row < shown_height; ++row) {
    const auto [top, bottom] = covered(row, height, shown_height);
    for (std::int64_t column = 0; column < shown_width; ++column) {
      const auto [left, right] = covered(column, width, shown_width);
      const std::int64_t count = (bottom - top) * (right - left);
      std::array<std::uint8_t, 3> mean{};
      for (std::int64_t c = 0; c < channels; ++c) {
        std::int64_t sum = count / 2;
        for (std::int64_t i = top; i < bottom; ++i)
          for (std::int64_t j = left; j < right; ++j) sum += source[(c * height + i) * width + j];
        mean[static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(sum / count);
      }
      const bool grey = channels == 1;
      canvas.set(x + column, y + row,
                 {mean[0], grey ? mean[0] : mean[1], grey ? mean[0] : mean[2]});
    }
  }
  canvas.frame(x, y, shown_width, shown_height, line_grey);
}

// ---- The confusion matrix ----

void check_counts(const Tensor& counts, const std::vector<std::string>& names) {
  constexpr std::int64_t most_classes = 512;
  if (!counts.defined()) fail<ValueError>("confusion_picture: counts are undefined");
  if (counts.dtype() != int64)
    fail<DTypeError>("confusion_picture: counts must be int64, got ", counts.dtype());
  if (counts.rank() != 2 || counts.size(0) != counts.size(1) || counts.size(0) < 1 ||
      counts.size(0) > most_classes)
    fail<ShapeError>("confusion_picture: counts must be [K,K], K from 1 to ", most_classes,
                     ", got ", counts.shape());
  if (!names.empty() && std::ssize(names) != counts.size(0))
    fail<ValueError>("confusion_picture: expects no names or one for each of ", counts.size(0),
                     " classes, got ", names.size());
}

/// Of all classes, cut.
std::vector<std::vector<std::int64_t>> label_glyphs(std::int64_t classes,
                                                    const std::vector<std::string>& names) {
  constexpr std::size_t longest = 14;
  std::vector<std::vector<std::int64_t>> labels;
  for (std::int64_t k = 0; k < classes; ++k) {
    labels.push_back(
        glyphs_of(names.empty() ? std::to_string(k) : names[static_cast<std::size_t>(k)]));
    if (labels.back().size() > longest) labels.back().resize(longest);
  }
  return labels;
}

/// Where things stand on the picture of a confusion matrix.
struct MatrixLayout {
  std::int64_t dot = 1;
  std::int64_t cell = 0;
  std::int64_t labels = 0;  ///< the longest, and at least a letter
  std::int64_t text() const { return glyph_height * dot; }
  std::int64_t space() const { return 4 * dot; }
  /// Left of the cells and above them: a title and the labels.
  std::int64_t head() const { return 4 * space() + text() + labels; }
  std::int64_t begin(std::int64_t k) const { return head() + k * (cell + 1); }
  std::int64_t end(std::int64_t classes) const { return begin(classes) + 3 * space(); }
};

void draw_heads(Canvas& canvas, const MatrixLayout& at,
                const std::vector<std::vector<std::int64_t>>& labels) {
  const std::int64_t classes = std::ssize(labels);
  const std::int64_t middle = (at.begin(0) + at.begin(classes)) / 2;
  const std::vector<std::int64_t> predicted = glyphs_of("predicted");
  const std::vector<std::int64_t> truth = glyphs_of("true");
  const std::int64_t predicted_width = text_width(std::ssize(predicted), at.dot);
  const std::int64_t x = std::max(
      at.space(), std::min(middle - predicted_width / 2, at.end(classes) - predicted_width));
  canvas.text(predicted, {.x = x, .y = at.space(), .dot = at.dot}, ink);
  canvas.text(truth,
              {.x = at.space(),
               .y = middle + text_width(std::ssize(truth), at.dot) / 2,
               .dot = at.dot,
               .reading = Reading::upwards},
              ink);
  const std::int64_t edge = at.head() - at.space();
  for (std::int64_t k = 0; k < classes; ++k) {
    const std::vector<std::int64_t>& label = labels[static_cast<std::size_t>(k)];
    const std::int64_t across = at.begin(k) + (at.cell - at.text()) / 2;
    const std::int64_t width = text_width(std::ssize(label), at.dot);
    canvas.text(label, {.x = edge - width, .y = across, .dot = at.dot}, ink);
    canvas.text(label, {.x = across, .y = edge, .dot = at.dot, .reading = Reading::upwards}, ink);
  }
}

}  // namespace

Tensor contact_sheet(const std::vector<Tensor>& images, const std::vector<std::string>& captions,
                     const ContactSheetOptions& options) {
  check_sheet(images, captions, options);
  const std::int64_t count = std::ssize(images);
  const std::int64_t columns =
      options.columns == 0 ? about_square(count) : std::min(options.columns, count);
  const std::int64_t rows = (count + columns - 1) / columns;
  const std::int64_t caption_gap = 3 * options.dot;
  const std::int64_t caption_height = captions.empty() ? 0 : caption_gap + glyph_rows * options.dot;
  const std::int64_t across = options.cell + options.gap;
  const std::int64_t down = options.cell + caption_height + options.gap;
  Canvas canvas("contact_sheet", options.gap + rows * down, options.gap + columns * across);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const std::int64_t x = options.gap + i % columns * across;
    const std::int64_t y = options.gap + i / columns * down;
    draw_image(canvas, images[index], x, y, options.cell);
    if (captions.empty()) continue;
    const auto glyphs = fitting(glyphs_of(captions[index]), options.cell, options.dot);
    const std::int64_t indent = (options.cell - text_width(std::ssize(glyphs), options.dot)) / 2;
    canvas.text(glyphs, {.x = x + indent, .y = y + options.cell + caption_gap, .dot = options.dot},
                ink);
  }
  return canvas.pixels();
}

Tensor confusion_picture(const Tensor& counts, const std::vector<std::string>& names) {
  check_counts(counts, names);
  const std::int64_t classes = counts.size(0);
  const std::vector<std::int64_t> numbers = counts.to_vector<std::int64_t>();
  const auto labels = label_glyphs(classes, names);
  std::int64_t digits = 1;
  for (const std::int64_t number : numbers) {
    if (number < 0) fail<ValueError>("confusion_picture: counts must be 0 or more, got ", number);
    digits = std::max(digits, std::ssize(std::to_string(number)));
  }
  MatrixLayout at{.dot = classes <= 20 ? 2 : 1};
  at.cell = std::max(18 * at.dot, text_width(digits, at.dot) + 6 * at.dot);
  at.labels = text_width(1, at.dot);
  for (const auto& label : labels)
    at.labels = std::max(at.labels, text_width(std::ssize(label), at.dot));

  Canvas canvas("confusion_picture", at.end(classes), at.end(classes));
  const std::int64_t side = at.begin(classes) - at.begin(0) - 1;
  canvas.frame(at.begin(0), at.begin(0), side, side, line_grey);
  canvas.fill(at.begin(0), at.begin(0), side, side, line_grey);
  draw_heads(canvas, at, labels);
  for (std::int64_t row = 0; row < classes; ++row) {
    const auto* first = numbers.data() + row * classes;
    double sum = 0;
    for (std::int64_t column = 0; column < classes; ++column)
      sum += static_cast<double>(first[column]);
    for (std::int64_t column = 0; column < classes; ++column) {
      const double share = sum > 0 ? static_cast<double>(first[column]) / sum : 0;
      const Color color =
          row == column ? shade(right_blue, share) : shade(wrong_red, std::sqrt(share));
      canvas.fill(at.begin(column), at.begin(row), at.cell, at.cell, color);
      if (first[column] == 0) continue;
      const auto number = glyphs_of(std::to_string(first[column]));
      const std::int64_t width = text_width(std::ssize(number), at.dot);
      canvas.text(number,
                  {.x = at.begin(column) + (at.cell - width) / 2,
                   .y = at.begin(row) + (at.cell - at.text()) / 2,
                   .dot = at.dot},
                  is_dark(color) ? paper_white : ink);
    }
  }
  return canvas.pixels();
}

}  // namespace gradus
