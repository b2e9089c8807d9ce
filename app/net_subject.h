// The net that a subcommand looks at, by name, from a file of layers, or out of the folder of a training.
#pragma once

#include <gradus/layers/models.h>
#include <gradus/layers/sequential.h>

#include <optional>
#include <string>

#include "commands.h"
#include "records.h"

namespace gradus::app {

/// A net, and what it takes.
struct NetSubject {
  Sequential model;
  ImageSpec image;
  std::optional<RunRecord> run = std::nullopt;  ///< of the folder of a training
};

/// Throws UsageError for images that make no sense or do not suit the net, NotFoundError, BadDataError.
NetSubject net_subject(const NetOptions& options);

/// The training in the folder `what`, or else the model of that name with first weights, for images as `image`.
NetSubject net_to_check(const std::string& what, const ImageSpec& image, Generator& generator);

}  // namespace gradus::app
