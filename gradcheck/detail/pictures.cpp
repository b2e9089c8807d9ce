// Scatter, error map, step sweep: what each one shows, mapped to the marks and lines of plot.h.
#include <gradus/gradcheck/detail/pictures.h>
#include <gradus/gradcheck/detail/plot.h>
#include <gradus/gradcheck/detail/probe.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <tuple>

namespace gradus::plot {

std::string mark(Verdict verdict, double x, double y, std::string_view tip) {
  constexpr std::array shapes{"m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", "m0-5l5 9h-10z",
                              "m0-6l5 6l-5 6l-5-6z", "m-5-5l10 10m0-10l-10 10"};
  return tag("path",
             join("class=\"mark ", to_string(verdict), "\" d=\"M", x, " ", y,
                  shapes[static_cast<std::size_t>(verdict)], "\""),
             tip.empty() ? "" : tag("title", "", escape(tip)));
}

namespace {

constexpr std::array verdicts{Verdict::pass, Verdict::kink, Verdict::inconclusive, Verdict::fail};

/// An input with its numbers row-major.
struct Numbers {
  std::string name;
  Shape shape;
  std::vector<double> analytic;
  std::vector<double> numeric;
  std::vector<std::uint8_t> verdicts;
  std::vector<std::size_t> checked;  ///< which were compared

  explicit Numbers(const GradcheckInput& input)
      : name(input.name),
        shape(input.analytic.shape()),
        analytic(input.analytic.to_vector<double>()),
        numeric(input.numeric.to_vector<double>()),
        verdicts(input.verdicts.to_vector<std::uint8_t>()) {
    for (std::size_t e = 0; e < verdicts.size(); ++e) {
      if (verdicts[e] != GradcheckInput::unchecked) checked.push_back(e);
    }
  }

  bool finite(std::size_t e) const { return std::isfinite(analytic[e] - numeric[e]); }
  Verdict verdict(std::size_t e) const { return static_cast<Verdict>(verdicts[e]); }

  std::string tell(std::size_t e) const {
    const Shape index = unravel(static_cast<std::int64_t>(e), shape);
    return join(name, index.empty() ? "" : to_string(index), ": ", to_string(verdict(e)),
                ", analytic ", digits(analytic[e], 8), ", numeric ", digits(numeric[e], 8));
  }
};

std::vector<Numbers> numbers_of(const GradcheckReport& report) {
  return {report.inputs.begin(), report.inputs.end()};
}

}  // namespace

// ---- Analytic against numeric -------------------------------------------------------------------

std::string scatter(const GradcheckReport& report) {
  const std::vector<Numbers> inputs = numbers_of(report);
  std::vector<double> values;
  for (const Numbers& input : inputs) {
    for (const std::size_t e : input.checked) {
      if (input.finite(e)) values.insert(values.end(), {input.analytic[e], input.numeric[e]});
    }
  }
  if (values.empty()) return {};

  const Scale scale = fitting_scale(values);
  const Plot plot{{scale, values, 76, 476}, {scale, values, 416, 16}};
  // What falls on one spot is drawn once; the worst verdict comes last, on top.
  std::map<std::tuple<Verdict, long, long>, std::string> marks;
  std::array<std::int64_t, verdicts.size()> counts{};
  std::int64_t not_finite = 0;
  for (const Numbers& input : inputs) {
    for (const std::size_t e : input.checked) {
      ++(input.finite(e) ? counts[input.verdicts[e]] : not_finite);
      if (!input.finite(e)) continue;
      const double x = plot.x(input.numeric[e]);
      const double y = plot.y(input.analytic[e]);
      std::string& drawn = marks[{input.verdict(e), std::lround(4 * x), std::lround(4 * y)}];
      if (drawn.empty()) drawn = mark(input.verdict(e), x, y, input.tell(e));
    }
  }

  const std::string_view diagonal = "<path class=\"line diagonal\" d=\"";
  std::string content = plot.frame("numeric slope", "analytic slope");
  content += join(diagonal, "M76 416L476 16\"/>");
  for (const auto& [where, drawn] : marks) content += drawn;
  double row = 30;
  const auto legend = [&](std::string_view sample, std::string_view label) {
    content += legend_entry(500, row, sample, label);
    row += 22;
  };
  for (const Verdict verdict : verdicts) {
    const std::int64_t count = counts[static_cast<std::size_t>(verdict)];
    if (count > 0) legend(mark(verdict, 12, 0), join(to_string(verdict), ": ", count));
  }
  legend(join(diagonal, "M0 0H24\"/>"), "analytic = numeric");
  if (not_finite > 0) legend("", join("not finite, not shown: ", not_finite));
  return svg(700, 462, "analytic against numeric slopes", content);
}

// ---- Where the errors are -----------------------------------------------------------------------

namespace {

constexpr std::int64_t most_panels = 64;
constexpr std::int64_t most_cells = 64;  // along either side
constexpr int shades = 8;                // a decade each; the upper half lies beyond the tolerance

int shade(const GradcheckReport& report, double analytic, double numeric) {
  const double tolerance =
      report.atol + report.rtol * std::max(std::fabs(analytic), std::fabs(numeric));
  const double decade = std::log10(std::fabs(analytic - numeric) / tolerance);
  if (std::isnan(decade)) return shades - 1;
  return static_cast<int>(std::clamp(std::floor(decade) + shades / 2, 0.0, shades - 1.0));
}

std::string error_legend() {
  std::string legend;
  const auto entry = [&](std::string_view classes, std::string_view label) {
    legend += tag("span", "", join("<i class=\"swatch ", classes, "\"></i>", label));
  };
  entry("e0", "&lt; 10⁻³");
  for (int s = 1; s < shades; ++s) {
    entry(join("e", s), (s + 1 < shades ? "" : "≥ ") + power_of_ten(s - shades / 2));
  }
  for (const Verdict verdict : {Verdict::fail, Verdict::inconclusive, Verdict::kink}) {
    entry(join("edge ", to_string(verdict)), to_string(verdict));
  }
  entry("unchecked", "not compared");
  return tag("p", "class=\"legend\"", legend);
}

/// The last two axes as a grid, the others as a row of panels. [..., rows, columns]
class ErrorMap {
 public:
  ErrorMap(const GradcheckReport& report, const Numbers& input) : report_(report), input_(input) {
    const int rank = input.shape.rank();
    for (int d = 0; d + 2 < rank; ++d) leading_.push_back(input.shape[d]);
    all_ = {.panels = leading_.numel(),
            .rows = rank > 1 ? input.shape[rank - 2] : 1,
            .columns = rank > 0 ? input.shape[rank - 1] : 1};
    shown_ = {.panels = std::min(all_.panels, most_panels),
              .rows = std::min(all_.rows, most_cells),
              .columns = std::min(all_.columns, most_cells)};
    const double side = all_.panels > 1 ? 256 : 512;
    const auto cells = static_cast<double>(std::max(shown_.rows, shown_.columns));
    cell_ = std::clamp(std::floor(side / cells), 6.0, 26.0);
  }

