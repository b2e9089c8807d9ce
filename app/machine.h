// What the machine can do: the scale that `gradus bench` measures by.
#pragma once

#include "records.h"

namespace gradus::app {

/// Measured now, with num_threads() threads; the best of a few tries, in half a second.
MachineRates measure_machine();

}  // namespace gradus::app
