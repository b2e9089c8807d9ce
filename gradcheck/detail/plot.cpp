// Axes are even in a stretched value, its logarithm for example; ticks lie on round numbers.
#include <gradus/core/error.h>
#include <gradus/gradcheck/detail/plot.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <locale>
#include <utility>

namespace gradus::plot {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double tiny = std::numeric_limits<double>::min();
constexpr double label_limit = 8;         // labels that fit along an axis
constexpr double negligible = 1e-12;      // of the largest magnitude: as good as 0
constexpr double narrowest_range = 1e-3;  // of the largest magnitude: labels show six digits

/// The magnitudes of what is neither 0, nor negligible, nor infinite, in rising order.
std::vector<double> magnitudes(const std::vector<double>& values) {
  std::vector<double> all;
  for (const double v : values) {
    if (std::isfinite(v) && v != 0) all.push_back(std::fabs(v));
  }
  std::sort(all.begin(), all.end());
  if (all.empty()) return all;
  all.erase(all.begin(), std::lower_bound(all.begin(), all.end(), negligible * all.back()));
  return all;
}

/// 1, 2 or 5 times a power of ten, at least `least`.
double round_step(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least) return factor * power;
  }
  return 10 * power;
}

/// How many powers of ten to go from label to label.
int decade_step(double decades) {
  return std::max(1, static_cast<int>(std::ceil(decades / label_limit)));
}

}  // namespace

std::string escape(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += static_cast<unsigned char>(c) < ' ' ? ' ' : c;  // which XML does not have
    }
  }
  return safe;
}

std::string digits(double value, int count) {
  PlainText text;
  text.imbue(std::locale::classic());
  text.precision(count);
  text << value;
  return std::move(text).str();
}

std::string tag(std::string_view name, std::string_view attributes, std::string_view content) {
  return join("<", name, attributes.empty() ? "" : " ", attributes, ">", content, "</", name, ">");
}

std::string power_of_ten(int exponent) {
  constexpr std::array<std::string_view, 10> raised{"⁰", "¹", "²", "³", "⁴",
                                                    "⁵", "⁶", "⁷", "⁸", "⁹"};
  if (exponent == 0) return "1";
  std::string text = exponent < 0 ? "10⁻" : "10";
  if (exponent == 1) return text;
  for (const char digit : std::to_string(std::abs(exponent))) {
    text += raised[static_cast<std::size_t>(digit - '0')];
  }
  return text;
}

Axis::Axis(Scale scale, const std::vector<double>& values, double from_pixel, double to_pixel)
    : scale_(scale), from_(from_pixel), to_(to_pixel) {
  const std::vector<double> sizes = magnitudes(values);
  if (scale == Scale::symmetric_log && !sizes.empty()) {
    unit_ = std::max(std::pow(10, std::floor(std::log10(sizes.front()))), tiny);
  }
  double low = infinity;
  double high = -infinity;
  for (const double v : values) {
    if (!std::isfinite(v) || (scale == Scale::logarithmic && v <= 0)) continue;
    low = std::min(low, stretch(v));
    high = std::max(high, stretch(v));
  }
  if (low > high) return;  // nothing to show
  if (scale == Scale::logarithmic) {
    low_ = std::floor(low);
    high_ = std::max(std::ceil(high), low_ + 1);
  } else {
    const double size = std::max(std::fabs(low), std::fabs(high));
    const double range = std::max(high - low, size > 0 ? narrowest_range * size : 1);
    low_ = low - 0.05 * range;
    high_ = high + 0.05 * range;
  }
}

double Axis::stretch(double value) const {
  if (scale_ == Scale::linear) return value;
  if (scale_ == Scale::logarithmic) return std::log10(value);
  const double size = std::fabs(value) / unit_;
  return std::copysign(size <= 1 ? size : 1 + std::log10(size), value);
}

double Axis::operator()(double value) const { return pixel(std::max(low_, stretch(value))); }

std::vector<Axis::Tick> Axis::ticks() const {
  std::vector<Tick> ticks;
  const auto add = [&](double stretched, std::string label) {
    if (low_ <= stretched && stretched <= high_)
      ticks.push_back({pixel(stretched), std::move(label)});
  };
  if (scale_ == Scale::linear) {
    const double step = round_step((high_ - low_) / label_limit);
    for (double i = std::ceil(low_ / step); i * step <= high_; ++i) {
      add(i * step, digits(i * step, 6));
    }
    return ticks;
  }
  const int step = decade_step(high_ - low_);
  if (scale_ == Scale::logarithmic) {
    for (int e = static_cast<int>(low_); e <= high_; e += step) add(e, power_of_ten(e));
    return ticks;
  }
  add(0, "0");
  const int first = static_cast<int>(std::lround(std::log10(unit_))) - 1;  // 0, on this scale
  for (int i = step; i <= std::max(high_, -low_); i += step) {
    add(i, power_of_ten(first + i));
    add(-i, "−" + power_of_ten(first + i));
  }
  return ticks;
}

