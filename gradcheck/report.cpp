// The report as text. Names first, then the diagnosis, then the worst elements.
#include <gradus/gradcheck/gradcheck.h>

#include <cmath>
#include <sstream>

namespace gradus {

namespace {

/// NaN without its sign, which means nothing.
double shown(double value) { return std::isnan(value) ? std::fabs(value) : value; }

}  // namespace

std::string GradcheckEntry::place() const {
  if (direction >= 0) return name + " along direction " + std::to_string(direction);
  return name + (index.empty() ? "" : gradus::to_string(index));
}

std::string GradcheckReport::to_string(bool colour) const {
  const auto paint = [&](const char* code, std::string_view text) {
    return colour ? "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m"
                  : std::string(text);
  };
  PlainText text;
  text << subject << (order == 2 ? ", second order: " : ": ")
       << paint(verdict == Verdict::fail ? "1;31"
                : passed()               ? "32"
                                         : "33",
                gradus::to_string(verdict));
  if (elements > 0 || directions == 0) text << ", " << elements << " elements";
  if (directions > 0) text << ", " << directions << " directions";
  if (fail_count > 0) text << ", " << fail_count << " wrong";
  if (kink_count > 0) text << ", " << kink_count << " at kinks";
  if (inconclusive_count > 0) text << ", " << inconclusive_count << " inconclusive";
  text << ", largest error " << worst_relative_error;
  for (const Diagnosis& diagnosis : diagnoses) {
    text << "\n  ";
    if (diagnosis.certainty != Certainty::certain)
      text << gradus::to_string(diagnosis.certainty) << ' ';
    text << paint("1", gradus::to_string(diagnosis.pattern)) << ": ";
    if (!diagnosis.input.empty()) text << diagnosis.input << ": ";
    text << diagnosis.text;
  }
  for (const std::string& note : notes) text << "\n  note: " << note;
  // What is wrong already need not be wrong elsewhere too.
  for (std::size_t i = 0; i < not_exercised.size() && verdict != Verdict::fail; ++i)
    text << (i == 0 ? "\n  not exercised: " : "; ") << not_exercised[i];
  for (const GradcheckEntry& entry : worst) {
    if (entry.verdict == Verdict::pass) break;
    text << "\n  " << gradus::to_string(entry.verdict) << " " << entry.place() << ": analytic ";
    text.precision(10);
    text << shown(entry.analytic) << ", numeric ";
    if (entry.left < entry.right) {
      text << "between " << entry.left << " and " << entry.right;
    } else {
      text << shown(entry.numeric);
      text.precision(2);
      text << " ± " << entry.bound << ", absolute error " << shown(entry.absolute_error)
           << ", relative " << shown(entry.relative_error);
    }
    text.precision(6);
  }
  return text.str();
}

std::ostream& operator<<(std::ostream& out, const GradcheckReport& report) {
  return out << report.to_string();
}

}  // namespace gradus
