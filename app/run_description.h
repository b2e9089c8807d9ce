// A training in words: what it was asked for, and the command that repeats it.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "data_parts.h"
#include "records.h"

namespace gradus::app {

/// Of RunRecord::blas as much as a message shows; the name of the kernels stands at its end.
inline constexpr std::size_t longest_blas = 200;

/// A training with these settings on these data that has not begun; its parameters are not counted yet.
RunRecord describe_run(const Settings& settings, const DataParts& data);

/// The command line that trains the same model, with all that its result depends on, for a shell.
std::string command_of(const Settings& settings);

/// The command line that made `folder` of an ONNX file, where nothing was trained.
std::string import_command_of(const Settings& settings, const std::string& folder);

/// Names and values, as a person wants to see them; what was not used is left out, and all of the training if there was none.
std::vector<std::pair<std::string, std::string>> described(const RunRecord& run, bool trained);

}  // namespace gradus::app
