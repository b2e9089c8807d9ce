// gradus gradcheck --self-test: would the checker have caught it?
#pragma once

#include <vector>

#include "records.h"
#include "subjects.h"

namespace gradus::app {

/// Plants every bug in every subject, one at a time, wherever it has an effect; then runs functions
/// that are right but hard: at kinks, badly scaled, near the edge of their domain.
SelfTestRecord run_self_test(const std::vector<Subject>& subjects);
/// A table by bug, what escaped, and the totals.
void print_self_test(const SelfTestRecord& test);

}  // namespace gradus::app
