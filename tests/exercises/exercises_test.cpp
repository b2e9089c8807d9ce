// Every exercise fails as it is given, passes with the teacher's key, and fails with each typical mistake, which the
// judge names. Versions come from generate.awk; find-the-bug is also tried on many seeds.
#include <doctest/doctest.h>
#include <gradus/gradcheck/gradcheck.h>

#include <map>
#include <set>

#include "cases.h"
#include "exercises/judge/find_the_bug.h"
#include "exercises/judge/judges.h"

using gradus::BugAnswer;
using gradus::BuggyPass;
using gradus::Judgement;

namespace {

std::vector<ExerciseCase> all_cases() {
  std::vector<ExerciseCase> all = exercise_cases_1();
  for (const auto& more : {exercise_cases_2(), exercise_cases_3()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string text_of(const Judgement& judgement) {
  std::string text;
  for (const std::string& line : judgement.lines) text += line + "\n";
  return text;
}

Judgement answered(const BugAnswer& answer, std::uint64_t seed) {
  return gradus::judge_find_the_bug([&](std::uint64_t) { return answer; }, seed);
}

}  // namespace

TEST_CASE("there are 25 exercises, each with a skeleton, a key, and five mistakes or more") {
  std::map<std::string, int> mistakes;
  for (const ExerciseCase& each : all_cases()) ++mistakes[each.exercise];
  CHECK(mistakes.size() == 25);
  for (const auto& [exercise, count] : mistakes) CHECK_MESSAGE(count >= 2 + 5, exercise);
}

TEST_CASE("each skeleton fails as given and says that nothing is written") {
  for (const ExerciseCase& each : all_cases()) {
    if (each.what != "as given") continue;
    const Judgement judgement = each.judged(0);
    CHECK_MESSAGE(!judgement.passed, each.exercise);
    const std::string text = text_of(judgement);
    const bool plain = text.find("nothing is written yet") != std::string::npos ||
                       text.find("No answer yet") != std::string::npos;
    CHECK_MESSAGE(plain, text);
  }
}

TEST_CASE("each key passes, with other inputs too") {
  for (const ExerciseCase& each : all_cases()) {
    if (each.what != "key") continue;
    for (const std::uint64_t seed : {0U, 1U, 2U, 3U}) {
      const Judgement judgement = each.judged(seed);
      CHECK_MESSAGE(judgement.passed, text_of(judgement));
      CHECK(judgement.lines.size() == 1);
    }
  }
}

TEST_CASE("each mistake fails and is named") {
  for (const ExerciseCase& each : all_cases()) {
    if (each.what == "as given" || each.what == "key") continue;
    const Judgement judgement = each.judged(0);
    const std::string text = text_of(judgement);
    CHECK_MESSAGE(!judgement.passed, each.exercise, ", ", each.what);
    CHECK_MESSAGE(text.find(each.says) != std::string::npos, each.what, ": ", text);
    if (each.exercise != "find-the-bug") CHECK_MESSAGE(judgement.lines.size() <= 3, text);
  }
}

TEST_CASE("a judge survives a function that throws") {
  const Judgement judgement = gradus::judge_corr2d(
      [](const gradus::Tensor& x, const gradus::Tensor&) { return x.select(5, 0); }, 0);
  CHECK(!judgement.passed);
  CHECK(text_of(judgement).find("it threw: ") != std::string::npos);
}

TEST_CASE("every seed of find-the-bug has a bug that the checker sees, and one answer") {
  std::set<gradus::Bug> kinds;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    const BuggyPass pass = gradus::buggy_pass(seed);
    const BugAnswer right = pass.planted;
    kinds.insert(right.kind);
    CHECK(answered(right, seed).passed);
    const gradus::GradcheckReport report = gradus::gradcheck(pass.with(right.kind), pass.inputs,
                                                             {.sweep = false, .names = pass.names});
    CHECK(report.verdict == gradus::Verdict::fail);
    const std::string shown = text_of(answered({.line = 0}, seed));
    CHECK(shown.find(pass.formula) != std::string::npos);
    CHECK(shown.find(std::string(to_string(right.kind))) == std::string::npos);
    for (int line = 1; line <= static_cast<int>(pass.lines.size()); ++line) {
      if (line != right.line) CHECK(!answered({line, right.kind}, seed).passed);
    }
  }
  CHECK(kinds.size() >= 12);
}
