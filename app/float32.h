// gradus gradcheck --float32: every operation and every layer through its samples, small ones and
// those of sizes that train, or a whole model; float32 against float64.
#pragma once

#include <vector>

#include "commands.h"
#include "subjects.h"

namespace gradus::app {

int prove_subjects(const GradcheckCommandOptions& options, const std::vector<Subject>& subjects);
int prove_model(const GradcheckCommandOptions& options);

}  // namespace gradus::app
