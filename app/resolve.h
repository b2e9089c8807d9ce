// From what was asked for to the settings of a training.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "commands.h"
#include "records.h"

namespace gradus::app {

/// Height and width of "N" or "WIDTHxHEIGHT", each 1 to 4096; nothing for another text.
std::optional<std::pair<std::int64_t, std::int64_t>> parse_image_size(const std::string& text);

/// With the defaults that depend on the data set or the optimizer; the help text states them too. Throws
/// UsageError for what makes no sense together, and for unknown data, models and augmentations.
Settings resolve(const TrainOptions& options);
/// The part of it that concerns data.
DataSettings resolve_data(const std::string& name, const std::string& data_dir,
                          const DataOptions& options);
/// The first option of data that is given; empty without.
std::string option_of_form(const DataOptions& options);
/// Throws UsageError unless `augment` is what parse_transforms() takes.
void expect_transforms(const std::string& augment);

}  // namespace gradus::app
