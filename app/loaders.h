// How the data of a training are handed to a net.
#pragma once

#include <gradus/data/loader.h>

#include "data_parts.h"
#include "records.h"

namespace gradus::app {

/// data.train, shuffled and augmented, as the settings say. Throws UsageError for an augmentation that does
/// not suit them: it must leave images the size that the net is tested with, and is for pixels alone.
/// Of each batch `part`, where it is cut into shards.
DataLoader training_loader(const Settings& settings, const DataParts& data,
                           const BatchShards& part = {});
/// All of it once, in order, as it is.
DataLoader evaluation_loader(const Settings& settings, const Dataset& data);

}  // namespace gradus::app
