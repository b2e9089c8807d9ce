// What generate.awk makes of the skeletons, the keys and the mistakes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "../../exercises/judge/judgement.h"

/// One version of one exercise.
struct ExerciseCase {
  std::string exercise;  ///< its name
  std::string what;      ///< "as given", "key", or the mistake
  std::function<gradus::Judgement(std::uint64_t seed)> judged;
  std::string says;  ///< what must be in the judge's lines, of a mistake
};

std::vector<ExerciseCase> exercise_cases_1();
std::vector<ExerciseCase> exercise_cases_2();
std::vector<ExerciseCase> exercise_cases_3();
