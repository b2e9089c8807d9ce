// Drawing: what the figures of the book are made of, cells with numbers, words and arrows, written as SVG.
//
// Colours are classes, so that a figure is dark where the page is. Coordinates are whole pixels and
// numbers come from tensors: a figure is the same bytes on every machine.
#pragma once

#include <gradus/gradus.h>

#include <functional>
#include <sstream>
#include <string>
#include <string_view>

namespace book {

/// The shade of a cell: none, or one of four.
enum class Shade { none, orange, blue, green, violet };

/// Of an element of a matrix.
using ShadeOf = std::function<Shade(std::int64_t row, std::int64_t column)>;

/// A figure.
class Drawing {
 public:
  static constexpr int cell_size = 34;

  /// `title` is what a reader who cannot see it hears.
  Drawing(int width, int height, std::string_view title);

  void cell(int x, int y, std::string_view text, Shade shade);
  /// A matrix [rows, columns], its upper left corner at (x, y). Gives its width.
  int matrix(int x, int y, const gradus::Tensor& numbers, const ShadeOf& shade);
  /// Centred on x, its base line at y.
  void text(int x, int y, std::string_view words);
  void small(int x, int y, std::string_view words);
  void sign(int x, int y, std::string_view words);
  void line(int x0, int y0, int x1, int y1);
  void arrow(int x0, int y0, int x1, int y1);
  void box(int x, int y, int width, int height, Shade shade);

  /// Throws IoError where the file cannot be written.
  void save(const std::string& path) const;

 private:
  void words(std::string_view style, int x, int y, std::string_view content);

  std::ostringstream out_;
};

/// No element is shaded.
Shade plain(std::int64_t row, std::int64_t column);

// Each draws the figures of its chapters into `folder`.
void draw_tensors(const std::string& folder);
void draw_channels(const std::string& folder);
void draw_tape(const std::string& folder);
void draw_matrices(const std::string& folder);

}  // namespace book
