// The report as a page: what to_string() says, and three pictures. The page loads nothing, runs
// nothing, follows the reader's light or dark scheme, and never tells by hue alone.
#include <gradus/gradcheck/detail/pictures.h>
#include <gradus/gradcheck/detail/plot.h>
#include <gradus/gradcheck/gradcheck.h>

namespace gradus {
namespace {

using plot::digits;
using plot::escape;
using plot::join;
using plot::tag;

std::string badge(Verdict verdict) {
  return tag(
      "span", join("class=\"badge ", to_string(verdict), "\""),
      join(plot::svg(16, 16, to_string(verdict), plot::mark(verdict, 8, 8)), to_string(verdict)));
}

/// A part of the page, unless its picture is empty.
std::string figure(std::string_view title, std::string_view explanation, std::string_view picture) {
  if (picture.empty()) return {};
  return tag("section", "",
             tag("h2", "", title) + tag("p", "class=\"soft\"", explanation) + std::string(picture));
}

std::string counts(const GradcheckReport& report) {
  std::string list;
  const auto add = [&](std::string_view name, const auto& count) {
    list += tag("div", "", tag("dt", "", name) + tag("dd", "", join(count)));
  };
  add("elements", report.elements);
  if (report.directions > 0) add("directions", report.directions);
  add("pass", report.passed_count);
  add("kink", report.kink_count);
  add("inconclusive", report.inconclusive_count);
  add("fail", report.fail_count);
  add("largest error", digits(report.worst_relative_error, 2));
  return tag("dl", "", list);
}

std::string diagnosis(const GradcheckReport& report) {
  std::string text;
  for (const Diagnosis& each : report.diagnoses) {
    const std::string where = each.input.empty() ? "" : escape(each.input) + ": ";
    text += tag("p", "class=\"diagnosis\"",
                tag("strong", "", to_string(each.pattern)) + " " + where + escape(each.text));
  }
  std::string notes;
  for (const std::string& note : report.notes) notes += tag("li", "", escape(note));
  return text + (notes.empty() ? "" : tag("h2", "", "Notes") + tag("ul", "", notes));
}

std::string worst_table(const GradcheckReport& report) {
  if (report.worst.empty()) return {};
  const auto row = [](std::string_view name, std::string_view verdict, std::string_view place,
                      const std::vector<std::string>& numbers) {
    std::string cells = tag(name, "", verdict) + tag(name, "", place);
    for (const std::string& number : numbers) cells += tag(name, "class=\"number\"", number);
    return tag("tr", "", cells);
  };
  std::string rows =
      row("th", "verdict", "where", {"analytic", "numeric", "absolute error", "relative error"});
  for (const GradcheckEntry& entry : report.worst) {
    const std::string numeric = entry.left < entry.right
                                    ? digits(entry.left, 10) + " to " + digits(entry.right, 10)
                                    : digits(entry.numeric, 10) + " ± " + digits(entry.bound, 2);
    rows += row("td", badge(entry.verdict), escape(entry.place()),
                {digits(entry.analytic, 10), numeric, digits(entry.absolute_error, 2),
                 digits(entry.relative_error, 2)});
  }
  return tag("div", "class=\"wide\"", tag("table", "", rows));
}

constexpr std::string_view page_style = R"(
body { max-width: 1000px; margin: 2rem auto; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin-bottom: 0.3rem; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 0.3rem; font-size: 1.2rem; }
h3 { margin: 1.2rem 0 0.4rem; font-size: 1rem; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; }
.badge svg { flex: none; }
.soft, dt, th, figcaption { color: var(--soft); }
p.soft { margin: 0.3rem 0 1rem; font-size: 0.9rem; }
dl { display: flex; flex-wrap: wrap; gap: 0.5rem 2.2rem; }
dt { font-size: 0.85rem; }
dd { margin: 0; font-size: 1.4rem; }
.badge { display: inline-flex; align-items: center; gap: 0.35rem; padding: 0 0.5rem;
  border: 1.5px solid var(--mark); border-radius: 1rem; font-size: 0.9rem; }
.headline .badge { margin-right: 0.5rem; padding: 0.1rem 0.8rem; border-width: 2px; font-size: 1.1rem; font-weight: 600; }
.diagnosis { padding: 0.6rem 1rem; border-left: 4px solid var(--fail); background: var(--box); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; white-space: nowrap; }
th, td { padding: 0.35rem 0.9rem 0.35rem 0; border-bottom: 1px solid var(--rule); text-align: left; }
th { font-weight: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.legend { display: flex; flex-wrap: wrap; gap: 0.3rem 1rem; font-size: 0.85rem; }
.legend span { display: inline-flex; align-items: center; gap: 0.35rem; }
.panels { display: flex; flex-wrap: wrap; gap: 0.8rem; }
figure { margin: 0; }
figure svg { display: block; }
figcaption { font-size: 0.8rem; }
)";

}  // namespace

std::string GradcheckReport::sweep_svg() const { return plot::step_sweep(*this, plot::style()); }

std::string GradcheckReport::to_html() const {
  const std::string head =
      "<meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width\"/>"
      "<meta name=\"color-scheme\" content=\"light dark\"/>" +
      tag("title", "", join(escape(subject), ": ", gradus::to_string(verdict))) +
      tag("style", "", join(plot::style(), plot::picture_style(), page_style));
  const std::string headline =
      tag("h1", "", escape(subject)) +
      tag("p", "class=\"headline\"",
          badge(verdict) + (order == 2 ? "second derivative" : "first derivative"));
  const std::string swept = worst.empty() ? "" : escape(worst.front().place());
  const std::string pictures =
      figure("The worst",
             "Worst first. At a kink, every slope between those from left and right is right.",
             worst_table(*this)) +
      figure("Analytic against numeric",
             "What backward says against what differences say: a mark for each element, with the "
             "first random weights of the output. Right gradients lie on the diagonal; at a kink, "
             "the numeric slope shown is the middle of left and right.",
             plot::scatter(*this)) +
      figure(
          "Where the errors are",
          "|analytic − numeric| in units of the tolerance, atol + rtol·max(|analytic|, |numeric|): "
          "up to 1 is allowed. The last axis runs to the right, the one before "
          "it downwards, the others from panel to panel.",
          plot::error_maps(*this)) +
      figure("The step of the worst element",
             swept +
                 ": a long step suffers from truncation, a short one from rounding. A right "
                 "gradient falls to the bottom of the V with the differences; a wrong one "
                 "stays above, at the height of its error, as every one does at a kink. What is 0 "
                 "lies on the lower edge.",
             plot::step_sweep(*this));
  const std::string nothing_drawn =
      elements > 0 ? ""
                   : tag("p", "class=\"soft\"", "No single element was compared: no pictures.");
  return "<!DOCTYPE html>\n" +
         tag("html", "lang=\"en\"",
             tag("head", "", head) + "\n" +
                 tag("body", "",
                     headline + counts(*this) + diagnosis(*this) + pictures + nothing_drawn)) +
         "\n";
}

}  // namespace gradus
