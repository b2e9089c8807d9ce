// How figures become SVG.
#include "figures/drawing.h"

#include <array>
#include <cmath>

namespace book {
namespace {

constexpr std::string_view style = R"(<style>
text { font: 15px Helvetica, Arial, sans-serif; fill: #1f2933; text-anchor: middle }
.small { font-size: 13px }
.sign { font-size: 24px }
.paper { fill: #f7f9fb }
.none { fill: #ffffff }
.orange { fill: #ffd9a0 }
.blue { fill: #bfe3ff }
.green { fill: #c8e6b9 }
.violet { fill: #e3d3f7 }
.none, .orange, .blue, .green, .violet { stroke: #5b6472 }
.arrow { fill: none; stroke: #5b6472; stroke-width: 1.5 }
.head { fill: #5b6472 }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e7eb }
  .paper { fill: #1b2026 }
  .none { fill: #262d35 }
  .orange { fill: #7a4e0d }
  .blue { fill: #14517a }
  .green { fill: #2f5e22 }
  .violet { fill: #55377a }
  .none, .orange, .blue, .green, .violet { stroke: #9aa5b1 }
  .arrow { stroke: #9aa5b1 }
  .head { fill: #9aa5b1 }
}
</style>
)";

constexpr std::array<std::string_view, 5> class_of{"none", "orange", "blue", "green", "violet"};

std::string spell(double number) {
  std::ostringstream text;
  text << number;
  return text.str();
}

}  // namespace

Drawing::Drawing(int width, int height, std::string_view title) {
  out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << " " << height
       << "\" width=\"" << width << "\" height=\"" << height << "\" role=\"img\">\n<title>" << title
       << "</title>\n"
       << style << "<rect class=\"paper\" width=\"" << width << "\" height=\"" << height
       << "\" rx=\"10\"/>\n";
}

void Drawing::box(int x, int y, int width, int height, Shade shade) {
  out_ << "<rect class=\"" << class_of[static_cast<std::size_t>(shade)] << "\" x=\"" << x
       << "\" y=\"" << y << "\" width=\"" << width << "\" height=\"" << height << "\"/>\n";
}

void Drawing::cell(int x, int y, std::string_view content, Shade shade) {
  box(x, y, cell_size, cell_size, shade);
  text(x + cell_size / 2, y + 22, content);
}

int Drawing::matrix(int x, int y, const gradus::Tensor& numbers, const ShadeOf& shade) {
  const gradus::Tensor exact = numbers.to(gradus::float64);
  for (std::int64_t i = 0; i < exact.size(0); ++i) {
    for (std::int64_t j = 0; j < exact.size(1); ++j) {
      cell(x + static_cast<int>(j) * cell_size, y + static_cast<int>(i) * cell_size,
           spell(exact.at<double>({i, j})), shade(i, j));
    }
  }
  return static_cast<int>(exact.size(1)) * cell_size;
}

void Drawing::words(std::string_view kind, int x, int y, std::string_view content) {
  out_ << "<text" << kind << " x=\"" << x << "\" y=\"" << y << "\">" << content << "</text>\n";
}
void Drawing::text(int x, int y, std::string_view content) { words("", x, y, content); }
void Drawing::small(int x, int y, std::string_view content) {
  words(" class=\"small\"", x, y, content);
}
void Drawing::sign(int x, int y, std::string_view content) {
  words(" class=\"sign\"", x, y, content);
}

void Drawing::line(int x0, int y0, int x1, int y1) {
  out_ << "<path class=\"arrow\" d=\"M" << x0 << " " << y0 << " L" << x1 << " " << y1 << "\"/>\n";
}

void Drawing::arrow(int x0, int y0, int x1, int y1) {
  line(x0, y0, x1, y1);
  // The head is drawn along the x axis and turned; whole degrees keep the file free of long numbers.
  const double degrees = std::atan2(y1 - y0, x1 - x0) * 57.29577951308232;
  out_ << "<path class=\"head\" d=\"M0 0 l-10 -5 v10 z\" transform=\"translate(" << x1 << " " << y1
       << ") rotate(" << std::lround(degrees) << ")\"/>\n";
}

void Drawing::save(const std::string& path) const {
  gradus::write_file_atomically(path, out_.str() + "</svg>\n");
}

Shade plain(std::int64_t, std::int64_t) { return Shade::none; }

}  // namespace book
