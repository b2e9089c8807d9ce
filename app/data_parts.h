// The data of a training: found by name, folder or file, and cut into what it trains with, chooses by
// and tests with.
#pragma once

#include <gradus/data/dataset.h>

#include <string>

#include "records.h"

namespace gradus::app {

struct DataParts {
  Dataset train;
  Dataset validation;  ///< empty unless settings.validation is above 0
  Dataset test;
  std::string checksum;  ///< of all
};

/// A name stays, a path becomes absolute. Throws UsageError for what is neither, with the nearest name;
/// NotFoundError for a path that leads nowhere.
std::string resolve_data_name(const std::string& name);

/// Is this one of the data sets that have a name?
bool is_named(const DataSettings& data);

/// "digits", or the last part of the path without extension: for messages and folder names.
std::string short_name(const DataSettings& data);

/// Reads and cuts. Data of one's own are normalized as measured over their training part. What takes a
/// while shows progress on stderr unless `quiet`.
DataParts load_parts(const DataSettings& data, bool quiet);

/// The whole of it, for eval: the test part alone.
ImageSpec image_spec(const Dataset& data);

}  // namespace gradus::app