  std::string draw() const {
    std::string panels;
    for (std::int64_t p = 0; p < shown_.panels; ++p) panels += panel(p);
    return tag("div", "class=\"panels\"", panels) + left_out();
  }

 private:
  struct Extent {
    std::int64_t panels;
    std::int64_t rows;
    std::int64_t columns;
  };

  std::string panel(std::int64_t p) const {
    std::string cells;
    for (std::int64_t row = 0; row < shown_.rows; ++row) {
      for (std::int64_t column = 0; column < shown_.columns; ++column) {
        cells += cell(static_cast<std::size_t>((p * all_.rows + row) * all_.columns + column),
                      cell_ * static_cast<double>(column), cell_ * static_cast<double>(row));
      }
    }
    std::string place;
    for (const std::int64_t index : unravel(p, leading_)) place += std::to_string(index) + ",";
    const std::string grid =
        svg(cell_ * static_cast<double>(shown_.columns), cell_ * static_cast<double>(shown_.rows),
            "errors of " + input_.name, cells);
    const bool all_checked = input_.checked.size() == input_.verdicts.size();
    return tag("figure", "",
               tag("div", all_checked ? "" : "class=\"unchecked\"", grid) +
                   (leading_.empty() ? "" : tag("figcaption", "", "[" + place + ":,:]")));
  }

  /// Nothing for what was not compared: there the background shows.
  std::string cell(std::size_t e, double x, double y) const {
    if (input_.verdicts[e] == GradcheckInput::unchecked) return {};
    const Verdict verdict = input_.verdict(e);
    // The middle of left and right, which a kink has for a numeric slope, says nothing of errors.
    std::string look = verdict == Verdict::kink
                           ? ""
                           : join(" e", shade(report_, input_.analytic[e], input_.numeric[e]));
    if (verdict != Verdict::pass) look += join(" edge ", to_string(verdict));
    const double inset = verdict == Verdict::pass ? 0.5 : 1.25;  // room for the edge
    const double side = cell_ - 2 * inset;
    return tag("rect",
               join("class=\"cell", look, "\" x=\"", x + inset, "\" y=\"", y + inset, "\" width=\"",
                    side, "\" height=\"", side, "\""),
               tag("title", "", escape(input_.tell(e))));
  }

  bool shows(std::size_t e) const {
    const auto i = static_cast<std::int64_t>(e);
    return i % all_.columns < shown_.columns && i / all_.columns % all_.rows < shown_.rows &&
           i / all_.columns / all_.rows < shown_.panels;
  }

  std::string left_out() const {
    std::string parts;
    const auto add = [&](std::int64_t shown, std::int64_t all, std::string_view what) {
      if (shown < all) parts += join(parts.empty() ? "" : ", ", shown, " of ", all, " ", what);
    };
    add(shown_.panels, all_.panels, "panels");
    add(shown_.rows, all_.rows, "rows");
    add(shown_.columns, all_.columns, "columns");
    if (parts.empty()) return {};
    const auto hidden = std::ranges::count_if(input_.checked, [&](std::size_t e) {
      return !shows(e) && input_.verdict(e) == Verdict::fail;
    });
    return tag("p", "class=\"soft\"",
               join("Shown: the first ", parts, ". Of what is left out, ", hidden, " fail."));
  }

