// Plots as SVG text: values become pixels, ticks and lines. What is drawn carries classes only;
// style() gives them their colours, for light and for dark pages, told apart by lightness and shape
// as well as by hue.
#pragma once

#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::plot {

/// Harmless between tags and inside quotes: "<b>" -> "&lt;b&gt;"; control characters become blanks.
std::string escape(std::string_view text);

/// A number with so many digits.
std::string digits(double value, int count);

/// All parts in a row, numbers with four digits: a tenth of a pixel.
template <class... Parts> std::string join(const Parts&... parts) {
  std::ostringstream text;
  text.imbue(std::locale::classic());  // SVG knows no decimal comma
  text.precision(4);
  (text << ... << parts);
  return std::move(text).str();
}

/// <name attributes>content</name>; the content stays as it is, so escape() what others wrote.
std::string tag(std::string_view name, std::string_view attributes, std::string_view content);

/// "10⁻³"
std::string power_of_ten(int exponent);

enum class Scale {
  linear,
  logarithmic,
  symmetric_log,  ///< logarithmic away from 0 on both sides, linear in between
};

/// A range of values laid along a range of pixels.
class Axis {
 public:
  /// Wide enough for all of `values`; what is not finite does not count.
  Axis(Scale scale, const std::vector<double>& values, double from_pixel, double to_pixel);

  double from() const { return from_; }
  double to() const { return to_; }
  /// The pixel of a value. On a logarithmic axis, 0 lies at the lower end.
  double operator()(double value) const;

  struct Tick {
    double pixel;
    std::string label;
  };
  std::vector<Tick> ticks() const;

 private:
  double stretch(double value) const;
  double pixel(double stretched) const {
    return from_ + (stretched - low_) / (high_ - low_) * (to_ - from_);
  }

  Scale scale_;
  double unit_ = 1;  ///< where the symmetric scale turns from linear to logarithmic
  double low_ = 0;   ///< the ends, stretched
  double high_ = 1;
  double from_;
  double to_;
};

/// Linear, or symmetric_log where nine tenths of the magnitudes span more than three decades.
Scale fitting_scale(const std::vector<double>& values);

struct Point {
  double x;
  double y;
};

/// Two axes and what is drawn between them.
struct Plot {
  Axis x;
  Axis y;

  /// Grid, labelled ticks and the names of the axes.
  std::string frame(std::string_view x_name, std::string_view y_name) const;
  /// A line through the points; what is not finite is passed over.
  std::string line(std::string_view classes, const std::vector<Point>& points) const;
};

/// One line of a legend: `sample` is drawn around (12, 0), `label` right of it.
std::string legend_entry(double x, double y, std::string_view sample, std::string_view label);

/// A picture of its own when `style` holds the rules, a part of a page when it is empty.
std::string svg(double width, double height, std::string_view title, std::string_view content,
                std::string_view style = {});

/// The CSS rules of everything above.
std::string_view style();

}  // namespace gradus::plot
