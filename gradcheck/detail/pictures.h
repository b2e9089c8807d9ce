// The pictures of a report, as parts of a page; their colours are in style() of plot.h and
// in picture_style(). Scatter and map show the numbers of the first draw of weights, and the
// verdicts of all.
#pragma once

#include <gradus/gradcheck/gradcheck.h>

#include <string>
#include <string_view>

namespace gradus::plot {

// A picture with nothing to show is an empty string.

/// Analytic against numeric slope of every element that was compared.
std::string scatter(const GradcheckReport& report);
/// For each input, how far each element is off.
std::string error_maps(const GradcheckReport& report);
/// The error of the worst element's slope against the step h. With `style` a picture of its own.
std::string step_sweep(const GradcheckReport& report, std::string_view style = {});

/// The sign of a verdict: a disc, a triangle, a diamond or a cross.
std::string mark(Verdict verdict, double x, double y, std::string_view tip = {});

/// The CSS rules of marks and cells.
std::string_view picture_style();

}  // namespace gradus::plot
