// How the data of a training are handed to a net.
#pragma once

#include <gradus/data/loader.h>

#include "records.h"

namespace gradus::app {

/// Shuffled and augmented, as the settings say.
DataLoader training_loader(const Settings& settings, const Dataset& data);
/// All of it once, in order, as it is.
DataLoader evaluation_loader(const Settings& settings, const Dataset& data);

}  // namespace gradus::app