Scale fitting_scale(const std::vector<double>& values) {
  // A few values near 0 are no reason to leave the linear scale, where a wrong factor shows best.
  const std::vector<double> sizes = magnitudes(values);
  const bool wide = !sizes.empty() && sizes.back() > 1e3 * sizes[sizes.size() / 10];
  return wide ? Scale::symmetric_log : Scale::linear;
}

std::string Plot::frame(std::string_view x_name, std::string_view y_name) const {
  std::string grid;
  std::string labels;
  for (const Axis::Tick& tick : x.ticks()) {
    grid += join("M", tick.pixel, " ", y.from(), "V", y.to());
    labels += tag("text", join("class=\"x\" x=\"", tick.pixel, "\" y=\"", y.from() + 17, "\""),
                  tick.label);
  }
  for (const Axis::Tick& tick : y.ticks()) {
    grid += join("M", x.from(), " ", tick.pixel, "H", x.to());
    labels += tag("text", join("class=\"y\" x=\"", x.from() - 7, "\" y=\"", tick.pixel + 4, "\""),
                  tick.label);
  }
  const double middle_x = (x.from() + x.to()) / 2;
  const double middle_y = (y.from() + y.to()) / 2;
  labels +=
      tag("text", join("class=\"x name\" x=\"", middle_x, "\" y=\"", y.from() + 38, "\""), x_name);
  labels +=
      tag("text", join("class=\"x name\" transform=\"translate(14 ", middle_y, ")rotate(-90)\""),
          y_name);
  return join("<path class=\"grid\" d=\"", grid, "\"/><path class=\"axes\" d=\"M", x.from(), " ",
              y.to(), "V", y.from(), "H", x.to(), "\"/>", labels);
}

std::string Plot::line(std::string_view classes, const std::vector<Point>& points) const {
  std::string path;
  for (const Point& point : points) {
    if (!std::isfinite(point.x) || !std::isfinite(point.y)) continue;
    path += join(path.empty() ? "M" : "L", x(point.x), " ", y(point.y));
  }
  if (path.empty()) return {};
  return join("<path class=\"line ", classes, "\" d=\"", path, "\"/>");
}

std::string legend_entry(double x, double y, std::string_view sample, std::string_view label) {
  return tag("g", join("transform=\"translate(", x, " ", y, ")\""),
             join(sample, tag("text", "x=\"32\" y=\"4\"", label)));
}

std::string svg(double width, double height, std::string_view title, std::string_view content,
                std::string_view style) {
  const std::string rules =
      style.empty()
          ? ""
          : tag("style", "", style) + "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>";
  return tag("svg",
             join("xmlns=\"http://www.w3.org/2000/svg\" width=\"", width, "\" height=\"", height,
                  "\" viewBox=\"0 0 ", width, " ", height, "\" role=\"img\" aria-label=\"",
                  escape(title), "\""),
             rules + std::string(content));
}

std::string_view style() {
  return R"(
:root { --paper: #fff; --ink: #1b2430; --soft: #5b6675; --rule: #dfe3e9; --box: #f5f6f8; --wide: #8a6fb8;
  --pass: #0072b2; --kink: #00845f; --inconclusive: #b37400; --fail: #d1380b; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181f; --ink: #e6eaf0; --soft: #9aa5b4; --rule: #2c343f; --box: #1d232c; --wide: #b79be8;
    --pass: #56b4e9; --kink: #2fc79b; --inconclusive: #f0b429; --fail: #ff7a4d; } }
svg { font: 12px system-ui, sans-serif; }
svg text { fill: var(--soft); }
svg text.x { text-anchor: middle; }
svg text.y { text-anchor: end; }
svg text.name { fill: var(--ink); }
.paper { fill: var(--paper); }
.grid { stroke: var(--rule); }
.axes { stroke: var(--soft); fill: none; }
.line { fill: none; stroke: var(--soft); stroke-width: 1.5; stroke-linejoin: round; }
.pass { --mark: var(--pass); }
.kink { --mark: var(--kink); }
.inconclusive { --mark: var(--inconclusive); }
.fail { --mark: var(--fail); }
.line.measured { stroke: var(--pass); stroke-width: 2; }
.line.compared { stroke: var(--wide); stroke-width: 8; stroke-opacity: 0.5; }
.line.rounding { stroke-dasharray: 2 4; stroke-width: 2; }
.line.gap { stroke: var(--kink); stroke-width: 2; stroke-dasharray: 8 4; }
.line.diagonal { stroke-dasharray: 5 4; }
)";
}

}  // namespace gradus::plot
