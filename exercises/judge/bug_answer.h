// What is asked and answered in find-the-bug.
#pragma once

#include <gradus/gradcheck/planted.h>

namespace gradus {

/// Which line of the backward pass is wrong, and how.
struct BugAnswer {
  int line = 0;  ///< from 1; 0: not known yet
  Bug kind = Bug::scaled;
};

}  // namespace gradus
