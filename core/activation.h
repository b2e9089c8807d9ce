// What an operation may still do to each number before it writes it: bias and activation need no
// pass over memory of their own. Always bit for bit what the activation behind the operation gives.
#pragma once

namespace gradus {

enum class Activation {
  none,
  relu  ///< max(y, 0); NaN stays NaN
};

}  // namespace gradus
