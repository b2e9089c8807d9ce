// What a gradient check named first, against what the test planted.
#pragma once

#include <doctest/doctest.h>
#include <gradus/gradcheck/gradcheck.h>

#include <string>
#include <vector>

#include "support/error_message.h"

/// A failed check whose first diagnosis is this pattern, each of the words in its text.
inline const gradus::Diagnosis& first_named(const gradus::GradcheckReport& report,
                                            gradus::Pattern pattern,
                                            const std::vector<std::string>& words) {
  CAPTURE(report.to_string());
  CHECK(report.verdict == gradus::Verdict::fail);
  REQUIRE(!report.diagnoses.empty());
  const gradus::Diagnosis& first = report.diagnoses.front();
  CHECK(to_string(first.pattern) == to_string(pattern));
  for (const std::string& each : words) {
    CAPTURE(each);
    CHECK(contains(first.text, each));
  }
  CHECK(contains(report.to_string(), std::string(to_string(pattern)) + ": "));
  return first;
}

inline void check_named(const gradus::GradcheckReport& report, gradus::Pattern pattern,
                        const std::string& input, const std::vector<std::string>& words) {
  CHECK(first_named(report, pattern, words).input == input);
}

inline void check_named(const gradus::GradcheckReport& report, gradus::Pattern pattern,
                        gradus::Certainty certainty, const std::vector<std::string>& words) {
  CHECK(to_string(first_named(report, pattern, words).certainty) == to_string(certainty));
}