  const GradcheckReport& report_;
  const Numbers& input_;
  Shape leading_;
  Extent all_{};
  Extent shown_{};
  double cell_ = 0;  ///< pixels
};

}  // namespace

std::string error_maps(const GradcheckReport& report) {
  if (report.elements == 0) return {};
  std::string maps = error_legend();
  for (const Numbers& input : numbers_of(report)) {
    maps += tag("h3", "", escape(input.name) + " " + to_string(input.shape));
    maps += input.checked.empty() ? tag("p", "class=\"soft\"", "No element was compared.")
                                  : ErrorMap(report, input).draw();
  }
  return maps;
}

// ---- The sweep of the step ----------------------------------------------------------------------

namespace {

struct Series {
  std::string_view classes;
  std::string_view label;
  std::vector<Point> points;  ///< a step and an error each
};

std::vector<Series> errors_by_step(const GradcheckReport& report) {
  const GradcheckEntry& entry = report.worst.front();
  std::vector<Series> all;
  const auto add = [&](std::string_view classes, std::string_view label, const auto& error) {
    all.push_back({classes, label, {}});
    for (const SlopeStep& step : report.sweep) {
      all.back().points.push_back({step.h, std::fabs(error(step))});
    }
  };
  add("compared", "|analytic − central difference(h)|",
      [&](const SlopeStep& step) { return entry.analytic - step.central; });
  add("measured", "|central difference(h) − numeric slope|",
      [&](const SlopeStep& step) { return step.central - entry.numeric; });
  add("rounding", "estimate of rounding", [](const SlopeStep& step) { return step.rounding; });
  if (entry.left < entry.right) {
    add("gap", "|right(h) − left(h)|, which stays open at a kink",
        [](const SlopeStep& step) { return step.right - step.left; });
  }
  return all;
}

}  // namespace

std::string step_sweep(const GradcheckReport& report, std::string_view style) {
  if (report.sweep.empty() || report.worst.empty()) return {};
  const std::vector<Series> all = errors_by_step(report);
  std::vector<double> steps;
  std::vector<double> errors;
  for (const Series& series : all) {
    for (const Point& point : series.points) {
      steps.push_back(point.x);
      errors.push_back(point.y);
    }
  }
  if (std::ranges::none_of(errors, [](double error) { return error > 0; })) return {};
  using enum Scale;
  const Plot plot{{logarithmic, steps, 76, 620}, {logarithmic, errors, 346, 16}};
  std::string content = plot.frame("step h", "error of the slope");
  double row = 410;
  for (const Series& series : all) {
    const std::string line = plot.line(series.classes, series.points);
    if (line.empty()) continue;  // nothing finite in it
    content += line;
    content += legend_entry(
        76, row, join("<path class=\"line ", series.classes, "\" d=\"M0 0H24\"/>"), series.label);
    row += 22;
  }
  return svg(640, row, "error of the central difference against its step", content, style);
}

// ---- Colours ------------------------------------------------------------------------------------

std::string_view picture_style() {
  // The shades e0..e7 leave the lightness of the page step by step, their hue turns at the
  // tolerance, and none comes so far that the edge of a cell would not show on it.
  return R"(
:root { --e0: #dce6f1; --e1: #c4d8ec; --e2: #a6c6e5; --e3: #7fadd9;
  --e4: #e8a256; --e5: #d98430; --e6: #c2661a; --e7: #a44a0a; }
@media (prefers-color-scheme: dark) {
  :root { --e0: #27323f; --e1: #27405e; --e2: #2b5079; --e3: #35659a;
    --e4: #8a5416; --e5: #a9661a; --e6: #c97b1f; --e7: #e69230; } }
.e0 { --shade: var(--e0); } .e1 { --shade: var(--e1); }
.e2 { --shade: var(--e2); } .e3 { --shade: var(--e3); }
.e4 { --shade: var(--e4); } .e5 { --shade: var(--e5); }
.e6 { --shade: var(--e6); } .e7 { --shade: var(--e7); }
.cell { fill: var(--shade, var(--paper)); }
.cell.edge { stroke: var(--ink); stroke-width: 1.5; }
.cell.kink { stroke: var(--kink); }
.cell.inconclusive { stroke-dasharray: 3 2; }
.swatch { display: inline-block; width: 14px; height: 14px; background-color: var(--shade); }
.swatch.edge { box-sizing: border-box; border: 2px solid var(--ink); }
.swatch.kink { border-color: var(--kink); }
.swatch.inconclusive { border-style: dashed; }
.unchecked { background-image: repeating-linear-gradient(45deg, var(--rule) 0 1px, transparent 1px 6px); }
.mark { stroke: var(--mark); stroke-width: 1.5; fill: var(--mark); fill-opacity: 0.35; }
.mark.fail { stroke-width: 2.5; fill: none; }
)";
}

}  // namespace gradus::plot
